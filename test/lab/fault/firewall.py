"""A firewall of the lab: forwards frames between two interfaces, and does harm on the way.

firewall.py OUTSIDE INSIDE [FAULT[:key=value,...]]...

Faults stand in a row, the first one outermost: what a client sends meets them in this order, what a server sends in
the other. Writes `ready` when it forwards. Offloads of the interfaces must be off: frames are sent on as they are."""

import heapq
import itertools
import select
import socket
import sys
import time

from firewall_faults import FAULTS
from firewall_frames import Frame, is_tcp

ETH_P_ALL = 3
PACKET_OUTGOING = 4
BUFFER = 4 * 1024 * 1024


def make(word):
    name, _, settings = word.partition(':')
    pairs = [setting.split('=', 1) for setting in settings.split(',') if setting]
    return FAULTS[name](**dict(pairs))


def open_interface(name):
    interface = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    interface.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
    interface.bind((name, 0))
    interface.setblocking(False)
    return interface


def walk(faults, frame, to_server):
    """All faults in their order; a frame that a fault turns round leaves by the faults that it came through."""
    results, pending = [], [(0.0, frame, to_server, 0 if to_server else len(faults) - 1)]
    while pending:
        delay, each, direction, at = pending.pop(0)
        if not 0 <= at < len(faults):
            results.append((delay, each, direction))
            continue
        for more, result, way in faults[at](each, direction):
            pending.append((delay + more, result, way, at + 1 if way else at - 1))
    return results


def main():
    outside, inside = open_interface(sys.argv[1]), open_interface(sys.argv[2])
    faults = [make(word) for word in sys.argv[3:]]
    queue, order = [], itertools.count()

    def emit(octets, to_server):
        try:
            (inside if to_server else outside).send(octets)
        except OSError:
            pass  # the other end is down: a cable without a light

    def take(octets, to_server):
        if not is_tcp(octets):
            return emit(octets, to_server)
        for delay, frame, direction in walk(faults, Frame(octets), to_server):
            if delay > 0:
                heapq.heappush(queue, (time.monotonic() + delay, next(order), frame.sealed(), direction))
            else:
                emit(frame.sealed(), direction)

    print('ready', flush=True)
    while True:
        wait = max(0, queue[0][0] - time.monotonic()) if queue else None
        for interface in select.select([outside, inside], [], [], wait)[0]:
            try:
                octets, address = interface.recvfrom(65536)
            except (BlockingIOError, OSError):
                continue
            if address[2] != PACKET_OUTGOING:
                take(octets, interface is outside)
        while queue and queue[0][0] <= time.monotonic():
            _, _, octets, direction = heapq.heappop(queue)
            emit(octets, direction)


main()
