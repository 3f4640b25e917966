// The bpffs is mounted once, however many processes find it missing at the same time.

import { execFileSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { skip } from '../../kit/lab';
import { scratch } from '../../kit/process';

const BPFFS = join(__dirname, '../../../proxy/wire/attachment.ts');
/** In a view of the machine of its own, without a bpffs; it says how many there are in the end. */
const SCRIPT = `
  while grep -q ' /sys/fs/bpf ' /proc/self/mountinfo; do umount -l /sys/fs/bpf; done
  for each in 1 2 3; do "$0" -r ts-node/register/transpile-only -e 'require(process.argv[1]).mountBpffs()' "$1" & done
  wait
  grep -c ' /sys/fs/bpf ' /proc/self/mountinfo`;
/** So slow that the others have looked before it is done. */
const MOUNT = '#!/bin/sh\nsleep 1\nPATH=${PATH#*:} exec mount "$@"\n';

const title = 'three processes, one mount';
if (!canUnshare()) skip(test, title, 'needs root, and mount namespaces');
else {
  test(title, () => {
    const folder = scratch('bpffs');
    writeFileSync(join(folder, 'mount'), MOUNT);
    chmodSync(join(folder, 'mount'), 0o755);
    const env = { ...process.env, PATH: `${folder}:${process.env['PATH'] ?? ''}` };
    const args = ['--mount', 'sh', '-c', SCRIPT, process.execPath, BPFFS];
    assert.is(execFileSync('unshare', args, { encoding: 'utf8', env }).trim(), '1');
  });
}

function canUnshare(): boolean {
  try {
    execFileSync('unshare', ['--mount', 'mount', '-t', 'bpf', 'bpf', '/sys/fs/bpf'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

test.run();
