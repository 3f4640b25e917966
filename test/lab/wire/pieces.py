"""Segments whose headers do not lie in one piece, from DEVICE to the hardware address TO; says their octets of payload.

A packet socket that is told that only the link header is a header (PACKET_VNET_HDR) leaves all else in pages, once a
frame has more octets than one of them. An MTU of 9000 is needed.
"""

import socket
import struct
import sys

SOL_PACKET, PACKET_VNET_HDR = 263, 15

device, to = sys.argv[1:]
link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
link.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
link.bind((device, 0))
head = bytes.fromhex(to.replace(':', '')) + link.getsockname()[4]

payload = b'x' * 4_998 + b'\r\n'
# The checksum is wrong, so that nobody answers.
tcp = struct.pack('!HHIIBBHHH', 40001, 25, 1, 1, 8 << 4, 0x18, 512, 1, 0) + bytes([1] * 12) + payload
addresses4 = bytes([198, 18, 0, 10, 198, 19, 0, 4])
addresses6 = bytes.fromhex('fd000018' + '0' * 23 + 'a' + 'fd000019' + '0' * 23 + '4')
v4 = b'\x08\x00' + struct.pack('!BBHHHBBH', 0x45, 0, 20 + len(tcp), 7, 0, 64, 6, 0) + addresses4 + tcp
v6 = b'\x86\xdd' + struct.pack('!IHBB', 6 << 28, len(tcp), 6, 64) + addresses6 + tcp
options = b'\x86\xdd' + struct.pack('!IHBB', 6 << 28, len(tcp) + 8, 0, 64) + addresses6 + struct.pack('!BB6x', 6, 0) + tcp
FRAMES = [v4, v6, options, b'\x81\x00\x00\x05' + v4, b'\x88\xa8\x00\x05\x81\x00\x00\x06' + v6]
for frame in FRAMES:
    # struct virtio_net_hdr: no offloads, and the link header's length.
    link.send(struct.pack('=BBHHHH', 0, 0, len(head) + 2, 0, 0, 0) + head + frame)
print(len(payload) * len(FRAMES))
