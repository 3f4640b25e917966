// `ehlowire analyze` of captures that count what they lost, and of those that do not.

import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { pcapngOf } from '../../../../proxy/report/evidence/pcapng';
import { scratch } from '../../../kit/process';
import { buildLauncher } from '../../launch';
import { openWire, pcapFile } from '../../sources/frames';

const { dir, launch } = buildLauncher();
const folder = scratch('counted');
test.after(() => {
  rmSync(dir, { recursive: true });
  rmSync(folder, { recursive: true });
});

const START = Date.UTC(2026, 4, 4, 3, 2, 1) * 1000;
const SECOND = 1_000_000;

/** The EHLO never comes, the client's number shows that it was sent, and nothing shows whether the server has it. */
const FRAMES = (() => {
  const wire = openWire(START, { client: '198.51.100.7' });
  wire.send('server', START + 10_000, '220 mx.example ESMTP\r\n');
  wire.send('client', START + 11_000);
  wire.send('client', START + 12_000, 'EHLO vm\r\n', { lost: true });
  wire.send('client', START + 3 * SECOND);
  wire.send('client', START + 6 * SECOND);
  return wire.frames;
})();

const PCAP = join(folder, 'plain.pcap');
writeFileSync(PCAP, pcapFile(FRAMES));

/** As pcapng, whose capture dropped so many frames; `undefined`: it does not say. */
function pcapng(name: string, dropped: number | undefined): string {
  const packets = FRAMES.map(({ at, frame }) => ({
    ...{ linkType: 1, at, octets: frame, length: frame.length, comments: [] },
  }));
  const ran = { from: START, to: START + 6 * SECOND, dropped };
  const file = join(folder, `${name}.pcapng`);
  writeFileSync(file, pcapngOf({ application: 'test', comment: 'test', ran, packets }));
  return file;
}

const ROWS: readonly (readonly [name: string, args: readonly string[], told: boolean])[] = [
  ['a pcap does not count', [PCAP], false],
  ['whoever captured does', [PCAP, '--no-drops'], true],
  ['a pcapng that counts none', [pcapng('none', 0)], true],
  ['one that counts some', [pcapng('some', 2)], false],
  ['one that says nothing', [pcapng('unknown', undefined)], false],
  ['one that counts, and one that does not', [pcapng('none', 0), PCAP], false],
];

for (const [name, args, told] of ROWS) {
  test(`${name}: what only a missing frame shows is ${told ? '' : 'not '}told`, async () => {
    const { code, out, err } = await launch(['analyze', ...args, '--fail-on', 'suspected']).ended;
    assert.equal([code, err], [told ? 3 : 0, '']);
    assert.is(/^ +ehlo-dropped proved, by sequence/m.test(out), told, out);
    assert.is(/^No all-clear/m.test(out), !told);
    assert.is(out.includes('--no-drops'), !told && !out.includes('missed by the capture itself'));
  });
}

test('--no-drops of an interface: wrong usage', async () => {
  const { code, err } = await launch(['analyze', '--live', 'lo', '--no-drops']).ended;
  assert.is(code, 2);
  assert.match(err, /^ehlowire: wrong usage: --no-drops: goes with files: a live capture counts itself\n$/);
});

test.run();
