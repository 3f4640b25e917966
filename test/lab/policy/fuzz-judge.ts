// What a dialogue of chance must have come to.

import type { Dialogue } from './fuzz-dialogue';
import type { FuzzRules } from './fuzz-rules';
import type { Recorded } from './recorder';

interface Outcome {
  /** What the server has of it; undefined where nothing came that tells it from others. */
  readonly server: Recorded | undefined;
  /** All that the client heard. */
  readonly client: string;
}

/** What is wrong, in words; undefined where all is well. */
export function faultOf(
  dialogue: Dialogue,
  rules: FuzzRules,
  { server, client }: Outcome,
): string | undefined {
  const received = server?.received().toString('latin1') ?? '';
  const crossed = dialogue.marks.find((mark) => received.includes(mark));
  if (crossed !== undefined) return `octets of a refused command arrived: ${around(received, crossed)}`;
  const seen = rules.hidden.find((keyword) => new RegExp(`^250[- ]${keyword}\\b`, 'm').test(client));
  if (seen !== undefined) return `the client was offered ${seen}`;
  if (dialogue.kind !== 'honest') return undefined;
  if (received !== dialogue.wanted) return `not what was said: ${difference(received, dialogue.wanted)}`;
  return /^221 /m.test(client) ? undefined : `no 221: ${JSON.stringify(client.slice(-200))}`;
}

function around(text: string, part: string): string {
  const at = text.indexOf(part);
  return JSON.stringify(text.slice(Math.max(0, at - 60), at + part.length + 20));
}

function difference(received: string, wanted: string): string {
  let at = 0;
  while (at < received.length && received[at] === wanted[at]) at += 1;
  const show = (text: string): string => JSON.stringify(text.slice(Math.max(0, at - 20), at + 60));
  return `at octet ${at} of ${wanted.length}: ${show(received)} for ${show(wanted)}`;
}
