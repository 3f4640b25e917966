// The pinned tables, as far as a status shows them.

import { formatFault, isFault, type Fault } from '../../proxy/system/fault';
import type { Saved } from '../../proxy/servers/saved';
import { readServers, type ServersReading } from '../../proxy/servers/store';
import type { Tables } from '../../proxy/wire/tables';
import { readWire as openPinned, type Pinned } from '../../proxy/wire/wire';

export interface WireState {
  readonly kind: 'state';
  readonly abi: number;
  readonly counters: Readonly<Record<string, number>>;
  /** Servers that need an entry in the kernel's table, and there was no room. */
  readonly unheld: number;
  readonly servers: readonly {
    readonly address: string;
    readonly port: number;
    readonly policy: string;
    readonly lines: number;
    readonly contradicted: boolean;
  }[];
  /** What the process knew when it last had news. */
  readonly learned: Pick<Saved, 'servers' | 'suspects'>;
  /** Why what was learned cannot be read, or not all of it. */
  readonly unlearned?: string;
}

export type WireReading = WireState | Exclude<Pinned, { kind: 'tables' }> | Fault;

/** Faults: `library-missing`, `wire-refused`. */
export function readWire(pins: string, file: string | undefined): WireReading {
  const pinned = openPinned(pins);
  if (isFault(pinned) || pinned.kind !== 'tables') return pinned;
  try {
    return stateOf(pinned.tables, readServers(file));
  } finally {
    pinned.close();
  }
}

function stateOf(tables: Tables, { saved: { servers, suspects }, fault }: ServersReading): WireState {
  return {
    kind: 'state',
    abi: tables.abi(),
    counters: tables.counters(),
    unheld: tables.unheld(),
    learned: { servers, suspects },
    ...(fault && { unlearned: formatFault(fault) }),
    servers: tables.servers().map(({ server, policy, lines, contradicted }) => ({
      address: server.address,
      port: server.port,
      policy,
      lines,
      contradicted,
    })),
  };
}
