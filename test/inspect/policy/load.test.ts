// One connection's costs: each limit just below it and just above, and none of them by chance.

import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Phase, PhaseEvent } from '../../../inspect/events';
import { MESSAGE_WINDOW } from '../../../inspect/limits';
import { createLoad, type Load } from '../../../inspect/policy/load';
import type { ConnectionLimits, Excess } from '../../../inspect/policy/limits-of-load';
import type { Waiting } from '../../../inspect/smtp/session';

const SECOND = 1_000_000;
const LIMITS: ConnectionLimits = {
  errors: 3,
  errorsWithoutTransaction: 9,
  errorsBeforeDelay: 1,
  errorDelay: SECOND,
  messages: 2,
  firstCommand: 180 * SECOND,
  commandLine: 60 * SECOND,
  messageRate: 10,
  withoutTransaction: 1_800 * SECOND,
};

/** Seconds, and what happens: client octets, a phase with its code, or nothing. */
type Step =
  | readonly [at: number, says: string]
  | readonly [at: number, phase: Phase, code: number]
  | readonly [at: number, sends: number]
  | readonly [at: number, blocked: boolean];

const COMMAND: Waiting = { on: 'client', phase: 'other', since: 0, opaque: false };
const CONTENT: Waiting = { ...COMMAND, phase: 'message' };
const REPLY: Waiting = { ...COMMAND, on: 'server' };
const TLS: Waiting = { ...COMMAND, phase: 'tls', opaque: true };

function run(steps: readonly Step[], limits: Partial<ConnectionLimits> = {}): string {
  const load = createLoad({ ...LIMITS, ...limits });
  let sending = false;
  for (const step of steps) {
    const at = step[0] * SECOND;
    const late = load.due() <= at ? load.late(sending ? CONTENT : COMMAND, step[1] === true, at) : undefined;
    const excess = late ?? act(load, step, at);
    sending = typeof step[1] === 'number' || (sending && typeof step[1] === 'boolean');
    if (excess) return /policy\.limits\.(\w+)/.exec(excess.detail)?.[1] ?? excess.detail;
  }
  return '';
}

function act(load: Load, step: Step, at: number): Excess | undefined {
  if (step.length === 3) return load.phase(phaseOf(step[1], step[2]), at);
  const [, what] = step;
  if (typeof what === 'string')
    return load.read(Buffer.from(what), what.startsWith('\x16') ? TLS : COMMAND, at);
  if (typeof what === 'number') return load.read(new Uint8Array(what), CONTENT, at);
  return undefined;
}

function phaseOf(phase: Phase, code: number): PhaseEvent {
  const times = { at: 0, started: 0, sinceConnect: 0, duration: 0, waited: 0 };
  return { kind: 'phase', phase, ...times, ...(code && { reply: { code, lines: 1 } }) };
}

const HELLO: readonly Step[] = [
  [0, 'greeting', 220],
  [1, 'EHLO a\r\n'],
  [1, 'hello', 250],
];
const MESSAGE: readonly Step[] = [
  [2, 'MAIL FROM:<a@b>\r\n'],
  [2, 'mail', 250],
  [2, 'rcpt', 250],
  [2, 'data', 354],
  [2, 'message', 250],
];
const unknown: Step = [2, 'rcpt', 550];
const wait = (at: number): Step => [at, false];
const bulk = (from: number, to: number, octets: number): Step[] =>
  Array.from({ length: to - from }, (_, i): Step => [from + i, octets]);

const noops = (count: number): Step[] => Array.from({ length: count }, (): Step => [2, 'other', 250]);
const resetting: readonly Step[] = [
  [2, 'reset', 250],
  [2, 'message', 250],
];

const ROWS: readonly {
  readonly name: string;
  readonly steps: readonly Step[];
  readonly limits?: Partial<ConnectionLimits>;
  readonly want?: keyof ConnectionLimits;
}[] = [
  { name: 'as many errors as are allowed', steps: [...HELLO, unknown, unknown, unknown] },
  { name: 'one error more', steps: [...HELLO, unknown, unknown, unknown, unknown], want: 'errors' },
  {
    name: 'a message that is accepted clears the errors',
    steps: [...HELLO, unknown, unknown, unknown, ...MESSAGE, unknown, unknown, unknown],
  },
  {
    name: 'a message that is refused is an error',
    steps: [...HELLO, unknown, unknown, unknown, [2, 'message', 550]],
    want: 'errors',
  },
  { name: '4xx is no error', steps: [...HELLO, ...Array.from({ length: 9 }, (): Step => [2, 'rcpt', 450])] },
  { name: 'a greeting of 554 is no error', steps: [[0, 'greeting', 554]] },
  {
    name: 'as many messages as are allowed, and QUIT',
    steps: [...HELLO, ...MESSAGE, ...MESSAGE, [3, 'QUIT\r\n']],
  },
  { name: 'one message more', steps: [...HELLO, ...MESSAGE, ...MESSAGE, ...MESSAGE], want: 'messages' },
  {
    name: 'the last message in several chunks',
    steps: [...HELLO, ...MESSAGE, ...MESSAGE, [3, 'BDAT 5 LAST\r\n'], [3, 'message', 250], [3, 'quit', 221]],
  },
  {
    name: 'the first command in time',
    steps: [[0, 'greeting', 220], wait(179), [179, 'EHLO a\r\n'], wait(400)],
  },
  { name: 'no first command', steps: [[0, 'greeting', 220], wait(180)], want: 'firstCommand' },
  {
    name: 'a first command that trickles',
    steps: [[0, 'greeting', 220], ...Array.from({ length: 70 }, (_, i): Step => [i, 'E'])],
    want: 'commandLine',
  },
  { name: 'before the greeting nothing is late', steps: [wait(10_000)] },
  {
    name: 'a later line that trickles',
    steps: [...HELLO, ...Array.from({ length: 70 }, (_, i): Step => [2 + i, 'N'])],
    want: 'commandLine',
  },
  {
    name: 'lines one after the other, each begun with the end of the one before',
    steps: [...HELLO, ...Array.from({ length: 70 }, (_, i): Step => [2 + i, 'OP\r\nNO'])],
  },
  { name: 'a message at the rate', steps: [...HELLO, ...bulk(2, 700, 10), [700, 'message', 250]] },
  { name: 'a message below the rate', steps: [...HELLO, ...bulk(2, 700, 9)], want: 'messageRate' },
  {
    name: 'a message that pauses for three minutes (RFC 5321 4.5.3.2.5)',
    steps: [...HELLO, [2, 1_500], wait(180), [182, 1_500], wait(400)],
  },
  {
    name: 'a message that the server does not take',
    steps: [...HELLO, [2, 100], [302, true], [320, 5_000], wait(602), wait(604)],
  },
  {
    name: 'a message in time, and the next command long after',
    steps: [...HELLO, ...MESSAGE, wait(1_700), [1_700, 'MAIL\r\n']],
  },
  {
    name: 'commands for ever without a transaction',
    steps: [...HELLO, ...Array.from({ length: 40 }, (_, i): Step => [60 * i, 'NOOP\r\n'])],
    want: 'withoutTransaction',
  },
  {
    name: 'a transaction now and then',
    steps: [...HELLO, [1_000, 'MAIL\r\n'], [1_000, 'mail', 250], [2_000, 'RSET\r\n'], [2_700, 'NOOP\r\n']],
  },
  { name: 'a flood of NOOP', steps: [...HELLO, ...MESSAGE, ...noops(104)], want: 'errors' },
  {
    name: 'as many NOOP as are free, and the errors that are allowed',
    steps: [...HELLO, ...MESSAGE, ...noops(103)],
  },
  { name: 'a flood of NOOP before any transaction', steps: [...HELLO, ...noops(23)], want: 'errors' },
  {
    name: 'before any transaction, as many NOOP as are free, behind EHLO, and the errors that are allowed',
    steps: [...HELLO, ...noops(22)],
  },
  {
    name: 'errors before any transaction have a limit of their own',
    steps: [...HELLO, [2, 'auth', 535], [2, 'auth', 535], [2, 'auth', 535]],
    limits: { errors: 100, errorsWithoutTransaction: 2 },
    want: 'errorsWithoutTransaction',
  },
  {
    name: 'with a transaction that limit does not hold any more',
    steps: [...HELLO, [2, 'auth', 535], [2, 'mail', 250], unknown, unknown, unknown],
    limits: { errors: 100, errorsWithoutTransaction: 2 },
  },
  {
    name: 'RSET behind each message',
    steps: [...HELLO, ...Array.from({ length: 150 }, () => resetting).flat()],
  },
  { name: 'under TLS nothing is timed here', steps: [...HELLO, [2, '\x16\x03\x01'], wait(100_000)] },
];

for (const { name, steps, limits, want = '' } of ROWS) test(name, () => assert.is(run(steps, limits), want));

test('while the server is waited for, no clock of the client runs', () => {
  const load = createLoad(LIMITS);
  load.phase(phaseOf('greeting', 220), 0);
  load.read(Buffer.from('EHL'), REPLY, 0);
  for (let at = 0; at < 3_600; at += 10) assert.is(load.late(REPLY, false, at * SECOND), undefined);
});

test('a delay comes behind the errors that are free, and ends with a message', () => {
  const load = createLoad(LIMITS);
  const delays = [550, 550, 550].map((code) => {
    load.phase(phaseOf('rcpt', code), 0);
    return load.delay();
  });
  assert.equal([...delays, load.delay()], [0, SECOND, SECOND, 0]);
  load.phase(phaseOf('message', 250), 0);
  load.phase(phaseOf('rcpt', 550), 0);
  assert.is(load.delay(), 0);
});

test('whatever a client does, `late` before `due` ends nothing, and `due` moves on where it ended nothing', () =>
  fc.assert(
    fc.property(
      fc.array(
        fc.record({
          wait: fc.integer({ min: 0, max: 400 }),
          does: fc.constantFrom(
            'NOOP\r\n',
            'NO',
            'MAIL\r\nRC',
            '\r\n',
            'greeting',
            'mail',
            'message',
            'rcpt',
          ),
          waiting: fc.constantFrom(COMMAND, CONTENT, REPLY),
          blocked: fc.boolean(),
        }),
        { maxLength: 60 },
      ),
      (steps) => {
        const load = createLoad(LIMITS);
        let at = 0;
        for (const { wait: seconds, does, waiting, blocked } of steps) {
          at += seconds * SECOND;
          const due = load.due();
          const excess = load.late(waiting, blocked, at);
          if (at < due) assert.is(excess, undefined);
          if (excess) return;
          assert.ok(load.due() > at);
          if (/^[a-z]/.test(does)) load.phase(phaseOf(does as Phase, 250), at);
          else load.read(Buffer.from(does), waiting, at);
          assert.ok(load.due() > at);
        }
      },
    ),
  ));

test('the window of a rate is longer than the pause that RFC 5321 §4.5.3.2.5 allows', () =>
  assert.ok(MESSAGE_WINDOW > 180 * SECOND));

test.run();
