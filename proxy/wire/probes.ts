// Probes from the wire: put on the client's leg, which needs no address.

import { openPcap, type PcapTrouble } from '../native/libpcap';
import { createProbes, type Probes as Asking } from '../probes';

export interface Probes extends Asking {
  close(): void;
}

/** `device` is the interface that faces the clients. */
export function openProbes(device: string): Probes | PcapTrouble {
  // Only to send by: the filter lets nothing through.
  const handle = openPcap({ device, filters: ['less 0'], snaplen: 64, blockMs: 1_000, ring: 1 << 16 });
  if ('kind' in handle) return handle;
  return { ...createProbes((frame) => handle.send(frame)), close: () => handle.close() };
}
