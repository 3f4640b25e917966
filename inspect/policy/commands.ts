// One command line before it reaches the server: what the rules find in it.

import type { Terminator } from '../events';
import { COMMAND_LINE, commandLimit } from '../limits';
import { latin1 } from '../text';
import { isHttp, isIgnored, VERBS } from '../grammar/grammar';
import type { FindingName } from './findings';
import { hiddenParameter, isVerbHidden, parametersOf } from './keywords';
import type { Rules, Strictness } from './rules';

/** A command line as it came. */
export interface CommandLine {
  /** Without its terminator. */
  readonly bytes: Uint8Array;
  readonly terminator: Terminator;
  /** Octets, the terminator and those that were not kept included. */
  readonly length: number;
}

/** What the judgement of a line needs besides it. */
interface CommandContext {
  readonly rules: Rules;
  /** The transaction uses SMTPUTF8 (RFC 6531 §3.4). */
  readonly utf8: boolean;
  /** Keywords of the last reply to EHLO. */
  readonly offered: ReadonlySet<string>;
}

/** The finding that counts, in the order of their weight; those of rules that are `off` do not. */
export function judgeCommand(line: CommandLine, context: CommandContext): FindingName | undefined {
  const parts = partsOf(line.bytes);
  let reported: FindingName | undefined;
  for (const { strictness, find } of JUDGES) {
    const mode = strictness(context.rules);
    // What is refused outranks what is only reported.
    if (mode === 'off' || (mode === 'observe' && reported !== undefined)) continue;
    const found = find(parts, line, context);
    if (found !== undefined && mode === 'enforce') return found;
    reported ??= found;
  }
  return reported;
}

interface Judge {
  readonly strictness: (rules: Rules) => Strictness;
  readonly find: (
    parts: readonly Part[],
    line: CommandLine,
    context: CommandContext,
  ) => FindingName | undefined;
}

/** In the order of their weight. */
const JUDGES: readonly Judge[] = [
  { strictness: (rules) => rules.synchronization, find: (_, { bytes }) => foreignOf(bytes) },
  { strictness: (rules) => rules.nul, find: (_, { bytes }) => (bytes.includes(NUL) ? 'NUL' : undefined) },
  {
    strictness: (rules) => rules.commands,
    // Whatever verb comes behind so many blanks, we would not see it.
    find: (parts, { length }, { rules }) =>
      parts[0]?.verb === '' && length > COMMAND_LINE
        ? 'refused command'
        : ofFirst(parts, (part) => judgeVerb(part, rules)),
  },
  {
    strictness: (rules) => (rules.requireTls ? 'enforce' : 'off'),
    find: (parts) => ofFirst(parts, ({ verb }) => (BEFORE_TLS.has(verb) ? undefined : 'TLS required')),
  },
  {
    strictness: (rules) => rules.authBeforeTls,
    find: (parts) => ofFirst(parts, ({ verb }) => (LOGINS.has(verb) ? 'AUTH before TLS' : undefined)),
  },
  {
    strictness: (rules) => rules.commands,
    find: (parts, _, { rules }) => ofFirst(parts, (part) => hiddenIn(part, rules)),
  },
  {
    strictness: (rules) => rules.commands,
    find: (parts, _, { offered }) => ofFirst(parts, (part) => judgeChunk(part, offered)),
  },
  {
    strictness: (rules) => rules.commands,
    find: ({ length }) => (length > 1 ? 'commands in one line' : undefined),
  },
  { strictness: (rules) => rules.lines, find: (_, line, context) => oddLine(line, context) },
];

function ofFirst(
  parts: readonly Part[],
  judge: (part: Part) => FindingName | undefined,
): FindingName | undefined {
  for (const part of parts) {
    const found = judge(part);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** What a server may read as one command. */
interface Part {
  readonly bytes: Uint8Array;
  readonly verb: string;
}

/** A server that ends a line at a bare CR finds more than one command in it; one that drops a NUL joins what it parts. */
function partsOf(line: Uint8Array): readonly Part[] {
  const bytes = line.includes(NUL) ? line.filter((octet) => octet !== NUL) : line;
  const parts: Part[] = [];
  for (let start = 0; start <= bytes.length;) {
    const cr = bytes.indexOf(CR, start);
    const end = cr < 0 ? bytes.length : cr;
    const part = bytes.subarray(start, end);
    if (!isBlank(part)) parts.push({ bytes: part, verb: verbOf(part) });
    start = end + 1;
  }
  return parts.length > 0 ? parts : [{ bytes, verb: '' }];
}

function isBlank(bytes: Uint8Array): boolean {
  return !bytes.some((octet) => octet > SPACE);
}

/** The first word, upper case; servers leave out blanks before it, however many, and some of them other octets. */
export function verbOf(bytes: Uint8Array): string {
  let start = 0;
  while (start < bytes.length && isIgnored(bytes[start])) start += 1;
  let end = start;
  while (end - start < LONGEST_VERB && isVerbOctet(bytes[end])) end += 1;
  return latin1(bytes.subarray(start, end)).toUpperCase();
}

function isVerbOctet(octet = 0): boolean {
  const letter = octet | LOWER_CASE;
  if ((letter >= LETTER_A && letter <= LETTER_Z) || (octet >= DIGIT_0 && octet <= DIGIT_9)) return true;
  return octet === HYPHEN || octet === UNDERSCORE;
}

/** A verb of a list: any other word may be anything, a secret too. */
export function isKnownVerb(verb: string, { refusedCommands }: Rules): boolean {
  return Object.hasOwn(VERBS, verb) || refusedCommands.has(verb);
}

/** Whether MAIL announces SMTPUTF8. */
export function announcesUtf8(bytes: Uint8Array): boolean {
  return parametersOf(bytes).includes('SMTPUTF8');
}

function foreignOf(bytes: Uint8Array): FindingName | undefined {
  const text = latin1(bytes.subarray(0, LONGEST_FOREIGN));
  if (isHttp(text)) return 'HTTP';
  return text.startsWith('SSH-') ? 'SSH' : undefined;
}

function judgeVerb(
  { bytes, verb }: Part,
  { refusedCommands, allowedCommands }: Rules,
): FindingName | undefined {
  if (refusedCommands.has(verb)) {
    if (VERIFICATIONS.has(verb)) return 'verification';
    return FOR_TRUSTED.has(verb) ? 'command of trusted clients' : 'refused command';
  }
  return allowedCommands?.has(verb) === false && !isBlank(bytes) ? 'refused command' : undefined;
}

/** A server that does not know BDAT reads its chunk as commands. */
function judgeChunk({ verb }: Part, offered: ReadonlySet<string>): FindingName | undefined {
  return verb === 'BDAT' && !offered.has('CHUNKING') ? 'chunk not offered' : undefined;
}

/** Whether servers differ on how long the chunk of a BDAT is: beyond 31 bits, or not as RFC 3030 §2 has it. */
export function isChunkUnclear(line: Uint8Array): boolean {
  const found = /^[\s\0]*BDAT[ \t]+(0|[1-9]\d{0,9})(?:[ \t]+LAST)?[ \t]*$/i.exec(latin1(line));
  return found === null || Number(found[1]) > LARGEST_CHUNK;
}

function hiddenIn({ bytes, verb }: Part, { hiddenKeywords }: Rules): FindingName | undefined {
  if (hiddenKeywords.size === 0) return undefined;
  if (isVerbHidden(verb, hiddenKeywords)) return 'hidden command';
  if (verb !== 'MAIL' && verb !== 'RCPT') return undefined;
  return hiddenParameter(verb, bytes, hiddenKeywords) === undefined ? undefined : 'hidden parameter';
}

function oddLine(
  { bytes, terminator, length }: CommandLine,
  { utf8 }: CommandContext,
): FindingName | undefined {
  const verb = verbOf(bytes);
  if (length > commandLimit(verb)) return 'command too long';
  if (bytes.includes(CR)) return 'bare CR';
  if (terminator === 'lf') return 'bare LF';
  if (!bytes.some((octet) => octet > 0x7f)) return undefined;
  if (verb === 'MAIL' || verb === 'RCPT')
    return utf8 || announcesUtf8(bytes) ? undefined : 'eight-bit address';
  return (verb === 'VRFY' || verb === 'EXPN') && /SMTPUTF8[ \t]*$/i.test(latin1(bytes))
    ? undefined
    : 'eight-bit command';
}

const NUL = 0x00;
const CR = 0x0d;
const SPACE = 0x20;
const HYPHEN = 0x2d;
const UNDERSCORE = 0x5f;
const DIGIT_0 = 0x30;
const DIGIT_9 = 0x39;
const LETTER_A = 0x61;
const LETTER_Z = 0x7a;
/** Makes a small letter of a capital one. */
const LOWER_CASE = 0x20;
/** Of a signed number of 32 bits. */
const LARGEST_CHUNK = 2 ** 31 - 1;
/** No verb is as long. */
const LONGEST_VERB = 64;
const LONGEST_FOREIGN = 2_048;
/** Verbs that begin an AUTH exchange; EHLO offers them by the same words. */
export const LOGINS: ReadonlySet<string> = new Set(['AUTH', 'X-EXPS']);
const VERIFICATIONS: ReadonlySet<string> = new Set(['VRFY', 'EXPN']);
const FOR_TRUSTED: ReadonlySet<string> = new Set(['XCLIENT', 'XFORWARD', 'XEXCH50']);
/** RFC 3207 §4. */
const BEFORE_TLS: ReadonlySet<string> = new Set([
  ...['EHLO', 'HELO', 'LHLO', 'STARTTLS', 'X-ANONYMOUSTLS', 'NOOP', 'RSET', 'QUIT'],
]);
