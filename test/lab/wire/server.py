"""Mail servers, ADDRESS[:PORT][~PEER]=GREETING...: they take everything but mail to `refused`, and say what they saw. `\\w`
in a greeting waits 1 s. With ~PEER the greeting is for clients of that address only, and the server's other one for all else.
--idle=SECONDS: who is silent for that long is told 421, as by real servers."""

import asyncio
import hashlib
import sys


def address_of(text):
    if text.startswith('['):
        host, _, port = text[1:].partition(']')
        return host, int(port[1:] or 25)
    host, _, port = text.partition(':') if text.count(':') == 1 else (text, '', '')
    return host, int(port or 25)


IDLE = None


class Seen:
    """A reader that counts."""

    def __init__(self, reader):
        self.reader, self.octets = reader, 0

    async def line(self):
        line = await asyncio.wait_for(self.reader.readline(), IDLE)
        self.octets += len(line)
        return line


async def serve(host, greetings, reader, writer):
    peer = writer.get_extra_info('peername')
    print('from', host, f'{peer[0]},{peer[1]}')
    how, seen = 'eof', Seen(reader)
    greeting = greetings.get(peer[0]) or greetings['']
    try:
        for i, part in enumerate(greeting):
            if i:
                await asyncio.sleep(1)
            writer.write(part)
        how = await talk(host, seen, writer)
    except (ConnectionError, asyncio.IncompleteReadError):
        how = 'reset'
    except asyncio.TimeoutError:
        how = 'idle'
        writer.write(b'421 4.4.2 mx.dest.example is tired of waiting\r\n')
    print('end', host, how, seen.octets)
    writer.close()


async def talk(host, reader, writer):
    while True:
        line = await reader.line()
        if not line:
            return 'eof'
        verb = line[:4].upper()
        if verb == b'DATA':
            writer.write(b'354 go\r\n')
            await message(host, reader)
            writer.write(b'250 2.0.0 kept\r\n')
        elif verb == b'EHLO':
            writer.write(b'250-mx.dest.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 209715200\r\n')
        elif verb == b'RCPT' and b'refused@' in line:
            writer.write(b'550 5.1.1 nobody here\r\n')
        elif verb == b'QUIT':
            writer.write(b'221 2.0.0 bye\r\n')
            return 'quit'
        else:
            writer.write(b'250 2.0.0 fine\r\n')


async def message(host, reader):
    digest = hashlib.sha256()
    octets = 0
    while True:
        line = await reader.line()
        if not line.endswith(b'\n'):
            raise ConnectionError('cut off')
        if line == b'.\r\n':
            break
        line = line[1:] if line.startswith(b'.') else line
        digest.update(line)
        octets += len(line)
    print('mail', host, digest.hexdigest(), octets)


async def main():
    global IDLE
    servers = {}
    for argument in sys.argv[1:]:
        where, _, text = argument.partition('=')
        if where == '--idle':
            IDLE = float(text)
            continue
        where, _, peer = where.partition('~')
        greeting = [part.encode('latin1').decode('unicode_escape').encode('latin1') for part in text.split('\\w')]
        servers.setdefault(address_of(where), {})[peer] = greeting
    for (host, port), greetings in servers.items():
        await asyncio.start_server(
            lambda r, w, host=host, greetings=greetings: serve(host, greetings, r, w), host, port, backlog=1024, limit=1 << 20
        )
    print('ready')
    await asyncio.Event().wait()


asyncio.run(main())
