// Words that the sentences of several judges are made of.

import type { Premise } from '../coverage/finding';
import type { Direction, Micros, VerdictName } from '../events';

/** `1 octet`, `21 octets`. */
export function octets(count: number): string {
  return `${count} octet${count === 1 ? '' : 's'}`;
}

/** `1 client`, `3 clients`. */
export function many(count: number, noun: string): string {
  return `${count.toLocaleString('en')} ${noun}${count === 1 ? '' : 's'}`;
}

/** `once`, `6 times`. */
export function times(count: number): string {
  return count === 1 ? 'once' : `${count} times`;
}

export function milliseconds(micros: Micros): number {
  return Math.round(micros / 1_000);
}

/** With one decimal. */
export function seconds(micros: Micros): number {
  return Math.round(micros / 100_000) / 10;
}

/** The verdict on octets that were dropped; `first`: they are the first that the side says. */
export function droppedName(from: Direction, first: boolean): DroppedName {
  if (!first) return 'segment-dropped';
  return from === 'client' ? 'ehlo-dropped' : 'greeting-lost';
}

/** What must have been observed to say that octets are the side's first; `start`: the offset of the first of them. */
export function toName(from: Direction, first: boolean, start: number): readonly Premise[] {
  if (!first) return [];
  return start === 0 ? ['handshake'] : ['handshake', OCTETS[from]];
}

export type DroppedName = Extract<VerdictName, 'ehlo-dropped' | 'greeting-lost' | 'segment-dropped'>;

const OCTETS = { client: 'client-octets', server: 'server-octets' } as const;
