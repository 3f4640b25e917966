// Probes from the wire: put out by the wan leg, which needs no address.

import { isRefusal, type Refusal } from '../native/libc';
import { openSender } from '../native/packet';
import { createProbes, type Probes as Asking } from '../sources/probes';

export interface Probes extends Asking {
  close(): void;
}

/** `device` is the interface that faces the clients. */
export function openProbes(device: string): Probes | Refusal {
  const sender = openSender(device);
  if (isRefusal(sender)) return sender;
  const put = (frame: Uint8Array): string | undefined => {
    const code = sender.send(frame);
    return code && `${device}: ${code}`;
  };
  return { ...createProbes(put), close: () => sender.close() };
}
