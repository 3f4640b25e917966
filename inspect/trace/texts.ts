// Words of the sentences: tests and places.

import type { Place, Test } from './sent';

/** What was sent, in the middle of a sentence. */
export const TEST_TEXTS: Readonly<Record<Test, string>> = {
  control: 'the control segment',
  ehlo: 'EHLO',
  syn: 'SYN',
  echo: 'an echo request',
  helo: 'HELO',
  'ehlo-lower': 'ehlo in lower case',
  'ehlo-split': 'EHLO in two segments',
  starttls: 'STARTTLS',
  'mail-size': 'MAIL with a large SIZE',
  'tls-hello': 'a TLS ClientHello',
  'half-size': 'a segment of 512 octets',
  'full-size': 'a full-size segment',
};

/** `between hop 2 and hop 3, or at hop 3`: a hop that drops on arrival looks like the link before it. */
export function placeText(place: Place, distance: number | undefined): string {
  if (place.kind === 'hop') return `at ${hopText(place.hop, distance)}`;
  const { from, to } = place;
  if (to === undefined) return `behind ${hopText(from, distance)}`;
  const start = from === 0 ? 'this machine' : hopText(from, distance);
  if (to === distance) return `between ${start} and the server`;
  return `between ${start} and ${hopText(to, distance)}, or at ${hopText(to, distance)}`;
}

function hopText(hop: number, distance: number | undefined): string {
  if (hop === 0) return 'this machine';
  return hop === distance ? 'the server' : `hop ${hop}`;
}

export function between(from: number, to: number | undefined): Place {
  return { kind: 'between', from, to };
}

/** `A, B and C`. */
export function listText(items: readonly (string | number)[]): string {
  const last = items.at(-1) ?? '';
  return items.length < 2 ? `${last}` : `${items.slice(0, -1).join(', ')} and ${last}`;
}
