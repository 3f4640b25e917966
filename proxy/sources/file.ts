// Capture files: opened, read in chunks of a buffer that is used again, and honest about what is wrong with them.

import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import type { Micros } from '../../inspect/events';
import { createFault, errno, isFault, type Fault } from '../fault';
import { CHUNK, type Chunk, type Format, type Take } from './frame';
import { PCAP_HEADER, pcapFormat } from './pcap';
import { createPcapngFormat, isPcapng } from './pcapng';

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
  /**
   * Hands over the frames of up to a mebibyte, in the order of the file. `more`: call again. `end`: that was all.
   * A fault: all that is whole was handed over, and this is why there is no more of it, or why some was left out.
   */
  read(take: Take): 'more' | 'end' | Fault;
  close(): void;
}

/**
 * Opens a pcap or pcapng file by its content. Faults: `file-unreadable`, `capture-empty`, `capture-unknown`,
 * `link-unknown`.
 */
export function openCapture(name: string): CaptureSource | Fault {
  let fd: number | undefined;
  try {
    fd = openSync(name, 'r');
    const stats = fstatSync(fd);
    if (stats.isDirectory()) throw Object.assign(new Error('directory'), { code: 'EISDIR' });
    const opened = begin(name, fd, stats.isFile() ? stats.size : undefined);
    if (isFault(opened)) closeSync(fd);
    return opened;
  } catch (error) {
    if (fd !== undefined) closeSync(fd);
    return unreadable(name, error);
  }
}

/** When the first frame was captured; `undefined` where there is none or the file must not be read twice. */
export function firstTime(name: string): Micros | undefined | Fault {
  const source = openCapture(name);
  if (isFault(source)) return source;
  let first: Micros | undefined;
  if (source.size !== undefined) {
    while (first === undefined && source.read((_link, _octets, at) => (first ??= at)) === 'more');
  }
  source.close();
  return first;
}

interface State {
  readonly name: string;
  readonly fd: number;
  readonly size: number | undefined;
  readonly chunk: Chunk;
  readonly format: Format;
  /** What was read and not handed over yet lies between them. */
  start: number;
  end: number;
  /** Octets of the file up to `end`. */
  position: number;
  ended: boolean;
}

function begin(name: string, fd: number, size: number | undefined): CaptureSource | Fault {
  const buffer = new ArrayBuffer(CHUNK);
  const chunk: Chunk = { bytes: new Uint8Array(buffer), view: new DataView(buffer) };
  let end = 0;
  for (let got = -1; end < PCAP_HEADER && got !== 0; end += got) {
    got = readSync(fd, chunk.bytes, end, CHUNK - end, null);
  }
  if (end === 0) return createFault('capture-empty', name);
  const pcapng = end >= 12 && isPcapng(chunk);
  const format = pcapng ? createPcapngFormat() : end >= PCAP_HEADER ? pcapFormat(chunk) : undefined;
  if (!format) return strangerFault(name, chunk.bytes.subarray(0, end));
  const start = pcapng ? 0 : PCAP_HEADER;
  const state: State = { name, fd, size, chunk, format, start, end, position: end, ended: false };
  return {
    name,
    size,
    get position() {
      return state.position - Math.max(0, state.end - state.start);
    },
    get lost() {
      return format.lost;
    },
    get ran() {
      return format.ran;
    },
    read: (take) => read(state, take),
    close: () => closeSync(fd),
  };
}

function read(state: State, take: Take): 'more' | 'end' | Fault {
  if (state.ended) return 'end';
  const { chunk, format } = state;
  const next = format.read(chunk, state.start, state.end, take);
  if (typeof next !== 'number') {
    state.ended = true;
    const offset = state.position - state.end + next.offset;
    return createFault('capture-damaged', `${state.name} at octet ${offset}: ${next.why}`);
  }
  state.start = next;
  try {
    if (refill(state)) return 'more';
  } catch (error) {
    state.ended = true;
    return unreadable(state.name, error);
  }
  state.ended = true;
  if (state.start !== state.end) return cutFault(state);
  return strangeLinks(state.name, format.strange) ?? 'end';
}

/** Moves what is left to the front and reads behind it; false at the end of the file. */
function refill(state: State): boolean {
  const { chunk, fd } = state;
  while (state.start > state.end) {
    const got = readSync(fd, chunk.bytes, 0, Math.min(CHUNK, state.start - state.end), null);
    if (got === 0) return false;
    state.position += got;
    state.start -= got;
  }
  if (state.start > 0) {
    chunk.bytes.copyWithin(0, state.start, state.end);
    state.end -= state.start;
    state.start = 0;
  }
  const got = readSync(fd, chunk.bytes, state.end, CHUNK - state.end, null);
  state.end += got;
  state.position += got;
  return got > 0;
}

function cutFault({ name, position, start, end }: State): Fault {
  const offset = position - Math.max(0, end - start);
  return createFault('capture-cut', `${name} at octet ${offset}`);
}

function strangeLinks(name: string, strange: ReadonlyMap<number, number>): Fault | undefined {
  if (strange.size === 0) return undefined;
  const types = [...strange].map(([type, count]) => `${count} frames of link type ${type}`).join(', ');
  return createFault('link-unknown', `${name}: ${types}`);
}

function strangerFault(name: string, head: Uint8Array): Fault {
  const packed = PACKED.find(({ magic }) => magic.every((octet, i) => head[i] === octet));
  if (!packed) return createFault('capture-unknown', name);
  const mend = `it is compressed: unpack it first, as with \`${packed.by}\``;
  return createFault('capture-unknown', name, { mend });
}

function unreadable(name: string, cause: unknown): Fault {
  const mend = MENDS[errno(cause)];
  return createFault('file-unreadable', name, { ...(mend !== undefined && { mend }), cause });
}

const MENDS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EISDIR: 'it is a directory: name the files in it',
  EACCES: 'no permission: run it as a user who may read it',
};

const PACKED = [
  { magic: [0x1f, 0x8b], by: 'gunzip' },
  { magic: [0x28, 0xb5, 0x2f, 0xfd], by: 'unzstd' },
  { magic: [0xfd, 0x37, 0x7a, 0x58], by: 'unxz' },
  { magic: [0x04, 0x22, 0x4d, 0x18], by: 'unlz4' },
  { magic: [0x42, 0x5a, 0x68], by: 'bunzip2' },
  { magic: [0x50, 0x4b, 0x03, 0x04], by: 'unzip' },
];
