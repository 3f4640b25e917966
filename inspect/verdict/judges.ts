// The bench: all judges of one connection. What each has seen is a plain value; the judges themselves are functions, one for
// all connections: a closure for each judge of each connection costs more to make than a short session to judge.

import { createAltered, judgeAltered, type AlteredState } from './altered';
import { createBeyond, deadlineOfBeyond, judgeBeyond, type BeyondState } from './beyond';
import type { Finding } from '../coverage/finding';
import { createDropped, deadlineOfDropped, judgeDropped, type DroppedState } from './dropped';
import { createEarly, judgeEarly, type EarlyState } from './early';
import type { Micros } from '../events';
import { createGreeting, deadlineOfGreeting, judgeGreeting, type GreetingState } from './greeting';
import { createHeld, deadlineOfHeld, judgeHeld, type HeldState } from './held';
import { createRenumbered, judgeRenumbered, type RenumberedState } from './renumbered';
import { createResent, deadlineOfResent, isResentUndecided, judgeResent, type ResentState } from './resent';
import { createReset, isResetUndecided, judgeReset, type ResetState } from './reset';
import { createSilence, deadlineOfSilence, judgeSilence, type SilenceState } from './silence';
import { createTerminated, isTerminatedUndecided, judgeTerminated, type TerminatedState } from './terminated';
import type { JudgeInput } from '../tcp/view';

/** What the judges have seen of one connection. */
export interface Bench {
  readonly dropped: Both<DroppedState>;
  readonly beyond: Both<BeyondState>;
  readonly resent: ResentState;
  readonly held: HeldState;
  readonly altered: AlteredState;
  readonly terminated: Both<TerminatedState>;
  readonly renumbered: RenumberedState;
  readonly reset: Both<ResetState>;
  readonly greeting: GreetingState;
  readonly silence: SilenceState;
  readonly early: EarlyState;
}

/** Of the client's segments, and of the server's. */
interface Both<S> {
  readonly client: S;
  readonly server: S;
}

/** `counted`: see `Coverage.counted`. */
export function createBench(counted: boolean): Bench {
  return {
    dropped: { client: createDropped('client', counted), server: createDropped('server', counted) },
    beyond: { client: createBeyond('client', counted), server: createBeyond('server', counted) },
    resent: createResent(),
    held: createHeld(),
    altered: createAltered(),
    terminated: { client: createTerminated('client'), server: createTerminated('server') },
    renumbered: createRenumbered(),
    reset: { client: createReset('client'), server: createReset('server') },
    greeting: createGreeting(),
    silence: createSilence(counted),
    early: createEarly(),
  };
}

/**
 * One step of the connection. Adds what it proves or makes likely if all was observed: the gate decides what is said of it. A
 * finding of before may come again with more.
 */
export function judgeAll(bench: Bench, input: JudgeInput, findings: Finding[]): void {
  add(findings, judgeDropped(bench.dropped.client, input));
  add(findings, judgeDropped(bench.dropped.server, input));
  add(findings, judgeBeyond(bench.beyond.client, input));
  add(findings, judgeBeyond(bench.beyond.server, input));
  add(findings, judgeResent(bench.resent, input));
  add(findings, judgeHeld(bench.held, input));
  add(findings, judgeAltered(bench.altered, input));
  add(findings, judgeTerminated(bench.terminated.client, input));
  add(findings, judgeTerminated(bench.terminated.server, input));
  add(findings, judgeRenumbered(bench.renumbered, input));
  add(findings, judgeReset(bench.reset.client, input));
  add(findings, judgeReset(bench.reset.server, input));
  add(findings, judgeGreeting(bench.greeting, input));
  add(findings, judgeSilence(bench.silence, input));
  add(findings, judgeEarly(bench.early, input));
}

/** When judges are to be asked again though nothing came: the first time beyond `after`. The others wait for segments. */
export function deadlineOfAll(bench: Bench, after: Micros): Micros {
  const next = (due: Micros | undefined): Micros => (due === undefined || due <= after ? Infinity : due);
  return Math.min(
    next(deadlineOfDropped(bench.dropped.client)),
    next(deadlineOfDropped(bench.dropped.server)),
    next(deadlineOfBeyond(bench.beyond.client)),
    next(deadlineOfBeyond(bench.beyond.server)),
    next(deadlineOfResent(bench.resent)),
    next(deadlineOfHeld(bench.held)),
    next(deadlineOfGreeting(bench.greeting)),
    next(deadlineOfSilence(bench.silence)),
  );
}

/** A segment that was overtaken and comes later may change what a judge finds. */
export function isUndecided({ resent, terminated, reset }: Bench): boolean {
  return (
    isResentUndecided(resent) ||
    isTerminatedUndecided(terminated.client) ||
    isTerminatedUndecided(terminated.server) ||
    isResetUndecided(reset.client) ||
    isResetUndecided(reset.server)
  );
}

function add(findings: Finding[], more: readonly Finding[]): void {
  if (more.length > 0) findings.push(...more);
}
