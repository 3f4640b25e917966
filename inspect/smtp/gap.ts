// Octets that were not observed: what is still known of commands and replies behind them.

import type { Direction, Micros } from '../events';
import { dropPartial } from '../greeting/reader';
import { say } from '../quotable';
import { fragment, openStretch, report, type State, stepAside, endPending } from './state';
import { quoteAfterGap } from './quoting';
import { UNSEEN } from '../grammar/grammar';

/**
 * Skips `length` octets of one side (0: an unknown number). A line without its end is given up, a message
 * goes on, and TLS can no longer be followed. Afterwards a reply that matches nothing is not reported.
 */
export function skip(state: State, from: Direction, length: number, at: Micros): void {
  const side = state.sides[from];
  const count = length > 0 ? say`${length} octets` : say`an unknown number of octets`;
  report(state, 'gap', from, at, say`${count} from the ${from} never seen`);
  quoteAfterGap(state);
  if (from === 'client') giveUpClient(state, length, at);
  else giveUpServer(state, at);
  const start = side.position;
  side.position += length;
  side.lastAt = at;
  // Where octets are only counted, the one stretch that they make includes the missing ones.
  if (side.opaque) return;
  state.out.push({ kind: 'gap', from, span: { start, end: side.position }, started: at, at });
}

function giveUpClient(state: State, length: number, at: Micros): void {
  const { mode } = state;
  if (state.header) {
    reportStretch(state, 'client', at);
    state.header = undefined;
  }
  if (mode.kind === 'tls') stepAside(state, 'opaque', 'client', at, say`a gap in the TLS handshake`);
  else if (mode.kind === 'body') {
    mode.end.gap();
    mode.content.bytes += length;
    mode.content.holed = true;
    state.mode = { ...mode, begun: mode.begun ?? { start: state.sides.client.position, started: at } };
    reportStretch(state, 'client', at);
    state.mode = { ...mode, begun: undefined, afterLookalike: undefined };
  } else if (mode.kind === 'chunk') {
    reportStretch(state, 'client', at);
    const left = mode.left - length;
    mode.content.bytes += Math.min(length, mode.left);
    if (left <= 0) mode.content.ended = at;
    state.mode = left > 0 ? { ...mode, left, begun: undefined } : { kind: 'command' };
    if (left < 0) loseCommands(state, at);
  } else if (mode.kind !== 'opaque') {
    reportStretch(state, 'client', at);
    state.sides.client.framer.flush();
    state.undecided.clear();
    loseCommands(state, at);
    if (mode.kind === 'secret') state.mode = { kind: 'undecided', verb: mode.verb };
  }
}

function giveUpServer(state: State, at: Micros): void {
  if (state.serverMode === 'opaque') return;
  if (state.serverMode === 'tls') {
    stepAside(state, 'opaque', 'server', at, say`a gap in the TLS handshake`);
    return;
  }
  reportStretch(state, 'server', at);
  state.sides.server.framer.flush();
  if (state.greeting) dropPartial(state.greeting);
  state.openReply = undefined;
  loseReplies(state);
}

/** Octets before the gap that no event has reported yet. */
function reportStretch(state: State, from: Direction, at: Micros): void {
  const open = openStretch(state, from);
  if (open)
    fragment(state, from, {
      span: { start: open.start, end: state.sides[from].position },
      started: open.started,
      at,
    });
}

/** Replies of the server were missed: those to the first commands may be among them. */
function loseReplies(state: State): void {
  state.lossy = true;
  state.repliesLost = true;
}

/** Octets of the client were missed: commands may be among them, here in the order. */
export function loseCommands(state: State, at: Micros): void {
  state.lossy = true;
  if (state.pending[state.pending.length - 1]?.rule !== UNSEEN)
    state.pending.push({ rule: UNSEEN, arrived: at });
}

/** A client that waits goes on only when it has been answered (RFC 2920 §3.1). */
export function goOn(state: State, at: Micros): void {
  const { lossy, pending, repliesLost } = state;
  if (!lossy || state.reported?.has('improper-pipelining client')) return;
  const from = repliesLost ? 0 : pending.findIndex(({ rule }) => rule === UNSEEN);
  const waited = pending
    .map(({ rule: { endsGroup, phase } }) => endsGroup && phase !== 'greeting')
    .lastIndexOf(true);
  if (from >= 0 && waited >= from) giveUp(state, waited + 1, at);
  if (pending.length === 0) state.repliesLost = false;
  findBack(state);
}

/** Nothing is unknown any more. */
export function findBack(state: State): void {
  if (!state.repliesLost && !state.pending.some(({ rule }) => rule === UNSEEN)) state.lossy = false;
}

/** The first commands that are pending will not be answered any more, as far as is known. */
export function giveUp(state: State, count: number, at: Micros): void {
  for (let i = 0; i < count; i += 1) endPending(state, at, undefined);
}
