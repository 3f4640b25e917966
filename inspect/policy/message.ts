// The octets of a message behind DATA: only CRLF . CRLF may end it, for whatever server comes next (SMTP smuggling).

import { JUNK } from '../grammar/end-of-data';
import { joinOctets } from '../octets';

/** What is not as RFC 5321 §2.3.8 and §4.1.1.4 want it, in one message so far. */
export interface Oddities {
  bareLf: number;
  bareCr: number;
  /** Lines that some server takes for the end of the message. */
  dotLines: number;
}

/** What one piece of a message became. */
export interface Normalized {
  /** The same value as was given where nothing had to be changed. A CR at its end is held until the next piece. */
  readonly bytes: Uint8Array;
  /** Something in it was not as it should be. */
  readonly odd: boolean;
}

export interface MessageNormalizer {
  /** Reads the next octets of the message. `ended`: the last of them are the end of data. */
  take(bytes: Uint8Array, ended: boolean): Normalized;
  /** How many octets at the end of what was given out begin CRLF . CRLF: 0 to 3. */
  begun(): number;
  readonly oddities: Readonly<Oddities>;
}

/**
 * A bare LF and a bare CR become CRLF, a CR in front of a CRLF is left out, and a line that is a dot alone, or that is one
 * once a server has dropped its control characters or ended it at a NUL, gets a second dot (RFC 5321 §4.5.2). A message that has none of these
 * is not changed. It starts as if behind a CRLF, that of the DATA command.
 */
export function createMessageNormalizer(): MessageNormalizer {
  const state: State = { oddities: { bareLf: 0, bareCr: 0, dotLines: 0 }, line: 'empty', carriageReturns: 0 };
  return {
    take(given, ended) {
      const bytes = state.carriageReturns === 1 && given[0] === LF ? withReturn(given) : given;
      if (bytes !== given) state.carriageReturns = 0;
      const usual = state.carriageReturns === 0 ? takeUsual(state, bytes, ended) : undefined;
      if (usual) return { bytes: usual, odd: false };
      const before = sumOf(state.oddities);
      const changed = rewrite(state, bytes, ended);
      return { bytes: changed, odd: sumOf(state.oddities) > before };
    },
    begun: () => (state.line === 'empty' ? 2 : state.line === 'dot' ? 3 : 0),
    oddities: state.oddities,
  };
}

/** The octets with the CR before them, which lies in front of them where both came in one piece. */
function withReturn(bytes: Uint8Array): Uint8Array {
  const { buffer, byteOffset, length } = bytes;
  const before = byteOffset > 0 ? new Uint8Array(buffer, byteOffset - 1, length + 1) : undefined;
  return before?.[0] === CR ? before : joinOctets([RETURN, bytes]);
}

/**
 * A line as far as it is read. `junk`: only octets that some server drops. `dot`: one dot and nothing else; `dot, junk`:
 * one dot with such octets around it. `dot, NUL`: a server whose lines end at a NUL has read a dot alone.
 */
type Line = 'empty' | 'junk' | 'dot' | 'dot, junk' | 'dot, NUL' | 'text';

interface State {
  readonly oddities: Oddities;
  line: Line;
  /** CRs at the end of what was read: what follows says what they are. */
  carriageReturns: number;
}

/** Nearly all pieces: lines that end in CRLF. `undefined`: something is not as usual, and nothing was read. */
function takeUsual(state: State, bytes: Uint8Array, ended: boolean): Uint8Array | undefined {
  const { length } = bytes;
  let { line } = state;
  let start = 0;
  while (start < length) {
    const cr = endOfLine(bytes, start, length);
    if (cr === BARE) return undefined;
    line = readLine(line, bytes, start, cr);
    if (line === 'dot, NUL') return undefined;
    start = cr + 2;
    if (start > length) break;
    if (isDotLine(line) && !(ended && start === length)) return undefined;
    line = 'empty';
  }
  state.line = line;
  if (bytes[length - 1] !== CR) return bytes;
  state.carriageReturns = 1;
  return bytes.subarray(0, length - 1);
}

/**
 * Where the CR of the next CRLF is, or that of the last octet; the length where there is none; `BARE` where a bare CR or LF
 * comes first. Beyond the first octets it hops: a loop over all of them takes four times as long. `length` is that of the
 * octets, which to ask them for anew would cost as much as a search.
 */
function endOfLine(bytes: Uint8Array, start: number, length: number): number {
  const near = Math.min(length, start + NEAR);
  for (let i = start; i < near; i += 1) {
    const octet = bytes[i];
    if (octet === LF) return BARE;
    if (octet === CR) return i + 1 === length || bytes[i + 1] === LF ? i : BARE;
  }
  if (near === length) return length;
  const cr = bytes.indexOf(CR, near);
  const lf = bytes.indexOf(LF, near);
  if (cr < 0) return lf < 0 ? length : BARE;
  if (lf < 0) return cr + 1 === length ? cr : BARE;
  return lf === cr + 1 ? cr : BARE;
}

/** What a line becomes by `bytes[from…to)`, among which no line ends. */
function readLine(line: Line, bytes: Uint8Array, from: number, to: number): Line {
  let read = line;
  for (let i = from; i < to && read !== 'text' && read !== 'dot, NUL'; i += 1)
    read = readOctet(read, bytes[i] ?? 0);
  return read;
}

function readOctet(line: Line, octet: number): Line {
  if (line === 'text') return line;
  if (octet === DOT) return line === 'empty' ? 'dot' : line === 'junk' ? 'dot, junk' : 'text';
  if (line === 'dot' && octet === NUL) return 'dot, NUL';
  if (JUNK[octet] === undefined) return 'text';
  if (line === 'dot' || line === 'dot, junk') return 'dot, junk';
  // Blanks before a dot are text: a sender has not to stuff that line.
  return octet === SPACE || octet === TAB ? 'text' : 'junk';
}

function isDotLine(line: Line): boolean {
  return line === 'dot' || line === 'dot, junk';
}

/** Octet by octet, where something is not as usual. */
function rewrite(state: State, bytes: Uint8Array, ended: boolean): Uint8Array {
  const { oddities } = state;
  // Each octet becomes three at the most: a stuffed dot and CRLF.
  const out = new Uint8Array(3 * (bytes.length + state.carriageReturns));
  let used = 0;
  const breakLine = (genuine: boolean): void => {
    if (isDotLine(state.line) && !genuine) {
      oddities.dotLines += 1;
      out[used++] = DOT;
    }
    out[used++] = CR;
    out[used++] = LF;
    state.line = 'empty';
  };
  for (let i = 0; i < bytes.length; i += 1) {
    const octet = bytes[i] ?? 0;
    if (octet === CR) {
      state.carriageReturns += 1;
      continue;
    }
    const returns = state.carriageReturns;
    state.carriageReturns = 0;
    if (octet === LF) {
      if (returns === 0) oddities.bareLf += 1;
      oddities.bareCr += Math.max(0, returns - 1);
      breakLine(ended && i === bytes.length - 1);
      continue;
    }
    oddities.bareCr += returns;
    for (let each = 0; each < returns; each += 1) breakLine(false);
    state.line = readOctet(state.line, octet);
    if (state.line === 'dot, NUL') {
      // Here and not at the end of the line, which such a server does not see.
      oddities.dotLines += 1;
      out[used++] = DOT;
      state.line = 'text';
    }
    out[used++] = octet;
  }
  return out.subarray(0, used);
}

function sumOf({ bareLf, bareCr, dotLines }: Oddities): number {
  return bareLf + bareCr + dotLines;
}

const NUL = 0x00;
const CR = 0x0d;
const LF = 0x0a;
const DOT = 0x2e;
const SPACE = 0x20;
const TAB = 0x09;
const RETURN = Uint8Array.of(CR);
/** No index. */
const BARE = -1;
/** As far as a loop is faster than a call. */
const NEAR = 4;
