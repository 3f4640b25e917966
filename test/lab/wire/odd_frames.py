"""Frames that nobody expects, from DEVICE to the hardware address TO, each of them once; says how many."""

import struct
import sys

from framing import V4, V6, address_of, ip4, ip6, open_link

device, to = sys.argv[1:]
link = open_link(device)
here = address_of(link)
there = bytes.fromhex(to.replace(':', ''))
head = there + here

tcp = struct.pack('!HHIIBBHHH', 40000, 25, 1, 1, 5 << 4, 0x10, 512, 0, 0)
FRAMES = [
    # An experiment, LLC, nothing behind the addresses, and as long as a jumbo frame can be.
    head + b'\x88\xb5' + b'local' * 9,
    head + struct.pack('!H', 3) + b'\xaa\xaa\x03' + bytes(43),
    head + V4,
    head + b'\x88\xb5' + bytes(8986),
    # Cut short, of another version, longer than the frame, a header that says too much, and too little.
    head + V4 + ip4(tcp)[:12],
    head + V4 + ip4(tcp, version=0x65),
    head + V4 + ip4(tcp, length=900),
    head + V4 + ip4(tcp, version=0x41),
    head + V4 + ip4(tcp[:8]),
    head + V4 + ip4(tcp[:12] + b'\xf0' + tcp[13:]),
    head + V4 + ip4(tcp[:12] + b'\x10' + tcp[13:]),
    # Fragments, IPv4 options, and what trails behind a datagram.
    head + V4 + ip4(tcp + bytes(40), fragment=0x2000),
    head + V4 + ip4(bytes(40), fragment=5),
    head + V4 + ip4(tcp, version=0x47, options=b'\x94\x04\x00\x00\x01\x01\x01\x00'),
    head + V4 + ip4(tcp) + b'trailing!',
    # IPv6: extension headers, more of them than anybody needs, a fragment.
    head + V6 + ip6(struct.pack('!BB6x', 6, 0) + tcp, 0),
    head + V6 + ip6(struct.pack('!BB6x', 60, 0) * 8 + struct.pack('!BB6x', 6, 0) + tcp, 60),
    head + V6 + ip6(struct.pack('!BBHI', 6, 0, 1, 9) + tcp, 44),
    head + V6 + ip6(tcp, 6)[:30],
    # Three tags, and a tag before nothing.
    head + b'\x81\x00\x00\x05' * 3 + V4 + ip4(tcp),
    head + b'\x88\xa8\x00\x05\x81\x00\x00\x06' + V4 + ip4(tcp),
    head + b'\x81\x00\x00\x05' + bytes(46),
    # Flags that exclude one another, and all of them.
    head + V4 + ip4(tcp[:13] + b'\x07' + tcp[14:]),
    head + V4 + ip4(tcp[:13] + b'\xff' + tcp[14:]),
    head + V4 + ip4(tcp[:13] + b'\x00' + tcp[14:]),
    # A protocol that is neither.
    head + V4 + ip4(bytes(32), protocol=132),
    b'\xff' * 6 + here + b'\x88\xb5' + bytes(46),
    b'\x01\x00\x5e\x01\x02\x03' + here + V4 + ip4(bytes(32), protocol=17),
]
for frame in FRAMES:
    link.send(frame)
print(len(FRAMES))
