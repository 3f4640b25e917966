"""Segments whose headers do not lie in one piece, from DEVICE to the hardware address TO; says their octets of payload.

A packet socket that is told that only the link header is a header (PACKET_VNET_HDR) leaves all else in pages, once a
frame has more octets than one of them. An MTU of 9000 is needed.
"""

import struct
import sys

from framing import V4, V6, address_of, ip4, ip6, open_link

SOL_PACKET, PACKET_VNET_HDR = 263, 15

device, to = sys.argv[1:]
link = open_link(device, (SOL_PACKET, PACKET_VNET_HDR, 1))
head = bytes.fromhex(to.replace(':', '')) + address_of(link)

payload = b'x' * 4_998 + b'\r\n'
# The checksum is wrong, so that nobody answers.
tcp = struct.pack('!HHIIBBHHH', 40001, 25, 1, 1, 8 << 4, 0x18, 512, 1, 0) + bytes([1] * 12) + payload
FRAMES = [
    V4 + ip4(tcp),
    V6 + ip6(tcp, 6),
    V6 + ip6(struct.pack('!BB6x', 6, 0) + tcp, 0),
    b'\x81\x00\x00\x05' + V4 + ip4(tcp),
    b'\x88\xa8\x00\x05\x81\x00\x00\x06' + V6 + ip6(tcp, 6),
]
for frame in FRAMES:
    # struct virtio_net_hdr: no offloads, and the link header's length.
    link.send(struct.pack('=BBHHHH', 0, 0, len(head) + 2, 0, 0, 0) + head + frame)
print(len(payload) * len(FRAMES))
