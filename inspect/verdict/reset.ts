// Reset injected: a RST that is not its sender's (RFC 9293 §3.5.2, RFC 5961 §3).

import type { Direction, Evidence, VerdictEvent } from '../events';
import { FLAG, type Segment } from '../tcp/segment';
import { evidenceOf, type Sight } from '../tcp/view';
import type { Judge } from './judge';
import { EVIDENCE, TTL_JUMP } from './thresholds';

/** Watches the resets that claim to be one side's. */
export function createResetJudge(from: Direction): Judge {
  const state: State = { from, before: undefined, reset: undefined, signs: [], told: 0 };
  return {
    see(sight) {
      const { segment, kind } = sight;
      if (sight.from === from && segment) {
        if (state.reset) goesOn(state, sight, segment);
        else if (segment.flags & FLAG.rst) examine(state, sight, segment);
        else state.before = segment;
      }
      const count = state.signs.length;
      // Alone a sign may have a reason; at the end it is at least a suspicion.
      if (count <= state.told || count < (kind === 'end' || state.alive ? 1 : 2)) return [];
      state.told = EVIDENCE;
      return [tell(state, sight)];
    },
    deadline: () => undefined,
  };
}

interface State {
  readonly from: Direction;
  /** The side's last segment before the reset. */
  before: Segment | undefined;
  reset: Segment | undefined;
  readonly signs: Evidence[];
  /** The side went on speaking: it knows of no reset. */
  alive?: boolean;
  told: number;
}

function examine(state: State, { connection }: Sight, segment: Segment): void {
  state.reset = segment;
  const { before, from } = state;
  if (!before) return;
  if (Math.abs(segment.ttl - before.ttl) >= TTL_JUMP) {
    const note = `RST with TTL ${segment.ttl}; the ${from}'s own segments have ${before.ttl}`;
    state.signs.push(evidenceOf(connection, from, segment, note));
  }
  const { stream } = connection[from];
  const offset = stream.offsetOf(segment.seq) ?? 0;
  // A stack resets at its next number, or at the one that the other side acknowledged (RFC 9293 §3.5.2).
  if (
    offset !== stream.next &&
    offset !== stream.sent &&
    offset !== stream.next + 1 &&
    offset !== connection[from].acked
  ) {
    const note = `RST at ${offset}; the ${from} was at ${stream.next}`;
    state.signs.push(evidenceOf(connection, from, segment, note));
  }
}

function goesOn(state: State, { connection }: Sight, segment: Segment): void {
  if (segment.flags & (FLAG.rst | FLAG.syn) || state.alive) return;
  state.alive = true;
  const note = `the ${state.from} itself goes on after "its" RST`;
  state.signs.push(evidenceOf(connection, state.from, segment, note));
}

function tell({ from, before, reset, signs, alive }: State, { connection, at }: Sight): VerdictEvent {
  const evidence = before ? [evidenceOf(connection, from, before, `the ${from}'s last own segment`)] : [];
  if (reset) evidence.push(evidenceOf(connection, from, reset, 'the RST'));
  return {
    kind: 'verdict',
    at,
    verdict: 'reset-injected',
    certainty: alive === true || signs.length >= 2 ? 'proved' : 'suspected',
    proof: alive === true ? 'sequence' : 'header',
    summary: `The RST in the ${from}'s name is not the ${from}'s: ${signs.map(({ note }) => note).join('; ')}.`,
    evidence: [...evidence, ...signs].slice(0, EVIDENCE),
  };
}
