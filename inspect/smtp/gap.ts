// Octets that never reached us: what the machine may still believe behind them.

import type { Direction, Micros } from '../events';
import { loseCommands, loseReplies } from './pairing';
import { say } from '../quotable';
import { fragment, openStretch, report, type State, stepAside } from './state';
import { loseStep } from './step';

/**
 * Skips `length` octets of one side (0: nobody knows how many). An unfinished line is given up, a message
 * goes on, and TLS can no longer be followed. Afterwards replies that match nothing are no surprise.
 */
export function skip(state: State, from: Direction, length: number, at: Micros): void {
  const side = state.sides[from];
  const count = length > 0 ? say`${length} octets` : say`an unknown number of octets`;
  report(state, 'gap', from, at, say`${count} from the ${from} never seen`);
  loseStep(state);
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
  if (state.preface) {
    tellStretch(state, 'client', at);
    state.preface = undefined;
  }
  if (mode.kind === 'tls') stepAside(state, 'opaque', 'client', at, say`a gap in the TLS handshake`);
  else if (mode.kind === 'body') {
    mode.end.gap();
    mode.content.bytes += length;
    mode.content.holed = true;
    state.mode = { ...mode, begun: mode.begun ?? { start: state.sides.client.position, started: at } };
    tellStretch(state, 'client', at);
    state.mode = { ...mode, begun: undefined, behind: undefined };
  } else if (mode.kind === 'chunk') {
    tellStretch(state, 'client', at);
    const left = mode.left - length;
    mode.content.bytes += Math.min(length, mode.left);
    if (left <= 0) mode.content.ended = at;
    state.mode = left > 0 ? { ...mode, left, begun: undefined } : { kind: 'command' };
    if (left < 0) loseCommands(state, at);
  } else if (mode.kind !== 'opaque') {
    tellStretch(state, 'client', at);
    state.sides.client.framer.flush();
    state.held.clear();
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
  tellStretch(state, 'server', at);
  state.sides.server.framer.flush();
  state.openReply = undefined;
  loseReplies(state);
}

/** Octets before the gap that no event has told yet. */
function tellStretch(state: State, from: Direction, at: Micros): void {
  const open = openStretch(state, from);
  if (open)
    fragment(state, from, {
      span: { start: open.start, end: state.sides[from].position },
      started: open.started,
      at,
    });
}
