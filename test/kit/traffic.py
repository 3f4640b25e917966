"""SMTP traffic that a benchmark can go by: as little work per octet as a socket allows.

traffic.py serve ADDRESS            a server on port 25 that takes all and keeps nothing
traffic.py bulk ADDRESS OCTETS      one message of OCTETS; prints the seconds from its first octet to the reply, then
                                    those of each eightieth of it
traffic.py ping ADDRESS COUNT       NOOP and its reply, COUNT times; prints each round trip in nanoseconds, sorted
"""

import socket
import sys
import threading
import time

PORT = 25
LINES = (b"x" * 76 + b"\r\n") * 840
END = b"\r\n.\r\n"
PIECES = 80


def answer(connection):
    buffer = bytearray(1 << 20)
    connection.sendall(b"220 sink.example ESMTP\r\n")
    in_message = False
    while True:
        count = connection.recv_into(buffer)
        if count == 0:
            return
        if in_message:
            # The sender writes whole lines, and its end of data in one piece.
            if bytes(buffer[max(0, count - 5) : count]).endswith(END[-min(5, count) :]) and buffer[count - 3] == 0x2E:
                connection.sendall(b"250 2.0.0 taken\r\n")
                in_message = False
            continue
        for line in bytes(buffer[:count]).split(b"\r\n")[:-1]:
            verb = line[:4].upper()
            if verb == b"DATA":
                in_message = True
                connection.sendall(b"354 go\r\n")
            elif verb == b"QUIT":
                connection.sendall(b"221 2.0.0 Bye\r\n")
                return
            else:
                connection.sendall(b"250 2.0.0 Ok\r\n")


def serve(address):
    server = socket.create_server((address, PORT), backlog=256)
    print("ready", flush=True)

    def handle(connection):
        with connection:
            answer(connection)

    while True:
        connection, _ = server.accept()
        threading.Thread(target=handle, args=(connection,), daemon=True).start()


def say(connection, line):
    connection.sendall(line)
    return connection.recv(4096)


def open_session(address):
    connection = socket.create_connection((address, PORT))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.recv(4096)
    say(connection, b"EHLO bench.example\r\n")
    return connection


def bulk(address, octets):
    connection = open_session(address)
    for line in (b"MAIL FROM:<a@bench.example>\r\n", b"RCPT TO:<b@sink.example>\r\n", b"DATA\r\n"):
        say(connection, line)
    began = last = time.perf_counter()
    sent, pieces = 0, []
    while sent < octets:
        connection.sendall(LINES)
        sent += len(LINES)
        if sent * PIECES >= octets * (len(pieces) + 1):
            now = time.perf_counter()
            pieces.append(now - last)
            last = now
    say(connection, END[2:])
    print(time.perf_counter() - began, *pieces)
    say(connection, b"QUIT\r\n")


def ping(address, count):
    connection = open_session(address)
    trips = []
    for _ in range(count):
        began = time.perf_counter_ns()
        say(connection, b"NOOP\r\n")
        trips.append(time.perf_counter_ns() - began)
    print(*sorted(trips))
    say(connection, b"QUIT\r\n")


def main():
    action, address, *rest = sys.argv[1:]
    if action == "serve":
        serve(address)
    elif action == "bulk":
        bulk(address, int(rest[0]))
    elif action == "ping":
        ping(address, int(rest[0]))
    else:
        sys.exit(__doc__)


main()
