// Text that may be written down. It is made here and in grammar/quote.ts alone: no other text of a peer has this type.

import type { Direction, GreetingDefect, Phase } from './events';

declare const QUOTABLE: unique symbol;

/** Printable, and free of secrets: words of ours, or a peer's words that the allow list lets through. */
export type Quotable = string & { readonly [QUOTABLE]: true };

/** What may stand between words of ours: never a plain `string`, which may hold anything. */
type Sayable = Quotable | number | Direction | Phase | GreetingDefect;

/** Words of ours, written into the code: `` say`${count} octets from the ${from} never seen` ``. */
export function say(ours: TemplateStringsArray, ...values: readonly Sayable[]): Quotable {
  return ours.reduce((text, words, i) => `${text}${values[i - 1] ?? ''}${words}`) as Quotable;
}

export function joinQuotable(parts: readonly Sayable[], separator: ', ' | ' '): Quotable {
  return parts.filter((part) => part !== '').join(separator) as Quotable;
}

/** An entry of a table of ours. */
export function sayFrom(
  table: Readonly<Record<string | number, string>>,
  key: string | number,
): Quotable | undefined {
  return Object.hasOwn(table, key) ? (table[key] as Quotable) : undefined;
}

/** The first characters of it. */
export function clipQuotable(text: Quotable, most: number): Quotable {
  return (text.length <= most ? text : `${text.slice(0, most - 1)}…`) as Quotable;
}

export const NOTHING_SAID = say``;
