// Honest mail that a rule might take for something else. CRLF line ends, dots not stuffed.

import { createChance } from '../degraded/chance';
import { RECIPIENT, SENDER } from '../../kit/message';

export interface Content {
  readonly name: string;
  readonly body: Buffer;
  /** Octets above 127. */
  readonly eightBit?: true;
  /** Lines longer than a real client or server passes on unbroken. */
  readonly long?: true;
  /** Not lines at all: for BDAT alone (RFC 3030). */
  readonly binary?: true;
}

export const CONTENTS: readonly Content[] = [
  { name: 'text', body: lines('Hello', '', 'a line', '', '', 'From here on') },
  { name: 'nothing', body: Buffer.alloc(0) },
  { name: 'one dot', body: lines('.') },
  { name: 'dots at line starts', body: lines('.', '..', '...', '.', '.text', '. ', '.\t', '..', '.') },
  { name: 'dots elsewhere', body: lines(' .', '\t.', 'x.', 'x .', ' . ', '. .', '-.', ' .') },
  { name: 'dots around empty lines', body: lines('', '.', '', '.', '', '', '.', '') },
  {
    name: 'commands in the text',
    body: lines('DATA', 'QUIT', 'VRFY root', 'STARTTLS', 'MAIL FROM:<a@b>', 'DEBUG'),
  },
  { name: '8-bit, latin1', body: lines('Grüße, \xff\xfe\x80', '\xa0.\xa0', '\x85'), eightBit: true },
  { name: '8-bit, UTF-8', body: Buffer.from('Grüße 😀 \u2028 \u0085\r\n.\r\n', 'utf8'), eightBit: true },
  { name: 'control characters', body: lines('\x01\x02\x07\x08\x0b\x0c\x1b[0m\x7f', '\x1a', '\x04') },
  { name: 'base64', body: base64(40_000) },
  { name: 'a line of 998', body: lines('x'.repeat(998), 'y'.repeat(998)) },
  { name: 'a line of 999', body: lines('x'.repeat(999)) },
  { name: 'a line of 4,096', body: lines('x'.repeat(4_096), '.'.repeat(4_096)), long: true },
  { name: 'a line of 1,000,000', body: lines('z'.repeat(1_000_000)), long: true },
  { name: 'lines of all lengths up to 1,200', body: allLengths(1_200), long: true },
  { name: 'binary without NUL', body: noise(20_000, 1), eightBit: true, binary: true },
  { name: 'binary', body: noise(20_000, 0), eightBit: true, binary: true },
  {
    name: 'wrong ends of data, by BDAT',
    body: Buffer.from('a\n.\r\nb\r\n.\r\nc\r.\rd\r\n\0.\r\nMAIL FROM:<x@y.example>\r\n.\r\n', 'latin1'),
    binary: true,
  },
];

/** With a header before it. */
export function messageOf({ body }: Pick<Content, 'body'>, id: string): Buffer {
  const header = [`From: <${SENDER}>`, `To: <${RECIPIENT}>`, `Subject: honest`, `Message-Id: <${id}>`];
  const date = 'Date: Mon, 24 Nov 2025 08:00:00 +0000';
  return Buffer.concat([Buffer.from(`${[...header, date].join('\r\n')}\r\n\r\n`), body]);
}

function lines(...texts: readonly string[]): Buffer {
  return Buffer.from(texts.map((text) => `${text}\r\n`).join(''), 'latin1');
}

function noise(length: number, least: number): Buffer {
  const chance = createChance(`noise ${least}`);
  return Buffer.from(Array.from({ length }, () => least + chance.below(256 - least)));
}

function base64(length: number): Buffer {
  return lines(
    ...(noise(length, 0)
      .toString('base64')
      .match(/.{1,76}/g) ?? []),
  );
}

function allLengths(most: number): Buffer {
  return lines(...Array.from({ length: most }, (_, i) => `${i % 3 === 0 ? '.' : ''}${'l'.repeat(i)}`));
}
