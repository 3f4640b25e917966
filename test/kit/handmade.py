"""A TCP client made by hand, frame by frame, over IPv4 or IPv6: it acknowledges what it likes, and writes any sender's
address.

Its address must be nobody's: the kernel would reset what it does not know. Handmade answers for it by ARP or ND.
"""

import ctypes
import fcntl
import json
import random
import socket
import struct
import subprocess
import time

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
IPV4, ARP, IPV6 = 0x0800, 0x0806, 0x86DD
ICMPV6, SOLICITATION, ADVERTISEMENT = 58, 135, 136
SMTP = 25
SO_ATTACH_FILTER = 26
SIOCGIFHWADDR = 0x8927


def checksum(octets):
    if len(octets) % 2:
        octets += b'\0'
    total = sum(struct.unpack(f'!{len(octets) // 2}H', octets))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class Four:
    """IPv4, and ARP."""

    kind = IPV4

    @staticmethod
    def octets(address):
        return socket.inet_aton(address)

    @staticmethod
    def filter(mine):
        """What is for this address, and ARP."""
        return [
            (0x28, 0, 0, 12),  # the type
            (0x15, 3, 0, ARP),
            (0x15, 0, 3, IPV4),
            (0x20, 0, 0, 30),  # the addressee
            (0x15, 0, 1, struct.unpack('!I', mine)[0]),
            (0x06, 0, 0, 0xFFFF),
            (0x06, 0, 0, 0),
        ]

    @staticmethod
    def packet(source, target, segment):
        """Around a TCP segment whose checksum is 0."""
        ends = source + target
        total = checksum(ends + struct.pack('!BBH', 0, socket.IPPROTO_TCP, len(segment)) + segment)
        segment = segment[:16] + struct.pack('!H', total) + segment[18:]
        words = (0x45, 0, 20 + len(segment), random.randrange(1 << 16), 0, 64, socket.IPPROTO_TCP, 0)
        head = struct.pack('!BBHHHBBH', *words) + ends
        return head[:10] + struct.pack('!H', checksum(head)) + head[12:] + segment

    @staticmethod
    def segment(frame):
        """Sender, addressee and TCP segment; None where it is none."""
        if frame[12:14] != struct.pack('!H', IPV4):
            return None
        start, end = 14 + (frame[14] & 15) * 4, 14 + struct.unpack('!H', frame[16:18])[0]
        return frame[26:30], frame[30:34], frame[start:end]

    @staticmethod
    def answer(frame, mine, hardware):
        """Of who asks for this address; None: nobody does."""
        if frame[12:14] != struct.pack('!H', ARP) or frame[20:22] != b'\0\1' or frame[38:42] != mine:
            return None
        body = b'\0\1\x08\0\6\4\0\2' + hardware + mine + frame[22:32]
        return frame[6:12] + hardware + struct.pack('!H', ARP) + body


class Six:
    """IPv6 without extension headers, and neighbour discovery (RFC 4861)."""

    kind = IPV6

    @staticmethod
    def octets(address):
        return socket.inet_pton(socket.AF_INET6, address)

    @staticmethod
    def filter(mine):
        """What is for an address that ends alike, and ICMPv6."""
        return [
            (0x28, 0, 0, 12),  # the type
            (0x15, 0, 5, IPV6),
            (0x30, 0, 0, 20),  # the next header
            (0x15, 2, 0, ICMPV6),
            (0x20, 0, 0, 50),  # the last word of the addressee
            (0x15, 0, 1, struct.unpack('!I', mine[12:])[0]),
            (0x06, 0, 0, 0xFFFF),
            (0x06, 0, 0, 0),
        ]

    @staticmethod
    def around(source, target, protocol, at, body, hops=64):
        """Around a body whose checksum, at that octet, is 0 (RFC 8200 §8.1)."""
        ends = source + target
        total = checksum(ends + struct.pack('!IxxxB', len(body), protocol) + body)
        body = body[:at] + struct.pack('!H', total) + body[at + 2 :]
        return struct.pack('!IHBB', 6 << 28, len(body), protocol, hops) + ends + body

    @staticmethod
    def packet(source, target, segment):
        return Six.around(source, target, socket.IPPROTO_TCP, 16, segment)

    @staticmethod
    def segment(frame):
        if frame[12:14] != struct.pack('!H', IPV6) or frame[20] != socket.IPPROTO_TCP:
            return None
        end = 54 + struct.unpack('!H', frame[18:20])[0]
        return frame[22:38], frame[38:54], frame[54:end]

    @staticmethod
    def answer(frame, mine, hardware):
        if frame[12:14] != struct.pack('!H', IPV6) or frame[20] != ICMPV6 or frame[54] != SOLICITATION:
            return None
        if frame[62:78] != mine:
            return None
        # Solicited, and it replaces what was known; the option is the hardware address.
        body = struct.pack('!BBHI', ADVERTISEMENT, 0, 0, 3 << 29) + mine + b'\2\1' + hardware
        head = frame[6:12] + hardware + struct.pack('!H', IPV6)
        return head + Six.around(mine, frame[22:38], ICMPV6, 2, body, 255)


def family_of(address):
    return Six if ':' in address else Four


def segment_of(sport, dport, seq, ack, flags, window, payload=b''):
    words = (sport, dport, seq % (1 << 32), ack % (1 << 32), 5 << 4, flags, window, 0, 0)
    return struct.pack('!HHIIBBHHH', *words) + payload


def hardware_of(device):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        answer = fcntl.ioctl(asking, SIOCGIFHWADDR, struct.pack('256s', device.encode()))
    return answer[18:24]


def neighbour_of(address, seconds=5):
    """The hardware address that the kernel finds for an address on the link."""
    with socket.socket(socket.AF_INET6 if ':' in address else socket.AF_INET, socket.SOCK_DGRAM) as asking:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            asking.sendto(b'', (address, 9))
            time.sleep(0.1)
            found = subprocess.run(['ip', '-j', 'neighbour', 'show', 'to', address], capture_output=True, check=True)
            for entry in json.loads(found.stdout or b'[]'):
                if 'lladdr' in entry:
                    return bytes.fromhex(entry['lladdr'].replace(':', ''))
    raise OSError(f'no neighbour answers for {address}')


class Handmade:
    def __init__(self, device, me, server):
        self.family = family_of(server)
        self.me, self.server = self.family.octets(me), self.family.octets(server)
        self.hardware, self.beyond = hardware_of(device), neighbour_of(server)
        self.port, self.seq, self.ack = random.randrange(20_000, 60_000), random.randrange(1 << 32), 0
        self.link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self._only_mine()
        self.link.bind((device, 0))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.link.close()

    def _only_mine(self):
        """The kernel passes on what may be for this address: many of these stand on one busy interface."""
        program = self.family.filter(self.me)
        code = b''.join(struct.pack('HBBI', *each) for each in program)
        self._kept = ctypes.create_string_buffer(code)
        handle = struct.pack('HxxxxxxP', len(program), ctypes.addressof(self._kept))
        self.link.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, handle)

    def _frame(self, source, target, segment):
        kind = struct.pack('!H', self.family.kind)
        return self.beyond + self.hardware + kind + self.family.packet(source, target, segment)

    def send(self, flags, payload=b'', window=65_535):
        segment = segment_of(self.port, SMTP, self.seq, self.ack, flags, window, payload)
        self.link.send(self._frame(self.me, self.server, segment))
        self.seq += len(payload) + (1 if flags & (SYN | FIN) else 0)

    def forge(self, flags, payload=b'', ahead=0):
        """As if the server had sent it, `ahead` octets behind what was received; it leaves by this side's leg."""
        segment = segment_of(SMTP, self.port, self.ack + ahead, self.seq, flags, 65_535, payload)
        self.link.send(self._frame(self.server, self.me, segment))

    def receive(self, seconds):
        """The next segment as (seq, flags, payload), or None; who asks for this address is answered."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.link.settimeout(left)
            try:
                frame = self.link.recv(65_536)
            except TimeoutError:
                return None
            if answer := self.family.answer(frame, self.me, self.hardware):
                self.link.send(answer)
            elif frame[6:12] != self.hardware and (found := self._mine(frame)):
                return found
        return None

    def _mine(self, frame):
        source, target, tcp = self.family.segment(frame) or (b'', b'', b'')
        if (source, target) != (self.server, self.me) or len(tcp) < 20:
            return None
        sport, dport, seq = struct.unpack('!HHI', tcp[:8])
        if (sport, dport) != (SMTP, self.port):
            return None
        return seq, tcp[13], tcp[(tcp[12] >> 4) * 4 :]

    def connect(self, window=65_535, seconds=5):
        """The handshake; False where nobody answers."""
        self.send(SYN, window=window)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = self.receive(1)
            if found is None:
                continue
            seq, flags, _ = found
            if flags & RST:
                return False
            if flags & SYN:
                self.ack = (seq + 1) % (1 << 32)
                self.send(ACK, window=window)
                return True
        return False

    def take(self, seconds, window=65_535):
        """Octets of the server in order, acknowledged; b'' where none come in that time, None at its end."""
        end = time.monotonic() + seconds
        while (found := self.receive(max(0.0, end - time.monotonic()))) is not None:
            seq, flags, payload = found
            if flags & RST:
                return None
            if payload and seq == self.ack:
                self.ack = (self.ack + len(payload)) % (1 << 32)
                self.send(ACK, window=window)
                return payload
            self.send(ACK, window=window)
            if flags & FIN:
                return None
        return b''
