// Dot-stuffing for clients that send exactly what they are given.

import { writeFileSync } from 'node:fs';

/** RFC 5321 §4.5.2: a dot more where a line begins with one. */
export function stuff(message: Buffer): Buffer {
  return Buffer.from(message.toString('latin1').replace(/^\./gm, '..'), 'latin1');
}

/** Writes the stuffed message and the last dot without its CRLF, which the client adds. */
export function writeStuffed(path: string, message: Buffer): string {
  writeFileSync(path, Buffer.concat([stuff(message), Buffer.from('.')]));
  return path;
}
