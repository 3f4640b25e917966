// What may be quoted of a command's argument: only of these verbs, and only where it parses by their grammar.

import { NOTHING_SAID, joinQuotable, say, type Quotable } from '../quotable';
import { fromLatin1, latin1 } from '../text';
import { describeOctets, quoteParsed, quoteWord } from './quote';
import { SASL_MECHANISMS } from './reply-words';

/** How an envelope address is written down; the text is `local@domain` as it was sent. */
export type Redaction = (address: string) => string;

interface SaidArgument {
  readonly text: Quotable;
  /** All of it is quoted, octet for octet. */
  readonly whole: boolean;
  /** It parses: the line is a command beyond doubt, even where only the length of some parts is reported. */
  readonly parses: boolean;
}

/** `argument`: the octets behind the verb without blanks around them; `text`: the same, a character an octet. */
export function quoteArgument(
  verb: string,
  argument: Uint8Array,
  text: string,
  redact?: Redaction,
): SaidArgument {
  const read = READERS[verb];
  if (argument.length === 0) {
    return { text: NOTHING_SAID, whole: true, parses: read === undefined };
  }
  const said = argument.length <= LONGEST ? read?.(text, redact) : undefined;
  return said ?? { text: describeOctets(argument), whole: false, parses: false };
}

/** A host's name where it parses as one (RFC 6066 §3, RFC 5321 §4.1.1.1). */
export function quoteName(octets: Uint8Array): Quotable {
  const text = latin1(octets.subarray(0, LONGEST));
  return NAME.test(text) ? quoteParsed(text) : describeOctets(octets);
}

type Reader = (text: string, redact: Redaction | undefined) => SaidArgument | undefined;

const name: Reader = (text) => (NAME.test(text) ? whole(quoteParsed(text)) : undefined);
const reversePath: Reader = (text, redact) => pathAndParameters(/^FROM: ?/i, text, redact);
const forwardPath: Reader = (text, redact) => pathAndParameters(/^TO: ?/i, text, redact);
const chunk: Reader = (text) =>
  /^[0-9]{1,15}(?: LAST)?$/i.test(text) ? whole(quoteParsed(text)) : undefined;

/** Of AUTH the mechanism, where it is a known one; what is behind it is a credential. */
const mechanism: Reader = (text) => {
  const [word = '', ...rest] = text.split(/[ \t]/);
  if (!SASL_MECHANISMS.has(word.toUpperCase())) return undefined;
  return {
    text: quoteWord(word.toUpperCase(), SASL_MECHANISMS),
    whole: rest.length === 0,
    parses: rest.length <= 1,
  };
};

const READERS: Readonly<Record<string, Reader>> = {
  EHLO: name,
  HELO: name,
  LHLO: name,
  MAIL: reversePath,
  RCPT: forwardPath,
  BDAT: chunk,
  AUTH: mechanism,
  'X-EXPS': mechanism,
  XEXCH50: (text) => (/^[0-9]{1,15} [0-9]{1,3}$/.test(text) ? whole(quoteParsed(text)) : undefined),
};

function whole(text: Quotable): SaidArgument {
  return { text, whole: true, parses: true };
}

/** RFC 5321 §4.1.2, without source routes: `FROM:<a@b> SIZE=10`. */
function pathAndParameters(
  keyword: RegExp,
  text: string,
  redact: Redaction | undefined,
): SaidArgument | undefined {
  const start = keyword.exec(text)?.[0] ?? '';
  const path = start === '' ? undefined : PATH.exec(text.slice(start.length))?.[0];
  if (path === undefined || path.length > PATH_LENGTH) return undefined;
  const rest = text.slice(start.length + path.length);
  if (rest !== '' && !rest.startsWith(' ')) return undefined;
  const address = path.slice(1, -1);
  const redacted = redact === undefined || address === '' ? path : `<${redact(address)}>`;
  const parameters = rest
    .split(' ')
    .filter((word) => word !== '')
    .map((word) => quoteParameter(word, redact === undefined ? address : undefined));
  const kept = parameters.slice(0, PARAMETERS);
  return {
    text: joinQuotable([quoteParsed(`${start}${redacted}`), ...kept.map((each) => each.text)], ' '),
    whole: redacted === path && parameters.length <= PARAMETERS && parameters.every((each) => each.whole),
    parses: true,
  };
}

/** A parameter's keyword is quoted where it is known, its value where only a few are possible. */
function quoteParameter(
  word: string,
  address: string | undefined,
): { readonly text: Quotable; readonly whole: boolean } {
  const equals = word.indexOf('=');
  const keyword = (equals < 0 ? word : word.slice(0, equals)).toUpperCase();
  const value = equals < 0 ? undefined : word.slice(equals + 1);
  const values = Object.hasOwn(PARAMETER_VALUES, keyword) ? PARAMETER_VALUES[keyword] : undefined;
  // Postfix repeats the recipient where a server offers DSN (RFC 3461 §4.2): nothing new.
  const same = keyword === 'ORCPT' && value?.toLowerCase() === `rfc822;${address?.toLowerCase() ?? ''}`;
  if (same && address !== undefined) return { text: quoteParsed(word), whole: true };
  if (values === undefined) return { text: describeOctets(fromLatin1(word)), whole: false };
  if (values.test(value ?? '')) return { text: quoteParsed(word), whole: true };
  return { text: say`${quoteParsed(keyword)}=${describeOctets(fromLatin1(value ?? ''))}`, whole: false };
}

const NONE = /^$/;
/** No value: only its length is reported. */
const HIDDEN = /(?!)/;

// The keywords of IANA's registry. ENVID, ORCPT and AUTH carry names of people (RFC 3461 §4, RFC 4954 §5).
const PARAMETER_VALUES: Readonly<Record<string, RegExp>> = {
  SIZE: /^[0-9]{1,20}$/,
  BODY: /^(?:7BIT|8BITMIME|BINARYMIME)$/i,
  SMTPUTF8: NONE,
  REQUIRETLS: NONE,
  PRDR: NONE,
  CONPERM: NONE,
  RET: /^(?:FULL|HDRS)$/i,
  NOTIFY: /^(?:NEVER|(?:SUCCESS|FAILURE|DELAY)(?:,(?:SUCCESS|FAILURE|DELAY)){0,2})$/i,
  BY: /^-?[0-9]{1,9};[NR]T?$/i,
  'MT-PRIORITY': /^-?[0-9]$/,
  HOLDFOR: /^[0-9]{1,9}$/,
  AUTH: /^<>$/,
  ENVID: HIDDEN,
  ORCPT: HIDDEN,
  HOLDUNTIL: HIDDEN,
  RRVS: HIDDEN,
  SOLICIT: HIDDEN,
  TRANSID: HIDDEN,
  MTRK: HIDDEN,
};

/** A domain, underscores forgiven as servers do, or an address literal (RFC 5321 §4.1.3). */
const NAME = /^(?:[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,253}[A-Za-z0-9_.])?|\[(?:IPv6:)?[0-9A-Fa-f:.]{2,45}\])$/;

/** Dots anywhere: real local parts have them. 8-bit: RFC 6531. */
const LOCAL = String.raw`(?:[A-Za-z0-9!#$%&'*+/=?^_\x60{|}~.\x80-\xff-]{1,128}|"(?:[\x20\x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\x20-\x7e]){0,128}")`;
const DOMAIN = String.raw`(?:[A-Za-z0-9._\x80-\xff-]{1,255}|\[[A-Za-z0-9:.]{1,64}\])`;
const PATH = new RegExp(`^<(?:(?:${LOCAL})@(?:${DOMAIN})|postmaster)?>`, 'i');

/** RFC 5321 §4.5.3.1.3 says 256; long sender rewriting goes a little beyond. */
const PATH_LENGTH = 320;
const PARAMETERS = 12;
/** Characters that are parsed at all. */
const LONGEST = 1_024;
