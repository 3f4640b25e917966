// What became of the connections, in words: a row for each kind that there is.

import { plural } from '../../sinks/wording';
import type { Outcome } from './outcome';
import type { Summary } from './summary';

/** `untold`: half-open connections that were only counted. */
export function outcomeRows(
  { outcomes, refusals }: Pick<Summary, 'outcomes' | 'refusals'>,
  untold: number,
): readonly string[] {
  return ORDER.flatMap((outcome) => {
    const count = (outcomes.get(outcome) ?? 0) + (outcome === 'half-open' ? untold : 0);
    if (count === 0) return [];
    const codes = outcome === 'refused' ? `: ${refusalText(refusals)}` : '';
    return [`${count.toLocaleString('en').padStart(7)}  ${WORDS[outcome]}${codes}`];
  });
}

/** `554 in place of a greeting (3), 550 to rcpt (1)` */
export function refusalText(refusals: Summary['refusals']): string {
  const sorted = [...refusals].sort(([, a], [, b]) => b - a);
  const shown = sorted.slice(0, REFUSALS).map(([key, count]) => {
    const [code = '', phase = ''] = key.split(' ');
    return `${code} ${phase === 'greeting' ? 'in place of a greeting' : `to ${phase}`} (${count})`;
  });
  const rest = sorted.length - shown.length;
  return [...shown, ...(rest > 0 ? [`and ${plural(rest, 'kind')} more`] : [])].join(', ');
}

const WORDS: Readonly<Record<Outcome, string>> = {
  delivered: 'delivered a message',
  finished: 'ended with QUIT, without a message',
  tls: 'went on in TLS: what was said there is not known',
  refused: 'refused by the server',
  left: 'greeted, and left by the client at once: health checks do that',
  silent: 'greeted, and then nothing came from the client',
  ungreeted: 'connected, and no whole greeting came',
  rejected: 'refused by a reset: SYN answered by RST',
  unanswered: 'SYN never answered',
  'half-open': 'SYN answered, and the client did not go on: a scan, most likely',
  stalled: 'the client spoke, and was not answered any more',
  reset: 'reset in the midst of the dialogue',
  broken: 'closed without QUIT',
  open: 'still open when the capture ended',
  partial: 'seen in part: how they went is not known',
};

const ORDER: readonly Outcome[] = [
  ...(['delivered', 'finished', 'tls', 'refused', 'left', 'silent', 'ungreeted'] as const),
  ...(['rejected', 'unanswered', 'half-open', 'stalled', 'reset', 'broken', 'open', 'partial'] as const),
];
const REFUSALS = 4;
