// Settings of the kernel below /proc/sys.

import { readFileSync, writeFileSync } from 'node:fs';
import { createFault, errno, type Fault } from '../../proxy/system/fault';

/** Its value, or undefined where this kernel or interface has no such setting. `key`: `net/ipv4/ip_forward`. */
export function readSysctl(key: string): string | undefined {
  try {
    return readFileSync(sysctlFile(key), 'utf8').trim();
  } catch {
    return undefined;
  }
}

export function writeSysctl(key: string, value: string): Fault | undefined {
  try {
    writeFileSync(sysctlFile(key), value);
    return undefined;
  } catch (cause) {
    const code = errno(cause);
    const fix = READ_ONLY.has(code)
      ? 'needs root, and a /proc/sys that may be written'
      : `the system said ${code}`;
    return createFault('network-refused', `sysctl ${key} = ${value}`, { fix, cause });
  }
}

export function sysctlFile(key: string): string {
  return `${ROOT}/${key}`;
}

const ROOT = '/proc/sys';
const READ_ONLY: ReadonlySet<string> = new Set(['EACCES', 'EPERM', 'EROFS']);
