// Octets of chance: contents of messages, and what no good client says.

import { inAnyCase, type Said, type Writer } from './fuzz-dialogue';

export interface Turn {
  /** latin1. */
  readonly octets: string;
  readonly cuts: readonly number[];
  /** Replies to wait for; 0: a moment is enough. */
  readonly replies: number;
}

/** A message's lines and its end: stuffed, no bare CR or LF. */
export function makeContent(writer: Writer): string {
  const { chance } = writer;
  const lines = Array.from({ length: chance.below(30) }, () => {
    const kind = chance.below(8);
    if (kind === 0) return '';
    if (kind === 1) return `..${'.'.repeat(chance.below(3))}`;
    // Commands in a message are words.
    if (kind === 2) return `VRFY ${writer.word()}`;
    if (kind === 3) return 'x'.repeat(chance.below(3_000));
    if (kind === 4) return ` .${' '.repeat(chance.below(2))}`;
    return Array.from({ length: chance.below(80) }, () => printable(chance.below(220))).join('');
  }).map((line) => (line.startsWith('.') && !line.startsWith('..') ? `.${line}` : line));
  return `${[...lines, '.'].join('\r\n')}\r\n`;
}

function printable(value: number): string {
  return String.fromCharCode(value < 95 ? 0x20 + value : 0x21 + value);
}

/** Turns that nobody should say; commands that may not arrive stand in any form among them. */
export function makeHostile(writer: Writer): void {
  const { chance } = writer;
  for (let left = 1 + chance.below(6); left > 0; left -= 1) {
    const act = ACTS[chance.below(ACTS.length)];
    if (act) writer.say(act(writer));
  }
}

/** Each ends with a line end, so that it is known where a command begins. */
type Act = (writer: Writer) => readonly Said[];

const quiet = (octets: string, refused = false): Said => ({ octets, refused, replies: 0 });

const ACTS: readonly Act[] = [
  ({ chance }) => [quiet(`${garbage(chance, 1 + chance.below(60))}\r\n`)],
  ({ chance }) => [quiet(`NOOP ${'h'.repeat(chance.below(100_000))}\r\n`)],
  ({ chance }) => [quiet('\0'.repeat(1 + chance.below(20))), quiet('\r\n')],
  () => [quiet('GET / HTTP/1.1\r\nHost: mx.example\r\n\r\n')],
  () => [quiet('SSH-2.0-OpenSSH_9.2\r\n')],
  () => [quiet('\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n')],
  () => [quiet('PROXY TCP4 192.0.2.1 192.0.2.2 1 25\r\n')],
  () => [
    quiet('MAIL FROM:<a@client.example>\r\nRCPT TO:<b@dest.example>\r\nDATA\r\nearly\n.\nMAIL\r\n.\r\n'),
  ],
  ({ chance }) => [quiet(`AUTH LOGIN\r\n${garbage(chance, 30)}\r\n*\r\n`)],
  ({ chance }) => [quiet(`NOOP\r\n`.repeat(1 + chance.below(300)))],
  refusedForm,
  refusedForm,
  refusedForm,
  refusedChunk,
];

function garbage(chance: Writer['chance'], length: number): string {
  // No line end of chance.
  return Array.from({ length }, () => String.fromCharCode(14 + chance.below(242))).join('');
}

/** A refused command as servers take it though it is not as it should be. */
function refusedForm(writer: Writer): readonly Said[] {
  const { chance, rules } = writer;
  const verbs = rules.refused.filter((verb) => verb !== 'BDAT');
  const verb = inAnyCase(chance, verbs[chance.below(verbs.length)] ?? 'VRFY');
  const command = `${verb} ${writer.mark()}`;
  const forms: readonly (() => string)[] = [
    () => `${command}\r\n`,
    () => `${command}\n`,
    () => `NOOP\n${command}\r\n`,
    () => `NOOP\r\n${command}\n`,
    () => `${' '.repeat(1 + chance.below(1_000))}${command}\r\n`,
    () => `\t${command}\r\n`,
    () => `${verb}\t${command.slice(verb.length + 1)}\r\n`,
    () => `${command}${' '.repeat(chance.below(2_000))}\r\n`,
    () => `${command}${'x'.repeat(chance.below(70_000))}\r\n`,
    () => `\r\n${command}\r\n`,
    () => `\n${command}\r\n`,
    () => `${'NOOP\r\n'.repeat(chance.below(100))}${command}\r\n`,
    () => `RSET\r\n${command}\r\nRSET\r\n`,
  ];
  // What stands around it may pass or not: only the mark tells.
  return [quiet(forms[chance.below(forms.length)]?.() ?? '', true)];
}

/** Where CHUNKING is hidden, a chunk is refused with its command. */
function refusedChunk(writer: Writer): readonly Said[] {
  if (!writer.rules.refused.includes('BDAT')) return [quiet('BDAT x\r\n')];
  const chunk = `${writer.mark()}\r\n`.repeat(1 + writer.chance.below(50));
  return [quiet(`BDAT ${chunk.length} LAST\r\n${chunk}`, true)];
}
