// What the calls of one listener share, and what is said of one of them before its server is reached.

import type { Socket } from 'node:net';
import type { Micros } from '../../inspect/events';
import type { ProxyHeader } from '../../inspect/grammar/proxy-header';
import { factsOf } from '../../inspect/smtp/proxy-header';
import type { SessionOptions } from '../../inspect/smtp/session';
import type { Config, ListenerConfig } from '../config/config';
import type { PolicyInForce } from '../config/reload';
import type { Fault } from '../system/fault';
import { type Address, SUBMISSIONS } from '../system/address';
import type { Servers } from '../servers/servers';
import type { Connection, Sink } from '../sinks/record';
import type { Ends, Target, Upstream } from '../sockets/upstream';
import type { RelayCapture } from './capture';
import type { Idlers } from './idlers';
import type { Excess } from '../../inspect/policy/limits-of-load';
import type { Endpoint } from '../../inspect/address';
import ipaddr from 'ipaddr.js';

/** A client that was let in. Its addresses may come from a PROXY header. */
export interface Caller extends Ends {
  readonly socket: Socket;
  /** The connection's name in the record. */
  readonly session: string;
  /** The PROXY header that the connection began with, where one was agreed. */
  readonly proxy: ProxyHeader | undefined;
  readonly opened: Micros;
  /** A limit that it met when it came in, where that is only observed. */
  readonly observed: Excess | undefined;
  /** It is ended for its errors. */
  readonly offend: () => void;
}

/** What the calls of one listener share. */
export interface CallContext {
  readonly listener: ListenerConfig;
  readonly upstream: Upstream;
  readonly config: Config;
  /** The rules that hold now: those of `config` may have been replaced. */
  readonly policy: PolicyInForce;
  readonly sink: Sink;
  readonly servers: Servers;
  readonly watch: RelayCapture;
  readonly idlers: Idlers;
  readonly nextSession: () => string;
  readonly onUnreachable: (fault: Fault, connection: Connection) => void;
}

/** A connection before its server is reached. */
export function connectionOf(caller: Caller, route: CallContext): Connection {
  const { session } = caller;
  return { session, path: 'relay', client: caller.client, server: route.upstream.targetOf(caller).endpoint };
}

/** What the record of a connection begins with. */
export function beginningOf({ opened, proxy }: Caller): Pick<SessionOptions, 'started' | 'proxy'> {
  return { started: opened, ...(proxy && { proxy: factsOf(proxy) }) };
}

/** The name that ehlowire gives to clients of this server. */
export function nameOf({ address, endpoint }: Target, { config }: CallContext): string {
  return hostnameFor(config.greeting.hostname, address, endpoint);
}

/** RFC 8314 §3.3: on 465 the client speaks first, and in TLS; a line of ours would only be noise. */
export function isImplicitTls({ address }: Target, { listener }: CallContext): boolean {
  const { listen, upstream, tls } = listener;
  if (tls === 'implicit') return true;
  return address.port === SUBMISSIONS || (upstream !== undefined && listen.port === SUBMISSIONS);
}

/** The configured one, else the name the server was given as, else its address as a literal (RFC 5321 §4.1.3). */
export function hostnameFor(configured: string, upstream: Address, endpoint: Endpoint): string {
  if (configured !== '') return configured;
  if (upstream.host !== '' && !ipaddr.isValid(upstream.host)) return upstream.host.replace(/\.$/, '');
  const { address } = endpoint;
  return address.includes(':') ? `[IPv6:${address}]` : `[${address}]`;
}
