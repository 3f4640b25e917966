// Where the mail servers lie that Debian does not install beside Postfix; .ci/peers puts them there.

import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** The folder of the unpacked packages, one subfolder each; `LAB_PEERS` overrides. */
function peersFolder(): string {
  return process.env['LAB_PEERS'] ?? '/var/cache/ehlowire-lab/peers';
}

/** The path of a file of an unpacked package, whether it is there or not. */
export function peerPath(name: string, path: string): string {
  return join(peersFolder(), name, path);
}

export function hasPeer(name: string, path: string): boolean {
  return existsSync(peerPath(name, path));
}
