// EHLO keywords: what each of them offers, and a reply to EHLO without those that are hidden.

import { fromLatin1, latin1 } from '../text';
import { joinOctets } from '../octets';

interface Offer {
  readonly verbs?: readonly string[];
  /** Parameters of MAIL and RCPT, as `NAME` or `NAME=VALUE`. */
  readonly MAIL?: readonly string[];
  readonly RCPT?: readonly string[];
}

/** By keyword (IANA's SMTP service extensions). One that is not here offers the verb of its own name. */
const OFFERS: Readonly<Record<string, Offer>> = {
  '8BITMIME': { MAIL: ['BODY=8BITMIME', 'BODY=7BIT'] },
  AUTH: { verbs: ['AUTH'], MAIL: ['AUTH'] },
  BINARYMIME: { MAIL: ['BODY=BINARYMIME'] },
  CHUNKING: { verbs: ['BDAT'] },
  DELIVERBY: { MAIL: ['BY'] },
  DSN: { MAIL: ['RET', 'ENVID'], RCPT: ['NOTIFY', 'ORCPT'] },
  FUTURERELEASE: { MAIL: ['HOLDFOR', 'HOLDUNTIL'] },
  'MT-PRIORITY': { MAIL: ['MT-PRIORITY'] },
  MTRK: { MAIL: ['MTRK'] },
  PIPELINING: {},
  PRDR: { MAIL: ['PRDR'] },
  REQUIRETLS: { MAIL: ['REQUIRETLS'] },
  RRVS: { RCPT: ['RRVS'] },
  SIZE: { MAIL: ['SIZE'] },
  SMTPUTF8: { MAIL: ['SMTPUTF8'] },
};

/** Binary messages need chunks (RFC 3030 §3). */
const NEEDS: Readonly<Record<string, string>> = { BINARYMIME: 'CHUNKING' };

/** Whether a hidden keyword is all that offers this verb. */
export function isVerbHidden(verb: string, hidden: ReadonlySet<string>): boolean {
  for (const keyword of hidden) {
    const { verbs = OFFERS[keyword] ? [] : [keyword] } = OFFERS[keyword] ?? {};
    if (verbs.includes(verb)) return true;
  }
  return false;
}

/** The first parameter of MAIL or RCPT that a hidden keyword offers. `line`: without its terminator. */
export function hiddenParameter(
  verb: 'MAIL' | 'RCPT',
  line: Uint8Array,
  hidden: ReadonlySet<string>,
): string | undefined {
  const parameters = parametersOf(line);
  for (const keyword of withNeeds(hidden)) {
    const names = OFFERS[keyword]?.[verb] ?? [];
    const found = names.find((name) =>
      parameters.some((each) => each === name || each.startsWith(`${name}=`)),
    );
    if (found !== undefined) return found;
  }
  return undefined;
}

/**
 * What stands behind the path of MAIL or RCPT, in upper case (RFC 5321 §4.1.2). Where no path is found, as the grammar
 * has it, any word may be a parameter to a server.
 */
export function parametersOf(line: Uint8Array): readonly string[] {
  const text = latin1(line);
  const path = PATH.exec(text)?.[0] ?? '';
  return text
    .slice(path.length)
    .toUpperCase()
    .split(path === '' ? /[\s<>"]+/ : /\s+/)
    .filter((word) => word !== '');
}

/** The keywords of a reply to EHLO, upper case, without their parameters. `texts`: of its lines, the first one too. */
export function keywordsOf(texts: readonly string[]): Set<string> {
  return new Set(texts.slice(1).map(keywordOf));
}

/** `AUTH=LOGIN` is an old form of `AUTH LOGIN`. */
function keywordOf(text: string): string {
  return (/^[A-Za-z0-9_-]+/.exec(text)?.[0] ?? '').toUpperCase();
}

/**
 * A whole 250 reply to EHLO without the lines of hidden keywords; the same value where none is there. Its first line names
 * the server and stays.
 */
export function hideKeywords(reply: Uint8Array, hidden: ReadonlySet<string>): Uint8Array {
  const lines = linesOf(reply);
  const hide = withNeeds(hidden);
  const kept = lines.filter((line, i) => i === 0 || !hide.has(keywordOf(latin1(line.subarray(CODE)))));
  if (kept.length === lines.length) return reply;
  return joinOctets(kept.map((line, i) => (i === kept.length - 1 ? asLast(line) : line)));
}

function withNeeds(hidden: ReadonlySet<string>): ReadonlySet<string> {
  const all = new Set(hidden);
  for (const [keyword, needed] of Object.entries(NEEDS)) if (hidden.has(needed)) all.add(keyword);
  return all;
}

/** Whole lines, terminators included. */
export function linesOf(bytes: Uint8Array): Uint8Array[] {
  const lines: Uint8Array[] = [];
  for (let start = 0; start < bytes.length;) {
    const lf = bytes.indexOf(LF, start);
    const end = lf < 0 ? bytes.length : lf + 1;
    lines.push(bytes.subarray(start, end));
    start = end;
  }
  return lines;
}

/** `250-` as `250 `. */
function asLast(line: Uint8Array): Uint8Array {
  if (line[CODE - 1] !== HYPHEN) return line;
  return joinOctets([line.subarray(0, CODE - 1), fromLatin1(' '), line.subarray(CODE)]);
}

const PATH = /^\W*\w+\s+(?:FROM|TO)\s*:\s*(?:<(?:"(?:[^"\\]|\\.)*"|[^>"])*>|[^\s<]\S*)/i;
const LF = 0x0a;
const HYPHEN = 0x2d;
/** Three digits and what separates them from the text. */
const CODE = 4;
