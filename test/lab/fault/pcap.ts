// The classic capture file as the lab's tcpdump writes it: microseconds, this machine's byte order.

import { readFileSync } from 'node:fs';

export interface RecordedFrame {
  readonly at: number;
  readonly octets: Uint8Array;
}

/** Throws where the file is no such file: in the lab that is our own mistake. A last record cut short is left out. */
export function readRecording(file: string): {
  readonly linkType: number;
  readonly frames: readonly RecordedFrame[];
} {
  const bytes = readFileSync(file);
  if (bytes.length < 24 || bytes.readUInt32LE(0) !== 0xa1b2c3d4) throw new Error(`${file}: no capture`);
  const frames: RecordedFrame[] = [];
  for (let at = 24; at + 16 <= bytes.length;) {
    const length = bytes.readUInt32LE(at + 8);
    if (at + 16 + length > bytes.length) break;
    const seconds = bytes.readUInt32LE(at);
    frames.push({
      at: seconds * 1e6 + bytes.readUInt32LE(at + 4),
      octets: bytes.subarray(at + 16, at + 16 + length),
    });
    at += 16 + length;
  }
  return { linkType: bytes.readUInt32LE(20), frames };
}
