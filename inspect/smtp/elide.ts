// Octets that the path left out on purpose: it knows that they are message or TLS, and how many.

import type { Direction, Micros } from '../events';
import { say } from '../quotable';
import { presume, readClient } from './client';
import { skip } from './gap';
import { readServer } from './server';
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
    state.mode = {
      ...mode,
      begun: mode.begun ?? { start: side.position, started: at },
      afterLookalike: undefined,
    };
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
  if (!hidesLine(state, from)) return skip(state, from, length, at);
  if (from === 'client') readClient(state, restOf(length, SPACE), at);
  else readServer(state, restOf(length, UNKNOWN), at);
}

/**
 * A line of the dialogue whose beginning is shown, or a secret that the server requested: the rest of the line is what was left
 * out. Of a reply that goes on it is not known how many lines are missing.
 */
function hidesLine({ mode, sides, serverMode, greeting }: State, from: Direction): boolean {
  if (from === 'client') return mode.kind === 'secret' || (mode.kind === 'command' && begins(sides.client));
  const line = sides.server.framer.peek();
  return serverMode === 'reply' && greeting === undefined && line?.bytes[CODE] === SPACE;
}

function begins({ framer }: State['sides']['client']): boolean {
  return framer.peek() !== undefined;
}

/** So many octets up to the end of a line; what they were is not known. */
function restOf(length: number, first: number): Uint8Array {
  const rest = new Uint8Array(length).fill(UNKNOWN);
  rest[0] = first;
  rest.set(CRLF.subarray(Math.max(0, 2 - length)), Math.max(0, length - 2));
  return rest;
}

function pass(state: State, from: Direction, length: number, at: Micros): void {
  const side = state.sides[from];
  side.position += length;
  side.lastAt = at;
}

const LAST_OCTET = new Uint8Array(1);
/** Digits of a reply code. */
const CODE = 3;
const SPACE = 0x20;
/** A question mark. */
const UNKNOWN = 0x3f;
const CRLF = Uint8Array.of(0x0d, 0x0a);
