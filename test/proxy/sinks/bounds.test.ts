// What one connection, and what many may write: beyond it is counted, and an honest client's lines all come.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { isFault } from '../../../proxy/system/fault';
import { createJsonRenderer } from '../../../proxy/sinks/json';
import { createSink } from '../../../proxy/sinks/sink';
import { createBounds, IDLE, LINES, REPEATS, UNGREETED } from '../../../proxy/sinks/bounds';
import type { Connection, Recorded } from '../../../proxy/sinks/record';
import * as records from './records';

const CONNECT = { ...records.CLOSE, phase: 'connect' } as Recorded;
const VERDICT = { ...records.VERDICT } as Recorded;

/** Events by a clock of our own; the answer: what was written, in a few words. */
function bounded(
  play: (write: (connection: Connection, ...events: Recorded[]) => void, wait: () => void) => void,
): string[] {
  const written: string[] = [];
  let at = records.AT;
  const bounds = createBounds(
    (_connection, event) => written.push(wordsOf(event)),
    () => at,
  );
  play(
    (connection, ...events) => events.forEach((event) => bounds.write(connection, event)),
    () => (at += 1_000_000),
  );
  bounds.flush();
  return written;
}

function wordsOf(event: Recorded): string {
  if (event.kind === 'omitted') return `omitted ${event.count} ${JSON.stringify(event.of)}`;
  return event.kind === 'phase' ? event.phase : event.kind;
}

const caller = (): Connection => ({ ...records.CONNECTION });
const times = <T>(count: number, of: T): T[] => Array.from({ length: count }, () => of);

const ROWS: readonly [name: string, play: Parameters<typeof bounded>[0], want: readonly string[]][] = [
  [
    'a connection has its lines, then a count; its session, verdicts, repairs and lessons always come',
    (write) => {
      const one = caller();
      write(one, records.GREETING, ...times(LINES + 9, records.RCPT), records.ANOMALY);
      write(one, VERDICT, records.REPAIR, records.LEARNED, records.SESSION);
    },
    [
      'greeting',
      ...times(LINES - 1, 'rcpt'),
      ...['verdict', 'repair', 'learned'],
      ...['omitted 11 {"phase":10,"anomaly":1}', 'session'],
    ],
  ],
  [
    'commands that bring no message nearer have their own, which a message begins anew',
    (write) => {
      const one = caller();
      const noop = { ...records.RCPT, phase: 'other' } as Recorded;
      const message = { ...records.RCPT, phase: 'message' } as Recorded;
      write(one, records.GREETING, ...times(IDLE + 3, noop), message, ...times(IDLE, noop), records.SESSION);
    },
    [
      'greeting',
      ...times(IDLE, 'other'),
      'message',
      ...times(IDLE, 'other'),
      'omitted 3 {"phase":3}',
      'session',
    ],
  ],
  [
    'each connection has its own',
    (write) =>
      times(3, 0).forEach(() => write(caller(), records.GREETING, ...times(LINES - 1, records.RCPT))),
    times(3, ['greeting', ...times(LINES - 1, 'rcpt')]).flat(),
  ],
  [
    'connections without a greeting share what there is in a second, and a line counts the others',
    (write, wait) => {
      times(UNGREETED, 0).forEach(() => write(caller(), CONNECT, records.CLOSE, records.SESSION));
      wait();
      write(caller(), CONNECT);
    },
    [
      ...times(UNGREETED, ['connect', 'close', 'session']).flat().slice(0, UNGREETED),
      `omitted ${2 * UNGREETED} ${JSON.stringify({
        session: Math.ceil((2 * UNGREETED) / 3),
        phase: 2 * UNGREETED - Math.ceil((2 * UNGREETED) / 3),
      })}`,
      'connect',
    ],
  ],
  [
    'a client that is greeted in a flood has all its lines, only later',
    (write) => {
      const honest = caller();
      times(UNGREETED, 0).forEach(() => write(caller(), CONNECT));
      write(honest, CONNECT);
      write(honest, records.GREETING, records.RCPT, records.SESSION);
    },
    [...times(UNGREETED, 'connect'), 'connect', 'greeting', 'rcpt', 'session'],
  ],
  [
    'a verdict on a connection without a greeting has room of its own',
    (write) => {
      times(UNGREETED, 0).forEach(() => write(caller(), CONNECT));
      write(caller(), VERDICT);
    },
    [...times(UNGREETED, 'connect'), 'verdict'],
  ],
  [
    'refusals of one rule: a few a second, and their number',
    (write, wait) => {
      times(REPEATS + 5, 0).forEach(() => write(caller(), records.BLOCKED));
      wait();
      write(caller(), records.BLOCKED);
    },
    [...times(REPEATS, 'blocked'), 'omitted 5 {"blocked":5}', 'blocked'],
  ],
];

for (const [name, play, want] of ROWS) test(name, () => assert.equal(bounded(play), want));

test('notes of one name: a few a second', () => {
  const bounds = createBounds(
    () => undefined,
    () => 0,
  );
  const admitted = times(REPEATS + 3, 0).filter(() => bounds.admit('upstream-refused'));
  assert.is(admitted.length, REPEATS);
  assert.ok(bounds.admit('accept-failed'));
  bounds.flush();
});

test('notes of what the process does itself are all written; those that peers cause are counted', async () => {
  const lines: string[] = [];
  const output = {
    write: (line: string) => lines.push(line) > 0,
    waiting: () => 0,
    reopen: () => undefined,
    close: () => Promise.resolve(),
  };
  const sink = createSink({
    renderer: createJsonRenderer(),
    level: 'info',
    open: () => output,
    trouble: { failing: () => undefined, closed: () => undefined },
  });
  if (isFault(sink)) throw new Error('no sink');
  for (let i = 0; i < 3 * REPEATS; i += 1) sink.note('info', 'listening');
  for (let i = 0; i < 3 * REPEATS; i += 1) sink.note('warn', 'upstream-refused');
  await sink.close();
  const count = (what: string): number => lines.filter((line) => line.includes(`"event":"${what}"`)).length;
  assert.is(count('listening'), 3 * REPEATS);
  assert.ok(count('upstream-refused') < 3 * REPEATS);
});

test('notes about one thing: one in ten seconds, and the next one counts those left out', () => {
  let at = 0;
  const bounds = createBounds(
    () => undefined,
    () => at,
  );
  const looks: readonly (readonly [second: number, on: string, left: number | undefined])[] = [
    [0, 'a', 0],
    [1, 'a', undefined],
    [1, 'b', 0],
    [9, 'a', undefined],
    [10, 'a', 2],
    [30, 'a', 0],
  ];
  for (const [second, on, left] of looks) {
    at = second * 1_000_000;
    const want = left === undefined ? undefined : left > 0 ? { since_last: left } : {};
    assert.equal(bounds.admitAbout('upstream-refused', { on }), want, `${on} at ${second} s`);
  }
});

test.run();
