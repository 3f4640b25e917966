// The greeter's dialogues: who says what at which second, and what the client sees of it.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import fc from 'fast-check';

import {
  createGreeter,
  type Greeter,
  type GreeterAction,
  type RepairMode,
} from '../../../inspect/greeting/greeter';
import type { GreetingKnowledge } from '../../../inspect/greeting/known';
import type { Lesson } from '../../../inspect/greeting/lesson';
import { latin1 } from '../../../inspect/text';
import { GREETINGS, HOSTNAME, octets, repairGreeting } from './greeting.table';
import { DIALOGUES, type Step } from './greeter.table';

function greeter(mode: RepairMode = 'learn', known?: GreetingKnowledge): Greeter {
  return createGreeter({ mode, patience: 20e6, hostname: HOSTNAME, opened: 0, ...(known && { known }) });
}

/** One line an action, as the dialogues write them. */
function say(action: GreeterAction): string {
  switch (action.kind) {
    case 'forward':
      return `> ${latin1(action.bytes)}`;
    case 'repair':
      return `repair ${action.event.defect}`;
    case 'lesson': {
      const { lesson } = action;
      if (lesson.kind === 'doubt') return 'doubt';
      return `${lesson.kind} ${lesson.finding.knowledge.greeting} ${lesson.finding.knowledge.policy}`;
    }
    case 'refuse':
      return 'refuse';
  }
}

function act(machine: Greeter, step: Step): GreeterAction[] {
  const at = step.at * 1e6;
  switch (step.kind) {
    case 'server':
      return machine.server(octets(step.text), at);
    case 'client':
      return machine.client(octets(step.text), at);
    case 'end':
      return machine.serverEnd(at);
    case 'leave':
      return machine.clientEnd(at);
    case 'idle':
      return machine.idle(at);
    case 'know':
      return machine.update(step.knowledge, at);
  }
}

for (const row of DIALOGUES) {
  test(row.name, () => {
    const machine = greeter(row.mode, row.known);
    for (const [i, step] of row.steps.entries()) {
      const actions = act(machine, step);
      assert.equal(actions.map(say), step.want, `step ${i} at ${step.at} s`);
      if (step.due !== undefined) {
        assert.is(
          machine.deadline(),
          step.due === 'never' ? undefined : step.due * 1e6,
          `due after step ${i}`,
        );
      }
    }
    assert.is(machine.isDone(), row.done ?? true, 'done at the end');
  });
}

const WHOLE = { mode: 'learn', opened: 0, first: 1e6, later: 2e6 } as const;

/** All that the client sees of these pieces, and then of the server's end. */
function seen(mode: RepairMode, pieces: readonly Uint8Array[], known?: GreetingKnowledge): string {
  const machine = greeter(mode, known);
  const actions = pieces.flatMap((piece, i) => machine.server(piece, WHOLE.first + i));
  actions.push(...machine.serverEnd(WHOLE.later));
  return actions.map((action) => (action.kind === 'forward' ? latin1(action.bytes) : '')).join('');
}

function bytewise(bytes: Uint8Array): Uint8Array[] {
  return [...bytes].map((octet) => Uint8Array.of(octet));
}

/** Only with the next line in sight can a line without a separator be told from a last one. */
const NEEDS_SIGHT: ReadonlySet<string> = new Set([
  'no separator, and the greeting goes on',
  'TAB for a hyphen',
  'TAB, then truncated',
  'a code alone, and the greeting goes on',
]);

for (const row of GREETINGS) {
  const bytes = octets(row.bytes);
  const want = row.repaired ?? row.bytes;

  test(`as the pure repair: ${row.name}`, () => assert.is(seen('learn', [bytes]), want));

  test(`mode never, the very octets: ${row.name}`, () => {
    assert.is(seen('never', [bytes]), row.bytes);
    assert.is(seen('never', bytewise(bytes)), row.bytes);
  });

  if (NEEDS_SIGHT.has(row.name)) continue;

  test(`bytewise: ${row.name}`, () => assert.is(seen('learn', bytewise(bytes)), want));

  if (bytes.length > 200) continue;

  test(`at every split: ${row.name}`, () => {
    for (let i = 0; i <= bytes.length; i += 1) {
      assert.is(seen('learn', [bytes.subarray(0, i), bytes.subarray(i)]), want, `split at ${i}`);
    }
  });
}

test('a wellformed greeting in one read is one write', () => {
  const bytes = octets('220-mx.example.com ESMTP\r\n220 ready\r\n');
  const forwards = greeter()
    .server(bytes, 1)
    .filter((action) => action.kind === 'forward');
  assert.is(forwards.length, 1);
});

test('what a repair tells: the line before and after, and how long the client waited', () => {
  const machine = greeter();
  machine.server(octets('220-mx.example.com\r\n'), 1e6);
  machine.server(octets('220-\xe9\r\n'), 3e6);
  const [repair] = machine.idle(23e6).filter((action) => action.kind === 'repair');
  assert.ok(repair);
  assert.equal(repair.event, {
    kind: 'repair',
    at: 23e6,
    defect: 'truncated',
    before: '220-\\xe9\\r\\n',
    after: '220-\\xe9\\r\\n220 mx.example.com ESMTP\\r\\n',
    held: 22e6,
  });
});

function lessonsOf(actions: readonly GreeterAction[]): Lesson[] {
  return actions.flatMap((action) => (action.kind === 'lesson' ? [action.lesson] : []));
}

test('what a stalled greeting shows: lines before the stall, and a plain reason', () => {
  const machine = greeter();
  machine.server(octets('220-mx.example.com\r\n220-no spam\r\n'), 1e6);
  const because = "no last line came within 20.0 s of its greeting's last octet";
  const knowledge = { greeting: 'truncated', policy: 'repair', lines: 2, delay: 0 } as const;
  assert.equal(lessonsOf(machine.idle(21e6)), [{ kind: 'stalled', finding: { knowledge, because } }]);
});

test('what a late last line shows: its delay, from the greeting’s last octet', () => {
  const known = { greeting: 'truncated', policy: 'repair', lines: 1, delay: 0 } as const;
  const machine = greeter('learn', known);
  machine.server(octets('220-mx.example.com\r\n'), 1e6);
  const [lesson] = lessonsOf(machine.server(octets('220 ready\r\n'), 16e6));
  assert.ok(lesson?.kind === 'ended');
  assert.equal(lesson.finding.knowledge, { greeting: 'teaser', policy: 'observe', lines: 0, delay: 15e6 });
});

const CAP = 64 * 1024;

test('an endless line, and endless lines, keep their memory and lose nothing that is no greeting', () => {
  const lines = octets('220-mx.example.com and so on\r\n'.repeat(200));
  const machine = greeter();
  let out = 0;
  for (let i = 0; i < 100; i += 1)
    for (const a of machine.server(lines, i)) out += a.kind === 'forward' ? a.bytes.length : 0;
  assert.is(out, lines.length * 100);

  const junk = octets('x'.repeat(CAP));
  assert.is(seen('learn', [junk, junk]), latin1(junk).repeat(2));
});

const piece = fc.constantFrom(
  ...[
    '220',
    '220-',
    '220 ',
    '220\t',
    '554-',
    '554 ',
    '521 ',
    '250 ',
    '250-',
    '22',
    'mx.example.com',
    'ESMTP',
    'x',
  ],
  ...['\r\n', '\r\n', '\r\n', '\n', '\r', '\0', '\xe9', '\x16\x03\x01', 'z'.repeat(9_000)],
);
const text = fc.array(piece, { maxLength: 5 }).map((pieces) => pieces.join(''));
const knowledge = fc.record<GreetingKnowledge>({
  greeting: fc.constantFrom('wellformed', 'teaser', 'truncated', 'malformed'),
  policy: fc.constantFrom('observe', 'repair', 'relay'),
  lines: fc.nat(3),
  delay: fc.nat(30e6),
});
const step: fc.Arbitrary<Step> = fc
  .oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('server' as const), text }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('client' as const), text }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('idle' as const) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('know' as const), knowledge }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('end' as const, 'leave' as const) }) },
  )
  .chain((partial) => fc.nat(40).map((at) => ({ ...partial, at, want: [] }) as Step));
const play = fc.array(step, { maxLength: 12 });
const mode = fc.constantFrom<RepairMode>('learn', 'now', 'never');

test('any dialogue: no throw, one write a step, nothing after a refusal, a deadline that passes', () => {
  fc.assert(
    fc.property(mode, fc.option(knowledge, { nil: undefined }), play, (how, known, steps) => {
      const machine = greeter(how, known);
      let now = 0;
      let refused = false;
      for (const one of steps) {
        now += one.at;
        const actions = act(machine, { ...one, at: now });
        const kinds = actions.map((action) => action.kind);
        assert.ok(kinds.filter((kind) => kind === 'forward').length <= 1);
        if (refused) assert.equal(kinds, []);
        refused ||= kinds.includes('refuse');
        if (how === 'never') {
          assert.is(
            actions.map((a) => (a.kind === 'forward' ? latin1(a.bytes) : '')).join(''),
            one.kind === 'server' ? one.text : '',
          );
          assert.not.ok(kinds.includes('repair') || kinds.includes('refuse'));
        }
        const due = machine.deadline();
        if (due === undefined) continue;
        machine.idle(due);
        const next = machine.deadline();
        assert.ok(next === undefined || next > due, 'no busy loop');
      }
    }),
    { numRuns: 3_000 },
  );
});

test('any wellformed server, however cut and timed within patience: not an octet changed', () => {
  const greeting = fc.constantFrom<string>(
    '220 mx.example.com ESMTP\r\n',
    '220-mx.example.com\r\n220-\r\n220 ready\r\n250-mx.example.com\r\n250 SIZE\r\n',
    '220-mx.example.com\r\n521 no\r\n',
  );
  const cuts = fc.array(fc.tuple(fc.integer({ min: 1, max: 20 }), fc.nat(19)), { maxLength: 20 });
  fc.assert(
    fc.property(greeting, cuts, (all, pieces) => {
      const machine = greeter();
      let [rest, now, out] = [all, 0, ''];
      for (const [length, wait] of [...pieces, [all.length, 1] as const]) {
        now += wait * 1e6;
        const actions = [...machine.idle(now), ...machine.server(octets(rest.slice(0, length)), now)];
        rest = rest.slice(length);
        for (const action of actions) if (action.kind === 'forward') out += latin1(action.bytes);
        assert.not.ok(actions.some((action) => action.kind === 'repair'));
      }
      assert.is(out, all);
      assert.is(latin1(repairGreeting(octets(all), HOSTNAME).bytes), all);
    }),
  );
});

test.run();
