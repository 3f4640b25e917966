// The file system that what is pinned lives in.

import { statfsSync } from 'node:fs';

/** Where it is mounted on every machine with systemd. */
export const BPFFS = '/sys/fs/bpf';

/** Whether a path, which must exist, lies in one. */
export function isBpffs(path: string): boolean {
  return statfsSync(path).type === MAGIC;
}

/** BPF_FS_MAGIC of linux/magic.h. */
const MAGIC = 0xcafe_4a11;
