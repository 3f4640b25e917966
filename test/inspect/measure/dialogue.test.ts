import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Micros, PhaseEvent } from '../../../inspect/events';
import { createDialogues, type Dialogue, type Plan, type Step } from '../../../inspect/measure/dialogue';
import { createSession } from '../../../inspect/smtp/session';
import { latin1 } from '../../../inspect/text';
import { CUTS, octets, SECOND, START } from '../smtp/transcript';
import { DIALOGUES, type DialogueRow } from './dialogue.table';

const PLAN: Plan = {
  name: 'me.example',
  ...{ starttls: false, pipelining: false, messages: 0, from: '', recipients: [] },
  compose: () => [octets('Subject: x\r\n\r\n.\r\n')],
};

/** All steps of a row, the server's octets cut in some way. */
function play(row: DialogueRow, cut: (bytes: Uint8Array) => Uint8Array[]): readonly Step[] {
  const dialogue = createDialogues({ ...PLAN, ...row.plan })(START);
  let at: Micros = START;
  const next = (): Micros => (at += SECOND);
  const steps = [...dialogue.opened(next())];
  for (const text of row.server) {
    if (text === 'TLS') steps.push(...dialogue.secured(next()));
    else for (const piece of cut(octets(text))) steps.push(...dialogue.feed(piece, next()));
  }
  return [...steps, ...dialogue.end(row.end ?? 'closed', next())];
}

function saidIn(steps: readonly Step[]): string[] {
  return steps.flatMap((step) => {
    if (step.kind === 'secure') return ['TLS'];
    if (step.kind === 'close') return ['close'];
    if (step.kind !== 'send') return [];
    return [step.octets.map(latin1).join('').slice(0, -2).replaceAll('\r\n', '|')];
  });
}

function failuresIn(steps: readonly Step[]): string[] {
  return steps.flatMap((step) =>
    step.kind === 'failure' ? [[step.phase, step.cause, step.text].join(' ').trim()] : [],
  );
}

for (const row of DIALOGUES) {
  test(row.name, () => {
    for (const [name, cut] of Object.entries(CUTS)) {
      // Octets behind STARTTLS' reply are an injection only where they came with it.
      if (row.name.includes('in the clear') && name !== 'whole') continue;
      const steps = play(row, cut);
      assert.equal(saidIn(steps), row.said, name);
      assert.equal(failuresIn(steps), row.failures ?? [], name);
      assert.is(steps.filter(({ kind }) => kind === 'taken').length, row.taken ?? 0, name);
    }
  });
}

/** A phase as the log has it. */
const entryOf = ({ phase, sinceConnect, duration, reply }: PhaseEvent): unknown => [
  phase,
  sinceConnect,
  duration,
  reply?.code,
];

const isPhase = (step: { readonly kind: string }): step is PhaseEvent => step.kind === 'phase';

/** The same connection as the inspector would log it, beside what the dialogue says. */
function playBoth(
  plan: Plan,
  codes: readonly number[],
  pauses: readonly number[],
  grouped: boolean,
): { readonly own: readonly unknown[]; readonly log: readonly unknown[] } {
  let at: Micros = START;
  const pause = (i: number): Micros => (at += pauses[i % pauses.length] ?? 1);
  const dialogue: Dialogue = createDialogues(plan)(START);
  const connected = pause(0);
  const steps: Step[] = [...dialogue.opened(connected)];
  const session = createSession({ started: START, connected });
  const logged: { readonly kind: string }[] = [];
  let replies = 0;
  let due = 1;
  let over = false;
  for (let i = 0; i < codes.length && !over; i += 1) {
    const count = grouped ? due : 1;
    const said = Array.from({ length: count }, () => replyText(codes[replies++ % codes.length] ?? 250)).join(
      '',
    );
    due -= count;
    const time = pause(i + 1);
    logged.push(...session.feed('server', octets(said), time));
    for (const step of dialogue.feed(octets(said), time)) {
      steps.push(step);
      if (step.kind === 'close') over = true;
      if (step.kind !== 'send') continue;
      for (const each of step.octets) logged.push(...session.feed('client', each, time));
      due += commandsIn(step.octets.map(latin1).join(''));
    }
    over ||= due === 0;
  }
  const end = pause(0);
  steps.push(...dialogue.end('closed', end));
  logged.push(...session.close({ by: 'server', how: 'fin' }, end));
  const phasesIn = (list: readonly { readonly kind: string }[]): unknown[] =>
    list.filter(isPhase).flatMap((event) => (event.phase === 'close' ? [] : [entryOf(event)]));
  return { own: phasesIn(steps), log: phasesIn(logged) };
}

function replyText(code: number): string {
  return code === 250 ? '250-mx.demo\r\n250-PIPELINING\r\n250 Ok\r\n' : `${code} mx.demo\r\n`;
}

/** A message is one; so is each line of what is no message. */
function commandsIn(text: string): number {
  return text.startsWith('Subject') || text === '.\r\n' ? 1 : text.split('\r\n').length - 1;
}

test('property: phases and their times are those that the log has of the same connection', () => {
  const code = fc.constantFrom(220, 250, 250, 250, 250, 354, 354, 221, 450, 550);
  const plan = fc.record({
    pipelining: fc.boolean(),
    messages: fc.integer({ min: 0, max: 3 }),
    recipients: fc.constantFrom(['a@b.example'], ['a@b.example', 'c@b.example']),
  });
  const pauses = fc.array(fc.integer({ min: 1, max: 2e6 }), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(
      plan,
      fc.array(code, { maxLength: 20 }),
      pauses,
      fc.boolean(),
      (drawn, codes, times, grouped) => {
        // An orderly server to begin with: then chance.
        const { own, log } = playBoth({ ...PLAN, ...drawn }, [220, 250, ...codes], times, grouped);
        assert.ok(own.length >= 3);
        // What the dialogue did not wait for has no end in it.
        assert.equal(own, log.slice(0, own.length));
      },
    ),
    { numRuns: 500 },
  );
});

test.run();
