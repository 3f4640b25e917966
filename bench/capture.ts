// Writes a capture of many SMTP connections, each of one message: what `ehlowire analyze` is measured with.
//
//   node -r ts-node/register/transpile-only bench/capture.ts FILE [CONNECTIONS [MESSAGE_OCTETS]]
//
// Every 50th client's EHLO is swallowed: it is silent for 3 s, a keep-alive of the server's shows the hole, and
// the server gives up. 256 connections are open at a time.

import { closeSync, openSync, writeSync } from 'node:fs';
import { openWire, recordHead, type Wire } from '../test/proxy/sources/frames';

const [file, connections = '100000', octets = '8000'] = process.argv.slice(2);
if (file === undefined) throw new Error('FILE is missing');

const fd = openSync(file, 'w');
const head = Buffer.alloc(24);
head.writeUInt32LE(0xa1b2c3d4, 0);
head.writeUInt16LE(2, 4);
head.writeUInt16LE(4, 6);
head.writeUInt32LE(262_144, 16);
head.writeUInt32LE(1, 20);
writeSync(fd, head);

const LINE = `${'x'.repeat(74)}\r\n`;
const BODY = LINE.repeat(Math.ceil(Number(octets) / LINE.length));
const START = Date.UTC(2026, 4, 4) * 1000;
const AT_A_TIME = 256;

for (let first = 0; first < Number(connections); first += AT_A_TIME) {
  const wires: Wire[] = [];
  for (let i = first; i < Math.min(first + AT_A_TIME, Number(connections)); i += 1) wires.push(connection(i));
  const frames = wires.flatMap((wire) => wire.frames).sort((a, b) => a.at - b.at);
  writeSync(fd, Buffer.concat(frames.flatMap(({ at, frame }) => [recordHead(at, frame), frame])));
}
closeSync(fd);

function connection(i: number): Wire {
  const batch = Math.floor(i / AT_A_TIME);
  let at = START + batch * 5_000_000 + (i % AT_A_TIME) * 3_000;
  const client = `198.${18 + (i & 1)}.${(i >> 8) & 255}.${i & 255}`;
  const wire = openWire(at, { client, clientPort: 1024 + (i % 60_000) });
  const step = (): number => (at += 400);
  const say = (side: 'client' | 'server', text: string): void => wire.send(side, step(), text);
  say('server', '220 mx.example ESMTP\r\n');
  wire.send('client', step());
  if (i % 50 === 49) {
    wire.send('client', step(), 'EHLO client.example\r\n', { lost: true });
    at += 3_000_000;
    wire.send('client', step());
    wire.send('server', step(), '', { flags: 17 });
    wire.send('client', step(), '', { flags: 17 });
    return wire;
  }
  say('client', 'EHLO client.example\r\n');
  say('server', '250-mx.example\r\n250-PIPELINING\r\n250-SIZE 10240000\r\n250 8BITMIME\r\n');
  say('client', `MAIL FROM:<sender${i}@client.example>\r\n`);
  say('server', '250 2.1.0 Ok\r\n');
  say('client', 'RCPT TO:<someone@mx.example>\r\n');
  say('server', '250 2.1.5 Ok\r\n');
  say('client', 'DATA\r\n');
  say('server', '354 End data with <CR><LF>.<CR><LF>\r\n');
  const message = `Subject: ${i}\r\n\r\n${BODY}.\r\n`;
  for (let from = 0; from < message.length; from += 1448) {
    say('client', message.slice(from, from + 1448));
    if ((from / 1448) % 2 === 1) wire.send('server', step());
  }
  say('server', `250 2.0.0 Ok: queued as ${i.toString(16)}\r\n`);
  say('client', 'QUIT\r\n');
  say('server', '221 2.0.0 Bye\r\n');
  wire.send('server', step(), '', { flags: 17 });
  wire.send('client', step(), '', { flags: 17 });
  wire.send('server', step());
  return wire;
}
