// The network as it is, as far as a bridge is planned from it.

import { isFault, type Fault } from '../../proxy/system/fault';
import { readAddresses, readLinks, readRoutes, type Address, type Link, type Route } from '../network/links';
import { runTool } from '../network/tools';

export interface Facts {
  readonly links: ReadonlyMap<string, Link>;
  readonly routes: readonly Route[];
  readonly addresses: ReadonlyMap<string, readonly Address[]>;
  /** Interfaces whose large receive offload is on. Undefined: ethtool is missing, and it is not known. */
  readonly lro: ReadonlySet<string> | undefined;
}

/** `devices`: those whose addresses and offloads are wanted, if they are there. */
export function readFacts(devices: readonly string[]): Facts | Fault {
  const links = readLinks();
  if (isFault(links)) return links;
  const names = devices.filter((device) => links.some(({ name }) => name === device));
  const addresses = new Map<string, readonly Address[]>();
  for (const name of names) {
    const found = readAddresses(name);
    if (isFault(found)) return found;
    addresses.set(name, found);
  }
  const routes: Route[] = [];
  for (const family of [4, 6] as const) {
    const found = readRoutes(family);
    if (isFault(found)) return found;
    routes.push(...found);
  }
  return { links: new Map(links.map((link) => [link.name, link])), routes, addresses, lro: readLro(names) };
}

function readLro(names: readonly string[]): ReadonlySet<string> | undefined {
  const on = new Set<string>();
  for (const name of names) {
    const answer = runTool('ethtool', ['-k', name]);
    if (isFault(answer)) {
      if (answer.code === 'tool-missing') return undefined;
      continue;
    }
    if (/^large-receive-offload: on/m.test(answer)) on.add(name);
  }
  return on;
}
