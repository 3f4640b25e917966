// What may be quoted of a line that is odd: its verb and what parses, a mask, a method; all else by length and class.

import { QUOTE } from '../limits';
import { clipQuotable, joinQuotable, say, type Quotable } from '../quotable';
import { latin1 } from '../text';
import type { Command } from '../grammar/grammar';
import type { Line } from '../grammar/lines';
import { describeOctets, quoteMask, quoteParsed, sayVerb } from '../grammar/quote';
import { lengthOf, type Said } from './step';

export function quoteOddity(line: Line, { oddity }: Command, said: Said): Quotable {
  if (said.verb !== '?') return clipQuotable(joinQuotable([sayVerb(said), said.argument], ' '), QUOTE);
  const text = latin1(line.bytes.subarray(0, LONGEST));
  const head =
    oddity === 'masked'
      ? quoteMask(text)
      : oddity === 'http'
        ? method(text)
        : oddity === 'proxy-header'
          ? proxy(text)
          : '';
  const rest = lengthOf(line) - head.length;
  if (head === '') return said.argument;
  return rest === 0 ? head : say`${head} ${describeOctets(line.bytes.subarray(head.length), rest)}`;
}

/** Of a request only the method: a path may hold anything. */
function method(text: string): Quotable {
  return quoteParsed(/^[A-Z]+(?= )/.exec(text)?.[0] ?? '');
}

/** A header of PROXY protocol v1, where it is one (haproxy's proxy-protocol.txt §2.1). */
function proxy(text: string): Quotable {
  return quoteParsed(PROXY.exec(text)?.[0] ?? (text.startsWith('PROXY ') ? 'PROXY' : ''));
}

const PROXY =
  /^PROXY (?:UNKNOWN|TCP4 [0-9.]{7,15} [0-9.]{7,15} [0-9]{1,5} [0-9]{1,5}|TCP6 [0-9A-Fa-f:.]{2,45} [0-9A-Fa-f:.]{2,45} [0-9]{1,5} [0-9]{1,5})$/;
/** An HTTP method or a PROXY header is short. */
const LONGEST = 256;
