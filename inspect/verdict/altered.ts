// Altered: what arrived is not what was sent. Masked words, and copies of one segment that differ.

import type { Finding, Premises } from '../coverage/finding';
import type { AnomalyEvent, Where } from '../events';
import { evidenceOf, type JudgeInput } from '../tcp/view';
import { type Cause, MISSED, PLACES } from './judge';

/** Judges the dialogue's words and every octet that is sent twice. */
export function createAltered(): AlteredState {
  return { said: false };
}

export interface AlteredState {
  said: boolean;
}

export function judgeAltered(state: AlteredState, input: JudgeInput): readonly Finding[] {
  if (state.said || (input.smtp.length === 0 && input.news.length === 0)) return NOTHING;
  const masked = input.smtp.find((event) => event.kind === 'anomaly' && event.anomaly === 'masked');
  const finding = masked?.kind === 'anomaly' ? maskedWords(input, masked) : differentCopies(input);
  if (!finding) return NOTHING;
  state.said = true;
  return [finding];
}

/** No SMTP program says XXXX: a middlebox writes it over what it does not know, octet for octet. */
function maskedWords(input: JudgeInput, { direction, detail, at }: AnomalyEvent): Finding {
  const what = direction === 'client' ? 'A command of the client' : 'A keyword of the server’s EHLO reply';
  return {
    at,
    verdict: 'ehlo-altered',
    worth: 'proved',
    premises: PREMISES,
    proof: 'content',
    where: 'before',
    summary: `${what} was overwritten on the path: "${/^X+(?:, X+)*/.exec(detail)?.[0] ?? 'XXXX'}" is a middlebox's mask, and no SMTP program's word.`,
    evidence: evidenceNow(input, 'carries the masked word'),
  };
}

/** A retransmission repeats its octets (RFC 9293 §3.8.1); where one does not, one of the copies was changed. */
function differentCopies(input: JudgeInput): Finding | undefined {
  const repeat = input.news.find((news) => news.kind === 'repeat' && news.same === false);
  if (repeat?.kind !== 'repeat' || !input.from || input.segment?.checksum === 'bad') return undefined;
  const { start, end } = repeat.span;
  return {
    at: input.at,
    verdict: 'ehlo-altered',
    worth: 'proved',
    premises: PREMISES,
    proof: 'content',
    where: 'before',
    summary: `Octets ${start} to ${end - 1} of the ${input.from}'s stream came twice and differ: one copy was changed on the path.`,
    evidence: evidenceNow(input, 'the same sequence numbers as before, other octets'),
  };
}

function evidenceNow({ connection, from, segment }: JudgeInput, note: string) {
  return from && segment ? [evidenceOf(connection, from, segment, note)] : [];
}

/** The octets are here: no other is needed to see that they were changed. */
const PREMISES: Premises = { toSay: [] };
const NOTHING: readonly Finding[] = [];

/** Octets that were changed. */
export const ALTERED_CAUSE = (where: Where): Cause => ({
  rank: 1,
  what: `EHLO or its reply altered ${PLACES[where]}`,
  next: 'a middlebox inspects SMTP; switch that off, and if it is off, show its vendor the report (--evidence DIR)',
  suspect: 'client',
  recheck: 'Compare the octets of the commented frames with each other, or with what the sender’s log says.',
  ruledOut: ['Damage on the line: TCP’s and the link’s checksums would have stopped it.'],
  open: [MISSED],
});
