// The walk: what is sent with which TTL, and when.

import { triedOf } from '../../inspect/trace/hops';
import { OLD } from '../../inspect/trace/match';
import type { Sent, Test } from '../../inspect/trace/sent';
import type { PacketSender } from '../native/raw-ip';
import { now, steady } from '../system/clock';
import { errno, type Fault } from '../system/fault';
import { packetsOf, type Script } from './copies';
import type { Watch } from './watch';

/** How a walk is made. */
export interface Pace {
  readonly tries: number;
  readonly maxHops: number;
  /** Between two packets that end at the same hop: Linux answers one a second. */
  readonly paceMs: number;
}

export interface Walk {
  /** Since when packets were refused by this machine. */
  readonly fault: Fault | undefined;
  /** The session goes on: what was said changes what copies are like, and each stage has its own controls. */
  enter(stage: number): void;
  /** One control after another, with TTLs from 1, until the server answers. */
  findServer(roundTripMs: number): Promise<void>;
  /** Echo requests from the server's TTL on: whether other packets go further than TCP. */
  findEcho(roundTripMs: number): Promise<void>;
  /** All tries of these tests and of their control, round by round. */
  compare(tests: readonly Test[], roundTripMs: number): Promise<void>;
  /** A control with the usual TTL, which is no part of the walk. */
  sendControl(): void;
}

export function createWalk(watch: Watch, sender: PacketSender, script: Script, pace: Pace): Walk {
  const state: State = { watch, sender, script, pace, stage: 0, roundAt: 0, fault: undefined };
  return {
    get fault() {
      return state.fault;
    },
    enter: (stage) => void (state.stage = stage),
    findServer: (roundTripMs) => findServer(state, roundTripMs),
    findEcho: (roundTripMs) => findEcho(state, roundTripMs),
    compare: (tests, roundTripMs) => compareAll(state, tests, roundTripMs),
    sendControl: () => {
      for (const packet of packetsOf(script, 'control', USUAL_TTL, 0)) putBeside(state, packet);
    },
  };
}

interface State {
  readonly watch: Watch;
  readonly sender: PacketSender;
  readonly script: Script;
  readonly pace: Pace;
  stage: number;
  /** When the last round began. */
  roundAt: number;
  fault: Fault | undefined;
}

function send(state: State, test: Test, ttl: number): Sent {
  const { watch, script, stage } = state;
  const number = watch.sent.length + 1;
  const packets = packetsOf(script, test, ttl, number);
  for (const packet of packets.slice(0, -1)) putBeside(state, packet);
  const sent: Sent = { number, test, stage, ttl, at: now(), packet: packets.at(-1) ?? new Uint8Array() };
  watch.add(sent);
  const refused = state.sender.send(sent.packet);
  // The kernel knows already that the path takes less: a router has said so.
  if (refused !== undefined && errno(refused.cause) === 'EMSGSIZE') watch.tooBig(sent, script.client);
  else state.fault ??= refused;
  return sent;
}

function putBeside(state: State, packet: Uint8Array): void {
  state.watch.addPart(packet);
  state.fault ??= state.sender.send(packet);
}

/** The connection is gone, or this machine does not let packets out. */
function isOver({ watch, fault }: State): boolean {
  return fault !== undefined || watch.own?.reset === true;
}

async function findServer(state: State, roundTripMs: number): Promise<void> {
  const { watch, pace } = state;
  state.roundAt = steady();
  let silent = 0;
  let reached = 0;
  for (let ttl = 1; ttl <= pace.maxHops && reached === 0 && !isOver(state); ttl += 1) {
    const { number } = send(state, 'control', ttl);
    // The first silent hops may be slow ones; later ones cost too much time.
    const patience = silent < 2 ? FIRST_MS : 0;
    await watch.until(
      () => watch.answerTo(number) !== undefined,
      Math.max(patience, 3 * roundTripMs + SLACK_MS),
    );
    const answer = watch.answerTo(number);
    silent = answer === undefined ? silent + 1 : 0;
    if (answer?.kind === 'segment') reached = ttl;
  }
  if (reached > 0) watch.distance = await confirm(state, reached, roundTripMs);
}

/** An answer that came late may be that to a smaller TTL; a copy of EHLO must not get to the server by that. */
async function confirm(state: State, reached: number, roundTripMs: number): Promise<number> {
  for (let ttl = reached; ttl > 1; ttl -= 1) {
    const { number } = send(state, 'control', ttl - 1);
    await state.watch.until(() => state.watch.answerTo(number) !== undefined, 4 * roundTripMs + FIRST_MS / 2);
    if (state.watch.answerTo(number)?.kind !== 'segment') return ttl;
  }
  return 1;
}

async function findEcho(state: State, roundTripMs: number): Promise<void> {
  const { watch, pace } = state;
  const { distance } = watch;
  if (distance === undefined) return;
  let silent = 0;
  for (let ttl = distance; ttl <= pace.maxHops && silent < ECHO_SILENT && !isOver(state); ttl += 1) {
    const { number } = send(state, 'echo', ttl);
    await watch.until(() => watch.answerTo(number) !== undefined, 3 * roundTripMs + SLACK_MS);
    const answer = watch.answerTo(number);
    if (answer?.kind === 'echo') return;
    silent = answer === undefined ? silent + 1 : 0;
  }
}

/**
 * The order of the tests moves from try to try: where a hop limits its answers, it is not always the same test that
 * gets none.
 */
async function compareAll(state: State, tests: readonly Test[], roundTripMs: number): Promise<void> {
  const { tries } = state.pace;
  for (let attempt = 0; attempt < tries; attempt += 1) {
    const turned = tests.map((_, i) => tests[(i + attempt) % tests.length] ?? 'control');
    for (const test of turned) {
      if (isOver(state)) return;
      // Looking for the server was the first try.
      if (test === 'control' && attempt === 0 && state.stage === 0) continue;
      // What a device answers with RST is to be seen at the hop where it does.
      const wait = attempt === 0 && test !== 'control' && test !== 'syn' ? roundTripMs + STEP_MS : 0;
      await round(state, test, wait);
    }
  }
  await settle(state, LATE_MS);
}

async function round(state: State, test: Test, waitMs: number): Promise<void> {
  const { watch, pace } = state;
  await state.watch.until(() => isOver(state), Math.max(0, pace.paceMs - (steady() - state.roundAt) / 1_000));
  state.roundAt = steady();
  for (const ttl of ttlsOf(state, test)) {
    if (isOver(state)) return;
    const { number } = send(state, test, ttl);
    const wait = waitMs > 0 ? waitMs : GAP_MS;
    await watch.until(() => isOver(state) || (waitMs > 0 && watch.answerTo(number) !== undefined), wait);
  }
}

/** Old octets may reach the server, nothing else: what a hop answered with the same TTL has not come so far. */
function ttlsOf({ watch, pace }: State, test: Test): readonly number[] {
  const { distance, sent, answers } = watch;
  const answered = answers.flatMap(({ to, kind }) => {
    const own = sent.find(({ number }) => number === to);
    return own?.test === 'control' && kind === 'expired' ? [own.ttl] : [];
  });
  const last = distance ?? Math.max(0, ...answered) + 1;
  const reaching = distance !== undefined && OLD.has(test);
  return Array.from({ length: Math.min(pace.maxHops, reaching ? last : last - 1) }, (_, i) => i + 1);
}

/** Until all hops that answer have done so, at most so long. */
async function settle(state: State, ms: number): Promise<void> {
  const { watch } = state;
  const open = (): boolean => {
    const tried = triedOf({ sent: watch.sent, answers: watch.answers });
    const living = new Set(tried.filter(({ answers }) => answers.length > 0).map(({ ttl }) => ttl));
    return tried.some(({ ttl, sent, answers }) => living.has(ttl) && answers.length < sent);
  };
  await watch.until(() => isOver(state) || !open(), ms);
}

const USUAL_TTL = 64;
const FIRST_MS = 1_000;
const SLACK_MS = 250;
const STEP_MS = 100;
/** Between two hops: all of them in a tenth of a second may meet a limit that they share. */
const GAP_MS = 20;
/** What is held for longer than this is dropped to its sender's TCP, too. */
const LATE_MS = 2_500;
const ECHO_SILENT = 3;
