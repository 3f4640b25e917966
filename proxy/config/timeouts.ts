// How long the relay waits for what, and why so long.

import { MINUTE, SECOND, type Setting } from './formats';

const ROWS: readonly (readonly [name: string, ms: number, doc: string])[] = [
  ['connect', 20 * SECOND, 'To reach the upstream; then the client gets 421, before its own timeout.'],
  ['proxyHeader', 10 * SECOND, "For a trusted proxy's PROXY header, which it sends before anything else."],
  ['greeting', 6 * MINUTE, 'For the greeting (RFC: 5 min).'],
  ['hello', 6 * MINUTE, 'For the reply to EHLO or HELO (as the greeting).'],
  ['mail', 6 * MINUTE, 'For the reply to MAIL (RFC: 5 min).'],
  ['rcpt', 6 * MINUTE, 'For the reply to RCPT (RFC: 5 min).'],
  ['data', 3 * MINUTE, 'For the reply to DATA (RFC: 2 min).'],
  ['block', 4 * MINUTE, 'For the next octets of a message, and for the peer to take them (RFC: 3 min).'],
  ['message', 11 * MINUTE, 'For the reply to a whole message (RFC: 10 min).'],
  ['command', 6 * MINUTE, "For the client's next command, and for the reply to any other (RFC: 5 min)."],
  [
    'opaque',
    11 * MINUTE,
    'For either side under TLS, where the phase cannot be seen (the longest of these).',
  ],
];

export const TIMEOUTS: readonly Setting[] = ROWS.map(([name, ms, doc]) => ({
  key: `relay.timeouts.${name}`,
  format: 'duration',
  default: ms,
  shown: JSON.stringify(ms < MINUTE ? `${ms / SECOND}s` : `${ms / MINUTE}min`),
  doc,
}));
