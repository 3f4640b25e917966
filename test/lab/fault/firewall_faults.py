"""What a firewall does to mail: each fault is a function of one frame that gives what goes on instead.

A fault takes (frame, to_server) and gives a list of (delay in seconds, frame, to_server). It is made by its name with
its settings as keyword arguments, all strings. Connections are told apart by the client's port where it matters."""

import random
import socket
import time

from firewall_frames import ACK, RST

HELLO = (b'EHLO', b'HELO')


def on(frame, to_server):
    return [(0, frame, to_server)]


def client_port(frame, to_server):
    return frame.ports[0 if to_server else 1]


def is_hello(frame):
    return frame.payload[:4].upper() in HELLO


def is_pure_ack(frame):
    return frame.flags == ACK and not frame.payload


def countdown(times):
    """True so many times; 0 is always."""
    left = [int(times) or -1]

    def due():
        if left[0] == 0:
            return False
        left[0] -= 1
        return True

    return due


def drop_ehlo(times='0'):
    """Swallows segments that begin with the first command, their retransmissions too."""
    due = countdown(times)

    def fault(frame, to_server):
        return [] if to_server and is_hello(frame) and due() else on(frame, to_server)

    return fault


def drop_command(verb, times='0'):
    """Swallows segments of the client that begin with this word, their retransmissions too."""
    due = countdown(times)

    def fault(frame, to_server):
        return [] if to_server and frame.payload.startswith(verb.encode()) and due() else on(frame, to_server)

    return fault


def drop_acks(times='0'):
    """Swallows the client's bare ACKs, without the one that ends the handshake."""
    due, greeted = countdown(times), set()

    def fault(frame, to_server):
        port = client_port(frame, to_server)
        if not to_server and frame.payload:
            greeted.add(port)
        drop = to_server and port in greeted and is_pure_ack(frame) and due()
        return [] if drop else on(frame, to_server)

    return fault


def drop_greeting(times='0'):
    due = countdown(times)

    def fault(frame, to_server):
        return [] if not to_server and frame.payload.startswith(b'220') and due() else on(frame, to_server)

    return fault


def hold_ehlo(ms):
    def fault(frame, to_server):
        held = to_server and is_hello(frame)
        return [(int(ms) / 1000 if held else 0, frame, to_server)]

    return fault


def slow(ms):
    """Everything comes later, as on a long way."""

    def fault(frame, to_server):
        return [(int(ms) / 1000, frame, to_server)]

    return fault


def mask_verb(verb='EHLO'):
    """In place, as Cisco's `inspect esmtp` masks what it does not know."""
    wanted = verb.encode()

    def fault(frame, to_server):
        if to_server and frame.payload[:len(wanted)].upper() == wanted:
            frame.payload = b'X' * len(wanted) + frame.payload[len(wanted):]
        return on(frame, to_server)

    return fault


def mask_keyword(keyword='STARTTLS'):
    """In place, on the way out: the server's offer is there and cannot be read."""
    wanted = keyword.encode()
    mask = b'X' * (len(wanted) - 1) + b'A'

    def fault(frame, to_server):
        if not to_server and b'250' in frame.payload[:3]:
            masked = frame.payload.replace(wanted, mask)
            if masked != frame.payload:
                frame.payload = masked
        return on(frame, to_server)

    return fault


def strip_starttls():
    """Cuts the line out of the reply; every later number of the server's is less by its length."""
    line, cuts = b'250-STARTTLS\r\n', {}

    def fault(frame, to_server):
        port = client_port(frame, to_server)
        cut = cuts.get(port)
        if to_server:
            # In the client's numbers the cut lies where the reply ends for it.
            if cut is not None and not behind(cut - len(line), frame.ack):
                frame.ack = frame.ack + len(line)
            return on(frame, to_server)
        if line in frame.payload:
            cuts[port] = cut = (frame.seq + len(frame.payload)) & 0xFFFFFFFF
            frame.payload = frame.payload.replace(line, b'')
        elif cut is not None and not behind(cut, frame.seq):
            frame.seq = frame.seq - len(line)
        return on(frame, to_server)

    return fault


def behind(mark, number):
    """`number` lies before `mark`, modulo 2^32."""
    return (number - mark) & 0x80000000 != 0


def split_ehlo():
    """One octet a segment, each with its own number: legal, and hard on naive inspectors."""

    def fault(frame, to_server):
        if not to_server or not is_hello(frame):
            return on(frame, to_server)
        pieces = []
        for i, octet in enumerate(frame.payload):
            piece = frame.copy()
            piece.seq = frame.seq + i
            piece.payload = bytes([octet])
            pieces.append((i * 0.001, piece, True))
        return pieces

    return fault


def inject_rst(to, ttl='64', sever='no'):
    """A RST in the peer's name as the first command comes by; `sever`: nothing of the connection passes afterwards."""
    done = set()

    def fault(frame, to_server):
        port = client_port(frame, to_server)
        if port in done:
            return [] if sever == 'yes' else on(frame, to_server)
        if not to_server or not is_hello(frame):
            return on(frame, to_server)
        done.add(port)
        news = []
        if to in ('server', 'both'):
            news.append((0, forged(frame, frame.seq, ttl), True))
        if to in ('client', 'both'):
            news.append((0, forged(frame.turned(), frame.ack, ttl), False))
        return news if sever == 'yes' else [*news, (0.005, frame, True)]

    return fault


def forged(frame, seq, ttl):
    reset = frame.without_options()
    reset.seq, reset.ack, reset.flags, reset.ttl = seq, 0, RST, int(ttl)
    return reset


def randomise(seed='7', sack='no'):
    """Other sequence numbers on each leg, translated both ways; SACK blocks only with `sack`, which Cisco's forgets."""
    chance, shifts = random.Random(int(seed)), {}

    def fault(frame, to_server):
        port = client_port(frame, to_server)
        shift = shifts.setdefault(port, (chance.getrandbits(31), chance.getrandbits(31)))
        mine, theirs = shift if to_server else (-shift[1], -shift[0])
        frame.seq = frame.seq + mine
        if frame.flags & ACK:
            frame.ack = frame.ack + theirs
        if sack == 'yes':
            frame.shift_sack(theirs)
        return on(frame, to_server)

    return fault


def black_hole(over='1400'):
    def fault(frame, to_server):
        return [] if len(frame.payload) > int(over) else on(frame, to_server)

    return fault


def drop_bulk(nth='3', times='1', ms='0'):
    """Swallows the client's nth large segment: so many copies of it, or with `ms` all of that long."""
    due, seen, target, until = countdown(times), set(), [], []

    def fault(frame, to_server):
        if not to_server or len(frame.payload) < 1000:
            return on(frame, to_server)
        if frame.seq not in seen:
            seen.add(frame.seq)
            if len(seen) == int(nth):
                target.append(frame.seq)
                until.append(time.monotonic() + int(ms) / 1000)
        drop = frame.seq in target and (time.monotonic() < until[0] if int(ms) else due())
        return [] if drop else on(frame, to_server)

    return fault


def rough_road(loss='2', late='2', seed='1'):
    """Loss and reordering without malice, in percent of all segments, by a fixed seed."""
    chance = random.Random(int(seed))

    def fault(frame, to_server):
        # Two draws a frame, so that one setting does not change what the other hits.
        lost, slow = chance.random() * 100 < float(loss), chance.random() * 100 < float(late)
        return [] if lost else [(0.004 if slow else 0, frame, to_server)]

    return fault


def dnat(public, inside):
    """Destination NAT, IPv4: clients know the server by another address."""
    outer, inner = socket.inet_aton(public), socket.inet_aton(inside)

    def fault(frame, to_server):
        if frame.version == 4:
            if to_server and frame.destination == outer:
                frame.readdress(16, inner)
            elif not to_server:
                frame.readdress(12, outer)
        return on(frame, to_server)

    return fault


FAULTS = {
    'drop-ehlo': drop_ehlo,
    'drop-command': drop_command,
    'drop-acks': drop_acks,
    'drop-greeting': drop_greeting,
    'hold-ehlo': hold_ehlo,
    'slow': slow,
    'mask-verb': mask_verb,
    'mask-keyword': mask_keyword,
    'strip-starttls': strip_starttls,
    'split-ehlo': split_ehlo,
    'inject-rst': inject_rst,
    'randomise': randomise,
    'black-hole': black_hole,
    'drop-bulk': drop_bulk,
    'rough-road': rough_road,
    'dnat': dnat,
}
