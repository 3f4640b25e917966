"""A TCP client made by hand, frame by frame: it acknowledges what it likes, and writes any sender's address.

Its address must be nobody's: the kernel would reset what it does not know. Handmade answers for it by ARP.
"""

import ctypes
import fcntl
import random
import socket
import struct
import time

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
IPV4, ARP = 0x0800, 0x0806
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


def packet(source, target, segment):
    """An IPv4 packet around a TCP segment whose checksum is 0; `source` and `target` are (address, port)."""
    ends = socket.inet_aton(source) + socket.inet_aton(target)
    total = checksum(ends + struct.pack('!BBH', 0, socket.IPPROTO_TCP, len(segment)) + segment)
    segment = segment[:16] + struct.pack('!H', total) + segment[18:]
    length = 20 + len(segment)
    head = struct.pack('!BBHHHBBH', 0x45, 0, length, random.randrange(1 << 16), 0, 64, socket.IPPROTO_TCP, 0) + ends
    return head[:10] + struct.pack('!H', checksum(head)) + head[12:] + segment


def segment_of(sport, dport, seq, ack, flags, window, payload=b''):
    words = (sport, dport, seq % (1 << 32), ack % (1 << 32), 5 << 4, flags, window, 0, 0)
    return struct.pack('!HHIIBBHHH', *words) + payload


def hardware_of(device):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        answer = fcntl.ioctl(asking, SIOCGIFHWADDR, struct.pack('256s', device.encode()))
    return answer[18:24]


def neighbour_of(address, seconds=5):
    """The hardware address that the kernel finds for an address on the link."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            asking.sendto(b'', (address, 9))
            time.sleep(0.1)
            with open('/proc/net/arp', encoding='ascii') as table:
                for ip, _, flags, hardware, *_ in map(str.split, table):
                    if ip == address and flags == '0x2':
                        return bytes.fromhex(hardware.replace(':', ''))
    raise OSError(f'no neighbour answers for {address}')


class Handmade:
    def __init__(self, device, me, server):
        self.me, self.server = me, server
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
        """The kernel passes on what is for this address, and ARP: many of these stand on one busy interface."""
        mine = struct.unpack('!I', socket.inet_aton(self.me))[0]
        program = [
            (0x28, 0, 0, 12),  # the type
            (0x15, 3, 0, ARP),
            (0x15, 0, 3, IPV4),
            (0x20, 0, 0, 30),  # the addressee
            (0x15, 0, 1, mine),
            (0x06, 0, 0, 0xFFFF),
            (0x06, 0, 0, 0),
        ]
        code = b''.join(struct.pack('HBBI', *each) for each in program)
        self._kept = ctypes.create_string_buffer(code)
        handle = struct.pack('HxxxxxxP', len(program), ctypes.addressof(self._kept))
        self.link.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, handle)

    def _frame(self, kind, body):
        return self.beyond + self.hardware + struct.pack('!H', kind) + body

    def send(self, flags, payload=b'', window=65_535):
        segment = segment_of(self.port, SMTP, self.seq, self.ack, flags, window, payload)
        self.link.send(self._frame(IPV4, packet(self.me, self.server, segment)))
        self.seq += len(payload) + (1 if flags & (SYN | FIN) else 0)

    def forge(self, flags, payload=b'', ahead=0):
        """As if the server had sent it, `ahead` octets behind what was received; it leaves by this side's leg."""
        segment = segment_of(SMTP, self.port, self.ack + ahead, self.seq, flags, 65_535, payload)
        self.link.send(self._frame(IPV4, packet(self.server, self.me, segment)))

    def receive(self, seconds):
        """The next segment as (seq, flags, payload), or None; who asks for this address by ARP is answered."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.link.settimeout(left)
            try:
                frame = self.link.recv(65_536)
            except TimeoutError:
                return None
            if frame[12:14] == struct.pack('!H', ARP):
                self._answer(frame)
            elif frame[6:12] != self.hardware and (found := self._mine(frame)):
                return found
        return None

    def _answer(self, frame):
        if frame[20:22] != b'\0\1' or frame[38:42] != socket.inet_aton(self.me):
            return
        mine = self.hardware + socket.inet_aton(self.me)
        body = b'\0\1\x08\0\6\4\0\2' + mine + frame[22:32]
        self.link.send(frame[6:12] + self.hardware + struct.pack('!H', ARP) + body)

    def _mine(self, frame):
        start = 14 + (frame[14] & 15) * 4
        end = 14 + struct.unpack('!H', frame[16:18])[0]
        tcp = frame[start:end]
        if frame[26:30] != socket.inet_aton(self.server) or len(tcp) < 20:
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
