"""Says what it is told to, octet for octet: dialogue.py HOST[:PORT] STEP...

Steps: reply (wait for a whole one), say:TEXT (Python escapes), bulk:OCTETS, tls (a handshake), close (FIN, and wait for
the other), abort (RST)."""

import socket
import ssl
import struct
import sys

where, *steps = sys.argv[1:]
host, _, port = where.partition(':')
connection = socket.create_connection((host, int(port or 25)), timeout=30)
connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
lines = connection.makefile('rb')

for step in steps:
    name, _, argument = step.partition(':')
    if name == 'reply':
        while line := lines.readline():
            print(line)
            if line[3:4] != b'-':
                break
        else:
            sys.exit('the server closed instead of a reply')
    elif name == 'say':
        connection.sendall(argument.encode('latin1').decode('unicode_escape').encode('latin1'))
    elif name == 'bulk':
        line = b'x' * 70 + b'\r\n'
        connection.sendall(line * (int(argument) // len(line)))
    elif name == 'tls':
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = context.wrap_socket(connection)
        lines = connection.makefile('rb')
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
