// Where a message ends: CRLF . CRLF and nothing else (RFC 5321 §4.1.1.4), and what merely looks like it.

/** What a scan found. */
interface Scan {
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
  // The three octets before the next one, the oldest on top, and what stood before and after a pending dot.
  let before = (CR << 8) | LF;
  let line: LineBreak | undefined;
  /** An octet behind the dot that some servers leave out, by name; '' for none. */
  let junk = '';
  let after: AfterDot = '';

  return {
    scan(bytes, from) {
      let lookalikes: Lookalike[] | undefined;
      let i = from;
      while (i < bytes.length) {
        if (line === undefined) {
          const next = nextDot(bytes, i);
          if (next < 0) break;
          line = lineBreakOf(
            next - from < 3 ? lastThree(before, bytes, from, next) : threeBefore(bytes, next),
          );
          junk = '';
          after = '';
          i = next + 1;
          continue;
        }
        const skipped: string | undefined = junk === '' && after === '' ? JUNK[bytes[i] ?? 0] : undefined;
        const step: Step = skipped === undefined ? AFTER_DOT[after][octetName(bytes[i])] : { after: '' };
        if (step.done === undefined) {
          junk = skipped ?? junk;
          after = step.after;
          i += 1;
          continue;
        }
        // The octet that ended a bare CR is looked at again: it may be a dot itself.
        if (step.takes) i += 1;
        const broken = line;
        line = undefined;
        if (step.done === '') continue;
        if (step.done === 'CRLF' && junk === '' && isProper(broken)) {
          before = (DOT << 16) | (CR << 8) | LF;
          return { end: i, lookalikes: lookalikes ?? NONE };
        }
        lookalikes ??= [];
        if (lookalikes.length >= MAX_LOOKALIKES) continue;
        const length = 1 + (junk === '' ? 0 : 1) + LENGTHS[step.done];
        lookalikes.push({ form: [broken, '.', junk, step.done].filter(Boolean).join(' '), end: i, length });
      }
      before = lastThree(before, bytes, from, bytes.length);
      return { end: -1, lookalikes: lookalikes ?? NONE };
    },
    ending() {
      if (line === undefined || after !== 'CR') return undefined;
      const form = [line, '.', junk, 'CR'].filter(Boolean).join(' ');
      return { form, length: junk === '' ? 2 : 3 };
    },
    begun() {
      if (line !== undefined) return isProper(line) && junk === '' ? BEGUN_AT_DOT[after] : 0;
      return begunBy(before);
    },
    gap() {
      before = 0;
      line = undefined;
    },
  };
}

/** How much of a CRLF the last of three octets are. */
function begunBy(three: number): number {
  const last = three & 0xff;
  return last === LF && ((three >> 8) & 0xff) === CR ? 2 : last === CR ? 1 : 0;
}

/** Nearby dots one by one: a call of `indexOf` for each would cost more than the octets. */
function nextDot(bytes: Uint8Array, from: number): number {
  const near = Math.min(bytes.length, from + NEAR);
  for (let i = from; i < near; i += 1) if (bytes[i] === DOT) return i;
  return near < bytes.length ? bytes.indexOf(DOT, near) : -1;
}

/** What a line break before a dot is called. CR CRLF ends in CRLF: strict servers end there. */
type LineBreak = 'CRLF' | 'LF' | 'CR' | 'CR CRLF' | `${'CRLF' | 'LF' | 'CR'} ${string}`;
type AfterDot = '' | 'CR' | 'CR CR';
/** `done` names what followed the dot ('' for nothing of interest); `takes`: this octet belongs to it. */
type Step =
  | { readonly done?: undefined; readonly after: AfterDot }
  | { readonly done: '' | 'CRLF' | 'LF' | 'CR' | 'CR CRLF'; readonly takes: boolean };

const CR = 0x0d;
const LF = 0x0a;
const DOT = 0x2e;

/** Octets that some server drops, trims or takes for nothing, so that the dot stands alone on its line. */
export const JUNK: Readonly<Record<number, string>> = {
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

/** What three octets, packed, break a line as. */
function lineBreakOf(three: number): LineBreak | undefined {
  const last = three & 0xff;
  const second = (three >> 8) & 0xff;
  const third = three >> 16;
  if (last === LF) return second !== CR ? 'LF' : third === CR ? 'CR CRLF' : 'CRLF';
  if (last === CR) return 'CR';
  if (second !== LF && second !== CR) return undefined;
  const junk = JUNK[last];
  if (junk === undefined) return undefined;
  if (second === LF) return third === CR ? `CRLF ${junk}` : `LF ${junk}`;
  return `CR ${junk}`;
}

function threeBefore(bytes: Uint8Array, index: number): number {
  return ((bytes[index - 3] ?? 0) << 16) | ((bytes[index - 2] ?? 0) << 8) | (bytes[index - 1] ?? 0);
}

/** The three octets before `index`, of this chunk and, where it begins too late, of what came before it. */
function lastThree(before: number, bytes: Uint8Array, from: number, index: number): number {
  let three = before;
  for (let i = Math.max(from, index - 3); i < index; i += 1)
    three = ((three << 8) | (bytes[i] ?? 0)) & 0xffffff;
  return three;
}

// A hostile message could be nothing but look-alikes; of one chunk a few are reported.
const MAX_LOOKALIKES = 3;
const NONE: readonly Lookalike[] = [];
/** As far as a loop is faster than a call. */
const NEAR = 16;
