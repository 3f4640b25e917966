// What this process may do, as the kernel counts it: its effective capabilities.

import { readFileSync } from 'node:fs';

/** By the numbers of linux/capability.h, as bits; undefined where there is no /proc to tell. Source: proc(5), CapEff. */
export function readCapabilities(): bigint | undefined {
  try {
    const [, hex] = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'latin1')) ?? [];
    return hex === undefined ? undefined : BigInt(`0x${hex}`);
  } catch {
    return undefined;
  }
}

/** `bit`: its number in linux/capability.h. */
export function hasCapability(capabilities: bigint, bit: number): boolean {
  return ((capabilities >> BigInt(bit)) & 1n) === 1n;
}
