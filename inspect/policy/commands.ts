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
  const { rules, offered } = context;
  const parts = partsOf(line.bytes);
  const find = (judge: (part: Part) => FindingName | undefined): FindingName | undefined =>
    parts.map(judge).find((name) => name !== undefined);
  // Whatever verb comes behind so many blanks, we would not see it.
  const unseen = parts[0]?.verb === '' && line.length > COMMAND_LINE;
  const tls = rules.requireTls ? 'enforce' : 'off';
  const oddities: [Strictness, FindingName | undefined][] = [
    [rules.synchronization, foreignOf(line.bytes)],
    [rules.nul, line.bytes.includes(NUL) ? 'NUL' : undefined],
    [rules.commands, unseen ? 'refused command' : find((part) => judgeVerb(part, rules))],
    [tls, find(({ verb }) => (BEFORE_TLS.has(verb) ? undefined : 'TLS required'))],
    [rules.authBeforeTls, find(({ verb }) => (LOGINS.has(verb) ? 'AUTH before TLS' : undefined))],
    [rules.commands, find((part) => hiddenIn(part, rules))],
    [rules.commands, find((part) => judgeChunk(part, offered))],
    [rules.commands, parts.length > 1 ? 'commands in one line' : undefined],
    [rules.lines, oddLine(verbOf(line.bytes), line, context)],
  ];
  const found = oddities.filter(([strictness, name]) => strictness !== 'off' && name !== undefined);
  // What is refused outranks what is only reported.
  return (found.find(([strictness]) => strictness === 'enforce') ?? found[0])?.[1];
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
  return (
    /^[A-Za-z0-9_-]*/.exec(latin1(bytes.subarray(start, start + LONGEST_VERB)))?.[0] ?? ''
  ).toUpperCase();
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
  verb: string,
  { bytes, terminator, length }: CommandLine,
  { utf8 }: CommandContext,
): FindingName | undefined {
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
