"""A firewall that terminates TCP: accepts for the server and calls it in the client's name, all of it by its own stack.

firewall_proxy.py PORT: a transparent listener (TPROXY) in a router's namespace. Writes `ready` when it listens."""

import asyncio
import socket
import sys

IP_TRANSPARENT = 19


def transparent(address):
    it = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    it.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
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
    client, server = writer.get_extra_info('peername'), writer.get_extra_info('sockname')
    onward = transparent((client[0], 0))
    await asyncio.get_running_loop().sock_connect(onward, server)
    server_reader, server_writer = await asyncio.open_connection(sock=onward)
    await asyncio.gather(pump(reader, server_writer), pump(server_reader, writer))
    server_writer.close()
    writer.close()


async def main():
    listener = await asyncio.start_server(serve, sock=transparent(('0.0.0.0', int(sys.argv[1]))))
    print('ready', flush=True)
    await listener.serve_forever()


asyncio.run(main())
