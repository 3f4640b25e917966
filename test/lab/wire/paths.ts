// Ways of being between clients and servers in the lab: a plain relay in front, the wire, and auto.

import { join } from 'node:path';
import { formatAddress } from '../../../proxy/system/address';
import { launcher } from '../../kit/launcher';
import { until, type Child } from '../../kit/process';
import { ADDRESS } from '../../kit/topology';
import { makeWire, type Wire } from '../../kit/wire';
import { layCrowd } from './crowd';

export interface Path {
  readonly name: string;
  readonly bridge: 'none' | 'addresses';
  /** Default: bridge. */
  readonly as?: 'bridge' | 'host';
  /** Of `ehlowire bridge` or `host`; undefined: a plain `ehlowire relay`, at an address of its own for each server. */
  readonly flags: readonly string[] | undefined;
}

export const RELAY: Path = { name: 'relay', bridge: 'addresses', flags: undefined };
export const WIRE: Path = { name: 'wire', bridge: 'addresses', flags: ['--path', 'wire'] };
export const AUTO: Path = { name: 'auto', bridge: 'addresses', flags: ['--path', 'auto'] };
/** ehlowire cannot connect to a server itself. */
export const BLIND: Path = { name: 'wire without an address', bridge: 'none', flags: ['--path', 'wire'] };
/** On the mail server itself. */
export const HOST: Path = { name: 'host', bridge: 'none', as: 'host', flags: [] };

export interface Way {
  readonly wire: Wire;
  /** Where clients of a server connect. */
  frontOf(server: string): string;
  /** ehlowire, in place when this resolves. */
  enter(...args: readonly string[]): Promise<Child>;
}

/** For these servers, with a crowd of clients; the greeting's patience in seconds. */
export function makeWay(
  label: string,
  { bridge, as = 'bridge', flags }: Path,
  servers: readonly string[],
  patience: number,
): Way {
  const wire = makeWire(label, { bridge, as });
  layCrowd(wire, { bridged: bridge === 'addresses' });
  const front = (server: string): string =>
    server.includes(':') ? ADDRESS.shim6 : (ADDRESS.shim[servers.indexOf(server)] ?? '');
  const frontOf = (server: string): string => (flags === undefined ? front(server) : server);
  const settings = ['--set', `greeting.patience=${patience}s`];
  const pairs = servers.flatMap((server) => [
    '--listen',
    formatAddress({ host: frontOf(server), port: 25 }),
    '--upstream',
    formatAddress({ host: server, port: 25 }),
  ]);
  const listening = (): number => wire.events().filter(({ event }) => event === 'listening').length;
  const relay = async (...args: readonly string[]): Promise<Child> => {
    const wanted = listening() + servers.length;
    const own = ['--log', join(wire.folder, 'events'), '--set', `relay.state=${join(wire.folder, 'relays')}`];
    const child = wire.topology.start('shim', launcher(), 'relay', ...pairs, ...own, ...settings, ...args);
    await until('the relay to listen', () => listening() >= wanted || undefined, 30_000);
    return child;
  };
  return {
    wire,
    frontOf,
    enter: (...args) => (flags === undefined ? relay(...args) : wire.enter(...flags, ...settings, ...args)),
  };
}
