// The mail of a measurement: marked as a test in four ways, and of a given size.

import { NO_OCTETS } from '../octets';
import { fromLatin1 } from '../text';

interface MessagePlan {
  /** Octets from the first header to the last line's CRLF. At least the headers are sent. */
  readonly size: number;
  /** Of the envelope; empty: the null reverse-path. */
  readonly from: string;
  readonly recipients: readonly string[];
  /** Names this machine, in Message-ID. */
  readonly name: string;
  /** Names this run: letters, digits and hyphens. */
  readonly run: string;
  /** RFC 5322 §3.3. */
  readonly date: string;
}

/** Makes one message after another with its end of data, each with a number of its own and all of one size. */
export function createComposer(plan: MessagePlan): () => readonly Uint8Array[] {
  const number = '0'.repeat(DIGITS);
  const head = headOf(plan, number);
  const body = fillerOf(plan.size - head.length);
  const pattern = fromLatin1(head + (body.length > ONE_PIECE ? '' : body));
  const rest = body.length > ONE_PIECE ? [fromLatin1(body)] : [];
  // The run's name stands before both numbers, and is none itself.
  const places = [head.indexOf(number), head.lastIndexOf(number)];
  let room = NO_OCTETS;
  let used = 0;
  let count = 0;
  return () => {
    count += 1;
    // Many small arrays of their own would be dear.
    if (used + pattern.length > room.length) {
      room = new Uint8Array(Math.max(ROOM, pattern.length));
      used = 0;
    }
    const message = room.subarray(used, used + pattern.length);
    used += pattern.length;
    message.set(pattern);
    for (const place of places) writeNumber(message, place, count);
    return [message, ...rest];
  };
}

function writeNumber(octets: Uint8Array, place: number, number: number): void {
  let left = number;
  for (let i = place + DIGITS - 1; i >= place; i -= 1) {
    octets[i] = ZERO + (left % 10);
    left = Math.floor(left / 10);
  }
}

function headOf({ from, recipients, name, run, date }: MessagePlan, number: string): string {
  const [only = ''] = recipients;
  return [
    `From: <${from === '' ? `postmaster@${name}` : from}>`,
    // Who else gets it is none of a recipient's business.
    recipients.length === 1 ? `To: <${only}>` : 'To: undisclosed-recipients:;',
    'Subject: Test message of ehlowire measure, please ignore',
    `Date: ${date}`,
    `Message-ID: <${run}.${number}@${name}>`,
    // RFC 3834 §5: nothing answers it.
    'Auto-Submitted: auto-generated',
    `X-Ehlowire-Measure: run ${run}, message ${number}`,
    '',
    'This message measures a mail path. It has no other content and may be deleted.',
    '',
  ].join('\r\n');
}

/** Lines that begin with no dot, and the end of data. */
function fillerOf(octets: number): string {
  const lines: string[] = [];
  let left = octets === 1 ? 2 : octets;
  while (left > 0) {
    const length = left > 2 * LINE ? LINE : left;
    lines.push('x'.repeat(Math.max(0, length - 2)));
    left -= length;
  }
  return [...lines, '.', ''].join('\r\n');
}

const DIGITS = 9;
const ZERO = 0x30;
const ROOM = 1_048_576;
/** RFC 5322 §2.1.1 wants 78 characters at most, and CRLF. */
const LINE = 80;
/** Up to this a copy is cheaper than a second write. */
const ONE_PIECE = 65_536;
