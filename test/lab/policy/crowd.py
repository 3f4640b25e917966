"""Clients of one mail server from many addresses, in one process.

honest HOST PORT CLIENTS SECONDS: each from an address of its own, one message a connection, one after the other; what
came of them, as JSON.
hostile HOST PORT CONNECTIONS SECONDS: so many connections at a time, all to no good: silent, slow, garbage, a flood of
commands, half open; says `ready` when each was tried once, and at the end what came of them, as JSON."""

import heapq
import json
import os
import random
import select
import socket
import struct
import sys
import threading
import time

#: Of 198.18.0.0/15 (RFC 2544) all are addresses of this machine; of the network behind it none is.
HOSTILE = 2_500
HONEST_NETWORK = '198.19'
NOWHERE = '192.0.2'
TEXT = b'Subject: honest\r\n\r\n' + b'A line of the message.\r\n' * 40 + b'.\r\n'
STEPS = [b'EHLO client.example\r\n', b'MAIL FROM:<a@client.example>\r\n', b'RCPT TO:<b@dest.example>\r\n', b'DATA\r\n', TEXT, b'QUIT\r\n']
CODES = [b'220', b'250', b'250', b'250', b'354', b'250', b'221']


class Loop:
    """Sockets and times."""

    def __init__(self):
        self.poll = select.epoll()
        self.peers = {}
        self.timers = []
        self.count = 0

    def at(self, seconds, act):
        self.count += 1
        heapq.heappush(self.timers, (time.monotonic() + seconds, self.count, act))

    def connect(self, peer, source, target):
        peer.socket = socket.socket()
        peer.socket.setblocking(False)
        # The port is chosen for source and target together (IP_BIND_ADDRESS_NO_PORT).
        peer.socket.setsockopt(socket.IPPROTO_IP, 24, 1)
        peer.socket.bind((source, 0))
        peer.socket.connect_ex(target)
        self.peers[peer.socket.fileno()] = peer
        self.poll.register(peer.socket, select.EPOLLIN)

    def close(self, peer):
        if peer.socket.fileno() < 0:
            return
        self.peers.pop(peer.socket.fileno(), None)
        self.poll.unregister(peer.socket)
        peer.socket.close()

    def run(self, seconds):
        end = time.monotonic() + seconds
        while (now := time.monotonic()) < end:
            while self.timers and self.timers[0][0] <= now:
                heapq.heappop(self.timers)[2]()
            wait = min(end, self.timers[0][0] if self.timers else end) - now
            for fd, _ in self.poll.poll(max(0, wait), 1_024):
                peer = self.peers.get(fd)
                if peer is None:
                    continue
                try:
                    octets = peer.socket.recv(65_536)
                except BlockingIOError:
                    continue
                except OSError:
                    octets = b''
                peer.read(octets)


class Honest:
    """One message after the other; what goes wrong is tried again after a second, as a mail server does later."""

    def __init__(self, loop, target, source, came):
        self.loop, self.target, self.source, self.came = loop, target, source, came
        self.begin()

    def begin(self):
        self.step, self.text, self.began = 0, b'', time.monotonic()
        self.loop.connect(self, self.source, self.target)

    def read(self, octets):
        self.text += octets
        if not octets:
            return self.failed('closed')
        if not self.text.endswith(b'\n') or self.text[self.text.rfind(b'\n', 0, -1) + 4 :][:1] == b'-':
            return
        code, self.text = self.text[:3], b''
        if code != CODES[self.step]:
            return self.failed(code.decode('latin1'))
        if self.step == 5:
            self.came['accepted'] += 1
            self.came['slowest'] = max(self.came['slowest'], time.monotonic() - self.began)
        if self.step == len(STEPS):
            self.loop.close(self)
            return self.begin()
        self.send(STEPS[self.step])
        self.step += 1

    def send(self, octets):
        try:
            self.socket.sendall(octets)
        except OSError:
            pass

    def failed(self, why):
        self.came['failed'][why] = self.came['failed'].get(why, 0) + 1
        self.loop.close(self)
        self.loop.at(1, self.begin)


class Hostile:
    """A connection that is made again a second or two after it was ended, from another address."""

    def __init__(self, loop, target, came, kind):
        self.loop, self.target, self.came, self.kind = loop, target, came, kind
        self.begin()

    def begin(self):
        number = random.randrange(HOSTILE)
        self.life = getattr(self, 'life', 0) + 1
        self.greeted = False
        self.came['connections'] += 1
        try:
            self.loop.connect(self, f'198.18.{number // 250}.{number % 250 + 1}', self.target)
        except OSError:
            self.loop.at(1, self.begin)

    def read(self, octets):
        if not octets:
            self.came['ended'] += 1
            self.loop.close(self)
            self.loop.at(random.uniform(1, 2), self.begin)
            return
        if octets[:3] == b'421' or b'\n421' in octets:
            self.came['refused'] += 1
        if not self.greeted:
            self.greeted = True
            self.act(self.life, 0)

    def act(self, life, turn):
        if life != self.life or self.socket.fileno() < 0:
            return
        say, wait = self.kind(turn)
        try:
            if say:
                self.socket.send(say)
        except OSError:
            pass
        if wait:
            self.loop.at(wait, lambda: self.act(life, turn + 1))


def silent(turn):
    return b'', 0


def slow(turn):
    opening = b'EHLO slow.example\r\nMAIL FROM:<a@slow.example>\r\nRCPT TO:<b@dest.example>\r\nDATA\r\n'
    return opening[turn : turn + 1] or b'x', random.uniform(1, 3)


def garbage(turn):
    return random.choice([b'GET / HTTP/1.1\r\n', b'XYZZY\r\n', os.urandom(40) + b'\r\n', b'VRFY root\r\n']), 0.5


def flooding(turn):
    return b'NOOP\r\n' * 200, 1


KINDS = [silent] * 3 + [slow] * 2 + [garbage] * 2 + [flooding]


def checksum(octets):
    total = sum(struct.unpack(f'!{len(octets) // 2}H', octets))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def half_open(target, count, seconds, came):
    """SYNs from addresses that answer nothing; each again after three seconds, as long as it lasts."""
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    end = time.monotonic() + seconds
    dst = socket.inet_aton(target[0])
    while time.monotonic() < end:
        for i in range(count):
            src = socket.inet_aton(f'{NOWHERE}.{i % 250 + 1}')
            tcp = struct.pack('!HHIIBBHHH', 1_024 + i, target[1], random.getrandbits(32), 0, 0x50, 2, 64_240, 0, 0)
            total = checksum(src + dst + struct.pack('!BBH', 0, 6, len(tcp)) + tcp)
            tcp = tcp[:16] + struct.pack('!H', total) + tcp[18:]
            ip = struct.pack('!BBHHHBBH', 0x45, 0, 40, i & 0xFFFF, 0, 64, 6, 0) + src + dst
            raw.sendto(ip + tcp, target)
            came['half_open'] += 1
            if i % 50 == 49:
                time.sleep(0.05)
        time.sleep(3)


def main():
    what, host, port, count, seconds = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
    target, loop = (host, port), Loop()
    if what == 'honest':
        came = {'accepted': 0, 'slowest': 0.0, 'failed': {}}
        for i in range(count):
            Honest(loop, target, f'{HONEST_NETWORK}.{i}.1', came)
        loop.run(seconds)
    else:
        came = {'connections': 0, 'ended': 0, 'refused': 0, 'half_open': 0}
        half = count // 5
        threading.Thread(target=half_open, args=(target, half, seconds, came), daemon=True).start()
        for i in range(count - half):
            # Not all at once: a queue of connections has an end.
            loop.at(i / 2_000, lambda kind=KINDS[i % len(KINDS)]: Hostile(loop, target, came, kind))
        loop.at((count - half) / 2_000, lambda: print('ready', flush=True))
        loop.run(seconds)
        came['open'] = len(loop.peers)
    times = os.times()
    print(json.dumps({**came, 'seconds': seconds, 'processor': times.user + times.system}), flush=True)


main()
