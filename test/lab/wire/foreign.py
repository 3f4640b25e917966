"""Servers and clients of what is no greeting in one piece: foreign.py serve KEY CERTIFICATE TLS12 TLS13 SLOW, addresses
(says `ready`), foreign.py tls HOST COUNT, foreign.py slow HOST. Clients say as JSON what came."""

import concurrent.futures
import json
import socket
import ssl
import sys
import threading
import time

PORT = 587
PATIENCE = 10
SLOW = b'220 mx.dest.example ESMTP\r\n'
PACE = 0.3


def serve_tls(context, connection):
    # The client's first octets are all that this end waits for.
    with context.wrap_socket(connection, server_side=True) as secured:
        secured.sendall(b'220 mx.dest.example ESMTP\r\n')
        while secured.recv(4096):
            pass


def serve_slow(connection):
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for octet in SLOW:
        connection.sendall(bytes([octet]))
        time.sleep(PACE)
    lines = connection.makefile('rb')
    while line := lines.readline():
        leaves = line.upper().startswith(b'QUIT')
        connection.sendall(b'221 bye\r\n' if leaves else b'250 mx.dest.example\r\n')
        if leaves:
            break
    connection.close()


def accept(server, serve):
    while True:
        connection, _ = server.accept()

        def run(connection=connection):
            try:
                serve(connection)
            except OSError:
                pass

        threading.Thread(target=run, daemon=True).start()


def serve(key, certificate, *addresses):
    for address, version in zip(addresses, (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3, None)):
        server = socket.create_server((address, PORT), backlog=64)
        if version is None:
            what = serve_slow
        else:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.minimum_version = context.maximum_version = version
            context.load_cert_chain(certificate, key)
            what = lambda connection, context=context: serve_tls(context, connection)
        threading.Thread(target=accept, args=(server, what), daemon=True).start()
    print('ready', flush=True)
    threading.Event().wait()


def tls(host, count):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

    def once(session):
        began = time.monotonic()
        with socket.create_connection((host, PORT), timeout=PATIENCE) as connection:
            with context.wrap_socket(connection, session=session) as secured:
                first = secured.recv(100).decode()
                told = {'version': secured.version(), 'resumed': secured.session_reused, 'greeting': first}
                return secured.session, {**told, 'seconds': round(time.monotonic() - began, 3)}

    session, full = once(None)
    with concurrent.futures.ThreadPoolExecutor(int(count)) as pool:
        resumed = [told for _, told in pool.map(once, [session] * int(count))]
    print(json.dumps([full, *resumed]))


def slow(host):
    began = time.monotonic()
    connection = socket.create_connection((host, PORT), timeout=30)
    pieces, text = [], b''
    while not text.endswith(b'\n'):
        piece = connection.recv(100)
        if not piece:
            sys.exit('the server closed')
        text += piece
        pieces.append([round(time.monotonic() - began, 2), piece.decode()])
    lines = connection.makefile('rwb')
    for command in (b'EHLO client.example', b'QUIT'):
        lines.write(command + b'\r\n')
        lines.flush()
        text += lines.readline()
    print(json.dumps({'text': text.decode(), 'pieces': pieces}))


{'serve': serve, 'tls': tls, 'slow': slow}[sys.argv[1]](*sys.argv[2:])
