"""Says what it is told to, octet for octet: client.py HOST STEP...

Steps: reply (wait for a whole one), say:TEXT (Python escapes), bulk:OCTETS, close (FIN, and wait for the other), abort (RST)."""

import socket
import struct
import sys

host, *steps = sys.argv[1:]
connection = socket.create_connection((host, 25), timeout=30)
connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
lines = connection.makefile('rb')

for step in steps:
    name, _, argument = step.partition(':')
    if name == 'reply':
        while line := lines.readline():
            print(line)
            if line[3:4] != b'-':
                break
    elif name == 'say':
        connection.sendall(argument.encode('latin1').decode('unicode_escape').encode('latin1'))
    elif name == 'bulk':
        line = b'x' * 70 + b'\r\n'
        connection.sendall(line * (int(argument) // len(line)))
    elif name == 'close':
        connection.shutdown(socket.SHUT_WR)
        while lines.read(4096):
            pass
    elif name == 'abort':
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        lines.close()
        connection.close()
    else:
        sys.exit(f'no such step: {step}')
