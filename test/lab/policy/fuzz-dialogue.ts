// Dialogues of chance: what is said in which pieces, what of it the server must get, and what it may not.

import type { Chance } from '../degraded/chance';
import { makeContent, makeHostile, type Turn } from './fuzz-octets';
import type { FuzzRules } from './fuzz-rules';

export type Kind = 'honest' | 'hostile' | 'tls';

export interface Dialogue {
  /** Of its EHLO. */
  readonly id: string;
  readonly kind: Kind;
  /** Said before the greeting has come, where it is not empty. */
  readonly early: string;
  readonly turns: readonly Turn[];
  /** What the server gets of an honest one, in order; it may get less only where its connection is ended. */
  readonly wanted: string;
  /** What stands in octets that may not reach the server, whatever the kind. */
  readonly marks: readonly string[];
}

export function makeDialogue(chance: Chance, nth: number, rules: FuzzRules): Dialogue {
  const kinds: readonly Kind[] = ['honest', 'honest', 'hostile', 'hostile', 'tls'];
  const kind = kinds[chance.below(kinds.length)] ?? 'honest';
  const writer = createWriter(chance, `fuzz-${kind}-${nth}.example`, rules);
  if (kind === 'hostile' && chance.below(5) === 0) writer.early = `EHLO ${writer.id}\r\n`;
  greet(writer);
  if (kind === 'honest') beHonest(writer);
  else if (kind === 'hostile') makeHostile(writer);
  else beSecret(writer);
  if (kind !== 'tls') writer.say([{ octets: 'QUIT\r\n' }]);
  const { id, early, turns, wanted, marks } = writer;
  return { id, kind, early, turns, wanted: wanted.join(''), marks };
}

/** A piece of a turn; `refused`: the server may not get it. */
export interface Said {
  readonly octets: string;
  readonly refused?: boolean;
  /** Replies that it asks for; default 1. */
  readonly replies?: number;
}

export interface Writer {
  readonly id: string;
  readonly chance: Chance;
  readonly rules: FuzzRules;
  early: string;
  readonly turns: Turn[];
  readonly wanted: string[];
  readonly marks: string[];
  /** A word that stands nowhere else. */
  word(): string;
  /** The same, for octets that may not reach the server. */
  mark(): string;
  /** One turn: all of it in one flow, cut by chance. */
  say(pieces: readonly Said[]): void;
}

function createWriter(chance: Chance, id: string, rules: FuzzRules): Writer {
  let words = 0;
  const writer: Writer = {
    ...{ id, chance, rules, early: '', turns: [], wanted: [], marks: [] },
    word: () => `W${words++}w`,
    mark: () => {
      const mark = `R${words++}r${id}`;
      writer.marks.push(mark);
      return mark;
    },
    say: (pieces) => {
      const octets = pieces.map((piece) => piece.octets).join('');
      const replies = pieces.reduce((sum, piece) => sum + (piece.replies ?? 1), 0);
      writer.turns.push({ octets, cuts: someCuts(chance, octets.length), replies });
      writer.wanted.push(...pieces.filter(({ refused }) => refused !== true).map((piece) => piece.octets));
    },
  };
  return writer;
}

/** None, one, some, or before every octet. */
function someCuts(chance: Chance, length: number): readonly number[] {
  const kind = chance.below(5);
  if (kind < 2 || length < 2) return [];
  if (kind === 4 && length < 200) return Array.from({ length: length - 1 }, (_, i) => i + 1);
  const places = Array.from({ length: kind === 2 ? 1 : 4 }, () => 1 + chance.below(length - 1));
  return [...new Set(places)].sort((a, b) => a - b);
}

function greet(writer: Writer): void {
  writer.say([{ octets: `EHLO ${writer.id}\r\n` }]);
}

/** Transactions as a good client does them, and refused commands wherever a command may stand. */
function beHonest(writer: Writer): void {
  const { chance, rules } = writer;
  if (chance.below(6) === 0) {
    const secret = rules.noAuth ? writer.mark() : writer.word();
    writer.say([{ octets: `AUTH PLAIN ${secret}\r\n`, refused: rules.noAuth }]);
  }
  const pipelines = !rules.hidden.includes('PIPELINING');
  for (let left = chance.below(4); left > 0; left -= 1) {
    const grouped = pipelines && chance.below(2) === 0;
    const strays = (): Said[] => (grouped && rules.strictGroups ? [] : makeStrays(writer));
    const group: Said[] = [
      ...strays(),
      { octets: `${inAnyCase(chance, 'MAIL FROM')}:<${writer.word()}@client.example>\r\n` },
      ...strays(),
      ...Array.from({ length: 1 + chance.below(3) }, () => ({
        octets: `RCPT TO:<${writer.word()}@dest.example>\r\n`,
      })),
      ...strays(),
    ];
    const chunked = chance.below(3) === 0 && !rules.refused.includes('BDAT');
    const opening: Said[] = chunked ? [] : [{ octets: `${inAnyCase(chance, 'DATA')}\r\n` }];
    if (grouped) writer.say([...group, ...opening]);
    else for (const command of [...group, ...opening]) writer.say([command]);
    if (chunked) sayChunks(writer);
    else writer.say([{ octets: makeContent(writer) }]);
  }
  for (const stray of makeStrays(writer)) writer.say([stray]);
}

function sayChunks(writer: Writer): void {
  const { chance } = writer;
  for (let left = 1 + chance.below(3); left > 0; left -= 1) {
    const octets = Array.from({ length: chance.below(400) }, () =>
      String.fromCharCode(chance.below(256)),
    ).join('');
    // Looks like what is refused, and is none of it.
    const chunk = `${octets}VRFY ${writer.word()}\r\n.\r\n`;
    writer.say([{ octets: `BDAT ${chunk.length}${left === 1 ? ' LAST' : ''}\r\n${chunk}` }]);
  }
}

/** Commands that change nothing, refused ones among them. */
function makeStrays(writer: Writer): Said[] {
  const { chance, rules } = writer;
  return Array.from({ length: chance.below(3) }, (): Said => {
    const verbs = rules.refused.filter((verb) => verb !== 'BDAT');
    if (chance.below(2) === 0) return { octets: `NOOP ${writer.word()}\r\n` };
    const verb = inAnyCase(chance, verbs[chance.below(verbs.length)] ?? 'VRFY');
    return { octets: `${verb} ${writer.mark()}\r\n`, refused: true };
  });
}

export function inAnyCase(chance: Chance, verb: string): string {
  const kind = chance.below(3);
  if (kind === 0) return verb;
  if (kind === 1) return verb.toLowerCase();
  return [...verb].map((letter) => (chance.below(2) === 0 ? letter.toLowerCase() : letter)).join('');
}

/** STARTTLS with plain octets in the same flow, or in place of TLS; or with what looks like TLS, which crosses. */
function beSecret(writer: Writer): void {
  const { chance, rules } = writer;
  const hidden = rules.guardsTls ? writer.mark() : writer.word();
  if (chance.below(2) === 0) {
    writer.say([{ octets: 'STARTTLS\r\n' }, { octets: `NOOP ${hidden}\r\n`, refused: true, replies: 0 }]);
  } else {
    writer.say([{ octets: 'STARTTLS\r\n' }]);
    if (chance.below(2) === 0) writer.say([{ octets: `RSET ${hidden}\r\n`, refused: true, replies: 0 }]);
    else writer.say([{ octets: `\x16\x03\x01\x00\x20${writer.word().padEnd(0x20, 'x')}`, replies: 0 }]);
  }
}
