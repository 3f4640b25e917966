// An hour of chance against the relay: dialogues of all kinds under rules of all kinds, beside an honest client.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Relayed } from '../../kit/ehlowire';
import { start, until, type Child } from '../../kit/process';
import { awaitWord } from '../../kit/topology';
import { createChance, type Chance } from '../degraded/chance';
import { makeDialogue, type Dialogue } from './fuzz-dialogue';
import { faultOf } from './fuzz-judge';
import { makeRules, type FuzzRules } from './fuzz-rules';
import { startRecorder, type Recorded, type Recorder } from './recorder';
import { startRuled } from './rules';
import { openTalker, type Talker } from './talker';

export interface FuzzPlan {
  readonly seed: string;
  readonly minutes: number;
  /** Tells how far it is. */
  readonly say: (line: string) => void;
}

export interface Fuzz {
  readonly dialogues: number;
  readonly rounds: number;
  readonly noops: number;
  /** Milliseconds of the slowest NOOP through the relay, and of the slowest one because of the relay. */
  readonly slowest: number;
  readonly stall: number;
  /** What should not have been: with its round, its dialogue and its rules. */
  readonly violations: readonly string[];
}

/** Of one relay, with one set of rules. */
const ROUND_MS = 20_000;
const AT_ONCE = 8;
/** Enough to see what it is. */
const VIOLATIONS = 50;
/** An honest client may not wait longer because of others. */
const STALL_MS = 100;

export async function runFuzz({ seed, minutes, say }: FuzzPlan): Promise<Fuzz> {
  const recorder = await startRecorder('strict');
  const probe = start(
    process.execPath,
    [...process.execArgv, '-r', TS_NODE, join(__dirname, 'fuzz-probe.ts')],
    {
      stdio: ['pipe', 'pipe', 'pipe'],
    },
  );
  await awaitWord(probe, 'ready');
  const end = performance.now() + minutes * 60_000;
  const violations: string[] = [];
  let [dialogues, rounds] = [0, 0];
  while (performance.now() < end && violations.length < VIOLATIONS) {
    const chance = createChance(`${seed} ${rounds}`);
    const rules = makeRules(chance);
    const until = Math.min(end, performance.now() + ROUND_MS);
    const round = await runRound({ recorder, probe, chance, rules, until });
    dialogues += round.dialogues;
    const named = round.faults.map(
      (fault) => `round ${rounds}: ${fault} (rules ${JSON.stringify(rules.settings)})`,
    );
    violations.push(...named);
    named.slice(0, 5).forEach(say);
    rounds += 1;
    say(`round ${rounds}: ${dialogues} dialogues, ${violations.length} violations`);
  }
  probe.process.stdin?.write('stop\n');
  const { output } = await probe.ended;
  await recorder.stop();
  const { stalls, ...latency } = readProbe(output);
  return { dialogues, rounds, ...latency, violations: [...violations, ...stalls] };
}

const TS_NODE = 'ts-node/register/transpile-only';

interface Scene {
  readonly recorder: Recorder;
  readonly probe: Child;
  readonly chance: Chance;
  readonly rules: FuzzRules;
  readonly until: number;
}

interface Round {
  readonly dialogues: number;
  readonly faults: readonly string[];
}

async function runRound({ recorder, probe, chance, rules, until }: Scene): Promise<Round> {
  const own = Number(/ready (\d+)/.exec(probe.output())?.[1]);
  const relay = await startRuled([recorder.port, own], rules.settings);
  const [port = 0, honest = 0] = relay.ports;
  probe.process.stdin?.write(`${honest} ${relay.pid}\n`);
  const faults: string[] = [];
  let dialogues = 0;
  const worker = async (): Promise<void> => {
    while (performance.now() < until && isAlive(relay) && faults.length < VIOLATIONS) {
      const dialogue = makeDialogue(chance, dialogues, rules);
      dialogues += 1;
      const fault = await play(port, recorder, dialogue, rules);
      if (fault !== undefined) faults.push(`${dialogue.id}: ${fault}\n  ${saidIn(dialogue)}`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  if (!isAlive(relay)) faults.push(`the relay ended: ${relay.output().slice(-2_000)}`);
  probe.process.stdin?.write('pause\n');
  await relay.stop();
  if (relay.output() !== '') faults.push(`the relay wrote: ${relay.output().slice(-2_000)}`);
  if (readFileSync(relay.log, 'latin1').includes('"worker-ended"'))
    faults.push('a worker of the relay ended');
  relay.discard();
  recorder.forget();
  return { dialogues, faults };
}

/** As far as it fits into a line or two. */
function saidIn({ early, turns }: Dialogue): string {
  return JSON.stringify([
    early,
    ...turns.map(({ octets, cuts }) => [shorten(octets), cuts.slice(0, 9)]),
  ]).slice(0, 800);
}

function shorten(octets: string): string {
  return octets.replace(/(.)\1{20,}/gs, (run, one: string) => `${one}<${run.length}>`);
}

function isAlive({ pid }: Relayed): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function play(
  port: number,
  recorder: Recorder,
  dialogue: Dialogue,
  rules: FuzzRules,
): Promise<string | undefined> {
  const talker = openTalker(port);
  try {
    if (dialogue.early !== '') await talker.say(dialogue.early);
    await talker.reply();
    for (const turn of dialogue.turns) {
      await talker.say(turn.octets, turn.cuts);
      if (!(await hear(talker, dialogue, turn.replies))) break;
    }
    await Promise.race([talker.ended, sleep(dialogue.kind === 'honest' ? END_MS : MOMENT_MS)]);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    talker.hangUp();
  }
  const server = (): Recorded | undefined => recorder.named(dialogue.id);
  const ended = (): true | undefined => (server()?.closed === false ? undefined : true);
  const left = await isLate(ended);
  const fault = faultOf(dialogue, rules, { server: server(), client: talker.heard() });
  // A hostile client may make a server wait for more, and the relay with it, until the relay's timeout.
  return (
    fault ?? (left && dialogue.kind !== 'hostile' ? 'the connection to the server was left open' : undefined)
  );
}

/** Whether the dialogue can go on. A hostile one does not count replies. */
async function hear(talker: Talker, { kind }: Dialogue, replies: number): Promise<boolean> {
  if (kind === 'hostile' || replies === 0) {
    await sleep(5);
    return talker.isOpen();
  }
  for (let left = replies; left > 0; left -= 1) if ((await talker.reply()) === '') return false;
  return true;
}

/** Whether it did not happen in time. */
async function isLate(ask: () => true | undefined): Promise<boolean> {
  return until('the end', ask, END_MS).then(
    () => false,
    () => true,
  );
}

const MOMENT_MS = 300;
const END_MS = 5_000;

interface Latency {
  readonly noops: number;
  readonly slowest: number;
  readonly stall: number;
  readonly stalls: readonly string[];
}

/** What the straight way took and what the relay waited for a processor is the machine's. */
function readProbe(output: string): Latency {
  const slow = [...output.matchAll(/^noop (\S+) (\S+) (\S+) (\S+)$/gm)].map(([, ...texts]) =>
    texts.map(Number),
  );
  const own = slow.map(([straight = 0, relayed = 0, waited = 0]) => relayed - straight - waited);
  const stalls = slow.flatMap(([straight, relayed, waited, worked], i) =>
    (own[i] ?? 0) > STALL_MS
      ? [
          `an honest NOOP took ${relayed} ms (straight ${straight} ms, waited for a processor ${waited} ms, the relay worked ${worked} ms)`,
        ]
      : [],
  );
  const noops = Number(/^count (\d+)$/m.exec(output)?.[1]);
  const slowest = Math.max(0, ...slow.map(([, relayed = 0]) => relayed));
  return { noops, slowest, stall: Math.max(0, ...own), stalls };
}
