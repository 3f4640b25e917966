// The words in which the fault matrix is written: expectations, firewalls, clients, rows.

import type { Certainty, VerdictName } from '../../../inspect/events';
import type { Expected } from './evaluate';
import type { Client, Firewall, Row, Server } from './row';

/** `EHLO client.example` and CRLF. */
export const HELLO = 21;

export const proved = (verdict: VerdictName, more: Partial<Expected> = {}): Expected =>
  say(verdict, 'proved', more);
export const suspected = (verdict: VerdictName, more: Partial<Expected> = {}): Expected =>
  say(verdict, 'suspected', more);

function say(verdict: VerdictName, certainty: Certainty, more: Partial<Expected>): Expected {
  return { verdict, certainty, ...more };
}

export const wire = (...faults: readonly string[]): Firewall => ({ kind: 'wire', faults });
export const script = (...steps: readonly string[]): Client => ({ kind: 'script', steps });
export const swaks = (patience = 20): Client => ({ kind: 'swaks', patience });
export const smtplib = (octets: number, patience = 20): Client => ({ kind: 'smtplib', octets, patience });

/** Says EHLO and waits for its answer. */
export const HELLO_AND_WAIT = script('greeting', 'say:EHLO client.example', 'wait:6', 'close');
export const HELLO_AND_ABORT = script('greeting', 'say:EHLO client.example', 'wait:4', 'abort');

export const DNAT = 'dnat:public=198.18.0.250,inside=198.19.0.4';

/** As seen from the other side of the firewall: what came from there, and did not get through. */
export const BEYOND = { where: 'beyond' } as const;

type Rest = Omit<Row, 'name' | 'kind' | 'firewall' | 'server' | 'client' | 'inside'>;

export function row(
  kind: Row['kind'],
  name: string,
  [firewall, server, client]: readonly [Firewall, Server, Client],
  inside: readonly Expected[],
  rest: Rest = {},
): Row {
  return { name, kind, firewall, server, client, inside, ...rest };
}
