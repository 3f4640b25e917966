// Evidence leaves the house: what it says names neither people nor secrets.

import type { VerdictEvent } from '../../../inspect/events';

/** What a capture says of itself: its verdicts, a line each. */
export function commentOf(verdicts: readonly VerdictEvent[]): string {
  return verdicts
    .map(({ verdict, certainty, summary }) => `${verdict} (${certainty}): ${withoutNames(summary)}`)
    .join('\n');
}

/** Summaries may quote a masked line or an address: what leaves the house names neither people nor secrets. */
export function withoutNames(text: string): string {
  return text
    .replace(/"(X{4,}[A-Z]?)[^"]*"/g, '"$1"')
    .replace(/<[^<>\s]*>/g, '<…>')
    .replace(/[^\s"<>@]+@[^\s"<>@]+/g, '…@…')
    .replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ');
}
