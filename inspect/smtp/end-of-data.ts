// Where a message ends: CRLF . CRLF and nothing else (RFC 5321 §4.1.1.4), and what merely looks like it.

/** What a scan found. */
export interface Scan {
  /** Index just behind the end of data, or -1 while the message goes on. */
  readonly end: number;
  /** Look-alikes that some server takes for the end, in order, a few at the most. */
  readonly lookalikes: readonly Lookalike[];
}

export interface Lookalike {
  /** `LF . CRLF` and so on. */
  readonly form: string;
  /** Index just behind it. */
  readonly end: number;
  /** Octets from its dot on. */
  readonly length: number;
}

export interface EndOfData {
  /** Reads `bytes[from…]` up to the end of data or the end of the chunk. */
  scan(bytes: Uint8Array, from: number): Scan;
  /** The octets so far end in this one, if nothing follows that belongs to it: `CRLF . CR`. */
  ending(): Omit<Lookalike, 'end'> | undefined;
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
      const lookalikes: Lookalike[] = [];
      let i = from;
      while (i < bytes.length) {
        if (!dot) {
          const next = bytes.indexOf(DOT, i);
          if (next < 0) break;
          const line = lineBreakOf(lastThree(before, bytes, from, next));
          if (line) dot = { line, junk: '', after: '' };
          i = next + 1;
          continue;
        }
        const junk: string | undefined =
          dot.junk === '' && dot.after === '' ? JUNK[bytes[i] ?? 0] : undefined;
        const step: Step = junk === undefined ? AFTER_DOT[dot.after][octetName(bytes[i])] : { after: '' };
        if (step.done === undefined) {
          dot = { line: dot.line, junk: junk ?? dot.junk, after: step.after };
          i += 1;
          continue;
        }
        // The octet that ended a bare CR is looked at again: it may be a dot itself.
        if (step.takes) i += 1;
        const { line, junk: behind } = dot;
        dot = undefined;
        if (step.done === '') continue;
        if (step.done === 'CRLF' && behind === '' && isProper(line)) {
          before = [DOT, CR, LF];
          return { end: i, lookalikes };
        }
        if (lookalikes.length >= MAX_LOOKALIKES) continue;
        const length = 1 + (behind === '' ? 0 : 1) + LENGTHS[step.done];
        lookalikes.push({ form: [line, '.', behind, step.done].filter(Boolean).join(' '), end: i, length });
      }
      before = lastThree(before, bytes, from, bytes.length);
      return { end: -1, lookalikes };
    },
    ending() {
      if (dot?.after !== 'CR') return undefined;
      const form = [dot.line, '.', dot.junk, 'CR'].filter(Boolean).join(' ');
      return { form, length: dot.junk === '' ? 2 : 3 };
    },
    begun() {
      if (dot) return isProper(dot.line) && dot.junk === '' ? BEGUN_AT_DOT[dot.after] : 0;
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
type LineBreak = 'CRLF' | 'LF' | 'CR' | 'CR CRLF' | `${'CRLF' | 'LF' | 'CR'} ${string}`;
type AfterDot = '' | 'CR' | 'CR CR';
interface PendingDot {
  readonly line: LineBreak;
  /** An octet behind the dot that some servers leave out, by name; '' for none. */
  readonly junk: string;
  readonly after: AfterDot;
}
/** `done` names what followed the dot ('' for nothing of interest); `takes`: this octet belongs to it. */
type Step =
  | { readonly done?: undefined; readonly after: AfterDot }
  | { readonly done: '' | 'CRLF' | 'LF' | 'CR' | 'CR CRLF'; readonly takes: boolean };

const CR = 0x0d;
const LF = 0x0a;
const DOT = 0x2e;

/** Octets that some server drops, trims or takes for nothing, so that the dot stands alone on its line. */
const JUNK: Readonly<Record<number, string>> = {
  0x00: 'NUL',
  0x08: 'BS',
  0x09: 'TAB',
  0x0b: 'VT',
  0x0c: 'FF',
  0x1a: 'SUB',
  0x20: 'SP',
  0x7f: 'DEL',
};

const LENGTHS = { CRLF: 2, LF: 1, CR: 1, 'CR CRLF': 3 } as const;

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
  const junk = JUNK[last];
  if (junk === undefined) return undefined;
  if (second === LF) return third === CR ? `CRLF ${junk}` : `LF ${junk}`;
  return second === CR ? `CR ${junk}` : undefined;
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
