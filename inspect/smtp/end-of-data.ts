// Where a message ends: CRLF . CRLF and nothing else (RFC 5321 §4.1.1.4), and what merely looks like it.

/** What a scan found. */
export interface Scan {
  /** Index just behind the end of data, or -1 while the message goes on. */
  readonly end: number;
  /** Look-alikes that some server takes for the end: `LF.CRLF` and so on, in order, a few at the most. */
  readonly lookalikes: readonly string[];
}

export interface EndOfData {
  /** Reads `bytes[from…]` up to the end of data or the end of the chunk. */
  scan(bytes: Uint8Array, from: number): Scan;
  /** How many of the last octets are a beginning of CRLF . CRLF: 0 to 4. */
  begun(): number;
  /** Octets are missing here: nothing is known of what stood before the next one. */
  gap(): void;
}

/**
 * A scanner that hops from dot to dot, since every form of the end pivots on one: base64 runs at the speed
 * of `indexOf`. It starts as if behind a CRLF: that of the DATA command (RFC 5321 §4.1.1.4: a message may
 * be empty).
 */
export function createEndOfData(): EndOfData {
  // The three octets before the next one, oldest first, and what stood before and after a pending dot.
  let before: Before = [0, CR, LF];
  let dot: PendingDot | undefined;

  return {
    scan(bytes, from) {
      const lookalikes: string[] = [];
      let i = from;
      while (i < bytes.length) {
        if (!dot) {
          const next = bytes.indexOf(DOT, i);
          if (next < 0) break;
          const line = lineBreakOf(lastThree(before, bytes, from, next));
          if (line) dot = { line, after: '' };
          i = next + 1;
          continue;
        }
        const step: Step = AFTER_DOT[dot.after][octetName(bytes[i])];
        if (step.done === undefined) {
          dot = { line: dot.line, after: step.after };
          i += 1;
          continue;
        }
        // The octet that ended a bare CR is looked at again: it may be a dot itself.
        if (step.takes) i += 1;
        const { line } = dot;
        dot = undefined;
        if (step.done === '') continue;
        if (step.done === 'CRLF' && isProper(line)) {
          before = [DOT, CR, LF];
          return { end: i, lookalikes };
        }
        if (lookalikes.length < MAX_LOOKALIKES) lookalikes.push(`${line} . ${step.done}`);
      }
      before = lastThree(before, bytes, from, bytes.length);
      return { end: -1, lookalikes };
    },
    begun() {
      if (dot) return isProper(dot.line) ? BEGUN_AT_DOT[dot.after] : 0;
      const [, second, last] = before;
      return last === LF && second === CR ? 2 : last === CR ? 1 : 0;
    },
    gap() {
      before = [0, 0, 0];
      dot = undefined;
    },
  };
}

type Before = readonly [number, number, number];
/** What a line break before a dot is called. CR CRLF ends in CRLF: strict servers end there. */
type LineBreak = 'CRLF' | 'LF' | 'CR' | 'CR CRLF' | 'CRLF NUL';
type AfterDot = '' | 'CR' | 'CR CR';
interface PendingDot {
  readonly line: LineBreak;
  readonly after: AfterDot;
}
/** `done` names what followed the dot ('' for nothing of interest); `takes`: this octet belongs to it. */
type Step =
  | { readonly done?: undefined; readonly after: AfterDot }
  | { readonly done: '' | 'CRLF' | 'LF' | 'CR' | 'CR CRLF'; readonly takes: boolean };

const CR = 0x0d;
const LF = 0x0a;
const NUL = 0x00;
const DOT = 0x2e;

const AFTER_DOT: Readonly<Record<AfterDot, Readonly<Record<'CR' | 'LF' | 'other', Step>>>> = {
  '': {
    CR: { after: 'CR' },
    LF: { done: 'LF', takes: true },
    other: { done: '', takes: false },
  },
  CR: {
    CR: { after: 'CR CR' },
    LF: { done: 'CRLF', takes: true },
    other: { done: 'CR', takes: false },
  },
  'CR CR': {
    CR: { done: 'CR', takes: false },
    LF: { done: 'CR CRLF', takes: true },
    other: { done: 'CR', takes: false },
  },
};

const BEGUN_AT_DOT: Readonly<Record<AfterDot, number>> = { '': 3, CR: 4, 'CR CR': 1 };

function octetName(octet: number | undefined): 'CR' | 'LF' | 'other' {
  return octet === CR ? 'CR' : octet === LF ? 'LF' : 'other';
}

function isProper(line: LineBreak): boolean {
  return line === 'CRLF' || line === 'CR CRLF';
}

function lineBreakOf([third, second, last]: Before): LineBreak | undefined {
  if (last === LF) return second !== CR ? 'LF' : third === CR ? 'CR CRLF' : 'CRLF';
  if (last === CR) return 'CR';
  return last === NUL && second === LF && third === CR ? 'CRLF NUL' : undefined;
}

/** The three octets before `index`, of this chunk and, where it begins too late, of what came before it. */
function lastThree(before: Before, bytes: Uint8Array, from: number, index: number): Before {
  const octet = (back: number): number => {
    const i = index - back;
    return (i >= from ? bytes[i] : before[3 + i - from]) ?? 0;
  };
  return [octet(3), octet(2), octet(1)];
}

// A hostile message could be nothing but look-alikes; one chunk tells a few.
const MAX_LOOKALIKES = 3;
