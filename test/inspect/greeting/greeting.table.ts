// Greetings, right and wrong: one row a rule, for the judge, for both repairs, and for real clients.

import type { GreetingClass, GreetingDefect } from '../../../inspect/events';
import { createGreetingRepair } from '../../../inspect/greeting/repair';
import { joinOctets } from '../../../inspect/octets';
import { FRAMES } from './frames.table';
import { WORDS } from './words.table';

/** Octets are given as text, one character each (U+0000 to U+00FF). */
export interface GreetingRow {
  readonly name: string;
  readonly bytes: string;
  readonly class: Exclude<GreetingClass, 'teaser'>;
  readonly defects: readonly GreetingDefect[];
  /** What `repairGreeting` makes of it with the host name `HOSTNAME`; absent: the very same octets. */
  readonly repaired?: string;
  /** What `repairInPlace` makes of it; absent: the very same octets. */
  readonly sameLength?: string;
}

/** The name of the shim in every row. */
export const HOSTNAME = 'shim.example.net';

export const GREETINGS: readonly GreetingRow[] = [...FRAMES, ...WORDS];

/** The octets of a row's text. */
export function octets(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

/** A greeting of which no more octets will come, repaired at once; without repairs `bytes` is the very same array. */
export function repairGreeting(
  bytes: Uint8Array,
  hostname: string,
): { readonly bytes: Uint8Array; readonly repaired: readonly GreetingDefect[] } {
  const repair = createGreetingRepair(hostname);
  const taken = repair.take(bytes);
  const steps = taken.state === 'open' ? [taken, repair.finish()] : [taken];
  const repaired = [...repair.repaired];
  if (repaired.length === 0) return { bytes, repaired };
  return { bytes: joinOctets([...steps.map((step) => step.octets), taken.rest]), repaired };
}
