// What an analysis of a capture costs beside tshark's own count of its connections: one file, two points, in turns.

import { spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { scratch } from '../test/kit/process';
import { openWire, recordHead, type Wire } from '../test/proxy/sources/frames';
import { PROGRAM } from './candidates';
import { median, type Figures, type Goal } from './records';

interface Cost {
  /** Seconds of processors. */
  readonly busy: number[];
  /** MB, at the most. */
  readonly memory: number[];
}

/** `connections`: how many are in the capture. */
export function measureAnalyze(
  connections: number,
  rounds: number,
  onRound: (text: string) => void,
): Figures {
  const folder = scratch('analyze');
  const [file, half] = [join(folder, 'whole.pcap'), join(folder, 'half.pcap')];
  writeCapture(file, connections);
  writeCapture(half, connections / 2);
  onRound(`analyze: a capture of ${connections} sessions, ${(statSync(file).size / 1e6).toFixed(0)} MB`);
  const analyze = [process.execPath, PROGRAM, 'analyze', '--ladder', 'none'];
  const commands = new Map([
    ['tshark', ['tshark', '-q', '-z', 'conv,tcp', '-r', file]],
    ['one file', [...analyze, file]],
    ['half of it', [...analyze, half]],
    ['two points', [...analyze, '--wan', file, '--dmz', file]],
  ]);
  const costs = new Map([...commands.keys()].map((name): [string, Cost] => [name, { busy: [], memory: [] }]));
  for (let round = 1; round <= rounds; round += 1) {
    for (const [name, command] of commands) {
      const { busy, memory } = measure(command, join(folder, 'cost'));
      costs.get(name)?.busy.push(busy);
      costs.get(name)?.memory.push(memory);
      onRound(`analyze ${round}: ${name}: ${busy.toFixed(1)} s of processor, ${memory.toFixed(0)} MB`);
    }
  }
  return {
    tables: [
      {
        name: 'analyze',
        columns: ['s of processor', 'MB of memory'],
        rows: Object.fromEntries([...costs].map(([name, { busy, memory }]) => [name, [busy, memory]])),
      },
    ],
    goals: goalsOf(costs),
    failures: [],
  };
}

function measure(command: readonly string[], file: string): { busy: number; memory: number } {
  run(['/usr/bin/time', '-f', '%U %S %M', '-o', file, ...command]);
  const [user = NaN, system = NaN, kilobytes = NaN] = readFileSync(file, 'latin1').split(' ').map(Number);
  return { busy: user + system, memory: kilobytes / 1_000 };
}

function run([command = '', ...args]: readonly string[]): void {
  const { status, error, stderr } = spawnSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  if (error ?? status !== 0) throw new Error(`${command}: ${error?.message ?? String(stderr)}`);
}

/** Of ratios the median of the rounds' own, since rounds are neighbours in time. */
function goalsOf(costs: ReadonlyMap<string, Cost>): Goal[] {
  const ratio = (name: string, of: string, what: keyof Cost): number =>
    median((costs.get(name)?.[what] ?? []).map((each, i) => each / (costs.get(of)?.[what][i] ?? NaN)));
  const memory = (name: string): number => median(costs.get(name)?.memory ?? []);
  const goal = (text: string, value: number, bar: number): Goal => ({
    text: `analyze: ${text}`,
    ...{ value, is: 'at most', bar, must: false },
  });
  return [
    goal('processor time of one file, of `tshark -q -z conv,tcp`', ratio('one file', 'tshark', 'busy'), 0.5),
    goal('processor time of two points, of one file', ratio('two points', 'one file', 'busy'), 2.5),
    goal('MB of memory', Math.max(memory('one file'), memory('two points')), 500),
    goal('memory of one file, of half of it', ratio('one file', 'half of it', 'memory'), 1.2),
  ];
}

/**
 * Many SMTP connections, each of one message, 256 open at a time. Every 50th client's EHLO is dropped: the client is
 * silent for 3 s, its answer to a keep-alive of the server's shows the gap, and the server gives up.
 */
function writeCapture(file: string, connections: number): void {
  const fd = openSync(file, 'w');
  const head = Buffer.alloc(24);
  head.writeUInt32LE(0xa1b2c3d4, 0);
  head.writeUInt16LE(2, 4);
  head.writeUInt16LE(4, 6);
  head.writeUInt32LE(262_144, 16);
  head.writeUInt32LE(1, 20);
  writeSync(fd, head);
  for (let first = 0; first < connections; first += AT_A_TIME) {
    const wires: Wire[] = [];
    for (let i = first; i < Math.min(first + AT_A_TIME, connections); i += 1) wires.push(connection(i));
    const frames = wires.flatMap((wire) => wire.frames).sort((a, b) => a.at - b.at);
    writeSync(fd, Buffer.concat(frames.flatMap(({ at, frame }) => [recordHead(at, frame), frame])));
  }
  closeSync(fd);
}

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

const LINE = `${'x'.repeat(74)}\r\n`;
/** Of a message of 8,000 octets. */
const BODY = LINE.repeat(Math.ceil(8_000 / LINE.length));
const START = Date.UTC(2026, 4, 4) * 1000;
const AT_A_TIME = 256;
