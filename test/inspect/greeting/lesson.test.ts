// What may teach what: the table, and that no clients' behaviour turns a repair on against an honest server.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import fc from 'fast-check';
import type { PhaseEvent } from '../../../inspect/events';
import { createGreeter } from '../../../inspect/greeting/greeter';
import {
  doubtOf,
  isContested,
  isRepair,
  teach,
  teachVerified,
  UNKNOWN,
  verifyingWait,
  type Standing,
  type Taught,
} from '../../../inspect/greeting/lesson';
import { octets } from './greeting.table';
import { LESSONS, TRUNCATED, type Event } from './lesson.table';

const SECOND = 1e6;
const PATIENCE = 20 * SECOND;

function step(standing: Standing, event: Event): Taught {
  return event.by === 'client'
    ? teach(standing, event.lesson, event.network)
    : teachVerified(standing, event.verification);
}

for (const row of LESSONS) {
  test(row.name, () => {
    let taught: Taught = { standing: UNKNOWN, verify: false };
    for (const event of row.events) {
      const before = taught.standing.known;
      taught = step(taught.standing, event);
      const { known } = taught.standing;
      const changed = before?.greeting !== known?.greeting || before?.policy !== known?.policy;
      if (changed) assert.ok(taught.because, 'what changed is told');
    }
    const { standing, verify } = taught;
    const { known, way } = standing;
    assert.is(known ? `${known.greeting} ${known.policy} ${way}` : 'nothing', row.want);
    assert.is(verify, row.verify ?? false, 'verify');
    assert.is(isContested(standing), row.contested ?? false, 'contested');
  });
}

test('a late line makes our own connection wait for twice as long, up to what clients stand', () => {
  const wait = (delay: number): number => verifyingWait({ ...UNKNOWN, delay }, PATIENCE) / SECOND;
  assert.equal([0, 6 * SECOND, 15 * SECOND, 60 * SECOND].map(wait), [20, 20, 30, 50]);
});

const phase = (name: PhaseEvent['phase'], code: number): PhaseEvent => ({
  kind: 'phase',
  phase: name,
  at: 0,
  started: 0,
  sinceConnect: 0,
  duration: 0,
  waited: 0,
  reply: { code, lines: 1 },
});

const DOUBTS: readonly (readonly [name: PhaseEvent['phase'], code: number, doubt: boolean])[] = [
  ['hello', 521, true],
  ['hello', 421, true],
  ['hello', 250, false],
  ['mail', 550, true],
  ['mail', 450, false],
  ['rcpt', 550, true],
  ['data', 554, false],
  ['greeting', 554, false],
];

for (const [name, code, want] of DOUBTS) {
  test(`${code} in ${name} ${want ? 'throws doubt on a repair' : 'says nothing of a repair'}`, () => {
    assert.is(doubtOf(phase(name, code))?.kind === 'doubt', want);
  });
}

/** A server that ends its greeting after `wait`, or never; to who speaks before, it answers as postscreen does. */
interface Server {
  readonly wait: number | 'never';
  readonly early: 'answers' | 'refuses' | 'is silent';
}

type Act = { readonly at: number; readonly act: 'speak' | 'close' | 'half a word' };

/** All that a client's connection can show of it, through the greeter of a relay or of the wire. */
function visit(
  standing: Standing,
  server: Server,
  acts: readonly Act[],
  mode: 'learn' | 'never',
  network: string,
): Standing {
  const greeter = createGreeter({
    mode,
    patience: PATIENCE,
    hostname: 'shim.example',
    opened: 0,
    ...(standing.known && { known: standing.known }),
  });
  let after = standing;
  const take = (actions: ReturnType<typeof greeter.server>): void => {
    for (const action of actions)
      if (action.kind === 'lesson') after = teach(after, action.lesson, network).standing;
  };
  take(greeter.server(octets('220-mx.example\r\n'), 0));
  let spoke = false;
  let closed = false;
  const last =
    server.wait === 'never' ? { at: IDLE, act: '421' as const } : { at: server.wait, act: 'end' as const };
  const script = [...acts, last].sort((a, b) => a.at - b.at);
  for (const { at, act } of script) {
    const due = greeter.deadline();
    if (due !== undefined && due <= at * SECOND) take(greeter.idle(due));
    if (closed) break;
    if (act === 'end') {
      if (!spoke) take(greeter.server(octets('220 mx.example ESMTP\r\n'), at * SECOND));
      else if (server.early === 'is silent')
        take(greeter.server(octets('220 mx.example ESMTP\r\n'), at * SECOND));
    } else if (act === '421') {
      take(greeter.server(octets('421 4.4.2 timeout\r\n'), at * SECOND));
    } else if (act === 'close') {
      take(greeter.serverEnd(at * SECOND));
      closed = true;
    } else {
      take(greeter.client(octets(act === 'speak' ? 'EHLO bot\r\n' : 'EH'), at * SECOND));
      if (act === 'half a word') continue;
      if (!spoke && server.early === 'answers')
        take(greeter.server(octets('250 mx.example\r\n'), at * SECOND));
      if (!spoke && server.early === 'refuses') take(greeter.server(octets('521 5.5.1 no\r\n'), at * SECOND));
      spoke = true;
    }
  }
  return after;
}

/** RFC 5321 §4.5.3.2.7: a server's patience with a silent client. */
const IDLE = 300;

const honest = fc.record<Server>({
  wait: fc.integer({ min: 1, max: 19 }),
  early: fc.constantFrom('answers', 'refuses', 'is silent'),
});
const acts = fc.array(
  fc.record<Act>({
    at: fc.integer({ min: 0, max: 30 }),
    act: fc.constantFrom('speak', 'close', 'half a word'),
  }),
  { maxLength: 4 },
);
const clients = fc.array(fc.record({ acts, network: fc.nat(9).map(String) }), { maxLength: 8 });
const modes = fc.constantFrom('learn' as const, 'never' as const);

test('no clients turn a repair on against an honest server, whether we can connect or not', () => {
  fc.assert(
    fc.property(honest, clients, modes, fc.boolean(), (server, all, mode, reachable) => {
      let standing = UNKNOWN;
      if (!reachable) standing = teachVerified(standing, { kind: 'unreachable', why: 'no route' }).standing;
      for (const each of all) {
        standing = visit(standing, server, each.acts, mode, each.network);
        assert.not.ok(isRepair(standing.known));
        assert.is(standing.suspicion, undefined, 'not even a suspicion');
      }
    }),
    { numRuns: 2_000 },
  );
});

test('no clients turn off a repair that we verified of a truncated server', () => {
  const doubts = fc.array(fc.record({ acts, network: fc.nat(9).map(String) }), { maxLength: 8 });
  fc.assert(
    fc.property(doubts, modes, (all, mode) => {
      const finding = { knowledge: TRUNCATED, because: 'so it was seen' };
      let { standing } = teach(UNKNOWN, { kind: 'stalled', finding }, 'a');
      ({ standing } = teachVerified(standing, { kind: 'greeted', finding }));
      const server: Server = { wait: 'never', early: 'answers' };
      for (const each of all) {
        standing = visit(standing, server, each.acts, mode, each.network);
        assert.ok(isRepair(standing.known));
      }
    }),
    { numRuns: 2_000 },
  );
});

test.run();
