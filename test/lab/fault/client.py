"""A client that follows a script: client.py HOST STEP...

Steps: greeting (wait for a whole one), reply, wait:SECONDS, say:LINE, close (FIN), abort (RST), vanish (the machine
answers nothing from now on, by a rule of its own firewall)."""

import socket
import struct
import subprocess
import sys
import time

PATIENCE = 30

GONE = '''
table inet gone {
  chain heard { type filter hook input priority 0; policy drop; }
  chain said { type filter hook output priority 0; policy drop; }
}
'''

host, *steps = sys.argv[1:]
connection = socket.create_connection((host, 25), timeout=PATIENCE)
connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
lines = connection.makefile('rb')


def read_reply():
    while line := lines.readline():
        print(line)
        if line[3:4] != b'-':
            return


for step in steps:
    name, _, argument = step.partition(':')
    if name in ('greeting', 'reply'):
        read_reply()
    elif name == 'wait':
        time.sleep(float(argument))
    elif name == 'say':
        connection.sendall(argument.encode() + b'\r\n')
    elif name == 'close':
        connection.shutdown(socket.SHUT_WR)
        time.sleep(0.2)
    elif name == 'abort':
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        lines.close()
        connection.close()
    elif name == 'vanish':
        subprocess.run(['nft', '-f', '-'], input=GONE, text=True, check=True)
    else:
        sys.exit(f'no such step: {step}')
