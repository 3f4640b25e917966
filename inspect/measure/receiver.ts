// The server of a measurement: it takes every message and keeps none. Octets in, replies out.

import { createEndOfData, type EndOfData } from '../grammar/end-of-data';
import { createFramer } from '../grammar/lines';
import { COMMAND_LINE } from '../limits';
import { fromLatin1, latin1 } from '../text';

/** What the octets of a client ask for. */
export interface Answer {
  /** Empty: nothing yet. */
  readonly octets: readonly Uint8Array[];
  /** Messages that ended with these octets. */
  readonly messages: number;
  /** It said QUIT: close behind the reply. */
  readonly closes: boolean;
}

export interface Receiver {
  feed(octets: Uint8Array): Answer;
}

/** Receivers of one name, and their greeting. */
export function createReceivers(name: string): {
  readonly greeting: Uint8Array;
  readonly create: () => Receiver;
} {
  const replies = {
    ...REPLIES,
    EHLO: fromLatin1(`250-${name}\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n`),
    HELO: fromLatin1(`250 ${name}\r\n`),
  };
  return {
    greeting: fromLatin1(`220 ${name} ESMTP ehlowire measure: takes mail and throws it away\r\n`),
    create: () => createReceiver(replies),
  };
}

function createReceiver(known: typeof REPLIES): Receiver {
  const framer = createFramer(COMMAND_LINE);
  let end: EndOfData | undefined;
  return {
    feed(octets) {
      const replies: Uint8Array[] = [];
      let [messages, closes, i] = [0, false, 0];
      while (i < octets.length && !closes) {
        if (end) {
          const { end: behind } = end.scan(octets, i);
          if (behind < 0) break;
          i = behind;
          end = undefined;
          messages += 1;
          replies.push(TAKEN);
          continue;
        }
        const { next, line } = framer.take(octets, i, 0, 0);
        i = next;
        if (!line) continue;
        const verb = verbOf(line.bytes);
        if (verb === 'DATA') end = createEndOfData();
        closes = verb === 'QUIT';
        replies.push(known[verb] ?? UNKNOWN);
      }
      return { octets: replies, messages, closes };
    },
  };
}

/** None that is known is longer than four letters. */
function verbOf(line: Uint8Array): string {
  const space = line.indexOf(SPACE);
  return latin1(line.subarray(0, Math.min(space < 0 ? line.length : space, LONGEST + 1))).toUpperCase();
}

const SPACE = 0x20;
const LONGEST = 4;
const OK = fromLatin1('250 2.0.0 Ok\r\n');
const TAKEN = fromLatin1('250 2.0.0 Ok: taken and thrown away\r\n');
const UNKNOWN = fromLatin1('502 5.5.1 Command not implemented\r\n');
/** To the verbs that it knows, beside EHLO and HELO. */
const REPLIES: Readonly<Record<string, Uint8Array>> = {
  MAIL: OK,
  RCPT: OK,
  RSET: OK,
  NOOP: OK,
  DATA: fromLatin1('354 End data with <CR><LF>.<CR><LF>\r\n'),
  QUIT: fromLatin1('221 2.0.0 Bye\r\n'),
};
