// The octets of a capture, wherever they come from: a file, a pipe, standard input, compressed or not.

import { closeSync, createReadStream, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { pipeline, Readable, type Duplex } from 'node:stream';
import * as zlib from 'node:zlib';
import { createFault, errno, type Fault } from '../system/fault';
import { packedBy } from './other-formats';

export interface Input {
  /** Octets of the file, as it is stored; absent where it can be read only once. */
  readonly size: number | undefined;
  /** Octets of it that were read so far. */
  readonly position: number;
  /** Reads at least one octet, and no more than there is room for; 0 at the end. Rejects as the system says. */
  fill(into: Uint8Array): number | Promise<number>;
  close(): void;
}

/** `-` is standard input. Faults: `file-unreadable`, `capture-unknown`, `capture-empty`. */
export async function openSupply(name: string): Promise<Input | Fault> {
  if (name === STANDARD_INPUT) {
    if (process.stdin.isTTY) return createFault('capture-unknown', nameOf(name), { fix: TERMINAL });
    return openStream(name, process.stdin);
  }
  let fd: number | undefined;
  try {
    fd = openSync(name, 'r');
    const stats = fstatSync(fd);
    if (stats.isDirectory()) throw Object.assign(new Error('directory'), { code: 'EISDIR' });
    if (!stats.isFile()) return await openStream(name, createReadStream(name, { fd }));
    return openFile(name, fd, stats.size);
  } catch (error) {
    if (fd !== undefined) closeSync(fd);
    return readFault(name, error);
  }
}

/** A text, compressed or not. Fault: `file-unreadable`. */
export async function openText(name: string): Promise<Readable | Fault> {
  if (name === STANDARD_INPUT) return process.stdin;
  let fd: number;
  try {
    fd = openSync(name, 'r');
    if (fstatSync(fd).isDirectory()) throw Object.assign(new Error('directory'), { code: 'EISDIR' });
  } catch (error) {
    return readFault(name, error);
  }
  if (!fstatSync(fd).isFile()) return createReadStream(name, { fd });
  const head = new Uint8Array(HEAD);
  const packed = packedBy(head.subarray(0, readSync(fd, head, 0, HEAD, 0)));
  const file = createReadStream(name, { fd, start: 0 });
  if (!packed) return file;
  const open = UNPACKERS[packed.name];
  if (open) return unpacked(file, open());
  file.destroy();
  const fix = `it is compressed (${packed.name}): ${packed.unpack} ${quoted(name)} > mail.log`;
  return createFault('file-unreadable', name, { fix });
}

/** Whether it can be read more than once; also what is not there. */
export function isPlainFile(name: string): boolean {
  if (name === STANDARD_INPUT) return false;
  const stats = statSync(name, { throwIfNoEntry: false });
  return stats === undefined || stats.isFile() || stats.isDirectory();
}

/** Why the octets ended before their end. */
export function readFault(name: string, cause: unknown): Fault {
  const code = errno(cause);
  if (code.startsWith('Z_') || code.startsWith('ZSTD_')) {
    return createFault('capture-damaged', `${nameOf(name)}: what is compressed in it is damaged`, { cause });
  }
  const fix = FIXES[code];
  return createFault('file-unreadable', nameOf(name), { ...(fix !== undefined && { fix }), cause });
}

/** As messages call it. */
export function nameOf(name: string): string {
  return name === STANDARD_INPUT ? 'standard input' : name;
}

/** Of a file all is at hand: reading it synchronously costs the least. */
function openFile(name: string, fd: number, size: number): Input | Fault {
  const head = new Uint8Array(HEAD);
  const unpack = unpackerOf(name, head.subarray(0, readSync(fd, head, 0, HEAD, 0)));
  if (unpack && 'kind' in unpack) {
    closeSync(fd);
    return unpack;
  }
  if (unpack) {
    const file = createReadStream(name, { fd, start: 0, highWaterMark: PIECE });
    return fromStream(unpacked(file, unpack.open()), size, () => file.bytesRead);
  }
  let position = 0;
  return {
    size,
    get position() {
      return position;
    },
    fill(into) {
      const got = readSync(fd, into, 0, into.length, null);
      position += got;
      return got;
    },
    close: () => closeSync(fd),
  };
}

/** What is read only once: its first octets say what it is, and are read again with the rest. */
async function openStream(name: string, stream: Readable): Promise<Input | Fault> {
  const pieces = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  const first: Buffer[] = [];
  for (let length = 0; length < MAGIC;) {
    const { value, done } = await pieces.next();
    if (done) break;
    first.push(value);
    length += value.length;
  }
  let position = 0;
  const again = async function* (): AsyncGenerator<Buffer> {
    for (const piece of first) yield piece;
    for (let next = await pieces.next(); !next.done; next = await pieces.next()) {
      position += next.value.length;
      yield next.value;
    }
  };
  const unpack = unpackerOf(name, Buffer.concat(first));
  if (unpack && 'kind' in unpack) {
    stream.destroy();
    return unpack;
  }
  const whole = Readable.from(again(), { objectMode: false, highWaterMark: 1 });
  const plain = unpack ? unpacked(whole, unpack.open()) : whole;
  const supply = fromStream(plain, undefined, () => position);
  return {
    size: undefined,
    get position() {
      return supply.position;
    },
    fill: (into) => supply.fill(into),
    close() {
      stream.destroy();
      supply.close();
    },
  };
}

function fromStream(stream: Readable, size: number | undefined, position: () => number): Input {
  const pieces = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let rest: Uint8Array = NOTHING;
  const put = (into: Uint8Array): number => {
    const got = Math.min(rest.length, into.length);
    into.set(rest.subarray(0, got));
    rest = rest.subarray(got);
    return got;
  };
  return {
    size,
    get position() {
      return position();
    },
    async fill(into) {
      while (rest.length === 0) {
        const { value, done } = await pieces.next();
        if (done) return 0;
        rest = value;
      }
      return put(into);
    },
    close: () => void stream.destroy(),
  };
}

function unpacked(from: Readable, by: Duplex): Readable {
  // An error of either is the result's.
  pipeline(from, by, () => undefined);
  return by;
}

interface Unpacker {
  readonly open: () => Duplex;
}

/** `undefined`: it is not compressed. */
function unpackerOf(name: string, head: Uint8Array): Unpacker | Fault | undefined {
  const packed = packedBy(head);
  if (!packed) return undefined;
  const open = UNPACKERS[packed.name];
  if (open) return { open };
  const fix = `it is compressed (${packed.name}): ${packed.unpack} ${quoted(name)} | ehlowire analyze -`;
  return createFault('capture-unknown', nameOf(name), { fix });
}

/** For a shell. */
export function quoted(name: string): string {
  return /^[\w./+:@%-]+$/.test(name) ? name : `'${name.replaceAll("'", `'\\''`)}'`;
}

/** Node has zstd from 22.15 on. */
const { createZstdDecompress } = zlib as { readonly createZstdDecompress?: () => Duplex };
const UNPACKERS: Readonly<Record<string, (() => Duplex) | undefined>> = {
  // What is there of a file that was cut is given, and the capture in it says that it is cut.
  gzip: () => zlib.createGunzip({ finishFlush: zlib.constants.Z_SYNC_FLUSH, chunkSize: PIECE }),
  zstd: createZstdDecompress,
};

const FIXES: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EISDIR: 'it is a directory: name the files in it',
  EACCES: 'no permission: run it as a user who may read it',
};

const TERMINAL = 'it is a terminal: pipe a capture into it, as in tcpdump -w - | ehlowire analyze -';

export const STANDARD_INPUT = '-';
/** Octets that tell a format from others, and those that are looked at. */
const MAGIC = 24;
const HEAD = 64;
const PIECE = 1 << 18;
const NOTHING = new Uint8Array(0);
