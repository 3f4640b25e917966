// Octets that the path kept to itself on purpose: it knows that they are message or TLS, and how many.

import type { Direction, Micros } from '../events';
import { say } from '../quotable';
import { readClient } from './client';
import { skip } from './gap';
import { presume } from './pairing';
import { stepAside, type State } from './state';

/**
 * Takes note of `length` octets of one side that hold no command, no reply and no end of data. Where none such
 * are due they count as a gap.
 */
export function elide(state: State, from: Direction, length: number, at: Micros): void {
  const side = state.sides[from];
  // Where its 354 was missed, that these octets are left out shows that they are a message.
  if (from === 'client' && state.mode.kind === 'undecided' && state.lossy) presume(state, at);
  const { mode } = state;
  if (!side.opaque && mode.kind === 'tls') {
    // The handshake was longer than what is shown of it: from here on there is nothing left to read.
    stepAside(state, 'opaque', from, at, say`the TLS handshake is longer than what is read of it`);
  }
  if (side.opaque) return pass(state, from, length, at);
  if (from === 'client' && mode.kind === 'body') {
    mode.end.gap();
    mode.content.bytes += length;
    state.mode = { ...mode, begun: mode.begun ?? { start: side.position, started: at }, behind: undefined };
    return pass(state, from, length, at);
  }
  if (from === 'client' && mode.kind === 'chunk') {
    const inside = Math.min(length, mode.left);
    // Its last octet ends a chunk, whatever it is.
    mode.content.bytes += inside - 1;
    state.mode = {
      ...mode,
      left: mode.left - inside + 1,
      begun: mode.begun ?? { start: side.position, started: at },
    };
    pass(state, from, inside - 1, at);
    readClient(state, LAST_OCTET, at);
    if (length > inside) skip(state, from, length - inside, at);
    return undefined;
  }
  return skip(state, from, length, at);
}

function pass(state: State, from: Direction, length: number, at: Micros): void {
  const side = state.sides[from];
  side.position += length;
  side.lastAt = at;
}

const LAST_OCTET = new Uint8Array(1);
