// What a greeting amounts to: a fold over its lines that ends in a judgement.

import type { GreetingClass, GreetingDefect } from '../events';
import { LINE_BY_RFC } from '../limits';
import { latin1 } from '../text';
import { readLine, type GreetingLine } from './lines';

/** What a greeting is, as far as it was seen. */
export interface GreetingJudgement {
  /**
   * `truncated`: it does not end (a lone CR ends nothing). `malformed`: it has any defect other than a refusal;
   * most of them stall nobody. Never `teaser`: that takes a clock.
   */
  readonly class: Exclude<GreetingClass, 'teaser'>;
  /** As of the last line: Postfix and most clients go by that one. */
  readonly code?: number;
  /** The last line is there, with its terminator. */
  readonly complete: boolean;
  /** Reply lines, an unfinished one included. */
  readonly lines: number;
  /** Each once, in the order in which they were met. */
  readonly defects: readonly GreetingDefect[];
  /** The first word where it is a domain or an address literal. */
  readonly host?: string;
  /** Some line says ESMTP: old clients try EHLO only then (RFC 1869 §4). */
  readonly esmtp: boolean;
}

/** The fold's state: a value, every step makes a new one. */
export interface GreetingTally {
  readonly lines: number;
  readonly octets: number;
  readonly code?: number;
  readonly host?: string;
  readonly esmtp: boolean;
  /** No text so far but what a masking middlebox leaves; `text`: and some of it is visible. */
  readonly veiled: boolean;
  readonly text: boolean;
  readonly defects: readonly GreetingDefect[];
}

export const NO_LINES: GreetingTally = {
  lines: 0,
  octets: 0,
  esmtp: false,
  veiled: true,
  text: false,
  defects: [],
};

/** Adds a line; `last` as of `isLast`. */
export function tallyLine(tally: GreetingTally, line: GreetingLine, last: boolean): GreetingTally {
  const octets = tally.octets + line.octets.length;
  if (line.kind !== 'reply') {
    const defects = merge(tally.defects, [strayDefect(tally, line), ...octetDefects(line)]);
    return { ...tally, octets, defects };
  }
  const text = latin1(line.octets.subarray(line.text, line.end));
  const word = /^[^ \t\r]*/.exec(text)?.[0] ?? '';
  return {
    lines: tally.lines + 1,
    octets,
    code: line.code,
    esmtp: tally.esmtp || /\bESMTP\b/i.test(text),
    veiled: tally.veiled && /^[20* \t]*$/.test(text),
    text: tally.text || text.trim() !== '',
    defects: merge(tally.defects, replyDefects(tally, line, text, last)),
    ...(tally.lines === 0
      ? isHost(word) && { host: word }
      : tally.host !== undefined && { host: tally.host }),
  };
}

/** Judges what was added, with the octets of a line that has no terminator yet. */
export function judgeTally(lines: GreetingTally, tail: Uint8Array, complete: boolean): GreetingJudgement {
  const tally = tail.length > 0 ? tallyTail(lines, tail) : lines;
  const defects = merge(tally.defects, [...endDefects(tally, tail, complete), ...textDefects(tally)]);
  const open = tally.lines > 0 || tail.length > 0 || tally.octets === 0;
  const odd = defects.some((defect) => defect !== 'refusal');
  return {
    class: !complete && open ? 'truncated' : odd ? 'malformed' : 'wellformed',
    ...(tally.code !== undefined && { code: tally.code }),
    complete,
    lines: tally.lines,
    defects,
    ...(tally.host !== undefined && { host: tally.host }),
    esmtp: tally.esmtp,
  };
}

/** What a stray line is called: by its place and by what it holds. */
function strayDefect(tally: GreetingTally, line: GreetingLine): GreetingDefect {
  if (tally.lines > 0) return 'inner-junk';
  return line.kind === 'blank' ? 'leading-blank' : 'leading-junk';
}

/** What octets before a line's code are called: a blank is no byte order mark. */
export function leadDefect(tally: GreetingTally, line: GreetingLine): GreetingDefect {
  if (tally.lines > 0) return 'inner-junk';
  const blank = line.octets.subarray(0, line.lead).every((octet) => BLANKS.has(octet));
  return blank ? 'leading-blank' : 'leading-junk';
}

/** A fully qualified name: what may stand for the server in a line of ours (RFC 5321 §2.3.5). */
export function isQualified(host: string): boolean {
  return LITERAL.test(host) || (host.includes('.') && /[A-Za-z]/.test(host));
}

function tallyTail(lines: GreetingTally, tail: Uint8Array): GreetingTally {
  const line = readLine(tail);
  if (line.kind === 'reply') return tallyLine(lines, line, line.separator !== 'hyphen');
  // Half a code is no junk, nor is half of a CRLF.
  return { ...lines, octets: lines.octets + tail.length };
}

function endDefects(tally: GreetingTally, tail: Uint8Array, complete: boolean): GreetingDefect[] {
  if (complete) return [];
  if (tally.octets === 0) return ['empty'];
  const line = readLine(tail);
  const goesOn = tally.lines > 0 && (line.kind !== 'reply' || line.separator === 'hyphen');
  const defects: GreetingDefect[] = goesOn ? ['truncated'] : [];
  if (tail.length > 0) defects.push(line.terminator === 'cr' ? 'bare-cr' : 'no-terminator');
  return defects;
}

function textDefects(tally: GreetingTally): GreetingDefect[] {
  const defects: GreetingDefect[] = [];
  const masked = tally.veiled && tally.text;
  if (masked) defects.push('masked');
  if (tally.code === undefined) return defects;
  // RFC 5321 §4.2 asks only a 220 for its domain; a masked or an empty text has been named already.
  if (tally.code < 400 && tally.text && !masked && tally.host === undefined) defects.push('no-domain');
  if (tally.code >= 400) defects.push('refusal');
  else if (tally.code !== 220) defects.push('wrong-code');
  return defects;
}

function replyDefects(
  tally: GreetingTally,
  line: GreetingLine,
  text: string,
  last: boolean,
): GreetingDefect[] {
  const defects: GreetingDefect[] = line.lead > 0 ? [leadDefect(tally, line)] : [];
  if (tally.code !== undefined && tally.code !== line.code) defects.push('mixed-codes');
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
function isHost(word: string): boolean {
  if (LITERAL.test(word)) return true;
  return word.length <= 255 && DOMAIN.test(word) && !/^e?smtp$/i.test(word);
}

/** A list with what another adds to it: nearly always nothing, and then it is the very same. */
function merge(known: readonly GreetingDefect[], more: readonly GreetingDefect[]): readonly GreetingDefect[] {
  const news = more.filter((defect, i) => !known.includes(defect) && more.indexOf(defect) === i);
  return news.length === 0 ? known : [...known, ...news];
}

const CR = 0x0d;
const BLANKS: ReadonlySet<number> = new Set([0x09, 0x0a, 0x0d, 0x20]);
const DOMAIN = /^[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*$/;
const LITERAL = /^\[[A-Za-z0-9:.-]+\]$/;
