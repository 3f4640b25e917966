// What the program in the kernel repairs: one octet becomes another, so that no length changes. This is its specification.

import type { GreetingDefect } from '../events';
import { createGreetingReader, readLines } from './reader';

/** By the octet behind the code that a repair in place replaces. */
const DEFECTS: ReadonlyMap<number, GreetingDefect> = new Map([
  [0x2d, 'truncated'],
  [0x09, 'tab-separator'],
]);

export const IN_PLACE: ReadonlySet<GreetingDefect> = new Set(DEFECTS.values());

/** The defect that was repaired where this octet stood behind the code. */
export function defectInPlace(was: number): GreetingDefect | undefined {
  return DEFECTS.get(was);
}

/**
 * The hyphen of a truncated greeting's last line and every TAB behind a 220 become what they should have been. Only
 * whole lines (LF at their end) that start with `220` are changed, and nothing where a bare CR makes clients disagree:
 * the program does the same octet for octet. The length never changes; idempotent; without repairs `bytes` is the very
 * same array.
 */
export function repairInPlace(bytes: Uint8Array): Uint8Array {
  const reader = createGreetingReader();
  const { lines, rest } = readLines(reader, bytes);
  const complete = reader.end !== 'open';
  if (hasBareCr(bytes, complete ? bytes.length - rest.length : bytes.length)) return bytes;
  const repaired = bytes.slice();
  let changed = false;
  let offset = 0;
  for (const [i, { line }] of lines.entries()) {
    const last = i === lines.length - 1 && (complete || rest.length === 0);
    const { separator } = line;
    const defective = separator === 'tab' || (separator === 'hyphen' && last && !complete);
    if (line.code === 220 && line.lead === 0 && defective) {
      repaired[offset + 3] = last ? SPACE : HYPHEN;
      changed = true;
    }
    offset += line.octets.length;
  }
  return changed ? repaired : bytes;
}

/** A CR before `end` with no LF behind it. */
function hasBareCr(bytes: Uint8Array, end: number): boolean {
  for (let cr = bytes.indexOf(CR); cr >= 0 && cr < end; cr = bytes.indexOf(CR, cr + 1)) {
    if (bytes[cr + 1] !== LF) return true;
  }
  return false;
}

const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const HYPHEN = 0x2d;
