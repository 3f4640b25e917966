// Clients of four networks at the place `cli`, honest ones and bots, each with an address of its own.

import { join } from 'node:path';
import type { Child } from '../../kit/process';
import { awaitWord } from '../../kit/topology';
import type { Wire } from '../../kit/wire';

/** Networks of clients: a /24 of IPv4, a /48 of IPv6. */
const NETWORKS = [0, 1, 2, 3];
const [HONEST_FROM, HONEST_TO] = [10, 14];
/** Those of bots that are made by hand lie above, and are nobody's: see bots.py. */
const [BOTS_FROM, BOTS_TO] = [100, 119];

type Family = 4 | 6;

/** Twenty, no two neighbours of one network. */
export const HONEST: readonly string[] = addresses(4, HONEST_FROM, HONEST_TO);
const HONEST6 = addresses(6, HONEST_FROM, HONEST_TO);

/** Those that can connect to that server. */
export function honestFor(server: string): readonly string[] {
  return server.includes(':') ? HONEST6 : HONEST;
}

/** To be called before ehlowire is in place. */
export function layCrowd({ ip }: Wire, { bridged }: { readonly bridged: boolean }): void {
  const all = [...HONEST, ...addresses(4, BOTS_FROM, BOTS_TO)];
  const all6 = [...HONEST6, ...addresses(6, BOTS_FROM, BOTS_TO)];
  ip('cli', ...all.map((address) => `address replace ${address}/24 dev eth0`));
  ip('cli', ...all6.map((address) => `address replace ${address}/128 dev eth0 nodad`));
  for (const network of ['198.18.0.0/16', 'fd00::/14']) {
    ip('mta', `route replace ${network} dev eth0`);
    if (bridged) ip('shim', `route replace ${network} dev br0`);
  }
}

/** What became of bots, by kind: how often it was played. */
export type Played = Readonly<Record<string, number>>;

export interface Bots {
  readonly played: Promise<Played>;
}

/** Starts bots of the kinds given, or of all kinds, for so many seconds. */
export async function startBots(
  { topology }: Wire,
  server: string,
  seconds: number,
  ...kinds: readonly string[]
): Promise<Bots> {
  const program = join(__dirname, 'bots.py');
  const child = topology.start('cli', 'python3', '-u', program, server, String(seconds), ...kinds);
  await awaitWord(child, 'ready');
  const played = child.ended.then(({ output }) => {
    const last = output.trimEnd().split('\n').at(-1) ?? '';
    if (!last.startsWith('{')) throw new Error(`the bots ended without figures: ${output}`);
    return JSON.parse(last) as Played;
  });
  played.catch(() => undefined);
  return { played };
}

/** A client that says nothing, whatever comes. */
export function linger({ topology }: Wire, from: string, server: string): Child {
  return topology.start('cli', 'python3', '-c', LINGER, from, server);
}

const LINGER = [
  'import socket, sys, time',
  's = socket.create_connection((sys.argv[2], 25), 10, (sys.argv[1], 0))',
  'time.sleep(300)',
].join('\n');

export function isHonest(address: unknown): boolean {
  return HONEST.includes(String(address)) || HONEST6.includes(String(address));
}

/** Of all networks in turn. */
function addresses(family: Family, from: number, to: number): readonly string[] {
  const hosts = Array.from({ length: to - from + 1 }, (_, i) => from + i);
  const address = (network: number, host: number): string =>
    family === 4 ? `198.18.${network}.${host}` : `fd0${network}:18::${host}`;
  return hosts.flatMap((host) => NETWORKS.map((network) => address(network, host)));
}
