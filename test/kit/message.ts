// Messages whose way can be proved: every octet is known, and the body has a hash.

import { createHash, randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';

/** Where all test mail goes and comes from; RFC 2606 names. */
export const SENDER = 'alice@client.example';
export const RECIPIENT = 'bob@dest.example';

export interface TestMessage {
  readonly id: string;
  /** Header and body as a client reads them: CRLF, dots not stuffed. */
  readonly octets: Buffer;
  /** SHA-256 of the body, hex; see `bodyHash`. */
  readonly hash: string;
}

interface MessageOptions {
  /** Length of the whole message in octets, at least 1024. */
  readonly octets: number;
  /** Octets above 127 in the body; default true. */
  readonly eightBit?: boolean;
}

/** A message of exactly that length: lines of 1 to 998 octets, some led by dots, some empty, ending in CRLF. */
export function makeMessage({ octets, eightBit = true }: MessageOptions): TestMessage {
  const id = `${randomUUID()}@client.example`;
  const header = [
    `From: <${SENDER}>`,
    `To: <${RECIPIENT}>`,
    `Subject: ${octets} octets`,
    `Date: Mon, 24 Nov 2025 08:00:00 +0000`,
    `Message-Id: <${id}>`,
    'MIME-Version: 1.0',
    `Content-Type: text/plain; charset=${eightBit ? 'iso-8859-1' : 'us-ascii'}`,
    `Content-Transfer-Encoding: ${eightBit ? '8bit' : '7bit'}`,
  ];
  const head = Buffer.from(`${header.join('\r\n')}\r\n\r\n`, 'latin1');
  const whole = Buffer.concat([head, makeBody(octets - head.length, eightBit)]);
  return { id, octets: whole, hash: bodyHash(whole) };
}

/** Writes the message to a file of that name, and gives the name back. */
export function writeMessage(path: string, message: TestMessage): string {
  writeFileSync(path, message.octets);
  return path;
}

/** SHA-256 of what follows the header, with CRLF as LF, in hex: the same before and after a delivery. */
export function bodyHash(message: Buffer): string {
  const crlf = message.includes('\r\n');
  const unix = crlf ? Buffer.from(message.toString('latin1').replaceAll('\r\n', '\n'), 'latin1') : message;
  const end = unix.indexOf('\n\n');
  return createHash('sha256')
    .update(end < 0 ? unix : unix.subarray(end + 2))
    .digest('hex');
}

function makeBody(octets: number, eightBit: boolean): Buffer {
  if (octets < 256) throw new RangeError(`no room for a body in a message that short: ${octets} left`);
  const body = Buffer.alloc(octets);
  let at = 0;
  for (let line = 0; at < octets; line += 1) {
    const lead = LEADS[line % LEADS.length] ?? '';
    const length = lineLength(line, lead, octets - at - 2);
    ALPHABETS.copy(body, at, line % 26, (line % 26) + length);
    body.write(lead.slice(0, length), at, 'latin1');
    if (eightBit && length > 10) body[at + 10] = 0xc0 + (line % 0x3f);
    body.write('\r\n', at + length, 'latin1');
    at += length + 2;
  }
  return body;
}

// The leads alone first, then lines of all lengths, and a last one that fills up exactly.
function lineLength(line: number, lead: string, room: number): number {
  if (line < LEADS.length) return lead.length;
  return room <= 998 ? room : (line * 37) % 990;
}

const ALPHABETS = Buffer.from('abcdefghijklmnopqrstuvwxyz'.repeat(41));

// Lines that dot-stuffing gets wrong (RFC 5321 §4.5.2), and one that mbox writers like to change.
const LEADS = ['Hello', '.', '..', '. end', '.\t', 'From the start', '', '...'];
