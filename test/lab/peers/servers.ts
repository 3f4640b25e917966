// All real servers of the lab, one table, started together.

import { CLIENTS, type Client } from './clients';
import { startExim } from './exim';
import { startHaraka } from './haraka';
import { missing, type Need } from '../../kit/lab';
import type { Mailbox } from './maildir';
import { startOpenSmtpd } from './opensmtpd';
import { startPostfix } from './postfix';
import type { Server } from './server';

export interface ServerRow {
  readonly name: 'postfix' | 'postscreen' | 'exim' | 'opensmtpd' | 'haraka';
  readonly needs: readonly Need[];
  readonly starttls: boolean;
  /** CHUNKING (RFC 3030). */
  readonly chunking: boolean;
  /** Octets above 127 arrive even if the client did not announce them (RFC 6152). */
  readonly keeps8Bit: boolean;
}

/** A client and a server that understand one another, with or without STARTTLS. */
export interface Pairing {
  readonly name: string;
  readonly client: Client;
  readonly server: ServerRow;
  readonly starttls: boolean;
  readonly needs: readonly Need[];
}

/** Every client with every server, as far as both can. */
export function pairings(): readonly Pairing[] {
  return SERVERS.flatMap((server) =>
    CLIENTS.filter((client) => client.bdat !== true || server.chunking).flatMap((client) =>
      [false, true]
        .filter((tls) => (tls ? client.tls !== 'plain' && server.starttls : client.tls !== 'only'))
        .map((starttls) => {
          const name = `${client.name} to ${server.name}${starttls ? ', STARTTLS' : ''}`;
          return { name, client, server, starttls, needs: [...client.needs, ...server.needs] };
        }),
    ),
  );
}

export const SERVERS: readonly ServerRow[] = [
  { name: 'postfix', needs: ['postfix'], starttls: true, chunking: true, keeps8Bit: true },
  { name: 'postscreen', needs: ['postfix'], starttls: true, chunking: true, keeps8Bit: true },
  { name: 'exim', needs: ['exim'], starttls: true, chunking: true, keeps8Bit: true },
  { name: 'opensmtpd', needs: ['opensmtpd'], starttls: false, chunking: false, keeps8Bit: false },
  { name: 'haraka', needs: ['haraka'], starttls: true, chunking: false, keeps8Bit: true },
];

export interface Target {
  readonly host: string;
  readonly port: number;
  readonly mailbox: Mailbox;
}

export interface Servers {
  named(name: ServerRow['name']): Target;
  has(name: ServerRow['name']): boolean;
  stop(): Promise<void>;
}

/** Starts those whose needs are met; asking for another one throws. */
export async function startServers(options: { readonly greetWait?: number } = {}): Promise<Servers> {
  const running: Server[] = [];
  const targets = new Map<ServerRow['name'], Target>();
  const add = (name: ServerRow['name'], server: Server, port = server.port): void => {
    targets.set(name, { host: server.host, port, mailbox: server });
  };
  const stop = async (): Promise<void> => void (await Promise.all(running.map((server) => server.stop())));
  const keep = <T extends Server>(server: T): T => {
    running.push(server);
    return server;
  };
  const starts: readonly (readonly [Need, () => Promise<void>])[] = [
    [
      'postfix',
      async () => {
        const postfix = keep(await startPostfix({ greetWait: options.greetWait ?? 1 }));
        add('postfix', postfix);
        add('postscreen', postfix, postfix.postscreenPort);
      },
    ],
    ['exim', async () => add('exim', keep(await startExim()))],
    ['opensmtpd', async () => add('opensmtpd', keep(await startOpenSmtpd()))],
    ['haraka', async () => add('haraka', keep(await startHaraka()))],
  ];
  const wanted = starts.filter(([need]) => missing([need]) === undefined);
  const results = await Promise.allSettled(wanted.map(([, start]) => start()));
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) {
    await stop();
    throw failed.reason;
  }
  return {
    has: (name) => targets.has(name),
    named: (name) => {
      const target = targets.get(name);
      if (target === undefined) throw new Error(`${name} was not started`);
      return target;
    },
    stop,
  };
}
