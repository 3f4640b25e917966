// `ehlowire analyze` as a command: what it prints of a capture, and how it ends.

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { buildLauncher, type Result } from '../../launch';
import { SEEMED_DROPPED } from '../../../inspect/verdict/verdicts.table';
import { frameOf } from '../evidence/frames';
import { openWire, pcapFile, type Wire } from '../../sources/frames';
import { TRANSACTION } from './summary.table';

const { dir, launch } = buildLauncher();
const folder = mkdtempSync(join(tmpdir(), 'ehlowire-analyze-'));
test.after(() => {
  rmSync(dir, { recursive: true });
  rmSync(folder, { recursive: true });
});

const START = Date.UTC(2026, 4, 4, 3, 2, 1) * 1000;
const MS = 1_000;

/** A whole session of one message. */
function healthy(at: number, client: string): Wire {
  const wire = openWire(at, { client });
  const lines: readonly (readonly ['client' | 'server', string])[] = [
    ['server', '220 mx.example ESMTP\r\n'],
    ['client', 'EHLO client.example\r\n'],
    ['server', '250-mx.example\r\n250 AUTH PLAIN\r\n'],
    ['client', 'AUTH PLAIN c2VjcmV0\r\n'],
    ['server', '235 ok\r\n'],
    ...TRANSACTION,
  ];
  lines.forEach(([side, text], i) => wire.send(side, at + (i + 1) * 10 * MS, text));
  const end = at + 200 * MS;
  wire.send('client', end, '', { flags: 17 });
  wire.send('server', end + MS, '', { flags: 17 });
  return wire;
}

/** The EHLO never comes; three seconds later the client's number shows that it was sent. */
function eaten(at: number, client: string): Wire {
  const wire = openWire(at, { client });
  wire.send('server', at + 10 * MS, '220 mx.example ESMTP\r\n');
  wire.send('client', at + 11 * MS);
  wire.send('client', at + 12 * MS, 'EHLO vm\r\n', { lost: true });
  wire.send('client', at + 3_000 * MS);
  // Out of order for the server: its old number again (RFC 5681 section 4.2).
  wire.send('server', at + 3_001 * MS);
  wire.send('client', at + 5_000 * MS);
  wire.send('server', at + 6_000 * MS, '', { flags: 20 });
  wire.send('client', at + 6_010 * MS);
  return wire;
}

function write(name: string, ...wires: readonly Wire[]): string {
  const frames = wires.flatMap((wire) => wire.frames).sort((a, b) => a.at - b.at);
  writeFileSync(join(folder, name), pcapFile(frames));
  return join(folder, name);
}

const GOOD = write('good.pcap', healthy(START, '198.51.100.7'), healthy(START + 50 * MS, '192.0.2.8'));
const BAD = write(
  'bad.pcap',
  healthy(START, '192.0.2.8'),
  eaten(START + MS, '198.51.100.7'),
  healthy(START + 2 * MS, '198.51.100.9'),
);
const CUT = join(folder, 'cut.pcap');
writeFileSync(CUT, readFileSync(BAD).subarray(0, -5));
const NONE = write('none.pcap');

const run = (...args: readonly string[]): Promise<Result> => launch(['analyze', ...args]).ended;
const lastLine = (text: string): string => text.trimEnd().split('\n').pop() ?? '';

const ENDS: readonly {
  readonly name: string;
  readonly args: readonly string[];
  readonly code: number;
  readonly err?: RegExp;
  readonly last?: RegExp;
}[] = [
  { name: 'nothing found', args: [GOOD], code: 0, last: /^In 2 sessions nothing shows that the path / },
  {
    name: 'found, and nobody asked',
    args: [BAD],
    code: 0,
    last: /^1 client of one network: EHLO dropped before this point in 1 of 3 sessions \(33\.3 %\)/,
  },
  { name: '--fail-on proved', args: [BAD, '--fail-on', 'proved'], code: 3 },
  { name: '--fail-on suspected', args: [BAD, '--fail-on', 'suspected'], code: 3 },
  { name: '--fail-on where nothing is', args: [GOOD, '--fail-on', 'suspected'], code: 0 },
  {
    name: 'no SMTP in it',
    args: [NONE],
    code: 0,
    last: /^No SMTP connection on port 25, 587, 465, 2525 is in it/,
  },
  {
    name: 'another port',
    args: [GOOD, '--port', '2526'],
    code: 0,
    last: /^No SMTP connection on port 2526 is in it, but servers greeted with 220 from port 25 \(2 times\): --port 25$/,
  },
  { name: 'several ports', args: [GOOD, '--port', '2526,25'], code: 0, last: /^In 2 sessions/ },
  {
    name: 'standard input twice',
    args: ['-', '-'],
    code: 2,
    err: /^ehlowire: wrong usage: - more than once: standard input can be read only once\n$/,
  },
  {
    name: '--only the healthy one',
    args: [BAD, '--only', '192.0.2.0/24', '--fail-on', 'proved'],
    code: 0,
    last: /^In 1 session nothing/,
  },
  {
    name: 'a file that is cut',
    args: [CUT],
    code: 1,
    err: /^ehlowire: capture cut short: .*cut\.pcap at octet \d+: /,
    last: /^1 client of one network: EHLO dropped/,
  },
  {
    name: 'a file that is cut, and found',
    args: [CUT, '--fail-on', 'suspected'],
    code: 3,
    err: /^ehlowire: capture cut short: /,
  },
  {
    name: 'a file that is not there',
    args: [join(folder, 'no')],
    code: 2,
    err: /^ehlowire: cannot read file: .*: there is no such file\n$/,
  },
  {
    name: 'one that is not there, one that is',
    args: [join(folder, 'no'), GOOD],
    code: 2,
    err: /^ehlowire: cannot read file: /,
    last: /^In 2 sessions/,
  },
  {
    name: 'no file',
    args: [],
    code: 2,
    err: /^ehlowire: wrong usage: nothing to analyze: name a capture FILE, --live IF, or --wan FILE --dmz FILE\n$/,
  },
  {
    name: 'files and --live',
    args: [GOOD, '--live', 'lo'],
    code: 2,
    err: /^ehlowire: wrong usage: --live with files: one or the other\n$/,
  },
  {
    name: 'bad words',
    args: [GOOD, '--ladder', 'x', '--port', '0', '--only', 'y', '--fail-on', 'z'],
    code: 2,
    err: /^(ehlowire: wrong usage: --[a-z-]+ \w+: must be .*\n){4}$/,
  },
  {
    name: 'an interface that is not there',
    args: ['--live', 'nowhere0'],
    code: 1,
    err: /^ehlowire: (no such interface|no permission to capture|library missing): .*\n$/,
  },
];

for (const { name, args, code, err = /^$/, last } of ENDS) {
  test(`${name}: exit ${code}`, async () => {
    const result = await run(...args);
    assert.match(result.err, err);
    assert.is(result.code, code);
    if (last) assert.match(lastLine(result.out), last);
    else if (code === 2) assert.is(result.out, '');
  });
}

type Line = Record<string, unknown>;

test('--json: every line an event of the log, one session line for each connection', async () => {
  const { out, err } = await run(BAD, '--json');
  assert.is(err, '');
  const lines = out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
  for (const line of lines) {
    assert.is(line['path'], 'capture');
    assert.match(String(line['time']), /^2026-05-04T03:02:\d\d\.\d{6}Z$/);
    assert.ok(['phase', 'session', 'verdict', 'anomaly'].includes(String(line['event'])));
  }
  const sessions = lines.filter((line) => line['event'] === 'session');
  assert.is(sessions.length, 3);
  assert.is(new Set(sessions.map((line) => line['session'])).size, 3);
  assert.equal(sessions.map((line) => line['messages']).sort(), [0, 1, 1]);
  const eatenLine = sessions.find((line) => line['client.address'] === '198.51.100.7') ?? {};
  assert.equal(eatenLine['verdicts'], ['ehlo-dropped']);
  assert.is(eatenLine['rtt_ms'], 0.4);
  const [verdict = {}] = lines.filter((line) => line['event'] === 'verdict');
  assert.is(verdict['verdict'], 'ehlo-dropped');
  assert.is(verdict['certainty'], 'proved');
  assert.is(verdict['missing_bytes'], 9);
  assert.ok((verdict['evidence'] as unknown[]).length > 0);
});

test('the same file has the same lines each time', async () => {
  const first = await run(BAD, '--json');
  assert.is((await run(BAD, '--json')).out, first.out);
});

test('no credential and no content in anything', async () => {
  const outs = await Promise.all([run(GOOD, '--json'), run(GOOD, '--ladder', 'all')]);
  for (const { out } of outs) assert.not.match(out, /c2VjcmV0|private|words/);
});

test('a ladder of what was flagged: the hole is marked, the healthy ones are not shown', async () => {
  const { out } = await run(BAD);
  const ladders = out.split('\n').filter((line) => line.startsWith('#'));
  assert.is(ladders.length, 1);
  assert.match(
    ladders[0] ?? '',
    /^#2 {2}198\.51\.100\.7 port 40000 -> 203\.0\.113\.5 port 25 {2}2026-05-04 03:02:01/,
  );
  assert.match(out, /^> +3\.000 s {2}client --> server {2}ACK +9 .*hole: 9 octets of the client not seen/m);
  assert.match(out, /^ {2}ehlo-dropped proved, by sequence: /m);
  assert.match(out, /^ +0\.000 ms {2}client --> server {2}SYN$/m);
});

const LADDERS: readonly (readonly [choice: string, count: number])[] = [
  ['all', 3],
  ['flagged', 1],
  ['none', 0],
];
for (const [choice, count] of LADDERS) {
  test(`--ladder ${choice}`, async () => {
    const { out } = await run(BAD, '--ladder', choice);
    assert.is(out.split('\n').filter((line) => line.startsWith('#')).length, count);
  });
}

test('a verdict that was taken back is not counted, and no verdict of its ladder', async () => {
  const file = join(folder, 'held.pcap');
  writeFileSync(
    file,
    pcapFile(SEEMED_DROPPED.map(({ segment }) => ({ at: segment.at, frame: frameOf(segment) }))),
  );
  const { out } = await run(file, '--no-drops');
  assert.match(
    lastLine(out),
    /^1 client of one network: EHLO held back before this point in 1 of 1 session /,
  );
  assert.match(out, /^ {2}ehlo-held proved, by timestamp: /m);
  assert.not.match(out, /ehlo-dropped/);
});

test('files in another order than time: a connection goes on from one to the next', async () => {
  const { frames } = healthy(START, '192.0.2.8');
  const [first, second] = [join(folder, 'ring2.pcap'), join(folder, 'ring1.pcap')];
  writeFileSync(first, pcapFile(frames.slice(0, 8)));
  writeFileSync(second, pcapFile(frames.slice(8)));
  const { out } = await run(second, first, '--json');
  const lines = out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
  assert.is(lines.filter((line) => line['event'] === 'session').length, 1);
  assert.is(lines.pop()?.['messages'], 1);
});

test('--evidence: a capture and a page of what was flagged', async () => {
  const target = join(folder, 'evidence');
  const { out } = await run(BAD, '--evidence', target);
  assert.match(out, /^Evidence of 1 connection is in /m);
  const names = readdirSync(target).sort();
  assert.equal(
    names.map((name) => name.replace(/^.*\./, '')),
    ['md', 'pcapng'],
  );
  assert.match(names[0] ?? '', /198\.51\.100\.7-40000-ehlo-dropped/);
});

test('--log: the events there, the text on standard output', async () => {
  const file = join(folder, 'events.log');
  const { out } = await run(BAD, '--log', file);
  assert.match(lastLine(out), /^1 client of one network: EHLO dropped/);
  assert.is(readFileSync(file, 'utf8'), (await run(BAD, '--json')).out);
});

test.run();
