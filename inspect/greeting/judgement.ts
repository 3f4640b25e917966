// The defects of a greeting, line by line and at its end: what is wrong with it is said here and nowhere else.

import type { GreetingClass, GreetingDefect } from '../events';
import { LINE_BY_RFC } from '../limits';
import { latin1 } from '../text';
import { canBeLast, readLine, type GreetingLine } from './lines';

/** What a greeting is, as far as it was seen. */
export interface GreetingJudgement {
  /**
   * `truncated`: it does not end (a lone CR ends nothing). `malformed`: it has any defect other than a refusal;
   * most of them stall no client. Never `teaser`: that takes a clock.
   */
  readonly class: Exclude<GreetingClass, 'teaser'>;
  /** As of the last line: Postfix and most clients go by that one. */
  readonly code?: number;
  /** The last line is there, with its terminator. */
  readonly complete: boolean;
  /** Reply lines, one without an end included. */
  readonly lines: number;
  /** Each once, in the order in which they were met. */
  readonly defects: readonly GreetingDefect[];
  /** The first word where it is a domain or an address literal. */
  readonly host?: string;
  /** Some line says ESMTP: old clients try EHLO only then (RFC 1869 §4). */
  readonly esmtp: boolean;
}

/** What is known of a greeting's whole lines so far: a value, every line makes a new one. */
export interface GreetingFacts {
  /** Reply lines. */
  readonly lines: number;
  /** Of all lines. */
  readonly octets: number;
  readonly code?: number;
  readonly host?: string;
  readonly esmtp: boolean;
  /** No text so far but what a masking middlebox leaves (Cisco `inspect esmtp`); `text`: and some of it is visible. */
  readonly maskOnly: boolean;
  readonly text: boolean;
  readonly defects: readonly GreetingDefect[];
}

export const NO_LINES: GreetingFacts = {
  lines: 0,
  octets: 0,
  esmtp: false,
  maskOnly: true,
  text: false,
  defects: [],
};

/** Adds a line; `last` as of `isLast`. The defects are those of this line. */
export function addLine(
  facts: GreetingFacts,
  line: GreetingLine,
  last: boolean,
): { readonly facts: GreetingFacts; readonly defects: readonly GreetingDefect[] } {
  const octets = facts.octets + line.octets.length;
  if (line.kind !== 'reply') {
    const defects = [strayDefect(facts, line), ...octetDefects(line)];
    return { facts: { ...facts, octets, defects: merge(facts.defects, defects) }, defects };
  }
  const text = latin1(line.octets.subarray(line.text, line.end));
  const defects = replyDefects(facts, line, text, last);
  const host = facts.lines === 0 ? hostIn(text) : facts.host;
  return {
    defects,
    facts: {
      lines: facts.lines + 1,
      octets,
      code: line.code,
      esmtp: facts.esmtp || /\bESMTP\b/i.test(text),
      maskOnly: facts.maskOnly && /^[20* \t]*$/.test(text),
      text: facts.text || text.trim() !== '',
      defects: merge(facts.defects, defects),
      ...(host !== undefined && { host }),
    },
  };
}

/** Judges whole lines, and the octets of one that has no end yet. */
export function judge(whole: GreetingFacts, partial: Uint8Array, complete: boolean): GreetingJudgement {
  const facts = partial.length > 0 ? addPartial(whole, partial) : whole;
  const defects = merge(facts.defects, [...endDefects(facts, partial, complete), ...textDefects(facts)]);
  const open = facts.lines > 0 || partial.length > 0 || facts.octets === 0;
  const odd = defects.some((defect) => defect !== 'refusal');
  return {
    class: !complete && open ? 'truncated' : odd ? 'malformed' : 'wellformed',
    ...(facts.code !== undefined && { code: facts.code }),
    complete,
    lines: facts.lines,
    defects,
    ...(facts.host !== undefined && { host: facts.host }),
    esmtp: facts.esmtp,
  };
}

/** What a stray line is called: by its place and by what it holds. */
function strayDefect(facts: GreetingFacts, line: GreetingLine): GreetingDefect {
  if (facts.lines > 0) return 'inner-junk';
  return line.kind === 'blank' ? 'leading-blank' : 'leading-junk';
}

/** What octets before a line's code are called: a blank is no byte order mark. */
function leadDefect(facts: GreetingFacts, line: GreetingLine): GreetingDefect {
  if (facts.lines > 0) return 'inner-junk';
  const blank = line.octets.subarray(0, line.lead).every((octet) => BLANKS.has(octet));
  return blank ? 'leading-blank' : 'leading-junk';
}

/** A fully qualified name: what may stand for the server in a line of ours (RFC 5321 §2.3.5). */
export function isQualified(host: string): boolean {
  return LITERAL.test(host) || (host.includes('.') && /[A-Za-z]/.test(host));
}

function addPartial(facts: GreetingFacts, partial: Uint8Array): GreetingFacts {
  const line = readLine(partial);
  if (line.kind === 'reply') return addLine(facts, line, canBeLast(line)).facts;
  // Half a code is no junk, nor is half of a CRLF.
  return { ...facts, octets: facts.octets + partial.length };
}

function endDefects(facts: GreetingFacts, partial: Uint8Array, complete: boolean): GreetingDefect[] {
  if (complete) return [];
  if (facts.octets === 0) return ['empty'];
  const line = readLine(partial);
  const defects: GreetingDefect[] = facts.lines > 0 && !canBeLast(line) ? ['truncated'] : [];
  if (partial.length > 0) defects.push(terminatorDefect(line));
  return defects;
}

/** What the end of a line without an LF is called. */
export function terminatorDefect({ terminator }: GreetingLine): GreetingDefect {
  return terminator === 'cr' ? 'bare-cr' : 'no-terminator';
}

function textDefects(facts: GreetingFacts): GreetingDefect[] {
  const defects: GreetingDefect[] = [];
  const masked = facts.maskOnly && facts.text;
  if (masked) defects.push('masked');
  if (facts.code === undefined) return defects;
  // RFC 5321 §4.2 asks only a 220 for its domain; a masked or an empty text has been named already.
  if (facts.code < 400 && facts.text && !masked && facts.host === undefined) defects.push('no-domain');
  if (facts.code >= 400) defects.push('refusal');
  else if (facts.code !== 220) defects.push('wrong-code');
  return defects;
}

function replyDefects(
  facts: GreetingFacts,
  line: GreetingLine,
  text: string,
  last: boolean,
): GreetingDefect[] {
  const defects: GreetingDefect[] = line.lead > 0 ? [leadDefect(facts, line)] : [];
  if (facts.code !== undefined && facts.code !== line.code) defects.push('mixed-codes');
  if (line.separator === 'tab') defects.push('tab-separator');
  if (line.separator === 'none' || line.separator === 'nul') defects.push('no-separator');
  if (line.separator === 'end' && !last) defects.push('no-separator');
  if (last && text.trim() === '') defects.push('empty-text');
  return [...defects, ...octetDefects(line)];
}

/** Defects of single octets, in any line. */
function octetDefects(line: GreetingLine): GreetingDefect[] {
  const defects: GreetingDefect[] = [];
  const content = line.octets.subarray(0, line.end);
  if (line.terminator === 'lf') defects.push('bare-lf');
  if (line.terminator === 'cr' || content.includes(CR)) defects.push('bare-cr');
  if (content.includes(0)) defects.push('nul');
  if (content.some((octet) => octet > 0x7f)) defects.push('eight-bit');
  if (line.octets.length > LINE_BY_RFC) defects.push('over-long');
  return defects;
}

/** RFC 5321 §4.1.2 `Domain`, §4.1.3 `address-literal`. A single label counts, the service's own name does not. */
function hostIn(text: string): string | undefined {
  const word = /^[^ \t\r]*/.exec(text)?.[0] ?? '';
  const isHost = LITERAL.test(word) || (word.length <= 255 && DOMAIN.test(word) && !/^e?smtp$/i.test(word));
  return isHost ? word : undefined;
}

/** Defects that more octets would have cured. */
export const END_DEFECTS: ReadonlySet<GreetingDefect> = new Set(['truncated', 'no-terminator', 'bare-cr']);

/** A list with what another adds to it: nearly always nothing, and then it is the very same. */
function merge(known: readonly GreetingDefect[], more: readonly GreetingDefect[]): readonly GreetingDefect[] {
  const news = more.filter((defect, i) => !known.includes(defect) && more.indexOf(defect) === i);
  return news.length === 0 ? known : [...known, ...news];
}

const CR = 0x0d;
const BLANKS: ReadonlySet<number> = new Set([0x09, 0x0a, 0x0d, 0x20]);
const DOMAIN = /^[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*$/;
const LITERAL = /^\[[A-Za-z0-9:.-]+\]$/;
