// Networks behind one tag (802.1Q) and behind two (802.1Q in 802.1ad), on the same cables.

import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { run } from '../../kit/process';
import type { Wire } from '../../kit/wire';

export const TAGGED = '198.18.10.4';
export const TAGGED6 = 'fd00:10::4';
export const TWICE = '198.18.20.4';

/** The client is .1 in each of them, the server .4. */
export async function layTags(wire: Wire): Promise<void> {
  const object = join(wire.folder, 'tags.bpf.o');
  const headers = `-I/usr/include/${(await run('uname', ['-m'])).output.trim()}-linux-gnu`;
  const source = join(__dirname, 'tags.bpf.c');
  const built = await run('clang', ['-O2', '-g', '-target', 'bpf', headers, '-c', source, '-o', object]);
  assert.is(built.code, 0, built.output);
  for (const [place, host] of [
    ['cli', 1],
    ['mta', 4],
  ] as const) {
    wire.ip(
      place,
      ...['198.18.10', '198.18.20'].map((network) => `address add ${network}.${host}/24 dev eth0`),
      `address add fd00:10::${host}/64 dev eth0 nodad`,
    );
    const tc = async (...args: readonly string[]): Promise<void> => {
      const { code, output } = await wire.topology.run(place, 10_000, 'tc', ...args);
      assert.is(code, 0, output);
    };
    await tc('qdisc', 'add', 'dev', 'eth0', 'clsact');
    for (const [hook, section] of [
      ['egress', 'tag'],
      ['ingress', 'untag'],
    ] as const) {
      await tc('filter', 'add', 'dev', 'eth0', hook, 'bpf', 'da', 'obj', object, 'sec', section);
    }
  }
}
