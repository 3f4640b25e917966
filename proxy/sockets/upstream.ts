// The way to the mail server: its name, its addresses, and a connection within its time.

import { lookup } from 'node:dns/promises';
import { connect, type Socket } from 'node:net';
import { type Address, formatAddress } from '../system/address';
import type { Endpoint } from '../../inspect/address';
import { connectFault, createFault, isFault, type Fault } from '../system/fault';
import { cut, type Sockets } from './linger';

/** Who calls, and whom: what the client's own connection, or its PROXY header, says. */
export interface Ends {
  readonly client: Endpoint;
  /** Where the client thinks it is connected to. */
  readonly destination: Endpoint;
}

/** The mail server of one call. */
export interface Target {
  /** As it was given: a name, or an address. */
  readonly address: Address;
  /** For records of connections that never reached it: where it was found at the start. */
  readonly endpoint: Endpoint;
}

/** How the calls of one listener reach their server. */
export interface Upstream {
  targetOf(ends: Ends): Target;
  /** `done` is called once, unless the returned function is called before: it gives up. */
  connect(ends: Ends, timeoutMs: number, done: (result: Socket | Fault) => void): () => void;
  /** Whether a connection that was accepted is one that we made: then it must go no further. */
  isOurs(ends: Ends): boolean;
  /** What the server's name led to at the start; none where every call has its own server. */
  readonly addresses: readonly string[];
}

/** Looks the name up once, so that a typo is found at the start and not by the first client. */
export async function resolveUpstream(address: Address, sockets: Sockets): Promise<Upstream | Fault> {
  try {
    const found = await lookup(hostOf(address), { all: true });
    const addresses = found.map((each) => each.address);
    const target: Target = { address, endpoint: { address: addresses[0] ?? '', port: address.port } };
    return {
      addresses,
      targetOf: () => target,
      connect: (_ends, timeoutMs, done) => connectUpstream(address, timeoutMs, sockets, done),
      isOurs: () => false,
    };
  } catch (error) {
    return connectFault(address.host, error);
  }
}

/** A connection to a server. Its name is looked up again, and where it has several addresses they are tried in turn (RFC 8305). */
export function connectUpstream(
  address: Address,
  timeoutMs: number,
  sockets: Sockets,
  done: (result: Socket | Fault) => void,
): () => void {
  const socket = connect({
    host: hostOf(address),
    port: address.port,
    allowHalfOpen: true,
    autoSelectFamily: true,
    autoSelectFamilyAttemptTimeout: ATTEMPT_MS,
    noDelay: true,
  });
  // An attempt that is given up may still fail: that is ignored.
  sockets.keep(socket);
  const finish = (result: Socket | Fault | undefined): void => {
    clearTimeout(timer);
    socket.off('connect', onConnect);
    socket.off('error', onError);
    if (result === undefined || isFault(result)) cut(socket);
    if (result !== undefined) done(result);
  };
  const onConnect = (): void => finish(socket);
  const onError = (error: Error): void => finish(connectFault(formatAddress(address), error));
  const timer = setTimeout(() => finish(createFault('timed-out', formatAddress(address))), timeoutMs);
  socket.once('connect', onConnect);
  socket.once('error', onError);
  return () => finish(undefined);
}

/** An empty host means this machine. */
function hostOf({ host }: Address): string {
  return host === '' ? 'localhost' : host;
}

/** Before the next address is tried: time for one SYN to be lost (RFC 6298 §2.1). */
const ATTEMPT_MS = 1_500;
