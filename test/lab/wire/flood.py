"""Floods of frames made by hand, of a count and a rate that are given; says how many it sent, and in what time.

syn COUNT RATE DEVICE TO SERVER: SYNs from that many clients that never go on.
mid COUNT RATE DEVICE TO SERVER: a segment of 256 octets each, of connections that never began.
greet COUNT CLIENT_NETNS DEVICE SERVER_NETNS DEVICE: one connection to each of so many servers, with a whole greeting."""

import ctypes
import os
import random
import struct
import sys
import time

from framing import V4, address_of, open_link

SYN, RST, PSH, ACK = 2, 4, 8, 16
GREETING = b'220 mx ESMTP\r\n'


def checksum(octets):
    total = sum(struct.unpack(f'!{len(octets) // 2}H', octets))
    total = (total & 0xffff) + (total >> 16)
    return ~(total + (total >> 16)) & 0xffff


def packet(source, target, ports, numbers, flags, payload=b''):
    """An IPv4 packet; the payload has an even length."""
    length = 20 + len(payload)
    ip = struct.pack('!BBHHHBBH', 0x45, 0, 20 + length, 1, 0x4000, 60, 6, 0) + source + target
    tcp = struct.pack('!HHIIBBHHH', *ports, *numbers, 5 << 4, flags, 65535, 0, 0) + payload
    pseudo = source + target + struct.pack('!HH', 6, length)
    tcp = tcp[:16] + struct.pack('!H', checksum(pseudo + tcp)) + tcp[18:]
    return ip[:10] + struct.pack('!H', checksum(ip)) + ip[12:] + tcp


def address(text):
    return bytes(map(int, text.split('.')))


def flood(mode, count, rate, device, to, server):
    link = open_link(device)
    head = bytes.fromhex(to.replace(':', '')) + address_of(link) + V4
    target = address(server)
    began = time.monotonic()
    for i in range(count):
        # Each of them another one.
        source = bytes([10, (i >> 16) & 255, (i >> 8) & 255, i & 255])
        ports = (1024 + i % 60000, 25)
        numbers = (random.getrandbits(32), 0 if mode == 'syn' else random.getrandbits(32))
        flags, payload = (SYN, b'') if mode == 'syn' else (PSH | ACK, b'A' * 254 + b'\r\n')
        link.send(head + packet(source, target, ports, numbers, flags, payload))
        if i % 20 == 0:
            time.sleep(max(0, began + i / rate - time.monotonic()))
    return began


def enter(netns):
    with open(f'/run/netns/{netns}') as there:
        if ctypes.CDLL(None, use_errno=True).setns(there.fileno(), 0x40000000) != 0:
            raise OSError(ctypes.get_errno(), netns)


def greet(count, client_netns, client_device, server_netns, server_device):
    enter(client_netns)
    client = open_link(client_device)
    enter(server_netns)
    server = open_link(server_device)
    to_server = address_of(server) + address_of(client) + V4
    to_client = address_of(client) + address_of(server) + V4
    me = address('198.18.9.1')
    steps = [
        (True, (1, 0), SYN, b''),
        (False, (1, 2), SYN | ACK, b''),
        (True, (2, 2), ACK, b''),
        (False, (2, 2), PSH | ACK, GREETING),
        (True, (2, 2 + len(GREETING)), ACK, b''),
        (True, (2, 2 + len(GREETING)), RST | ACK, b''),
    ]
    began = time.monotonic()
    for first in range(0, count, BATCH):
        for by_client, numbers, flags, payload in steps:
            for i in range(first, min(count, first + BATCH)):
                other = bytes([100, 64 + (i >> 16), (i >> 8) & 255, i & 255])
                port = 4000 + i % 50000
                if by_client:
                    client.send(to_server + packet(me, other, (port, 25), numbers, flags))
                else:
                    server.send(to_client + packet(other, me, (25, port), numbers, flags, payload))
            # Two devices: what was sent first is to arrive first.
            time.sleep(0.003)
    return began


BATCH = 50
mode, count = sys.argv[1], int(sys.argv[2])
if mode == 'greet':
    started = greet(count, *sys.argv[3:])
else:
    started = flood(mode, count, int(sys.argv[3]), *sys.argv[4:])
print(count, f'{time.monotonic() - started:.1f}')
