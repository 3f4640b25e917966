// The file system that what is pinned lives in.

import { execFileSync } from 'node:child_process';
import { statfsSync } from 'node:fs';

/** Where it is mounted on every machine with systemd. */
export const BPFFS = '/sys/fs/bpf';

/** Whether a path, which must exist, lies in one. */
export function isBpffs(path: string): boolean {
  return statfsSync(path).type === MAGIC;
}

/** Mounts it where it belongs, if it is not there. Throws what the system said. */
export function mountBpffs(): void {
  if (!isBpffs(BPFFS)) execFileSync('flock', [LOCK, 'sh', '-c', MOUNT], { stdio: 'pipe' });
}

/** BPF_FS_MAGIC of linux/magic.h. */
const MAGIC = 0xcafe_4a11;
/** Of two mounts the later one would hide what was pinned in the earlier: looked at and mounted under one lock. */
const LOCK = '/sys/fs';
const MOUNT = `[ "$(stat -f -c %t ${BPFFS})" = ${MAGIC.toString(16)} ] || exec mount -t bpf bpf ${BPFFS}`;
