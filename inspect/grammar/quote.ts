// What may be quoted of octets that a peer sent: an allow list. Of all else the length and the class are reported.

import { QUOTE, TEXT } from '../limits';
import { NOTHING_SAID, say, type Quotable } from '../quotable';
import { escapeText, fromLatin1, latin1 } from '../text';
import { isReplyWord } from './reply-words';

/**
 * `(27 octets, base64-like)`: all that is said of octets that may not be quoted. The classes are few and closed:
 * `base64-like`, `printable` (ASCII, perhaps several lines), `binary`.
 */
export function describeOctets(bytes: Uint8Array, length = bytes.length): Quotable {
  return say`(${length} ${length === 1 ? say`octet` : say`octets`}, ${classOf(bytes)})`;
}

function classOf(bytes: Uint8Array): Quotable {
  const text = latin1(bytes);
  if (BASE64.test(text)) return say`base64-like`;
  return PRINTABLE.test(text) ? say`printable` : say`binary`;
}

/** Octets that a grammar has found harmless. Callers name the grammar; no other code may call this. */
export function quoteParsed(text: string): Quotable {
  return escapeWords(text, TEXT) as Quotable;
}

/** A verb as it stands in the table of verbs; `?` for all others. */
export function sayVerb({ verb }: { readonly verb: string }): Quotable {
  return quoteParsed(verb);
}

/** A word of a closed list, as it stands in the list. */
export function quoteWord<Word extends string>(word: Word, list: ReadonlySet<string>): Quotable {
  return (list.has(word) ? word : '') as Quotable;
}

/** A server's words where they cannot repeat a client's: as they are, escaped. */
export function quoteServer(bytes: Uint8Array, cap = TEXT): Quotable {
  return escapeText(bytes, cap) as Quotable;
}

/**
 * A server's words where they may repeat what its client said: of each word only what the vocabulary of replies
 * has, or what the client was quoted with (`said`). `…` stands for everything between.
 */
export function quoteKnownWords(bytes: Uint8Array, said: readonly Quotable[] = [], cap = TEXT): Quotable {
  let known: Set<string> | undefined;
  const isSaid = (word: string): boolean => {
    known ??= new Set(said.flatMap((text) => text.toLowerCase().split(BETWEEN_WORDS)));
    return known.has(word.toLowerCase());
  };
  const text = latin1(bytes.subarray(0, cap)).replace(WORDS, (word) =>
    isReplyWord(word) || isSaid(word) ? word : '…',
  );
  if (!text.includes('…')) return escapeWords(text, cap) as Quotable;
  // What stands between words is punctuation: none of it is needed around what was left out.
  return escapeKnown(text.replace(/[^A-Za-z0-9]*…(?:[^A-Za-z0-9]*…)*[^A-Za-z0-9 :]*/g, ' … ').trim(), cap);
}

function escapeKnown(text: string, cap: number): Quotable {
  const parts = text.split('…').map((part) => escapeWords(part, cap));
  const whole = parts.join('…');
  return (whole.length <= cap ? whole : `${whole.slice(0, cap - 1)}…`) as Quotable;
}

/** Nearly all text is plain, and a copy of it as octets costs much. */
function escapeWords(text: string, cap: number): string {
  return text.length <= cap && PLAIN.test(text) ? text : escapeText(fromLatin1(text), cap);
}

/** How a middlebox overwrote a word: `XXXX`, and nothing of what it left. */
export function quoteMask(text: string): Quotable {
  return (/^X{4,}/.exec(text)?.[0].slice(0, QUOTE) ?? NOTHING_SAID) as Quotable;
}

/** Eight characters at the least: shorter ones are words. */
const BASE64 = /^[A-Za-z0-9+/_-]{8,}={0,2}$/;
const PRINTABLE = /^[\x20-\x7e\t\r\n]*$/;
/** Nothing of it has to be escaped. */
const PLAIN = /^[\x20-\x5b\x5d-\x7e]*$/;
/** Letters, digits and all that binds them into one word: a piece of an unknown word is as unknown. */
const WORDS = /[^\s,;:()<>"'[\]]+/g;
const BETWEEN_WORDS = /[\s,;:()<>"'[\]]+/;
