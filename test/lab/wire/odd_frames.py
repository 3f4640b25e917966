"""Frames that nobody expects, from DEVICE to the hardware address TO, each of them once; says how many."""

import socket
import struct
import sys

device, to = sys.argv[1:]
link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
link.bind((device, 0))
here = link.getsockname()[4]
there = bytes.fromhex(to.replace(':', ''))
head = there + here


def ip4(payload, protocol=6, fragment=0, version=0x45, options=b'', length=None):
    total = 20 + len(options) + len(payload) if length is None else length
    fields = (version, 0, total, 7, fragment, 64, protocol, 0, bytes([198, 18, 0, 10]), bytes([198, 19, 0, 4]))
    return struct.pack('!BBHHHBBH4s4s', *fields) + options + payload


def ip6(payload, following):
    addresses = bytes.fromhex('fd000018' + '0' * 23 + 'a' + 'fd000019' + '0' * 23 + '4')
    return struct.pack('!IHBB', 6 << 28, len(payload), following, 64) + addresses + payload


tcp = struct.pack('!HHIIBBHHH', 40000, 25, 1, 1, 5 << 4, 0x10, 512, 0, 0)
v4, v6 = b'\x08\x00', b'\x86\xdd'
FRAMES = [
    # An experiment, LLC, nothing behind the addresses, and as long as a jumbo frame can be.
    head + b'\x88\xb5' + b'local' * 9,
    head + struct.pack('!H', 3) + b'\xaa\xaa\x03' + bytes(43),
    head + v4,
    head + b'\x88\xb5' + bytes(8986),
    # Cut short, of another version, longer than the frame, a header that says too much, and too little.
    head + v4 + ip4(tcp)[:12],
    head + v4 + ip4(tcp, version=0x65),
    head + v4 + ip4(tcp, length=900),
    head + v4 + ip4(tcp, version=0x41),
    head + v4 + ip4(tcp[:8]),
    head + v4 + ip4(tcp[:12] + b'\xf0' + tcp[13:]),
    head + v4 + ip4(tcp[:12] + b'\x10' + tcp[13:]),
    # Fragments, IPv4 options, and what trails behind a datagram.
    head + v4 + ip4(tcp + bytes(40), fragment=0x2000),
    head + v4 + ip4(bytes(40), fragment=5),
    head + v4 + ip4(tcp, version=0x47, options=b'\x94\x04\x00\x00\x01\x01\x01\x00'),
    head + v4 + ip4(tcp) + b'trailing!',
    # IPv6: extension headers, more of them than anybody needs, a fragment.
    head + v6 + ip6(struct.pack('!BB6x', 6, 0) + tcp, 0),
    head + v6 + ip6(struct.pack('!BB6x', 60, 0) * 8 + struct.pack('!BB6x', 6, 0) + tcp, 60),
    head + v6 + ip6(struct.pack('!BBHI', 6, 0, 1, 9) + tcp, 44),
    head + v6 + ip6(tcp, 6)[:30],
    # Three tags, and a tag before nothing.
    head + b'\x81\x00\x00\x05' * 3 + v4 + ip4(tcp),
    head + b'\x88\xa8\x00\x05\x81\x00\x00\x06' + v4 + ip4(tcp),
    head + b'\x81\x00\x00\x05' + bytes(46),
    # Flags that exclude one another, and all of them.
    head + v4 + ip4(tcp[:13] + b'\x07' + tcp[14:]),
    head + v4 + ip4(tcp[:13] + b'\xff' + tcp[14:]),
    head + v4 + ip4(tcp[:13] + b'\x00' + tcp[14:]),
    # A protocol that is neither.
    head + v4 + ip4(bytes(32), protocol=132),
    b'\xff' * 6 + here + b'\x88\xb5' + bytes(46),
    b'\x01\x00\x5e\x01\x02\x03' + here + v4 + ip4(bytes(32), protocol=17),
]
for frame in FRAMES:
    link.send(frame)
print(len(FRAMES))
