// One row of the fault matrix: who talks to whom through which firewall, and what each vantage point should say.

import type { Expected } from './evaluate';
import type { SERVERS } from './mta';

export type Server = keyof typeof SERVERS;

export type Firewall =
  /** A wire with faults: see firewall_faults.py. None: an honest wire. */
  | { readonly kind: 'wire'; readonly faults: readonly string[] }
  /** A router that accepts connections itself and makes its own to the server. */
  | { readonly kind: 'proxy' }
  /** A router whose kernel shakes hands for the server (nftables synproxy). */
  | { readonly kind: 'synproxy' };

export type Client =
  /** Delivers a message; gives up after `patience` seconds of silence. */
  | { readonly kind: 'swaks'; readonly patience: number }
  /** Delivers a message of that many octets. */
  | { readonly kind: 'smtplib'; readonly octets: number; readonly patience: number }
  /** Steps of client.py. */
  | { readonly kind: 'script'; readonly steps: readonly string[] };

export interface Row {
  readonly name: string;
  /** A control is healthy, or sick of something that is not the path's fault. */
  readonly kind: 'fault' | 'control';
  readonly firewall: Firewall;
  readonly server: Server;
  readonly client: Client;
  /** The client uses the address that the firewall translates. */
  readonly translated?: true;
  /** Offline, from a recording at the shim: one point, inside of the firewall, nobody probes. */
  readonly inside: readonly Expected[];
  /** Offline, from a recording at the client's side of the firewall, alone. */
  readonly outside?: readonly Expected[];
  /** Live through the relay on the shim, whose kernel probes; absent: not run. */
  readonly live?: readonly Expected[];
  /** On the wire path, which is told every segment and asks silent clients by itself; absent: as live, or else as inside. */
  readonly wire?: readonly Expected[];
  /** Its client is silent so long that the wire asks it. */
  readonly asked?: true;
  /** Played again where the cards divide and add up (TSO, GRO, checksums). */
  readonly offloads?: true;
  /** From two recordings, outside and inside of the firewall. */
  readonly twoPoint?: readonly Expected[];
  /** Why the inside says no more than that. */
  readonly because?: string;
}
