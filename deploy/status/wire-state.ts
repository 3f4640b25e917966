// What is pinned, as far as a status tells of it.

import type { Tables } from '../../proxy/wire/tables';
import { readWire as openPinned } from '../../proxy/wire/wire';

export interface WireState {
  readonly abi: number;
  readonly counters: Readonly<Record<string, number>>;
  readonly servers: readonly {
    readonly address: string;
    readonly port: number;
    readonly policy: string;
    readonly lines: number;
    readonly contradicted: boolean;
  }[];
}

export function readWire(pins: string): WireState | undefined {
  const pinned = openPinned(pins);
  if (pinned === undefined) return undefined;
  try {
    return stateOf(pinned.tables);
  } finally {
    pinned.close();
  }
}

function stateOf(tables: Tables): WireState {
  return {
    abi: tables.abi(),
    counters: tables.counters(),
    servers: tables.servers().map(({ server, policy, lines, contradicted }) => ({
      address: server.address,
      port: server.port,
      policy,
      lines,
      contradicted,
    })),
  };
}
