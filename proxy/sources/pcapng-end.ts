// What a pcapng file says at its end of the whole capture, read before the rest: verdicts depend on it.

import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import type { Chunk } from './frame';
import { droppedOf, HEAD, isPcapng, orderOf, STATISTICS } from './pcapng';
import { isPlainFile } from './input';

/**
 * Frames that the capturing program says it missed. `undefined` where the file does not say: any pcap, what is compressed
 * or can be read only once, and what ends without statistics, as after a crash.
 */
export function droppedIn(name: string): number | undefined {
  let fd: number | undefined;
  try {
    if (!isPlainFile(name)) return undefined;
    fd = openSync(name, 'r');
    return droppedAtEnd(fd, fstatSync(fd).size);
  } catch {
    // The reader of the file reports what is wrong with it.
    return undefined;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** Blocks end with their length (§3.1): from the last one back, as long as they are no packets. */
function droppedAtEnd(fd: number, size: number): number | undefined {
  const head = readAt(fd, 0, HEAD);
  if (!head || !isPcapng(head)) return undefined;
  const little = orderOf(head.view, 8) === true;
  let dropped: number | undefined;
  for (let end = size, blocks = 0; blocks < MOST; blocks += 1) {
    const length = readAt(fd, end - 4, 4)?.view.getUint32(0, little) ?? 0;
    if (length < HEAD || length % 4 !== 0 || length > LONGEST) return dropped;
    const block = readAt(fd, end - length, length);
    if (block?.view.getUint32(4, little) !== length) return dropped;
    const type = block.view.getUint32(0, little);
    if (type === STATISTICS) {
      const own = droppedOf(block, { at: 8, end: length - 4 }, little);
      // One interface that is not counted, and the capture is not.
      if (own === undefined) return undefined;
      dropped = (dropped ?? 0) + own;
    } else if (!BESIDE.has(type)) return dropped;
    end -= length;
  }
  return dropped;
}

function readAt(fd: number, at: number, length: number): Chunk | undefined {
  if (at < 0) return undefined;
  const bytes = new Uint8Array(length);
  const got = readSync(fd, bytes, 0, length, at);
  return got === length ? { bytes, view: new DataView(bytes.buffer) } : undefined;
}

/** Names, TLS secrets and custom blocks (another program's): they may stand between the statistics. */
const BESIDE: ReadonlySet<number> = new Set([4, 10, 0x0bad, 0x4000_0bad]);
/** Interfaces of a capture, with what stands beside. */
const MOST = 256;
/** Octets of such a block. */
const LONGEST = 1 << 20;
