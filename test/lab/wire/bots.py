"""Clients of every bad kind against one server, over and over until SECONDS have passed: SERVER SECONDS KIND...

Says `ready` when the first of each kind is under way, and at the end, as JSON, how often each kind was played. Addresses:
see test/lab/wire/crowd.ts; those of hand-made clients are nobody's."""

import collections
import itertools
import json
import os
import random
import socket
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '../../kit'))
from handmade import ACK, FIN, PSH, RST, Handmade  # noqa: E402

DEVICE, NETWORKS = 'eth0', 4
# Longer than the patience of the tests, which is 6 s; where there is time, also than what verdicts wait for, which is 20 s.
HOLD = 9 if float(sys.argv[2]) < 60 else 25
EHLO = b'EHLO bot.example\r\n'
MAIL = b'MAIL FROM:<bot@bot.example>\r\nRCPT TO:<b@dest.example>\r\n'
PLAYED = collections.Counter()


def connect(server, source):
    bot = socket.create_connection((server, 25), 10, source_address=(source, 0))
    bot.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    bot.settimeout(HOLD)
    return bot


def hear(bot, seconds):
    """Until the server ends or falls silent."""
    bot.settimeout(seconds)
    while bot.recv(4096):
        pass


def address(server, number, first, hosts):
    """A client's, of the server's family: see test/lab/wire/crowd.ts."""
    network, host = number % NETWORKS, first + number % hosts
    return f'fd{network:02x}:18::{host}' if ':' in server else f'198.18.{network}.{host}'


def plain(act):
    """A kind that the kernel's TCP will do for."""

    def play(server, number):
        with connect(server, address(server, number, 100, 20)) as bot:
            act(bot)

    return play


def early(bot):
    """It speaks into the first line, as those do that do not read."""
    bot.recv(4096)
    bot.sendall(EHLO)
    bot.recv(4096)
    bot.sendall(MAIL)
    hear(bot, HOLD)


def pipelined(bot):
    """All at once, before any line."""
    bot.sendall(EHLO + MAIL + b'DATA\r\n')
    hear(bot, HOLD)


def octet(bot):
    bot.recv(4096)
    bot.sendall(b'E')
    hear(bot, HOLD)


def closes(bot):
    bot.recv(4096)


def half(bot):
    """It will send no more, and reads on."""
    bot.recv(4096)
    bot.shutdown(socket.SHUT_WR)
    hear(bot, HOLD)


def resets(bot):
    bot.recv(4096)
    time.sleep(random.random())
    bot.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))


def silent(bot):
    hear(bot, HOLD)


def refused(bot):
    """It waits for its turn and is refused all the same."""
    line = b''
    while line[3:4] != b' ':
        line = bot.recv(4096).splitlines()[-1]
    bot.sendall(EHLO)
    bot.recv(4096)
    bot.sendall(b'MAIL FROM:<bot@bot.example>\r\n')
    bot.recv(4096)
    bot.sendall(b'RCPT TO:<refused@elsewhere.example>\r\n')
    bot.recv(4096)
    bot.sendall(b'QUIT\r\n')
    hear(bot, 2)


def handmade(act):
    def play(server, number):
        with Handmade(DEVICE, address(server, number, 200, 50), server) as bot:
            if bot.connect():
                act(bot)

    return play


def hold(bot, window=65_535, seconds=HOLD):
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0 and bot.take(left, window) is not None:
        pass


def window(bot):
    """It takes the first line, and has no room for more."""
    bot.take(HOLD, 0)
    end = time.monotonic() + HOLD
    while (left := end - time.monotonic()) > 0:
        # The server's window probes are answered, and carry an octet that is not taken.
        if bot.receive(min(1, left)):
            bot.send(ACK, window=0)
    bot.send(RST | ACK)


def vanish(bot):
    """Behind the handshake: nothing is acknowledged."""
    end = time.monotonic() + HOLD
    while (left := end - time.monotonic()) > 0:
        bot.receive(left)


def forged_line(bot):
    """Lines of the server that the server did not write, acknowledged as if it had."""
    bot.take(HOLD)
    for line in (b'220-x\r\n', b'220-and another one\r\n'):
        bot.forge(ACK | PSH, line)
        bot.ack += len(line)
        bot.send(ACK)
    hold(bot)
    bot.send(RST | ACK)


def forged_first(bot):
    """The whole greeting is forged, before the server's own is there."""
    for line in (b'220-x\r\n', b'220-x\r\n'):
        bot.forge(ACK | PSH, line)
        bot.ack += len(line)
        bot.send(ACK)
    hold(bot)
    bot.send(RST | ACK)


def forged_reset(bot):
    bot.take(HOLD)
    bot.forge(RST | ACK)
    bot.forge(FIN | ACK)
    hold(bot)


def crowd(server, number):
    """Fifty at a time, each of another kind."""
    acts = [early, pipelined, octet, closes, half, resets, silent]
    bots = []
    try:
        for i in range(50):
            bots.append((connect(server, address(server, i, 100, 20)), acts[i % len(acts)]))
    except OSError:
        # Refused, and that is all right: it is a crowd.
        pass
    threads = [threading.Thread(target=quietly, args=(act, bot)) for bot, act in bots]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for bot, _ in bots:
        bot.close()


def quietly(act, *arguments):
    try:
        act(*arguments)
    except (OSError, IndexError):
        # A server may answer a bot as it likes.
        pass


KINDS = {
    **{act.__name__: plain(act) for act in (early, pipelined, octet, closes, half, resets, silent, refused)},
    **{act.__name__: handmade(act) for act in (window, vanish, forged_line, forged_first, forged_reset)},
    'crowd': crowd,
}


def keep_playing(server, kind, end, first):
    for number in itertools.count(first):
        if time.monotonic() >= end:
            return
        quietly(KINDS[kind], server, number)
        PLAYED[kind] += 1
        time.sleep(0.2)


def main():
    server, seconds, kinds = sys.argv[1], float(sys.argv[2]), sys.argv[3:] or list(KINDS)
    end = time.monotonic() + seconds
    # Hand-made clients of different kinds must not share an address at a time.
    threads = [threading.Thread(target=keep_playing, args=(server, kind, end, 10 * i)) for i, kind in enumerate(kinds)]
    for thread in threads:
        thread.start()
    print('ready', flush=True)
    for thread in threads:
        thread.join()
    print(json.dumps(PLAYED), flush=True)


main()
