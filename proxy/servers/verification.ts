// A connection of our own to a server: its greeting is read, QUIT is sent, and nothing else.

import type { Socket } from 'node:net';
import type { Micros } from '../../inspect/events';
import { createGreeter, type Greeter } from '../../inspect/greeting/greeter';
import { formatLocalHeader, formatProxyHeader } from '../../inspect/grammar/proxy-header';
import type { Verification } from '../../inspect/greeting/lesson';
import { codeAt } from '../../inspect/greeting/lines';
import { steady } from '../system/clock';
import type { ListenerConfig } from '../config/config';
import { formatFault, isFault, type Fault } from '../system/fault';
import { localEndpoint } from '../sockets/endpoint';
import { cut, dismiss, type Sockets } from '../sockets/linger';
import { connectMarked } from '../sockets/transparent';
import { connectUpstream } from '../sockets/upstream';
import type { Endpoint } from '../../inspect/address';

export interface VerifyOptions {
  readonly server: Endpoint;
  readonly sockets: Sockets;
  readonly connectMs: number;
  /** Firewall mark of its packets; 0: none. */
  readonly mark: number;
  /** How long the greeting may stand still, from its last octet. */
  readonly wait: Micros;
  /** What the server expects in front of the dialogue, such as a PROXY header for these two ends. */
  readonly header?: ((own: Endpoint, server: Endpoint) => Uint8Array) | undefined;
  /** From here on segments with this address and port are ours. */
  onOpen(own: Endpoint): void;
  /** Called once, unless `abort` came first. */
  done(result: Verification): void;
}

/** Of the PROXY header that a listener's server is sent. */
export type ProxyVersion = NonNullable<ListenerConfig['proxyOut']>;

/** What a connection of our own to such a server begins with: it is ehlowire's own (LOCAL, in v2). */
export function ownHeader(version: ProxyVersion): NonNullable<VerifyOptions['header']> {
  return (own, server) => (version === 'v1' ? formatProxyHeader(1, own, server) : formatLocalHeader());
}

export interface Verifier {
  abort(): void;
}

export type VerifyServer = (options: VerifyOptions) => Verifier;

export const verifyServer: VerifyServer = (options) => {
  const { server, sockets, connectMs, mark, header } = options;
  const address = { host: server.address, port: server.port };
  let end: (() => void) | undefined;
  const take = (socket: Socket | Fault): void => {
    if (isFault(socket)) return options.done({ kind: 'unreachable', why: formatFault(socket) });
    const own = localEndpoint(socket);
    if (own === undefined) {
      cut(socket);
      return options.done({ kind: 'unreachable', why: 'the connection was lost at once' });
    }
    options.onOpen(own);
    if (header !== undefined) socket.write(header(own, server));
    end = readGreeting(socket, options);
  };
  const cancel =
    mark === 0
      ? connectUpstream(address, connectMs, sockets, take)
      : connectMarked(server, mark, connectMs, sockets, take);
  return {
    abort() {
      cancel();
      end?.();
    },
  };
};

/** Answers how to give up. */
function readGreeting(socket: Socket, { wait, done }: VerifyOptions): () => void {
  const greeter = createGreeter({ mode: 'never', patience: wait, hostname: '', opened: steady() });
  let octets = 0;
  let code = 0;
  let over = false;
  const finish = (result: Verification): void => {
    if (over) return;
    over = true;
    clearTimeout(timer);
    // RFC 5321 §4.1.1.10: a client leaves with QUIT; the answer is not needed.
    dismiss(socket, result.kind === 'greeted' ? 'QUIT\r\n' : '', QUIT_MS);
    done(result);
  };
  const take = (actions: ReturnType<Greeter['idle']>): void => {
    for (const action of actions) {
      if (action.kind !== 'lesson' || action.lesson.kind === 'doubt') continue;
      return finish({ kind: 'greeted', finding: action.lesson.finding });
    }
    if (octets > MOST)
      return finish({ kind: 'unreachable', why: `its greeting has more than ${MOST} octets` });
    if (greeter.isDone())
      return finish({ kind: 'unreachable', why: code > 0 ? `it refused with ${code}` : 'it does not greet' });
  };
  // A timer that is late may find octets that came in time: they are read first.
  const look = (): void => void setImmediate(() => !over && take(greeter.idle(steady())));
  let timer = setTimeout(
    () => finish({ kind: 'unreachable', why: `no greeting within ${SILENCE_MS / 1000} s` }),
    SILENCE_MS,
  );
  socket.on('data', (bytes) => {
    if (over) return;
    if (octets === 0) code = codeAt(bytes, 0);
    octets += bytes.length;
    take(greeter.server(bytes, steady()));
    const due = greeter.deadline();
    if (over || due === undefined) return;
    clearTimeout(timer);
    timer = setTimeout(look, Math.ceil((due - steady()) / 1000) + 1);
  });
  const lost = (): void =>
    finish({ kind: 'unreachable', why: 'it closed the connection within its greeting' });
  socket.on('end', lost).on('close', lost);
  return () => {
    over = true;
    clearTimeout(timer);
    cut(socket);
  };
}

/** A server that has not begun to greet by then says nothing of how it ends its greetings. */
const SILENCE_MS = 60_000;
const QUIT_MS = 2_000;
/** Any greeting is shorter: see GREETING in inspect/limits.ts. */
const MOST = 65_536;
