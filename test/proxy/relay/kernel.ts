// What the kernel says of this process's sockets, and node of its timers: the truth that a relay's count is held against.

import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/**
 * Descriptors of this process that are TCP connections accepted on `port` or made to `upstream`: a relay's, and
 * none of its peers' in the same process.
 */
export function relaySockets(port: number, upstream: number): number {
  const inodes = new Set<string>();
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const row of readFileSync(table, 'latin1').split('\n').slice(1)) {
      const [, local = '', remote = '', state, , , , , , inode = ''] = row.trim().split(/\s+/);
      const isOurs = portOf(local) === port || portOf(remote) === upstream;
      if (isOurs && state !== LISTENING) inodes.add(inode);
    }
  }
  return descriptors().filter((target) => inodes.has(/^socket:\[(\d+)\]$/.exec(target)?.[1] ?? '')).length;
}

/** Timers that would keep this process alive. */
export function timers(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout' || kind === 'Immediate').length;
}

function descriptors(): string[] {
  return readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return '';
    }
  });
}

function portOf(address: string): number {
  return parseInt(address.split(':')[1] ?? '', 16);
}

const LISTENING = '0A';
