// The greeting: what is wrong with one, and the least change that lets every client through.

import type { GreetingDefect } from '../events';
import { splitGreeting, type GreetingParts } from './lines';
import { createMender, joinOctets } from './repair';
import { judgeTally, NO_LINES, tallyLine, type GreetingJudgement } from './judgement';

export type { GreetingJudgement } from './judgement';

/** Octets for the client, and the defects that are no longer in them. */
export interface GreetingRepair {
  readonly bytes: Uint8Array;
  readonly repaired: readonly GreetingDefect[];
}

/**
 * Judges the octets that a server sent so far, up to the greeting's last line; what stands behind it is no
 * part of it. Never throws. Source: RFC 5321 §3.1, §4.2, §4.2.1.
 */
export function judgeGreeting(bytes: Uint8Array): GreetingJudgement {
  const { lines, tail, complete } = splitGreeting(bytes);
  let tally = NO_LINES;
  for (const [i, line] of lines.entries()) tally = tallyLine(tally, line, complete && i === lines.length - 1);
  return judgeTally(tally, tail, complete);
}

/**
 * Completes and mends a greeting of which no more octets will come. It changes only what stalls or desyncs a
 * real client: no end, no terminator, a bare CR for one, no separator (none, TAB, NUL, or a code alone), stray
 * lines and octets around the code, lines beyond 8192 octets. Everything else passes as it is: bare LF, NUL and
 * CR in the text, 8-bit, masked, mixed and wrong codes, refusals. Octets that hold no reply line at all are
 * not a greeting and stay as they are. Idempotent; without repairs `bytes` is the very same array.
 *
 * `hostname` is used where the greeting's first word is no fully qualified name.
 */
export function repairGreeting(bytes: Uint8Array, hostname: string): GreetingRepair {
  const mender = createMender(hostname);
  const taken = mender.take(bytes);
  const steps = taken.state === 'open' ? [taken, mender.finish()] : [taken];
  const repaired = [...new Set(steps.flatMap((step) => step.mends.map((mend) => mend.defect)))];
  if (repaired.length === 0) return { bytes, repaired };
  return { bytes: joinOctets([...steps.map((step) => step.octets), taken.rest]), repaired };
}

/**
 * What the wire path can do in place: the hyphen of a truncated greeting's last line and every TAB behind a
 * 220 become what they should have been. Only whole lines (LF at their end) that start with `220` are touched, and
 * nothing where a bare CR leaves room for opinions: a program in the kernel does the same octet for octet. The
 * length never changes; idempotent.
 */
export function repairGreetingSameLength(bytes: Uint8Array): GreetingRepair {
  const parts = splitGreeting(bytes);
  if (hasBareCr(bytes, bytes.length - parts.rest.length)) return { bytes, repaired: [] };
  const mended = bytes.slice();
  const repaired = new Set<GreetingDefect>();
  const lastLine = parts.lines.length - 1;
  let offset = 0;
  for (const [i, line] of parts.lines.entries()) {
    const last = i === lastLine && parts.tail.length === 0;
    const defect = line.code === 220 && line.lead === 0 ? inPlace(line.separator, last, parts) : undefined;
    if (defect) {
      mended[offset + 3] = last ? SPACE : HYPHEN;
      repaired.add(defect);
    }
    offset += line.octets.length;
  }
  return { bytes: repaired.size > 0 ? mended : bytes, repaired: [...repaired] };
}

/** A CR before `end` with no LF behind it. */
function hasBareCr(bytes: Uint8Array, end: number): boolean {
  for (let cr = bytes.indexOf(CR); cr >= 0 && cr < end; cr = bytes.indexOf(CR, cr + 1)) {
    if (bytes[cr + 1] !== LF) return true;
  }
  return false;
}

function inPlace(separator: string, last: boolean, parts: GreetingParts): GreetingDefect | undefined {
  if (separator === 'tab') return 'tab-separator';
  return separator === 'hyphen' && last && !parts.complete ? 'truncated' : undefined;
}

const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const HYPHEN = 0x2d;
