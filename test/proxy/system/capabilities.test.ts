// Effective capabilities, of processes to which the kernel left some.

import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { skip } from '../../kit/lab';

/** linux/capability.h */
const BITS = { CAP_CHOWN: 0, CAP_NET_ADMIN: 12, CAP_SYS_NICE: 23, CAP_BPF: 39 };

/** Others than these keep what they had: root's own. */
const TABLE = [
  { name: 'none', options: ['--reuid=65534', '--clear-groups'], want: [] },
  { name: 'the first one', options: ['--bounding-set=-all,+chown'], want: ['CAP_CHOWN'] },
  {
    name: 'one of either half',
    options: ['--bounding-set=-all,+net_admin,+bpf'],
    want: ['CAP_NET_ADMIN', 'CAP_BPF'],
  },
];

const SCRIPT = `
  const { hasCapability, readCapabilities } = require('./capabilities');
  const bits = Object.entries(${JSON.stringify(BITS)});
  console.log(JSON.stringify(bits.filter(([, bit]) => hasCapability(readCapabilities(), bit)).map(([name]) => name)));
`;

for (const { name, options, want } of TABLE) {
  if (process.getuid?.() !== 0) skip(test, name, 'only root can give capabilities up');
  else
    test(name, () => {
      const node = ['node', '-r', 'ts-node/register/transpile-only', '-e', SCRIPT];
      const told = execFileSync('setpriv', [...options, ...node], {
        cwd: join(__dirname, '../../../proxy/system'),
        encoding: 'utf8',
      });
      assert.equal(JSON.parse(told), want);
    });
}

test.run();
