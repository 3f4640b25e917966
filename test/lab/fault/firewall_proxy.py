"""A firewall that terminates TCP: accepts for the server and calls it in the client's name, all of it by its own stack.

firewall_proxy.py PORT: a transparent listener (TPROXY) in a router's namespace. Writes `ready` when it listens."""

import asyncio
import socket
import sys

IP_TRANSPARENT, IPV6_TRANSPARENT = 19, 75


def transparent(address):
    family = socket.AF_INET6 if ':' in address[0] else socket.AF_INET
    it = socket.socket(family, socket.SOCK_STREAM)
    it.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        it.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        it.setsockopt(socket.IPPROTO_IPV6, IPV6_TRANSPARENT, 1)
    else:
        it.setsockopt(socket.SOL_IP, IP_TRANSPARENT, 1)
    it.bind(address)
    it.setblocking(False)
    return it


async def pump(reader, writer):
    try:
        while octets := await reader.read(65536):
            writer.write(octets)
            await writer.drain()
        writer.write_eof()
    except OSError:
        writer.transport.abort()


async def serve(reader, writer):
    client, server = writer.get_extra_info('peername')[:2], writer.get_extra_info('sockname')[:2]
    onward = transparent((client[0], 0))
    await asyncio.get_running_loop().sock_connect(onward, server)
    server_reader, server_writer = await asyncio.open_connection(sock=onward)
    await asyncio.gather(pump(reader, server_writer), pump(server_reader, writer))
    server_writer.close()
    writer.close()


async def main():
    for host in ('0.0.0.0', '::'):
        await asyncio.start_server(serve, sock=transparent((host, int(sys.argv[1]))))
    print('ready', flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
