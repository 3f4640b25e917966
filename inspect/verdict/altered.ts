// Altered: what arrived is not what was sent. Masked words, and copies of one segment that differ.

import type { Finding, Premises } from '../coverage/finding';
import type { AnomalyEvent } from '../events';
import { evidenceOf, type Sight } from '../tcp/view';
import type { Judge } from './judge';

/** Watches the dialogue's words and every octet that is sent twice. */
export function createAlteredJudge(): Judge {
  let said = false;
  const once = (verdict: Finding | undefined): readonly Finding[] => {
    if (!verdict || said) return NOTHING;
    said = true;
    return [verdict];
  };
  return {
    see(sight) {
      if (said || (sight.smtp.length === 0 && sight.news.length === 0)) return NOTHING;
      const masked = sight.smtp.find((event) => event.kind === 'anomaly' && event.anomaly === 'masked');
      return once(masked?.kind === 'anomaly' ? maskedWords(sight, masked) : differentCopies(sight));
    },
  };
}

/** No SMTP program says XXXX: a middlebox writes it over what it does not know, octet for octet. */
function maskedWords(sight: Sight, { direction, detail, at }: AnomalyEvent): Finding {
  const what = direction === 'client' ? 'A command of the client' : 'A keyword of the server’s EHLO reply';
  return {
    at,
    verdict: 'ehlo-altered',
    worth: 'proved',
    premises: PREMISES,
    proof: 'content',
    where: 'before',
    summary: `${what} was overwritten on the path: "${/^X+(?:, X+)*/.exec(detail)?.[0] ?? 'XXXX'}" is a middlebox's mask, and no SMTP program's word.`,
    evidence: evidenceNow(sight, 'carries the masked word'),
  };
}

/** A retransmission repeats its octets (RFC 9293 §3.8.1); where one does not, somebody changed one of the copies. */
function differentCopies(sight: Sight): Finding | undefined {
  const repeat = sight.news.find((news) => news.kind === 'repeat' && news.same === false);
  if (repeat?.kind !== 'repeat' || !sight.from || sight.segment?.checksum === 'bad') return undefined;
  const { start, end } = repeat.span;
  return {
    at: sight.at,
    verdict: 'ehlo-altered',
    worth: 'proved',
    premises: PREMISES,
    proof: 'content',
    where: 'before',
    summary: `Octets ${start} to ${end - 1} of the ${sight.from}'s stream came twice and differ: one copy was changed on the path.`,
    evidence: evidenceNow(sight, 'the same sequence numbers as before, other octets'),
  };
}

function evidenceNow({ connection, from, segment }: Sight, note: string) {
  return from && segment ? [evidenceOf(connection, from, segment, note)] : [];
}

/** The octets are here: no other is needed to see that they were changed. */
const PREMISES: Premises = { toSay: [] };
const NOTHING: readonly Finding[] = [];
