import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startServer } from './cli/servers';
import { buildLauncher, type Result } from './launch';

const { dir, launch } = buildLauncher();
test.after(() => rmSync(dir, { recursive: true }));

const run = (args: readonly string[], env?: Record<string, string>): Promise<Result> =>
  launch(args, env).ended;

const badJson = join(dir, 'bad.json');
const badKeys = join(dir, 'keys.json');
writeFileSync(badJson, '{');
writeFileSync(badKeys, '{"greeting":{"patience":"soon"},"relays":{}}');

/** Each must end by itself, print just these lines on standard error, and nothing on standard output. */
const ERRORS: readonly {
  readonly name: string;
  readonly args: readonly string[];
  readonly env?: Record<string, string>;
  readonly code: number;
  readonly err: readonly RegExp[];
}[] = [
  {
    name: 'an unknown flag',
    args: ['relay', '--lisen', ':25'],
    code: 2,
    err: [
      /^ehlowire: wrong usage: unknown option '--lisen' \(Did you mean --listen\?\): see ehlowire relay --help$/,
    ],
  },
  {
    name: 'an unknown command',
    args: ['rely'],
    code: 2,
    err: [/^ehlowire: wrong usage: unknown command 'rely' \(Did you mean relay\?\): see ehlowire --help$/],
  },
  {
    name: 'help of an unknown command',
    args: ['help', 'rely'],
    code: 2,
    err: [/^ehlowire: wrong usage: unknown command 'rely': see ehlowire --help$/],
  },
  {
    name: 'a flag without its value',
    args: ['relay', '--listen'],
    code: 2,
    err: [
      /^ehlowire: wrong usage: option '--listen <addr:port>' argument missing: see ehlowire relay --help$/,
    ],
  },
  {
    name: 'a missing argument',
    args: ['check'],
    code: 2,
    err: [/^ehlowire: wrong usage: missing required argument 'host:port': see ehlowire check --help$/],
  },
  {
    name: 'an argument too many',
    args: ['check', 'a:25', 'b:25'],
    code: 2,
    err: [/^ehlowire: wrong usage: too many arguments.*: see ehlowire check --help$/],
  },
  {
    name: 'nothing to relay',
    args: ['relay'],
    code: 2,
    err: [/^ehlowire: wrong usage: nothing to relay: give --listen ADDR:PORT and --upstream HOST:PORT/],
  },
  {
    name: 'flags that are no pairs',
    args: ['relay', '--listen', ':25'],
    code: 2,
    err: [/^ehlowire: wrong usage: 1 --listen and 0 --upstream: they go in pairs/],
  },
  {
    name: '--transparent with what it stands for',
    args: ['relay', '--listen', ':0', '--transparent', '--upstream', 'a:25', '--proxy-protocol', 'out-v2'],
    code: 2,
    err: [
      /^ehlowire: wrong usage: --transparent and --upstream: a connection goes to the server that its client meant/,
      /^ehlowire: wrong usage: --transparent and --proxy-protocol: the server sees the client's own address/,
    ],
  },
  {
    name: '--transparent alone',
    args: ['relay', '--transparent'],
    code: 2,
    err: [/^ehlowire: wrong usage: --transparent: it goes with --listen/],
  },
  {
    name: 'bad addresses, both of them',
    args: ['relay', '--listen', '::1', '--upstream', 'mx.example'],
    code: 2,
    err: [
      /^ehlowire: bad address: --listen ::1: put an IPv6 address in brackets, as in \[::1\]:25$/,
      /^ehlowire: bad address: --upstream mx.example: add a port, as in mx.example:25$/,
    ],
  },
  {
    name: 'a bad word for --repair',
    args: ['relay', '--listen', ':0', '--upstream', 'a:25', '--repair', 'maybe'],
    code: 2,
    err: [
      /^ehlowire: bad configuration: greeting.repair = "maybe" \(in --repair\): must be one of "learn", "now", "never"$/,
    ],
  },
  {
    name: 'a bad word for --proxy-protocol',
    args: ['relay', '--listen', ':0', '--upstream', 'a:25', '--proxy-protocol', 'v2'],
    code: 2,
    err: [/^ehlowire: wrong usage: --proxy-protocol v2: must be in, out-v1, out-v2$/],
  },
  {
    name: 'PROXY headers from nobody',
    args: ['relay', '--listen', ':0', '--upstream', 'a:25', '--proxy-protocol', 'in'],
    code: 2,
    err: [/^ehlowire: bad configuration: relay.trustedProxies: must name who may send/],
  },
  {
    name: 'a configuration file that is not there',
    args: ['relay', '--config', join(dir, 'none.json')],
    code: 2,
    err: [/^ehlowire: cannot read file: .*none\.json: there is no such file$/],
  },
  {
    name: 'a configuration file that is no JSON',
    args: ['check', 'a:25', '--config', badJson],
    code: 2,
    err: [/^ehlowire: not valid JSON: .*bad\.json: .+$/],
  },
  {
    name: 'a bad configuration: a line for each problem',
    args: ['relay', '--config', badKeys],
    env: { EHLOWIRE_LOG_FILES: 'x' },
    code: 2,
    err: [
      /^ehlowire: unknown key: relays \(in .*keys\.json\): /,
      /^ehlowire: unknown variable: EHLOWIRE_LOG_FILES: did you mean EHLOWIRE_LOG_FILE\?$/,
    ],
  },
  {
    name: 'a log that cannot be written',
    args: [
      'relay',
      '--listen',
      '127.0.0.1:0',
      '--upstream',
      '127.0.0.1:25',
      '--log',
      join(dir, 'no', 'x.log'),
    ],
    code: 1,
    err: [/^ehlowire: cannot write log: .*x\.log: its directory does not exist: create it$/],
  },
  {
    name: 'check: no such host',
    args: ['check', 'nowhere.invalid:25'],
    code: 1,
    err: [/^ehlowire: (no such host|cannot resolve host): nowhere\.invalid:25: /],
  },
  {
    name: 'check: refused',
    args: ['check', '127.0.0.1:1'],
    code: 1,
    err: [/^ehlowire: connection refused: 127\.0\.0\.1:1: nothing listens there/],
  },
  {
    name: 'check: a bad word for --fail-on',
    args: ['check', '127.0.0.1:1', '--fail-on', 'all'],
    code: 2,
    err: [/^ehlowire: wrong usage: --fail-on all: must be proved or suspected$/],
  },
  {
    name: 'check: a name that would be two commands',
    args: ['check', '127.0.0.1:1', '--name', 'x\r\nMAIL FROM:<>'],
    code: 2,
    err: [/^ehlowire: wrong usage: --name x MAIL FROM:<>: must be a host name$/],
  },
  {
    name: 'relay: an upstream that does not resolve',
    args: [
      'relay',
      '--listen',
      '127.0.0.1:0',
      '--upstream',
      'nowhere.invalid:25',
      '--log',
      join(dir, 'r.log'),
    ],
    code: 1,
    err: [/^ehlowire: (no such host|cannot resolve host): nowhere\.invalid(:25)?: /],
  },
  {
    name: 'relay: an address that is not here',
    args: ['relay', '--listen', '192.0.2.1:2525', '--upstream', '127.0.0.1:25', '--log', join(dir, 'r.log')],
    code: 1,
    err: [/^ehlowire: address not available: 192\.0\.2\.1:2525: no interface of this machine has it/],
  },
];

for (const { name, args, env, code, err } of ERRORS) {
  test(`an error is one line: ${name}`, async () => {
    const result = await run(args, env);
    const lines = result.err.split('\n').slice(0, -1);
    assert.is(lines.length, err.length, result.err);
    for (const [index, pattern] of err.entries()) assert.match(lines[index] ?? '', pattern);
    assert.is(result.out, '');
    assert.is(result.code, code);
  });
}

test('relay: the port is taken', async () => {
  const server = await startServer({ greeting: [] });
  const result = await run([
    'relay',
    '--listen',
    `127.0.0.1:${server.port}`,
    '--upstream',
    '127.0.0.1:25',
    '--log',
    join(dir, 'r.log'),
  ]);
  server.stop();
  assert.match(
    result.err,
    new RegExp(`^ehlowire: port in use: 127\\.0\\.0\\.1:${server.port}: another program.*\\n$`),
  );
  assert.is(result.code, 1);
});

const HELP: readonly { readonly args: readonly string[]; readonly has: readonly RegExp[] }[] = [
  {
    args: ['--help'],
    has: [
      /relay/,
      /check/,
      /demo/,
      /bridge/,
      /leave/,
      /status/,
      /doctor/,
      /Exit codes: 0 fine, 1 failed, 2 wrong usage/,
    ],
  },
  {
    args: ['relay', '--help'],
    has: [/--listen <addr:port>/, /--transparent/, /--repair/, /Examples:/, /Signals:/, /CONFIG\.md/],
  },
  { args: ['check', '--help'], has: [/--fail-on/, /never sends mail/, /Exit codes:/] },
  { args: ['analyze', '--help'], has: [/--evidence <dir>/, /--live <interface>/, /Exit codes:/] },
  { args: ['demo', '--help'], has: [/loopback|this machine/] },
  { args: ['bridge', '--help'], has: [/--wan <interface>/, /--path <which>/, /ehlowire leave/] },
  { args: ['host', '--help'], has: [/--dev <interface>/] },
  { args: ['leave', '--help'], has: [/--keep-bridge/, /Exit codes:/] },
  { args: ['status', '--help'], has: [/--json/, /Exit codes:/] },
  { args: ['doctor', '--help'], has: [/--json/, /Exit codes:/] },
  { args: ['help'], has: [/^Usage: ehlowire \[options\]/] },
  { args: ['help', 'check'], has: [/^Usage: ehlowire check/, /Exit codes:/] },
  { args: ['--version'], has: [/^\d+\.\d+\.\d+\n$/] },
];

for (const { args, has } of HELP) {
  test(`help: ${args.join(' ')}`, async () => {
    const { code, out, err } = await run(args);
    assert.is(code, 0);
    assert.is(err, '');
    for (const pattern of has) assert.match(out, pattern);
  });
}

test('from the sources, where nothing is compiled', () => {
  const out = execFileSync(join(__dirname, '../../ehlowire'), ['--version'], { encoding: 'utf8' });
  assert.match(out, /^\d+\.\d+\.\d+\n$/);
});

test('no command: the help, and exit code 2', async () => {
  const { code, err } = await run([]);
  assert.is(code, 2);
  assert.match(err, 'Usage: ehlowire');
});

const CHECKS: readonly {
  readonly greeting: string;
  readonly flags: readonly string[];
  readonly code: number;
}[] = [
  { greeting: '220 mx.demo ESMTP\r\n', flags: ['--fail-on', 'suspected'], code: 0 },
  { greeting: '220-mx.demo\r\n', flags: ['--fail-on', 'proved'], code: 3 },
  { greeting: '220-mx.demo\r\n', flags: ['--fail-on', 'suspected'], code: 3 },
  { greeting: '220-mx.demo\r\n', flags: [], code: 0 },
  { greeting: '554 no\r\n', flags: ['--fail-on', 'suspected'], code: 1 },
];

for (const { greeting, flags, code } of CHECKS) {
  test(`check ${flags.join(' ')}: ${JSON.stringify(greeting)} exits ${code}`, async () => {
    const server = await startServer({ greeting: [[0, greeting]] });
    const target = `127.0.0.1:${server.port}`;
    const result = await run(['check', target, '--json', '--set', 'greeting.patience=300ms', ...flags]);
    server.stop();
    assert.is(result.err, '');
    assert.is(result.code, code);
    const report = JSON.parse(result.out) as Record<string, unknown>;
    assert.is(report['target'], target);
    assert.is(report['octets'], JSON.stringify(greeting).slice(1, -1));
  });
}

test.run();
