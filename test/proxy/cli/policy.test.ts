// `ehlowire policy` as a user starts it: what it prints, on which output, and its exit code.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { buildLauncher } from '../launch';
import { openWire, pcapFile } from '../sources/frames';

const { dir: launcher, launch } = buildLauncher();
const dir = mkdtempSync(join(tmpdir(), 'ehlowire-policy-'));
test.after(() => [launcher, dir].forEach((each) => rmSync(each, { recursive: true })));

const write = (name: string, content: string | Uint8Array): string => {
  const file = join(dir, name);
  writeFileSync(file, content);
  return file;
};

/** One client asks for what no client should. */
function vrfy(): Buffer {
  const wire = openWire(1_700_000_000e6);
  const says: readonly (readonly ['client' | 'server', string])[] = [
    ['server', '220 mx.example ESMTP\r\n'],
    ['client', 'EHLO client.example\r\n'],
    ['server', '250 mx.example\r\n'],
    ['client', 'VRFY root\r\n'],
    ['server', '252 perhaps\r\n'],
    ['client', 'QUIT\r\n'],
    ['server', '221 bye\r\n'],
  ];
  says.forEach(([side, text], i) => wire.send(side, 1_700_000_001e6 + i * 1e5, text));
  return pcapFile(wire.frames);
}

const good = write('vrfy.pcap', vrfy());
const packed = write('vrfy.pcap.gz', gzipSync(vrfy()));
const cut = write('cut.pcap', vrfy().subarray(0, -5));
const other = write('other.pcap', 'no capture at all');
const log = write(
  'events.log',
  '{"level":"warn","time":"2026-11-27T03:02:01.000000Z","event":"blocked","session":"a","path":"relay","client.address":"192.0.2.7","client.port":4711,"server.address":"198.51.100.25","server.port":25,"rule":"nul","action":"answer","direction":"client","detail":"NUL"}\n',
);
const config = write('e.json', '{"policy":{"commands":"observe"}}');

const ROWS: readonly {
  readonly name: string;
  readonly args: readonly string[];
  readonly code: number;
  readonly out?: RegExp;
  readonly err?: RegExp;
}[] = [
  {
    name: 'a capture',
    args: ['--capture', good],
    code: 0,
    out: /^Read {4}1 connection, 1 of them judged to their end\nRules .*\n\nWould be refused\n {2}commands: 1 connection of 1 network\n {4}198\.51\.100\.0\/24 .*\n {6}first: 198\.51\.100\.7:40000 at .*: verification VRFY\n$/,
  },
  { name: 'with gzip', args: ['--capture', packed], code: 0, out: /Would be refused\n {2}commands: 1 / },
  { name: 'two captures of the same', args: ['--capture', good, packed], code: 0, out: /Would be refused/ },
  {
    name: 'the rules of a file',
    args: ['--capture', good, '--config', config],
    code: 0,
    out: /Would only be reported/,
  },
  {
    name: 'a rule of the command line',
    args: ['--capture', good, '--config', config, '--set', 'policy.commands=off'],
    code: 0,
    out: /Nothing that was read would be refused/,
  },
  { name: 'all rules', args: ['--capture', good, '--all'], code: 0, out: /\nRules {3}all, as if enforced/ },
  {
    name: 'no connection',
    args: ['--capture', good, '--port', '26'],
    code: 0,
    out: /^Read {4}no SMTP connection at port 26\n.*\n\nThere was nothing to judge\.\n$/,
  },
  {
    name: 'a capture that is cut: its intact part is used',
    args: ['--capture', cut],
    code: 1,
    out: /Would be refused/,
    err: /^ehlowire: capture cut short: /,
  },
  { name: 'no capture', args: ['--capture', other], code: 2, err: /^ehlowire: not a capture: / },
  {
    name: 'no such file',
    args: ['--capture', join(dir, 'none')],
    code: 2,
    err: /^ehlowire: cannot read file: /,
  },
  {
    name: 'a log',
    args: ['--log', log],
    code: 0,
    out: /Was refused, as the log says\n {2}nul: 1 connection of 1 network\n/,
  },
  {
    name: 'no log',
    args: ['--log', other],
    code: 2,
    err: /^ehlowire: not a log of ehlowire: .*other\.pcap: name one in JSON lines/,
  },
  {
    name: 'neither',
    args: [],
    code: 2,
    err: /^ehlowire: wrong usage: nothing to read: name --capture FILE or --log FILE\n$/,
  },
  {
    name: 'both',
    args: ['--capture', good, '--log', log],
    code: 2,
    err: /^ehlowire: wrong usage: --capture and --log: one or the other\n$/,
  },
  {
    name: 'standard input twice',
    args: ['--capture', '-', '-'],
    code: 2,
    err: /standard input can be read only once\n$/,
  },
  {
    name: 'ports of a log',
    args: ['--log', log, '--port', '25'],
    code: 2,
    err: /--port: goes with --capture\n$/,
  },
  {
    name: 'a port that is none',
    args: ['--capture', good, '--port', 'x'],
    code: 2,
    err: /--port x: must be a number/,
  },
  {
    name: 'a bad rule',
    args: ['--capture', good, '--set', 'policy.nul=strict'],
    code: 2,
    err: /^ehlowire: bad configuration: policy\.nul = "strict" \(in --set\): must be one of/,
  },
];

for (const { name, args, code, out = /^$/, err = /^$/ } of ROWS)
  test(name, async () => {
    const ended = await launch(['policy', ...args]).ended;
    assert.match(ended.out, out);
    assert.match(ended.err, err);
    assert.is(ended.code, code);
  });

test('one JSON object', async () => {
  const { out } = await launch(['policy', '--capture', good, '--json']).ended;
  const { found, read } = JSON.parse(out) as { found: { rule: string }[]; read: unknown };
  assert.equal(
    [found.map(({ rule }) => rule), read],
    [['commands'], { connections: 1, judged: 1, tls: 0, partly: 0 }],
  );
});

test('the help names what the documents name', async () => {
  const { out } = await launch(['policy', '--help']).ended;
  for (const word of ['--capture', '--log', '--all', '--json', 'permanent.md'])
    assert.ok(out.includes(word), word);
  assert.match(readFileSync(join(__dirname, '../../../deploy/debian/ehlowire.8'), 'utf8'), /\.B policy/);
});

test.run();
