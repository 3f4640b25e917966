// The session one line at a time: for a path that decides over each line before the next.

import type { Direction, Micros } from '../events';
import { dropInjected, readClient, readOne } from './client';
import { readServerUnit } from './server';
import type { State } from './state';

/** How many octets were read; 0 only where what they are changed. */
export function readUnit(state: State, from: Direction, bytes: Uint8Array, at: Micros): number {
  state.sides[from].lastAt = at;
  if (from === 'server') return readServerUnit(state, bytes, at);
  if (!state.header) return readOne(state, bytes, 0, at);
  // What may be a PROXY header is read as one; a line that is none is one line.
  readClient(state, bytes, at);
  return bytes.length;
}

/** Octets that were sent behind STARTTLS and go no further. */
export function cutInjected(state: State, bytes: Uint8Array, at: Micros): void {
  state.undecided.push(bytes, at);
  state.sides.client.position += bytes.length;
  dropInjected(state);
}
