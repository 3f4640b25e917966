// One trial of SMTP smuggling: a message with another one hidden behind a wrong end of data, said in given pieces.

import { RECIPIENT } from '../../kit/message';
import { openTalker } from './talker';
import type { Cut, Place, Sequence } from './smuggling.table';

export interface Trial {
  /** Its EHLO's name, in its messages too. */
  readonly id: string;
  readonly sequence: Sequence;
  readonly place: Place;
  readonly cut: Cut;
}

export interface Heard {
  /** Replies from the message's first octet on, line by line. */
  readonly replies: readonly string[];
  /** The other side ended the connection before this one said QUIT. */
  readonly cutOff: boolean;
}

/** The words by which a second message is known. */
export const SMUGGLED = 'smuggled-by';

export function contentOf({ id, sequence, place }: Trial): { text: string; offset: number } {
  const lead = place === 'inside' ? `Subject: ${id}\r\n\r\nfirst part of ${id}` : '';
  // At the start, the CRLF of the command stands before the dot.
  const octets = place === 'inside' ? sequence.octets : sequence.octets.replace(/^\r\n/, '');
  const second = [
    `MAIL FROM:<${SMUGGLED}-${id}@client.example>`,
    `RCPT TO:<${RECIPIENT}>`,
    'DATA',
    `Subject: ${SMUGGLED} ${id}`,
    '',
    'second part',
  ];
  return { text: `${lead}${octets}${second.join('\r\n')}`, offset: lead.length };
}

/** Says all of it, QUIT too where it still may. */
export async function play(port: number, trial: Trial): Promise<Heard> {
  const talker = openTalker(port);
  const ask = async (line: string): Promise<string> => {
    await talker.say(`${line}\r\n`);
    return talker.reply();
  };
  await talker.reply();
  await ask(`EHLO ${trial.id}`);
  await ask(`MAIL FROM:<honest-${trial.id}@client.example>`);
  await ask(`RCPT TO:<${RECIPIENT}>`);
  const goAhead = await ask('DATA');
  if (!goAhead.startsWith('354')) throw new Error(`${trial.id}: DATA was answered ${goAhead}`);
  const before = talker.heard().length;
  const { text, offset } = contentOf(trial);
  const cuts = trial.cut.at.map((at) => offset + at);
  await talker.say(`${text}\r\n.\r\n`, cuts);
  const answer = await talker.reply();
  const closing = answer.startsWith('5') ? await closes(talker.ended) : !talker.isOpen();
  if (!closing) await talker.say('QUIT\r\n');
  await Promise.race([talker.ended, limit()]);
  talker.hangUp();
  const replies = talker.heard().slice(before).split('\r\n').slice(0, -1);
  return { replies, cutOff: closing };
}

/** What both sides must agree on: the words, without line ends, NULs and dots that lead a line. */
export function wordsOf(content: string): string {
  return content
    .replaceAll('\0', '')
    .split(/[\r\n]+/)
    .map((line) => line.replace(/^\.+/, ''))
    .filter((line) => line !== '')
    .join('\n');
}

const END_MS = 10_000;

function limit(): Promise<false> {
  return new Promise((resolve) => setTimeout(() => resolve(false), END_MS).unref());
}

function closes(ended: Promise<void>): Promise<boolean> {
  return Promise.race([ended.then(() => true), limit()]);
}

/** Plays all of them, so many at a time. */
export async function playAll<T, R>(
  items: readonly T[],
  atOnce: number,
  act: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  const queue = [...items.entries()];
  const worker = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      results[next[0]] = await act(next[1]);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return results;
}
