// Octets that never reached us: what the machine may still believe behind them.

import type { Direction, Micros } from '../events';
import { decide, beginBody } from './client';
import { say } from '../quotable';
import { endPending, fragment, openStretch, report, type State, stepAside } from './state';
import { loseStep } from './step';

/**
 * Skips `length` octets of one side (0: nobody knows how many). An unfinished line is given up, a message
 * goes on, and TLS can no longer be followed. Afterwards replies that match nothing are no surprise.
 */
export function skip(state: State, from: Direction, length: number, at: Micros): void {
  const side = state.sides[from];
  const count = length > 0 ? say`${length} octets` : say`an unknown number of octets`;
  report(state, 'gap', from, at, say`${count} from the ${from} never seen`);
  state.lossy = true;
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
  if (mode.kind === 'tls') stepAside(state, 'opaque', 'client', at, say`a gap in the TLS handshake`);
  else if (mode.kind === 'body') {
    mode.end.gap();
    mode.content.bytes += length;
    state.mode = { ...mode, begun: mode.begun ?? { start: state.sides.client.position, started: at } };
    tellStretch(state, 'client', at);
    state.mode = { ...mode, begun: undefined, behind: undefined };
  } else if (mode.kind === 'chunk') {
    tellStretch(state, 'client', at);
    const left = mode.left - length;
    mode.content.bytes += Math.min(length, mode.left);
    if (left <= 0) mode.content.ended = at;
    state.mode = left > 0 ? { ...mode, left, begun: undefined } : { kind: 'command' };
  } else if (mode.kind !== 'opaque') {
    tellStretch(state, 'client', at);
    state.sides.client.framer.flush();
    state.held.clear();
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
  if (state.mode.kind !== 'undecided') return;
  // A client that waits for the reply that decides goes on only when it has had it.
  const { verb } = state.mode;
  while (state.pending.length > 0) endPending(state, at, undefined);
  // 354 is the shortest of all replies: what comes behind DATA is most likely the message.
  if (verb === 'DATA') beginBody(state, at);
  else decide(state, { kind: 'command' });
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
