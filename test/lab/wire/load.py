"""Keeps mail going: HOST CONNECTIONS PACE [SESSIONS] [ADDRESS...]. PACE: seconds between steps; without SESSIONS, or with
`-`, until TERM. ADDRESS: where sessions come from, in turn.

Says `greeted` when the first greeting is there, and at the end, as JSON, what became of all sessions."""

import asyncio
import collections
import itertools
import json
import signal
import sys

HOST, CONNECTIONS, PACE = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
LEFT = [int(sys.argv[4]) if len(sys.argv) > 4 and sys.argv[4] != '-' else 1 << 60]
SOURCES = itertools.cycle([(address, 0) for address in sys.argv[5:]] or [None])
DONE = collections.Counter()
MESSAGES = [0]
BODY = b'From: <alice@client.example>\r\nSubject: load\r\n\r\n' + b'x' * 70 + b'\r\n'
PATIENCE = 20


async def reply(reader):
    lines = []
    while True:
        line = await asyncio.wait_for(reader.readline(), PATIENCE)
        if not line.endswith(b'\n'):
            raise EOFError('closed')
        lines.append(line)
        if line[3:4] != b'-':
            return lines


async def session():
    reader, writer = await asyncio.wait_for(asyncio.open_connection(HOST, 25, local_addr=next(SOURCES)), PATIENCE)
    try:
        greeting = await reply(reader)
        print('greeted', len(greeting), flush=True) if not sum(DONE.values()) else None
        steps = [b'EHLO client.example\r\n']
        for _ in range(2):
            steps += [b'MAIL FROM:<a@client.example>\r\n', b'RCPT TO:<b@dest.example>\r\n', b'DATA\r\n', BODY + b'.\r\n']
        for step in [*steps, b'QUIT\r\n']:
            await asyncio.sleep(PACE)
            writer.write(step)
            last = (await reply(reader))[-1]
            if last[:1] not in b'23':
                raise ValueError(f'{step!r}: {last!r}')
            MESSAGES[0] += step.endswith(b'\r\n.\r\n')
    finally:
        writer.close()


async def keep_going():
    while LEFT[0] > 0:
        LEFT[0] -= 1
        try:
            await session()
            DONE['fine'] += 1
        except asyncio.TimeoutError:
            DONE['timeout'] += 1
        except (EOFError, OSError, ValueError) as error:
            DONE[f'{type(error).__name__}: {error}'] += 1


def stop():
    LEFT[0] = 0


async def main():
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop)
    await asyncio.gather(*(keep_going() for _ in range(CONNECTIONS)))
    fine = DONE.pop('fine', 0)
    print(json.dumps({'fine': fine, 'messages': MESSAGES[0], 'failed': dict(DONE)}), flush=True)


asyncio.run(main())
