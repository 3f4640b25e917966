// Early talker: octets before the greeting was complete (RFC 5321 §3.1). Spam software does it, and broken repairs.

import type { Finding, Premises } from '../coverage/finding';
import type { Evidence } from '../events';
import { evidenceOf, type JudgeInput } from '../tcp/view';
import { type Cause, MISSED } from './judge';

/** Whatever is missing may have been the greeting. */
const PREMISES: Premises = { toSay: ['handshake', 'client-octets', 'server-octets', 'nothing-missed'] };

export function createEarly(): EarlyState {
  return { first: undefined };
}

export interface EarlyState {
  /** The client's first octets. */
  first: Evidence | undefined;
}

export function judgeEarly(state: EarlyState, input: JudgeInput): readonly Finding[] {
  const { smtp, connection, from, segment } = input;
  // What the client said first is known to be early only when its EHLO is answered: some servers have agreed to it.
  if (!state.first && from === 'client' && segment && segment.length > 0) {
    state.first = evidenceOf(connection, from, segment, 'octets before the greeting’s last line');
  }
  if (smtp.length === 0) return NOTHING;
  const early = smtp.find((event) => event.kind === 'anomaly' && event.anomaly === 'early-talker');
  // Where the capture has nothing of the server's, it is not known what the client had received.
  if (early?.kind !== 'anomaly' || connection.server.stream.sent === 0) return NOTHING;
  return [
    {
      at: early.at,
      verdict: 'early-talker',
      worth: 'proved',
      premises: PREMISES,
      proof: 'sequence',
      where: 'before',
      summary:
        'The client spoke before the greeting was complete; postscreen and others refuse such clients.',
      evidence: state.first ? [state.first] : [],
    },
  ];
}

const NOTHING: readonly Finding[] = [];

/** A client that does not wait for the greeting. */
export const EARLY_CAUSE: Cause = {
  rank: 3,
  what: 'clients spoke before the greeting',
  next: 'these are mostly spam engines; nothing on the path is to blame',
  suspect: 'client',
  recheck: 'The client’s first octets come before the last line of the greeting.',
  ruledOut: [],
  open: [MISSED],
};
