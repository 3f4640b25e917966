// What a measurement needs of TCP: connections out and in, and who hears them.

import type { Endpoint } from '../../inspect/address';
import type { Micros } from '../../inspect/events';
import type { Fault } from '../system/fault';

/** One end of a connection. */
export interface Link {
  /** Octets that do not change any more; they go out in this order. */
  send(octets: readonly Uint8Array[]): void;
  /** Begins TLS. The certificate is not judged: a mail client does not either (RFC 7435). */
  secure(serverName: string | undefined): void;
  close(): void;
}

/** Hears a connection; times are those of `steady`. Nothing is heard behind `close`. */
export interface Peer {
  /** A connection out was made. */
  opened(at: Micros): void;
  /** Valid until it returns. */
  octets(octets: Uint8Array, at: Micros): void;
  secured(at: Micros): void;
  /** Once: `closed` by the other side, or the system's name of an error. The link is closed. */
  ended(cause: string, at: Micros): void;
}

export interface Network {
  connect(to: Endpoint, peer: Peer): Link;
  /** `accept` says who hears a new connection. Faults: those of listening. */
  listen(at: Endpoint, accept: (link: Link) => Peer): Promise<Endpoint | Fault>;
  /** Takes no more connections. */
  end(): void;
}

const none = (): void => undefined;

/** Hears nothing: for a connection whose peer is not known yet. */
export const SILENT: Peer = { opened: none, octets: none, secured: none, ended: none };
