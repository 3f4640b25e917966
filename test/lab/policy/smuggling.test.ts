// SMTP smuggling: a second message behind a wrong end of data reaches no server, however its octets are cut.

import * as assert from 'uvu/assert';
import type { Relayed } from '../../kit/ehlowire';
import { labSuite } from '../../kit/lab';
import { until } from '../../kit/process';
import { startRecorder, type Recorder } from './recorder';
import { startRuled } from './rules';
import { contentOf, play, playAll, SMUGGLED, wordsOf, type Heard, type Trial } from './smuggle';
import { cutsOf, PLACES, SEQUENCES } from './smuggling.table';
import { startVictims, VICTIMS, type VictimName, type Victims } from './victims';

const MODES = ['normalize', 'enforce', 'observe'] as const;
type Mode = (typeof MODES)[number];

const REAL_MODES = ['normalize', 'enforce'] as const;
type RealMode = (typeof REAL_MODES)[number];

const AT_ONCE = 60;
/** Real servers start a process for each. */
const REAL_AT_ONCE = 4;

const lab = labSuite('policy/smuggling');
let lenient: Recorder;
let victims: Victims;
const relays = new Map<Mode, Relayed>();

lab.before(async () => {
  [lenient, victims] = await Promise.all([startRecorder('lenient'), startVictims()]);
  const upstreams = [lenient.port, ...victims.ports];
  for (const mode of MODES) relays.set(mode, await startRuled(upstreams, { smuggling: mode }));
});

lab.after(async () => {
  await Promise.all([...relays.values()].map((relay) => relay.stop()));
  await Promise.all([lenient.stop(), victims.stop()]);
  for (const relay of relays.values()) relay.discard();
});

function relayOf(mode: Mode): Relayed {
  const relay = relays.get(mode);
  if (relay === undefined) throw new Error(`no relay for ${mode}`);
  return relay;
}

/** All sequences in all cuts inside a message; at its start without those over three writes. */
function trialsOf(mode: Mode): readonly Trial[] {
  return SEQUENCES.flatMap((sequence) =>
    PLACES.flatMap((place) =>
      cutsOf(sequence)
        .filter(({ at, name }) => place === 'inside' || at.length < 2 || name === 'octet by octet')
        .map((cut) => ({ sequence, place, cut })),
    ),
  ).map((trial, nth) => ({ ...trial, id: `${mode}-${nth}.example` }));
}

function nameOf({ sequence, place, cut }: Trial): string {
  return `${sequence.name}, ${place}, ${cut.name}`;
}

/** What is wrong with a trial under `normalize`, or undefined. */
function normalizeFault(trial: Trial, { replies }: Heard): string | undefined {
  const mails = lenient.named(trial.id)?.mails ?? [];
  if (mails.length !== 1) return `${mails.length} messages`;
  const [mail] = mails;
  if (mail?.from.includes(SMUGGLED)) return 'the second message arrived';
  const came = wordsOf(mail?.content.toString('latin1') ?? '');
  if (came !== wordsOf(contentOf(trial).text)) return `other words: ${JSON.stringify(came)}`;
  const codes = replies.map((line) => line.slice(0, 3)).join(' ');
  return codes === '250 221' ? undefined : `replies ${codes}`;
}

function enforceFault(trial: Trial, { replies, cutOff }: Heard): string | undefined {
  const mails = lenient.named(trial.id)?.mails ?? [];
  if (mails.length > 0) return `${mails.length} messages`;
  if (replies.length !== 1 || !replies[0]?.startsWith('550 5.5.2'))
    return `replies ${JSON.stringify(replies)}`;
  return cutOff ? undefined : 'the connection stays open';
}

/** All faults by their text, with how many and which: a thousand lines help nobody. */
function sumUp(trials: readonly Trial[], faults: readonly (string | undefined)[]): string {
  const found = trials.flatMap((trial, i) =>
    faults[i] === undefined ? [] : [`${nameOf(trial)}: ${faults[i]}`],
  );
  return [`${found.length} of ${trials.length} trials:`, ...found.slice(0, 25)].join('\n');
}

for (const [mode, judge] of [
  ['normalize', normalizeFault],
  ['enforce', enforceFault],
] as const) {
  lab.test(`${mode}, a server that ends a message at anything`, [], async () => {
    const trials = trialsOf(mode);
    const port = relayOf(mode).ports[0] ?? 0;
    const heard = await playAll(trials, AT_ONCE, (trial) => play(port, trial));
    const faults = trials.map((trial, i) => judge(trial, heard[i] ?? { replies: [], cutOff: false }));
    assert.ok(
      faults.every((fault) => fault === undefined),
      sumUp(trials, faults),
    );
  });
}

lab.test('observe: all pass, and the log names each', [], async () => {
  const trials = trialsOf('observe').filter(({ cut, place }) => cut.name === 'whole' && place === 'inside');
  const relay = relayOf('observe');
  const before = lenient.connections().length;
  const heard = await playAll(trials, AT_ONCE, (trial) => play(relay.ports[0] ?? 0, trial));
  assert.is(heard.length, trials.length);
  assert.is(lenient.connections().length - before, trials.length);
  for (const trial of trials) {
    const { text } = contentOf(trial);
    const received = lenient.named(trial.id)?.received().toString('latin1') ?? '';
    assert.ok(received.includes(`${text}\r\n.\r\n`), `${nameOf(trial)}: octets were changed`);
  }
  const sessionsNamed = await until('the log to name them', () => {
    const named = relay.events().filter(({ anomaly }) => NAMED.includes(String(anomaly)));
    const sessions = new Set(named.map(({ session }) => session));
    return sessions.size >= trials.length ? sessions : undefined;
  });
  assert.is(sessionsNamed.size, trials.length);
});

/** How the log names them. */
const NAMED = ['end-of-data-lookalike', 'bare-line-end'];

for (const victim of VICTIMS) {
  for (const mode of REAL_MODES) {
    lab.test(`${mode}, ${victim.name}`, victim.needs, async () => {
      const { trials, faults } = await realTrials(mode, victim.name);
      assert.ok(
        faults.every((fault) => fault === undefined),
        sumUp(trials, faults),
      );
      assert.not.match(victims.named(victim.name).mailbox.log(), new RegExp(`from=<${SMUGGLED}-${mode}`));
    });
  }
}

interface Tried {
  readonly trials: readonly Trial[];
  readonly faults: readonly (string | undefined)[];
}

const tried = new Map<string, Promise<Tried>>();

/** The first call plays towards all servers at the same time: they wait more than they work. */
function realTrials(mode: RealMode, name: VictimName): Promise<Tried> {
  if (tried.size === 0) {
    for (const each of victims.names) {
      for (const way of REAL_MODES) {
        const result = tryReal(way, each);
        result.catch(() => undefined);
        tried.set(`${way} ${each}`, result);
      }
    }
  }
  return tried.get(`${mode} ${name}`) ?? Promise.reject(new Error(`not started: ${name}`));
}

async function tryReal(mode: RealMode, name: VictimName): Promise<Tried> {
  const port = relayOf(mode).ports[1 + victims.names.indexOf(name)] ?? 0;
  const { mailbox, direct } = victims.named(name);
  const trials = sampleOf(mode, name);
  const heard = await playAll(trials, REAL_AT_ONCE, (trial) => play(port, trial));
  // What was accepted before this one is in the mailbox, or on its way there.
  const last = `last-${mode}-${name}`;
  await direct(last);
  const has = (subject: string): boolean =>
    mailbox.delivered().some(({ head }) => subjectOf(head) === subject);
  await until(`${last} at ${name}`, () => has(last) || undefined, 60_000);
  const all = (): true | undefined => trials.every(({ id }) => has(id)) || undefined;
  if (mode === 'normalize') await until('all honest mail', all, 20_000).catch(() => undefined);
  const faults = trials.map((trial, i) => {
    const codes = heard[i]?.replies.map((line) => line.slice(0, 3)).join(' ') ?? '';
    if (has(`${SMUGGLED} ${trial.id}`)) return 'the second message arrived';
    const right =
      mode === 'normalize' ? codes === '250 221' && has(trial.id) : codes === '550' && !has(trial.id);
    return right ? undefined : `replies ${codes}`;
  });
  return { trials, faults };
}

/** The published sequences: each whole, octet by octet, and in some of its other cuts. */
function sampleOf(mode: RealMode, name: VictimName): readonly Trial[] {
  return SEQUENCES.filter(({ known }) => known)
    .flatMap((sequence) => cutsOf(sequence).map((cut) => ({ sequence, cut })))
    .filter(({ cut }, nth) => cut.name === 'whole' || cut.name === 'octet by octet' || nth % 7 === 0)
    .map((it, nth) => ({ ...it, place: 'inside', id: `${mode}-${name}-${nth}.example` }));
}

/** The header's; the words of a message that was not smuggled stand in the other one's body. */
function subjectOf(head: Buffer): string | undefined {
  const [header = ''] = head.toString('latin1').split(/\r?\n\r?\n/, 1);
  return /^Subject: (.*?)\r?$/m.exec(header)?.[1];
}

lab.run();
