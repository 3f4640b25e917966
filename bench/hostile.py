"""Peers of a relay, for what one hostile one costs the others.

serve PORT: a mail server that answers each command; says `ready`.
honest PORT SECONDS: EHLO, then a NOOP every 20 ms; the delays of all in ms, as JSON.
attack NAME RELAY SERVER SECONDS: one hostile peer, on the side that NAME says, and a peer on the other side that reads
all; prints how many octets it sent, as JSON."""

import json
import socket
import sys
import threading
import time

READ = 65536
#: Of what is sent at a time.
PIECE = 60_000
CERTAIN = [b'EHLO client.example\r\n', b'MAIL FROM:<a@client.example>\r\n', b'RCPT TO:<b@dest.example>\r\n']


def nodelay(peer):
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return peer


def listen(port):
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(('127.0.0.1', port))
    listener.listen(16)
    return listener


def answer(peer):
    """An honest server, for as long as the client speaks; behind DATA and STARTTLS it only reads."""
    nodelay(peer).sendall(b'220 mx.dest.example ESMTP\r\n')
    rest = b''
    while True:
        octets = peer.recv(READ)
        if not octets:
            return
        *lines, rest = (rest + octets).split(b'\n')
        # What goes on without an end is no command.
        rest = rest[-512:]
        replies = []
        for line in lines:
            verb = line[:8].strip().upper()
            replies.append(b'250-mx\r\n250 STARTTLS\r\n' if verb[:4] == b'EHLO' else b'250 ok\r\n')
            if verb in (b'DATA', b'STARTTLS'):
                replies[-1] = b'354 go\r\n' if verb == b'DATA' else b'220 go\r\n'
                peer.sendall(b''.join(replies))
                return drain(peer)
        peer.sendall(b''.join(replies))


def drain(peer):
    while peer.recv(READ):
        pass


def quietly(act, *args):
    try:
        act(*args)
    except OSError:
        pass


def accept_all(listener, act):
    while True:
        peer, _ = listener.accept()
        threading.Thread(target=quietly, args=(act, peer), daemon=True).start()


def reply(stream):
    while True:
        line = stream.readline()
        if not line:
            raise OSError('closed')
        if line[3:4] != b'-':
            return line


def honest(port, seconds):
    peer = nodelay(socket.create_connection(('127.0.0.1', port), 30))
    stream = peer.makefile('rb')
    reply(stream)
    delays = []
    end = time.monotonic() + seconds
    command = CERTAIN[0]
    while time.monotonic() < end:
        began = time.monotonic()
        peer.sendall(command)
        reply(stream)
        delays.append((time.monotonic() - began) * 1000)
        command = b'NOOP\r\n'
        time.sleep(0.02)
    peer.sendall(b'QUIT\r\n')
    print(json.dumps(delays))


class Sender:
    """Sends until the time is over, or the peer is gone, or all is sent."""

    def __init__(self, peer, seconds):
        self.peer, self.end, self.sent = peer, time.monotonic() + seconds, 0

    def send(self, octets):
        self.peer.sendall(octets)
        self.sent += len(octets)
        return time.monotonic() < self.end

    def repeat(self, pattern, most, piece=PIECE):
        octets = pattern * max(1, piece // len(pattern))
        while self.sent < most and self.send(octets):
            pass


def lockstep(sender, stream):
    while sender.send(b'NOOP\r\n'):
        reply(stream)


#: What a client says first, each answered; what it then says all the time; how much at the most; octets a time.
CLIENTS = {
    'NOOPs, each answered': ([], None, 0, 0),
    'NOOPs, pipelined': ([], b'NOOP\r\n', 10e6, PIECE),
    'dots in DATA': ([*CERTAIN, b'DATA\r\n'], b'.', 30e6, PIECE),
    'lines of a dot in DATA': ([*CERTAIN, b'DATA\r\n'], b'\r\n..\r\n.\n', 30e6, PIECE),
    'TLS records of one octet': ([CERTAIN[0], b'STARTTLS\r\n'], b'\x16\x03\x01\x00\x01\x01', 30e6, PIECE),
    'a line of 50 MB': ([], b'A', 50e6, PIECE),
    'a line, octet by octet': ([], b'A', 1e6, 1),
    'BDAT 1, again and again': ([*CERTAIN], b'BDAT 1\r\nx', 10e6, PIECE),
    'BDAT without sense': ([*CERTAIN], b'BDAT -1 LAST LAST\r\n', 10e6, PIECE),
}
#: The same of a server: what it begins with, and whether it then waits for the client's first line.
SERVERS = {
    'lines before a greeting': (b'', False, b'j\n', 30e6, PIECE),
    'replies behind a greeting': (b'220 mx.dest.example ESMTP\r\n', False, b'250 x\r\n', 10e6, PIECE),
    'a greeting of 220- lines': (b'', False, b'220-more\r\n', 30e6, PIECE),
    '220- lines after the repair': (b'220-mx.dest.example ESMTP\r\n', True, b'220-late\r\n', 10e6, PIECE),
}


def attack_as_client(name, relay, server, seconds):
    threading.Thread(target=accept_all, args=(listen(server), answer), daemon=True).start()
    peer = nodelay(socket.create_connection(('127.0.0.1', relay), 30))
    stream = peer.makefile('rb')
    reply(stream)
    first, pattern, most, piece = CLIENTS[name]
    for line in first:
        peer.sendall(line)
        reply(stream)
    sender = Sender(peer, seconds)
    if pattern is None:
        quietly(lockstep, sender, stream)
    else:
        threading.Thread(target=quietly, args=(drain, peer), daemon=True).start()
        quietly(sender.repeat, pattern, most, piece)
    return sender.sent


def attack_as_server(name, relay, server, seconds):
    begin, waits, pattern, most, piece = SERVERS[name]
    listener = listen(server)
    client = nodelay(socket.create_connection(('127.0.0.1', relay), 30))
    peer, _ = listener.accept()
    sender = Sender(nodelay(peer), seconds)
    if begin:
        sender.send(begin)
    if waits:
        client.recv(READ)
        client.sendall(CERTAIN[0])
        peer.recv(READ)
    threading.Thread(target=quietly, args=(drain, client), daemon=True).start()
    quietly(sender.repeat, pattern, most, piece)
    return sender.sent


def attack(name, relay, server, seconds):
    act = attack_as_client if name in CLIENTS else attack_as_server
    print(json.dumps(act(name, relay, server, seconds)), flush=True)


if __name__ == '__main__':
    mode, *args = sys.argv[1:]
    if mode == 'names':
        print(json.dumps([*CLIENTS, *SERVERS]))
    elif mode == 'serve':
        there = listen(int(args[0]))
        print('ready', flush=True)
        accept_all(there, answer)
    elif mode == 'honest':
        honest(int(args[0]), float(args[1]))
    else:
        attack(args[0], int(args[1]), int(args[2]), float(args[3]))
