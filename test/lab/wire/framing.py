"""What frames are made of, from a client to the server; a link to send them on."""

import socket
import struct

V4, V6 = b'\x08\x00', b'\x86\xdd'


def open_link(device, *options):
    link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    for option in options:
        link.setsockopt(*option)
    link.bind((device, 0))
    return link


def address_of(link):
    return link.getsockname()[4]


def ip4(payload, protocol=6, fragment=0, version=0x45, options=b'', length=None):
    total = 20 + len(options) + len(payload) if length is None else length
    fields = (version, 0, total, 7, fragment, 64, protocol, 0, bytes([198, 18, 0, 10]), bytes([198, 19, 0, 4]))
    return struct.pack('!BBHHHBBH4s4s', *fields) + options + payload


def ip6(payload, following):
    addresses = bytes.fromhex('fd000018' + '0' * 23 + 'a' + 'fd000019' + '0' * 23 + '4')
    return struct.pack('!IHBB', 6 << 28, len(payload), following, 64) + addresses + payload
