// The configuration: defaults, file, environment and flags, in rising order; the sole reader of the first three.

import type { Address, Network } from './address';
import type { Level } from './sinks/record';

/** DESIGN §6: complete an unfinished greeting after patience and remember, at once, or not at all. */
export type Repair = 'learn' | 'now' | 'never';

export interface ListenerConfig {
  readonly listen: Address;
  readonly upstream: Address;
  readonly repair: Repair;
  /** Clients send a PROXY header: believed from `trustedProxies`, refused from everyone else. */
  readonly proxyIn: boolean;
  /** The PROXY header that the upstream is sent. */
  readonly proxyOut: 'v1' | 'v2' | undefined;
}

/** How long the relay waits in each phase before it ends the connection, in milliseconds. */
export interface TimeoutsMs {
  readonly connect: number;
  readonly proxyHeader: number;
  readonly greeting: number;
  readonly hello: number;
  readonly mail: number;
  readonly rcpt: number;
  readonly data: number;
  readonly block: number;
  readonly message: number;
  readonly command: number;
  readonly opaque: number;
}

export interface Config {
  readonly log: {
    /** Standard output where absent. */
    readonly file: string | undefined;
    readonly format: 'auto' | 'json' | 'pretty';
    readonly level: Level;
  };
  readonly greeting: {
    readonly repair: Repair;
    readonly patienceMs: number;
    /** The name in a completing line where the server's own greeting has none. */
    readonly hostname: string;
  };
  readonly relay: {
    readonly listeners: readonly ListenerConfig[];
    readonly trustedProxies: readonly Network[];
    readonly maxConnections: number;
    readonly maxConnectionsPerClient: number;
    readonly drainMs: number;
    readonly timeoutsMs: TimeoutsMs;
  };
}
