// A watch that cannot keep up takes nothing for a while: mail goes first.

import type { Micros } from '../../inspect/events';
import type { Tracker } from '../../inspect/tracker/tracker';
import type { EvidenceWriter } from '../report/evidence/evidence';
import type { Sink } from '../sinks/record';
import type { LiveSource } from '../sources/live';
import { now } from '../system/clock';
import { isFault, type Fault } from '../system/fault';

export interface Pause {
  /** A frame from `at` was read. True: a pause begins, and no connection of this moment is whole. */
  read(at: Micros): boolean;
  /** All that came was read. */
  caughtUp(): void;
  isOn(): boolean;
  /** There will be none any more. */
  stop(): void;
}

interface PauseOptions {
  readonly source: Pick<LiveSource, 'pause' | 'resume'>;
  readonly tracker: Pick<Tracker, 'lostUntil'>;
  readonly evidence: EvidenceWriter | undefined;
  readonly sink: Sink;
  /** What nothing is proved of meanwhile. */
  readonly unseen: string;
  /** It cannot go on. */
  readonly onFault: (fault: Fault) => void;
}

/** Each pause is twice as long as the one before, up to a bound, until there was none for a minute. */
export function createPause(options: PauseOptions): Pause {
  const state: State = { options, behind: undefined, resume: undefined, next: LEAST_MS, ended: -Infinity };
  return {
    read: (at) => isBehind(state, at) && begin(state),
    caughtUp: () => (state.behind = undefined),
    isOn: () => state.resume !== undefined,
    stop: () => clearTimeout(state.resume),
  };
}

interface State {
  readonly options: PauseOptions;
  /** Since when frames are read late. */
  behind: Micros | undefined;
  resume: NodeJS.Timeout | undefined;
  /** How long the next one is, in milliseconds. */
  next: number;
  ended: Micros;
}

/** Frames are read late, and that has lasted: after a moment in which the process stood still it is over soon. */
function isBehind(state: State, at: Micros): boolean {
  const read = now();
  if (read - at <= BEHIND) state.behind = undefined;
  else state.behind ??= read;
  return state.behind !== undefined && read - state.behind > BEHIND;
}

function begin(state: State): boolean {
  const { source, tracker, evidence, sink, unseen } = state.options;
  if (state.resume || isFault(source.pause())) return false;
  const at = now();
  state.behind = undefined;
  if (at - state.ended > CALM) state.next = LEAST_MS;
  sink.note(
    'warn',
    'evidence-paused',
    { seconds: state.next / 1_000, unseen, message: TOO_MANY },
    { on: '' },
  );
  state.resume = setTimeout(() => goOn(state), state.next);
  state.next = Math.min(2 * state.next, MOST_MS);
  tracker.lostUntil(at);
  // How many frames will be missing is unknown; some will.
  evidence?.lost(1);
  return true;
}

function goOn(state: State): void {
  const { source, tracker, onFault } = state.options;
  state.resume = undefined;
  state.ended = now();
  tracker.lostUntil(state.ended);
  const refused = source.resume();
  if (isFault(refused)) onFault(refused);
}

/** The kernel's ring holds some seconds more. */
const BEHIND: Micros = 1_000_000;
const LEAST_MS = 1_000;
const MOST_MS = 16_000;
const CALM: Micros = 60_000_000;
const TOO_MANY = 'segments come faster than they can be read; mail goes first';
