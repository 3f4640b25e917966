// `analyze --wan --dmz` and `analyze --maillog` as commands: the incident, told from files.

import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { buildLauncher, type Result } from '../../launch';
import { openWire, pcapFile, type Wire } from '../../sources/frames';

const { dir, launch } = buildLauncher();
const folder = mkdtempSync(join(tmpdir(), 'ehlowire-two-point-'));
test.after(() => {
  rmSync(dir, { recursive: true });
  rmSync(folder, { recursive: true });
});

const START = Date.UTC(2026, 4, 4, 3, 2, 1) * 1000;
const MS = 1_000;
const CLIENT = '198.51.100.7';
/** The inside machine's clock is wrong by this. */
const AHEAD = 42_000 * MS;

/** EHLO three times outside, never inside; the server repeats its greeting and gives up after 30 s. */
function incident(point: 'outside' | 'inside', client = CLIENT): Wire {
  const outside = point === 'outside';
  const server = outside ? '203.0.113.5' : '10.0.0.5';
  const wire = openWire(START, { client, server });
  const at = (ms: number): number => START + ms * MS;
  wire.send('server', at(10), '220 mx.example ESMTP\r\n', { stamp: 10 });
  wire.send('client', at(11), '', { stamp: 11 });
  if (!outside) {
    wire.send('server', at(30_000), '421 4.4.2 timeout\r\n', { stamp: 30_000 });
    wire.send('server', at(30_001), '', { flags: 17, stamp: 30_001 });
    // The stamps are the sender's, whatever the capturing machine's clock says.
    return { ...wire, frames: wire.frames.map(({ at: when, frame }) => ({ at: when + AHEAD, frame })) };
  }
  wire.send('client', at(12), 'EHLO vm\r\n', { stamp: 12 });
  for (const ms of [300, 1_000]) wire.send('client', at(ms), 'EHLO vm\r\n', { stamp: ms, again: true });
  return wire;
}

function write(name: string, ...wires: readonly Wire[]): string {
  const frames = wires.flatMap((wire) => wire.frames).sort((a, b) => a.at - b.at);
  const file = join(folder, name);
  writeFileSync(file, pcapFile(frames));
  return file;
}

const WAN = write('wan.pcap', incident('outside'));
const DMZ = write('dmz.pcap', incident('inside'));

const run = (...args: readonly string[]): Promise<Result> => launch(['analyze', ...args]).ended;

test('the incident in one command: how often outside, that none came inside, whose clock is wrong', async () => {
  const { code, out, err } = await run('--wan', WAN, '--dmz', DMZ, '--fail-on', 'proved');
  assert.equal([code, err], [3, '']);
  assert.match(
    out,
    /ehlo-dropped proved, by two-point: The first command \(EHLO\) \(9 octets\) was sent 3 times outside in 1 s and came inside not once/,
  );
  assert.match(
    out,
    /clocks {3}inside is 42\.000 s ahead when the first connection began \(from 1 connection/,
  );
  assert.match(out, /outside 198\.51\.100\.7 port 40000 -> 203\.0\.113\.5 port 25/);
  assert.match(out, /inside {2}198\.51\.100\.7 port 40000 -> 10\.0\.0\.5 port 25/);
  assert.is([...out.matchAll(/PSH ACK 0 \+9 +--X +dropped between the points/g)].length, 3);
  assert.match(out, /translates the server's address \(1\)/);
});

/** A later line, not the first, passes 5 s later inside; its answer and all behind it as well. */
test('a segment that took long and of which no verdict speaks: no all-clear', async () => {
  const wireOf = (held: number): Wire => {
    const wire = openWire(START, { client: CLIENT, server: '203.0.113.5' });
    const at = (ms: number): number => START + ms * MS;
    wire.send('server', at(10), '220 mx.example ESMTP\r\n', { stamp: 10 });
    wire.send('client', at(12), 'EHLO vm\r\n', { stamp: 12 });
    wire.send('server', at(14), '250 mx.example\r\n', { stamp: 14 });
    wire.send('client', at(16 + held), 'MAIL FROM:<a@b.example>\r\n', { stamp: 16 });
    wire.send('server', at(5_020), '250 ok\r\n', { stamp: 5_020 });
    wire.send('client', at(5_022), 'QUIT\r\n', { stamp: 5_022 });
    wire.send('server', at(5_024), '221 bye\r\n', { stamp: 5_024 });
    return wire;
  };
  const held = ['--wan', write('soon.pcap', wireOf(0)), '--dmz', write('late.pcap', wireOf(5_000))];
  const { code, out } = await run(...held);
  assert.is(code, 0);
  assert.match(out, /In 1 of 1 session a segment took long from one point to the other/);
  assert.not.match(out, /nothing was dropped, held or altered/);
});

test('the inside capture ended too soon: no all-clear, and what to do', async () => {
  const inside = incident('inside');
  const short = write('short.pcap', { ...inside, frames: inside.frames.slice(0, -2) });
  const { code, out } = await run('--wan', WAN, '--dmz', short);
  assert.is(code, 0);
  assert.match(
    out,
    /In 1 of 1 session segments are at one point only, and nothing shows whether they were dropped/,
  );
  assert.match(out, /--together/);
  const vouched = await run('--wan', WAN, '--dmz', short, '--together');
  assert.match(vouched.out, /ehlo-dropped proved, by two-point/);
});

test('--json: verdicts in the words of the event log, and one line on how the two were lined up', async () => {
  const { code, out } = await run('--wan', WAN, '--dmz', DMZ, '--json');
  assert.is(code, 0);
  const lines = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.equal(
    lines.map(({ event, verdict, proof, certainty, missing_bytes: missing }) => [
      event,
      verdict,
      proof,
      certainty,
      missing,
    ]),
    [
      ['verdict', 'ehlo-dropped', 'two-point', 'proved', 9],
      ['two-point', undefined, undefined, undefined, undefined],
    ],
  );
  const [last] = lines.slice(-1);
  assert.equal(
    [last?.['matched'], last?.['wan_only'], last?.['dmz_only'], last?.['clock_offset_ms']],
    [1, 0, 0, 42_000],
  );
});

test('--only, --ladder none: other clients are left out', async () => {
  const { out } = await run('--wan', WAN, '--dmz', DMZ, '--only', '192.0.2.0/24');
  assert.match(
    out,
    /Nothing is in both captures: .*wan\.pcap has no SMTP connection of these ports and clients/,
  );
  const { out: short } = await run('--wan', WAN, '--dmz', DMZ, '--ladder', 'none');
  assert.not.match(short, /--X/);
  assert.match(short, /ehlo-dropped +1 connection, proved in 1/);
});

test('--evidence: how many are in it; the command on the page says the same again', async () => {
  const report = join(folder, 'report');
  const first = await run('--wan', WAN, '--dmz', DMZ, '--evidence', report);
  assert.equal([first.code, first.err], [0, '']);
  assert.match(first.out, /^Evidence of 1 connection is in .*report\.$/m);
  const base = join(report, '20260504T030201.000000Z-198.51.100.7-40000-ehlo-dropped');
  assert.equal(
    readdirSync(report)
      .sort()
      .map((name) => join(report, name)),
    [`${base}-dmz.pcapng`, `${base}-wan.pcapng`, `${base}.md`],
  );
  const again = await run('--wan', `${base}-wan.pcapng`, '--dmz', `${base}-dmz.pcapng`);
  const ladder = (text: string): string => /2026-05-04[^]*?\n\n/.exec(text)?.[0] ?? '';
  assert.is(ladder(again.out), ladder(first.out));
  assert.match(again.out, /ehlo-dropped proved, by two-point: The first command \(EHLO\) \(9 octets\)/);
});

/** [name, arguments, exit code, what is said]. */
const WRONG: readonly (readonly [string, readonly string[], RegExp])[] = [
  ['one side alone', ['--wan', WAN], /wrong usage: --wan alone: name both/],
  ['with a file', ['--wan', WAN, '--dmz', DMZ, WAN], /--wan and --dmz with other captures/],
  [
    'with a mail log',
    ['--wan', WAN, '--dmz', DMZ, '--maillog', WAN],
    /--maillog with --wan and --dmz: it goes with one capture/,
  ],
  ['--together alone', ['--together', WAN], /--together: goes with --wan and --dmz/],
  [
    'no such file',
    ['--wan', WAN, '--dmz', join(folder, 'none')],
    /cannot read file: .*none: there is no such file/,
  ],
];

for (const [name, args, want] of WRONG) {
  test(`wrong: ${name}`, async () => {
    const { code, err } = await run(...args);
    assert.is(code, 2);
    assert.match(err, want);
    assert.is(err.trim().split('\n').length, 1);
  });
}

const LOG = join(folder, 'maillog');
writeFileSync(
  LOG,
  [
    'May  4 05:02:43 mx postfix/smtpd[4]: connect from unknown[198.51.100.7]',
    'May  4 05:03:13 mx postfix/smtpd[4]: timeout after CONNECT from unknown[198.51.100.7]',
    'May  4 05:03:13 mx postfix/smtpd[4]: disconnect from unknown[198.51.100.7] commands=0/0',
    '',
  ].join('\n'),
);

test('--maillog: the log of another zone beside the packets, as text and as JSON', async () => {
  const { code, out, err } = await run('--maillog', LOG, DMZ);
  assert.equal([code, err], [0, '']);
  assert.match(out, /mail log: 3 lines, 3 about connections, 1 session/);
  assert.match(out, /the log is 120m 00s ahead/);
  assert.match(out, /1 matched/);
  const json = await run('--maillog', LOG, DMZ, '--json');
  const record = json.out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .find(({ event }) => event === 'maillog');
  assert.equal(
    [record?.['match'], record?.['client.address'], record?.['client.port'], record?.['clock_offset_ms']],
    ['matched', CLIENT, 40_000, 7_200_000],
  );
  const session = json.out.split('\n').find((line) => line.includes('"event":"session"'));
  assert.is(record?.['session'], (JSON.parse(session ?? '{}') as Record<string, unknown>)['session']);
});

test('a log that cannot be read is a fault of its own: the analysis is printed', async () => {
  const { code, out, err } = await run('--maillog', join(folder, 'no-log'), DMZ);
  assert.is(code, 2);
  assert.match(err, /cannot read file: .*no-log/);
  assert.match(out, /1 connection|1 session/);
});

test.run();
