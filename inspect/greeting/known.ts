// What is known of a server's greetings from earlier connections, and how long that makes us wait.

import type { GreetingClass, GreetingDefect, Micros, Policy } from '../events';
import { GREETING_WAIT_MICROS } from '../limits';
import { IN_PLACE } from './in-place';
import { codeAt } from './lines';
import { judgementOf, octetsOf } from './reader';
import type { GreetingRepair } from './repair';

export interface GreetingKnowledge {
  readonly greeting: GreetingClass;
  readonly policy: Policy;
  /** Of a truncated one: whole continuation lines that came before it stalled. */
  readonly lines: number;
  /** The longest wait between two lines that turned out honest; 0 if there was none. */
  readonly delay: Micros;
}

/**
 * How long a greeting without its last line may be silent before it counts as truncated: the patience, and twice
 * what an honest server once took, up to what clients wait.
 */
export function waitFor(known: GreetingKnowledge | undefined, patience: Micros): Micros {
  return Math.max(patience, Math.min(2 * (known?.delay ?? 0), GREETING_WAIT_MICROS));
}

/** What one connection shows of its server, and the plain sentence that says why. */
export interface Finding {
  readonly knowledge: GreetingKnowledge;
  readonly because: string;
}

/**
 * What a greeting that the server ended itself shows; `pause` is the longest silence within it. Undefined for a
 * refusal: it says something of this client or this moment, and a server that never ends its greeting refuses in the
 * end, too (421, when it has waited long enough).
 */
export function findWhole({ reader, repaired }: GreetingRepair, pause: Micros): Finding | undefined {
  const { code = 0, defects } = judgementOf(reader);
  const paused = pause > TEASER_PAUSE;
  if (code >= 400) return undefined;
  const greeting: GreetingClass = defects.length > 0 ? 'malformed' : paused ? 'teaser' : 'wellformed';
  const because = {
    malformed: `its greeting has defects: ${defects.join(', ')}`,
    teaser: `its greeting went on after ${inSeconds(pause)}`,
    wellformed: 'its greeting is whole and has no defect',
  }[greeting];
  const policy = policyFor(repaired);
  return { knowledge: { greeting, policy, lines: 0, delay: paused ? pause : 0 }, because };
}

/** What a greeting without an end shows; to be called before the repair completes it. */
export function findTruncated({ reader, repaired }: GreetingRepair, because: string): Finding | undefined {
  const { facts, partial } = reader;
  const code = facts.code ?? codeAt(octetsOf(partial), 0);
  if (code === 0 || code >= 400) return undefined;
  const inPlace = code === 220 && partial.length === 0 && !facts.maskOnly;
  const policy = inPlace ? policyFor(new Set([...repaired, 'truncated'])) : 'relay';
  return { knowledge: { greeting: 'truncated', policy, lines: facts.lines, delay: 0 }, because };
}

/** The server was only slow: its own last line came `delay` after its greeting's last octet, when we had ended it. */
export function findHonest(delay: Micros): Finding {
  const because = `its own last line came ${inSeconds(delay)} after the line before it`;
  return { knowledge: { greeting: 'teaser', policy: 'observe', lines: 0, delay }, because };
}

/**
 * The same, seen only by the program in the kernel, which does not report how long that took: the patience is taken, as it
 * took at least that long.
 */
export function findWithdrawn(server: string, patience: Micros): Finding {
  const because = `the program in the kernel saw ${server} end its greeting behind a repair`;
  return { knowledge: { greeting: 'teaser', policy: 'observe', lines: 0, delay: patience }, because };
}

export function inSeconds(micros: Micros): string {
  return `${(micros / 1_000_000).toFixed(1)} s`;
}

/** The least that a path must be able to do for greetings that need these repairs. */
function policyFor(repairs: ReadonlySet<GreetingDefect>): Policy {
  if (repairs.size === 0) return 'observe';
  return [...repairs].every((defect) => IN_PLACE.has(defect)) ? 'repair' : 'relay';
}

/** A pause of the network, or a server that writes line by line, makes no teaser; postscreen's shortest wait is 2 s. */
const TEASER_PAUSE: Micros = 500_000;
