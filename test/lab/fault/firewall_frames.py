"""Ethernet frames that carry TCP: the fields that a middlebox touches, and correct checksums afterwards."""

import struct

FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10
ETHERNET = 14
TCP = 6
END, NOP, SACK = 0, 1, 5


class Frame:
    """One frame, changed in place; `sealed()` gives its octets with lengths and checksums made right."""

    def __init__(self, octets):
        self.octets = bytearray(octets)
        self.changed = False
        self.ip = ETHERNET
        self.version = self.octets[ETHERNET] >> 4
        self.tcp = self.ip + ((self.octets[self.ip] & 0x0F) * 4 if self.version == 4 else 40)
        if self.version == 4:
            # Padding of short frames is no payload.
            del self.octets[self.ip + self.u16(self.ip + 2):]
        self.data = self.tcp + (self.octets[self.tcp + 12] >> 4) * 4

    def u16(self, at):
        return struct.unpack_from('!H', self.octets, at)[0]

    def u32(self, at):
        return struct.unpack_from('!I', self.octets, at)[0]

    def put32(self, at, value):
        struct.pack_into('!I', self.octets, at, value & 0xFFFFFFFF)
        self.changed = True

    seq = property(lambda self: self.u32(self.tcp + 4), lambda self, value: self.put32(self.tcp + 4, value))
    ack = property(lambda self: self.u32(self.tcp + 8), lambda self, value: self.put32(self.tcp + 8, value))
    flags = property(lambda self: self.octets[self.tcp + 13], lambda self, value: self._put8(self.tcp + 13, value))
    ports = property(lambda self: (self.u16(self.tcp), self.u16(self.tcp + 2)))

    def _put8(self, at, value):
        self.octets[at] = value
        self.changed = True

    @property
    def ttl(self):
        return self.octets[self.ip + (8 if self.version == 4 else 7)]

    @ttl.setter
    def ttl(self, value):
        self._put8(self.ip + (8 if self.version == 4 else 7), value)

    @property
    def payload(self):
        return bytes(self.octets[self.data:])

    @payload.setter
    def payload(self, value):
        self.octets[self.data:] = value
        self.changed = True

    @property
    def destination(self):
        return bytes(self.octets[self.ip + 16:self.ip + 20])

    def readdress(self, offset, address):
        """IPv4 only: 12 is the source, 16 the destination."""
        self.octets[self.ip + offset:self.ip + offset + 4] = address
        self.changed = True

    def shift_sack(self, by):
        """Adds to every edge of its SACK blocks (RFC 2018 section 3)."""
        at, option_end = self.tcp + 20, self.data
        while at < option_end and self.octets[at] != END:
            if self.octets[at] == NOP:
                at += 1
                continue
            size = self.octets[at + 1]
            if self.octets[at] == SACK:
                for edge in range(at + 2, at + size, 4):
                    self.put32(edge, self.u32(edge) + by)
            at += size

    def copy(self):
        twin = Frame(self.octets)
        twin.changed = self.changed
        return twin

    def without_options(self):
        twin = Frame(self.octets)
        del twin.octets[twin.tcp + 20:]
        twin.octets[twin.tcp + 12] = 5 << 4
        twin.data = twin.tcp + 20
        twin.changed = True
        return twin

    def turned(self):
        """The same addresses and ports the other way."""
        twin = self.copy()
        at, size = (twin.ip + 12, 4) if twin.version == 4 else (twin.ip + 8, 16)
        swap(twin.octets, 0, 6)
        swap(twin.octets, at, size)
        swap(twin.octets, twin.tcp, 2)
        twin.changed = True
        return twin

    def sealed(self):
        if not self.changed:
            return bytes(self.octets)
        octets, ip, tcp = self.octets, self.ip, self.tcp
        length = len(octets) - tcp
        if self.version == 4:
            struct.pack_into('!H', octets, ip + 2, len(octets) - ip)
            struct.pack_into('!H', octets, ip + 10, 0)
            struct.pack_into('!H', octets, ip + 10, checksum(octets[ip:tcp]))
            pseudo = octets[ip + 12:ip + 20]
        else:
            struct.pack_into('!H', octets, ip + 4, length)
            pseudo = octets[ip + 8:ip + 40]
        struct.pack_into('!H', octets, tcp + 16, 0)
        covered = bytes(pseudo) + struct.pack('!II', length, TCP) + bytes(octets[tcp:])
        struct.pack_into('!H', octets, tcp + 16, checksum(covered))
        return bytes(octets)


def is_tcp(octets):
    if len(octets) < ETHERNET + 40:
        return False
    kind = octets[12:14]
    if kind == b'\x08\x00':
        return octets[ETHERNET + 9] == TCP
    return kind == b'\x86\xdd' and len(octets) >= ETHERNET + 60 and octets[ETHERNET + 6] == TCP


def swap(octets, at, size):
    first, second = octets[at:at + size], octets[at + size:at + 2 * size]
    octets[at:at + 2 * size] = second + first


def checksum(octets):
    """RFC 1071."""
    if len(octets) % 2:
        octets = bytes(octets) + b'\0'
    total = sum(struct.unpack(f'!{len(octets) // 2}H', octets))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
