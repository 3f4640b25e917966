// The pinned tables, as far as a status shows them.

import { isFault, type Fault } from '../../proxy/system/fault';
import { readState, type WireState as Saved } from '../../proxy/wire/state';
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
}

export type WireReading = WireState | Exclude<Pinned, { kind: 'tables' }> | Fault;

/** Faults: `library-missing`, `wire-refused`. */
export function readWire(pins: string, file: string): WireReading {
  const pinned = openPinned(pins);
  if (isFault(pinned) || pinned.kind !== 'tables') return pinned;
  try {
    return stateOf(pinned.tables, readState(file));
  } finally {
    pinned.close();
  }
}

function stateOf(tables: Tables, { servers, suspects }: Saved): WireState {
  return {
    kind: 'state',
    abi: tables.abi(),
    counters: tables.counters(),
    unheld: tables.unheld(),
    learned: { servers, suspects },
    servers: tables.servers().map(({ server, policy, lines, contradicted }) => ({
      address: server.address,
      port: server.port,
      policy,
      lines,
      contradicted,
    })),
  };
}
