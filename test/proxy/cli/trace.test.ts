// `ehlowire trace`: its argument and flags, and its report.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { closingSentence, judgeTrace, limitsOf } from '../../../inspect/trace/findings';
import { hopsOf } from '../../../inspect/trace/hops';
import { toLines, toText, type Report } from '../../../proxy/cli/trace/report';
import { readRequest, type TraceFlags } from '../../../proxy/cli/trace/request';
import { formatAddress } from '../../../proxy/system/address';
import { formatFault, isFaults } from '../../../proxy/system/fault';
import { play, type Path } from '../../inspect/trace/path';

for (const [target, want] of [
  ['mx.example', 'mx.example:25'],
  ['mx.example:587', 'mx.example:587'],
  ['192.0.2.1', '192.0.2.1:25'],
  ['2001:db8::1', '[2001:db8::1]:25'],
  ['[2001:db8::1]', '[2001:db8::1]:25'],
  ['[2001:db8::1]:26', '[2001:db8::1]:26'],
] as const)
  test(`${target} is ${want}`, () => {
    const request = readRequest(target, {});
    assert.is(isFaults(request) ? request : formatAddress(request.server), want);
  });

const BAD: readonly (readonly [target: string, flags: TraceFlags, ...faults: readonly string[]])[] = [
  ['', {}, 'bad address: (empty): write HOST:PORT'],
  ['a:0', {}, 'bad address: a:0: name a host, and a port other than 0'],
  [':25', {}, 'bad address: :25: name a host, and a port other than 0'],
  ['a:70000', {}, 'bad address: a:70000: the port must be between 0 and 65535'],
  [
    'a',
    { four: true, six: true, tries: '11', maxHops: 'x', pace: '-1', failOn: 'all', name: 'a b' },
    'wrong usage: -4 and -6: one or the other',
    'wrong usage: --fail-on all: must be proved or suspected',
    'wrong usage: --name a b: must be a host name',
    'wrong usage: --tries 11: must be a number from 1 to 10',
    'wrong usage: --max-hops x: must be a number from 1 to 60',
    'wrong usage: --pace -1: must be a number from 0 to 10000',
  ],
];

for (const [target, flags, ...faults] of BAD)
  test(`each bad flag has its line: ${faults.join(', ')}`, () => {
    const request = readRequest(target, flags);
    assert.equal(isFaults(request) ? request.map(formatFault) : request, faults);
  });

function reportOf(path: Path): Report {
  const trace = play(path);
  const verdicts = judgeTrace(trace);
  const closing = closingSentence(trace, verdicts);
  const names = new Map([['10.0.1.1', 'gate.example']]);
  return {
    ...{ target: 'mx.example', trace, verdicts, closing, names },
    hops: hopsOf(trace),
    limits: limitsOf(trace),
  };
}

const EATEN = reportOf({
  routers: 3,
  devices: { 2: (name) => (name === 'ehlo' ? { drops: true } : {}), 1: () => ({ quotes: 28 }) },
  hello: { result: 'silent', alive: true },
});

test('the table has a line for each hop, and the sentence stands at the end', () => {
  const lines = toText(EATEN, false).trimEnd().split('\n');
  assert.match(lines[0] ?? '', /^mx\.example {2}198\.51\.100\.25 port 25, from 192\.0\.2\.1$/);
  assert.match(lines[2] ?? '', /hop +address +control +EHLO +SYN +quoted$/);
  assert.match(lines[3] ?? '', /^ +1 +gate\.example \(10\.0\.1\.1\) +1\.0 ms +1\.0 ms +1\.0 ms +28 B$/);
  assert.match(lines[4] ?? '', /^ +2 +10\.0\.2\.1 +2\.0 ms +0\/3 +2\.0 ms +60 B$/);
  assert.match(lines[6] ?? '', /^ +4 +198\.51\.100\.25 +4\.0 ms +the server$/);
  assert.match(
    lines.at(-1) ?? '',
    /^ {2}For a ticket: EHLO is dropped between hop 1 and hop 2, or at hop 2: /,
  );
});

test('JSON: a line for each hop and verdict, and one for the trace', () => {
  const lines = toLines(EATEN)
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.equal(
    lines.map(({ event }) => event),
    ['hop', 'hop', 'hop', 'hop', 'verdict', 'trace'],
  );
  assert.equal(lines[0]?.['tests'], [
    { segment: 'control', sent: 3, answered: 3, rtt_ms: [1, 1, 1], quoted: 28 },
    { segment: 'ehlo', sent: 3, answered: 3, rtt_ms: [1, 1, 1], quoted: 28 },
    { segment: 'syn', sent: 3, answered: 3, rtt_ms: [1, 1, 1], quoted: 28 },
  ]);
  const { message, ...verdict } = lines[4] ?? {};
  assert.match(String(message), /^EHLO is dropped/);
  assert.equal(verdict, {
    ...{ event: 'verdict', verdict: 'ehlo-dropped', certainty: 'proved', segment: 'ehlo', between: [1, 2] },
  });
  const { limits, summary, ...trace } = lines[5] ?? {};
  assert.is((limits as string[]).length, 1);
  assert.is(summary, EATEN.closing);
  assert.equal(trace, {
    ...{ event: 'trace', server: '198.51.100.25', port: 25, hops: 3, reached: true, verdicts: 1 },
  });
});

test.run();
