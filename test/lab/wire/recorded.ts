// Sessions that were recorded for certain: a ring that is more than half full records none that begin.

import * as assert from 'uvu/assert';
import type { LogLine } from '../../kit/ehlowire';
import { startLoad, type Wire } from '../../kit/wire';

/**
 * At a server that has no other clients, one after the other, until so many were recorded and read: their lines. All that
 * was recorded before them is read by then.
 */
export async function playRecorded(wire: Wire, server: string, wanted: number): Promise<readonly LogLine[]> {
  const known = sessionsAt(wire, server).length;
  for (let missing = wanted; missing > 0;) {
    const before = await counter(wire, 'unwatched');
    const tally = await startLoad(wire, server, { connections: 1, pace: 0, sessions: missing }).ended;
    assert.equal(tally, { fine: missing, messages: 2 * missing, failed: {} });
    missing = (await counter(wire, 'unwatched')) - before;
  }
  const read = (): readonly LogLine[] => sessionsAt(wire, server).slice(known);
  await wire.line(`${wanted} sessions at ${server}`, () => read().length >= wanted, PATIENCE_MS);
  return read();
}

export async function counter({ status }: Wire, name: string): Promise<number> {
  return (await status()).counters[name] ?? 0;
}

function sessionsAt({ events }: Wire, server: string): readonly LogLine[] {
  return events().filter((line) => line.event === 'session' && line['server.address'] === server);
}

/** On a machine that has much else to do. */
const PATIENCE_MS = 60_000;
