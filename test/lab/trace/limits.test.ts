// Where a trace cannot be, or sees little: one clear line each.

import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { labSuite, type Need } from '../../kit/lab';
import { scratch, type Outcome } from '../../kit/process';
import { both, deaf, eats, type Make } from './faults';
import { linesOf } from './matrix';
import { FAMILIES, serverBehind } from './path';
import { prepare, QUICKLY, raise, trace, TRACE_MS, type Stage } from './stage';

const lab = labSuite('trace, not possible');
const NEEDS: readonly Need[] = ['postfix', 'exim', 'python3', 'nftables', 'ethtool'];
const ROUTERS = 3;
let stage: Stage;

lab.before(async () => {
  prepare();
  stage = await raise(0, scratch('trace-limits'));
});
lab.after(() => stage.fall());

const HIDE_PCAP =
  'for each in /usr/lib/*/libpcap.so.0.8; do mount --bind /dev/null "$(readlink -f "$each")"; done';
const FOREIGN = ['--reuid=65534', '--regid=65534', '--clear-groups'];

/** Of the tree: others than root may read it. */
const LAUNCHER = join(__dirname, '../../../ehlowire');

/** How ehlowire is started, and what it says on the one line that it ends with. */
const MACHINES: readonly { name: string; within: readonly string[]; says: RegExp }[] = [
  { name: 'without root', within: ['setpriv', ...FOREIGN], says: /CAP_NET_RAW/ },
  { name: 'root without CAP_NET_RAW', within: ['setpriv', '--bounding-set=-net_raw'], says: /CAP_NET_RAW/ },
  {
    name: 'without libpcap',
    within: ['unshare', '--mount', 'sh', '-ec', `${HIDE_PCAP}; exec "$0" "$@"`],
    says: /libpcap/,
  },
];

for (const { name, within, says } of MACHINES) {
  lab.test(`${name}: one line`, NEEDS, async () => {
    const [command = '', ...before] = within;
    const args = [...before, LAUNCHER, 'trace', serverBehind(ROUTERS, 'v4'), '-n'];
    const { code, output } = await stage.path.run('cli', TRACE_MS, command, ...args);
    assert.is(code, 1, output);
    assert.match(output, says);
    assert.is(output.trimEnd().split('\n').length, 1, output);
  });
}

for (const family of FAMILIES) {
  const traced = async (make: Make): Promise<Outcome> => {
    try {
      await make({ path: stage.path, n: ROUTERS, k: 2, family, keep: (child) => child });
      return await trace(stage.path, serverBehind(ROUTERS, family), '--json', ...QUICKLY);
    } finally {
      stage.path.heal();
    }
  };

  lab.test(
    `IP${family}, no ICMP at all, a clean path: no verdict, and one line says what that leaves`,
    NEEDS,
    async () => {
      const { code, output } = await traced(deaf);
      assert.is(code, 0, output);
      const lines = linesOf(output);
      assert.equal(
        lines.filter(({ event }) => event === 'verdict'),
        [],
      );
      const limits = lines.find(({ event }) => event === 'trace')?.['limits'] as readonly string[];
      assert.is(limits.filter((limit) => limit.includes('ICMP')).length, 1, limits.join('\n'));
    },
  );

  lab.test(
    `IP${family}, no ICMP at all, EHLO eaten: somewhere between here and the server`,
    NEEDS,
    async () => {
      const { code, output } = await traced(both(deaf, eats('EHLO')));
      assert.is(code, 0, output);
      const named = linesOf(output).filter(({ event }) => event === 'verdict');
      const found = named.map((line) => [line['verdict'], line['between']]);
      assert.equal(found, [['ehlo-dropped', [0, ROUTERS + 1]]], output);
    },
  );
}

lab.run();
