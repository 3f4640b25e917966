// Captures: opened by their content, read in chunks of a buffer that is used again, in the order of time, and honest
// about what is wrong with them.

import type { Micros } from '../../inspect/events';
import { createFault, isFault, type Fault } from '../system/fault';
import { CHUNK, type Chunk, type Format, type Take } from './frame';
import { createOrder, type Disorder, type Order } from './order';
import { PCAP_HEADER, pcapFormat } from './pcap';
import { createPcapngFormat, isPcapng } from './pcapng';
import { otherFormatOf } from './other-formats';
import { isPlainFile, nameOf, openSupply, quoted, readFault, type Input } from './input';

export interface CaptureSource {
  readonly name: string;
  /** Octets of the file; absent where it is a pipe, which can be read only once. */
  readonly size: number | undefined;
  /** Octets read so far. */
  readonly position: number;
  /** Frames that the capturing program says it missed, as far as was read. */
  readonly lost: number;
  /** From when to when the capture ran, as far as the file says it. */
  readonly ran: Format['ran'];
  readonly disorder: Disorder;
  /**
   * Reads on, up to a mebibyte. A fault: all that is whole was handed over, or may be released, and this is why there
   * is no more of it, or why some was left out. A pipe that is quiet gives what it has.
   */
  advance(): Promise<'more' | 'end' | Fault>;
  /** When the next frame was captured that may be released now; `undefined`: none may. */
  readonly next: Micros | undefined;
  /** Hands over what may be, in the order of time, until then and including it. */
  release(until: Micros, take: Take): void;
  close(): void;
}

/**
 * Opens a pcap or pcapng file, compressed or not, or `-`. Faults: `file-unreadable`, `capture-empty`,
 * `capture-unknown`, `link-unknown`.
 */
export async function openCapture(name: string): Promise<CaptureSource | Fault> {
  const supply = await openSupply(name).catch((error: unknown) => readFault(name, error));
  if (isFault(supply)) return supply;
  const opened = await begin(name, supply).catch((error: unknown) => readFault(name, error));
  if (isFault(opened)) supply.close();
  return opened;
}

/** When its first frame was captured; `undefined` where there is none, or it can be read only once. */
export async function firstTime(name: string): Promise<Micros | undefined | Fault> {
  // A pipe that was opened is half read.
  if (!isPlainFile(name)) return undefined;
  const source = await openCapture(name);
  if (isFault(source)) return source;
  while (source.next === undefined && (await source.advance()) === 'more');
  const { next } = source;
  source.close();
  return next;
}

interface State {
  readonly name: string;
  readonly supply: Input;
  readonly chunk: Chunk;
  readonly format: Format;
  readonly order: Order;
  /** What was read and is not understood yet lies between them. */
  start: number;
  end: number;
  /** Octets of the capture up to `end`. */
  position: number;
  /** What was read with the header is looked at first. */
  fresh: boolean;
  /** A pipe that was asked and has not answered. */
  asked: Promise<number> | undefined;
  ended: boolean;
}

async function begin(name: string, supply: Input): Promise<CaptureSource | Fault> {
  const buffer = new ArrayBuffer(CHUNK);
  const chunk: Chunk = { bytes: new Uint8Array(buffer), view: new DataView(buffer) };
  let end = 0;
  for (let got = -1; end < PCAP_HEADER && got !== 0; end += got)
    got = await supply.fill(chunk.bytes.subarray(end));
  if (end === 0) return createFault('capture-empty', nameOf(name));
  const pcapng = end >= 12 && isPcapng(chunk);
  const format = pcapng ? createPcapngFormat() : end >= PCAP_HEADER ? pcapFormat(chunk) : undefined;
  if (!format) return strangerFault(name, chunk.bytes.subarray(0, Math.min(end, HEAD)));
  const order = createOrder(chunk);
  const state: State = {
    ...{ name, supply, chunk, format, order, end, position: end },
    ...{ start: pcapng ? 0 : PCAP_HEADER, fresh: true, asked: undefined, ended: false },
  };
  return {
    name,
    size: supply.size,
    get position() {
      return supply.position;
    },
    get lost() {
      return format.lost;
    },
    get ran() {
      return format.ran;
    },
    get disorder() {
      return order.disorder;
    },
    get next() {
      return order.next;
    },
    advance: () => advance(state),
    release: (until, take) => order.release(until, take),
    close: () => supply.close(),
  };
}

async function advance(state: State): Promise<'more' | 'end' | Fault> {
  if (state.ended) return 'end';
  const { order } = state;
  try {
    const got = state.fresh ? 'more' : await refill(state);
    state.fresh = false;
    if (got === 'quiet') {
      order.settle(true, state.start);
      return 'more';
    }
    if (got === 'more') return understand(state);
  } catch (error) {
    return over(state, readFault(state.name, error));
  }
  if (state.start !== state.end) return over(state, cutFault(state));
  return over(state, strangeLinks(state) ?? 'end');
}

function understand(state: State): 'more' | Fault {
  const { chunk, format, order } = state;
  const next = format.read(chunk, state.start, state.end, order.hold);
  if (typeof next !== 'number') {
    const offset = state.position - state.end + next.offset;
    return over(
      state,
      createFault('capture-damaged', `${nameOf(state.name)} at octet ${offset}: ${next.why}`),
    );
  }
  state.start = next;
  order.settle(false, next);
  return 'more';
}

/** No more comes: what is held may go. */
function over<T>(state: State, outcome: T): T {
  state.ended = true;
  state.order.settle(true, state.start);
  return outcome;
}

/** Moves what is still needed to the front and reads behind it. */
async function refill(state: State): Promise<'more' | 'end' | 'quiet'> {
  const { chunk, order } = state;
  if (!state.asked) {
    const from = Math.min(order.first ?? Infinity, state.start, state.end);
    chunk.bytes.copyWithin(0, from, state.end);
    order.shift(from);
    state.start -= from;
    state.end -= from;
  }
  for (;;) {
    // What is of no interest is written over by what comes behind it.
    const skipped = state.start - state.end;
    const room = skipped > 0 ? Math.min(CHUNK, state.start) : CHUNK;
    const got = await answer(state, room);
    if (got === 'quiet') return got;
    if (got === 0) return 'end';
    state.position += got;
    if (skipped > 0) state.start -= got;
    else state.end += got;
    if (skipped <= 0) return 'more';
  }
}

/** A file answers at once. */
function answer(state: State, room: number): number | Promise<number | 'quiet'> {
  const asked = state.asked ?? state.supply.fill(state.chunk.bytes.subarray(state.end, room));
  if (typeof asked === 'number') return asked;
  state.asked = asked;
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, QUIET_MS, 'quiet');
    const settled = (): void => {
      clearTimeout(timer);
      state.asked = undefined;
    };
    asked.then(
      (got) => {
        settled();
        resolve(got);
      },
      (error: unknown) => {
        settled();
        reject(error as Error);
      },
    );
  });
}

function cutFault({ name, position, start, end }: State): Fault {
  const offset = position - Math.max(0, end - start);
  return createFault('capture-cut', `${nameOf(name)} at octet ${offset}`);
}

function strangeLinks({ name, format }: State): Fault | undefined {
  const { strange } = format;
  if (strange.size === 0) return undefined;
  const types = [...strange].map(([type, count]) => `${count} frames of link type ${type}`).join(', ');
  return createFault('link-unknown', `${nameOf(name)}: ${types}`);
}

function strangerFault(name: string, head: Uint8Array): Fault {
  const stranger = otherFormatOf(name, head);
  if (!stranger) return createFault('capture-unknown', nameOf(name));
  const { is, convert } = stranger;
  const file = name === nameOf(name) ? quoted(name) : 'FILE';
  const how = convert === 'editcap' ? `editcap -F pcapng ${file} out.pcapng` : convert.by;
  return createFault('capture-unknown', nameOf(name), { fix: `it is ${is}: ${how}` });
}

/** Octets by which a format is known. */
const HEAD = 64;
/** A pipe that says nothing for so long has had no more to say: nothing is held for it. */
const QUIET_MS = 300;
