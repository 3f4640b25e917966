// What is no greeting, or none in one piece, is not held: TLS from the first octet on, and a greeting octet by octet.

import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { labSuite, type Need } from '../../kit/lab';
import { selfSigned } from '../peers/selfsigned';
import { awaitWord } from '../../kit/topology';
import { makeWire, ONE, THREE, TWO, type Wire } from '../../kit/wire';

const NEEDS: readonly Need[] = ['python3', 'openssl', 'ethtool', 'bpf'];
const SCRIPT = join(__dirname, 'foreign.py');
/** Longer than the clients wait (10 s), and than the slow greeting takes (8 s). */
const PATIENCE = 'greeting.patience=20s';
const AT_A_TIME = 12;
/** Its first four octets decide, and need not come apart. */
const SLOW = { text: '220 mx.dest.example ESMTP\r\n', decided: 4 } as const;

const WAYS = [
  { path: 'auto', label: 'fa', options: { bridge: 'addresses' }, paths: ['relay', 'wire'] },
  { path: 'wire', label: 'fw', options: {}, paths: ['wire', 'wire'] },
] as const;

const lab = labSuite('wire, foreign');

interface Told {
  readonly version: string;
  readonly resumed: boolean;
  readonly greeting: string;
}

for (const { path, label, options, paths } of WAYS) {
  let wire: Wire;
  const client = async (...args: readonly string[]): Promise<unknown> => {
    const { code, output } = await wire.topology.run('cli', 60_000, 'python3', SCRIPT, ...args);
    assert.is(code, 0, output);
    return JSON.parse(output);
  };
  const fieldsAt = (server: string, event: string, field: string): unknown[] =>
    wire
      .events()
      .filter((line) => line.event === event && line['server.address'] === server)
      .map((line) => line[field]);
  const sessions = (server: string, count: number): Promise<unknown> =>
    wire.line(`${count} sessions of ${server}`, () => fieldsAt(server, 'session', 'path').length >= count);

  lab.test(`${path}: its place`, NEEDS, async () => {
    wire = makeWire(label, options);
    const { key, certificate } = await selfSigned();
    const servers = wire.topology.start('mta', 'python3', SCRIPT, 'serve', key, certificate, ONE, TWO, THREE);
    await awaitWord(servers, 'ready');
    await wire.enter('--path', path, '--set', PATIENCE);
  });

  for (const [version, server] of [
    ['TLSv1.2', ONE],
    ['TLSv1.3', TWO],
  ] as const) {
    lab.test(`${path}: ${version} on port 587, then resumed, ${AT_A_TIME} at a time`, NEEDS, async () => {
      const told = (await client('tls', server, String(AT_A_TIME))) as readonly Told[];
      assert.equal(
        told.map((each) => [each.version, each.resumed, each.greeting]),
        told.map((_, i) => [version, i > 0, SLOW.text]),
      );
      await sessions(server, 1 + AT_A_TIME);
      assert.ok(fieldsAt(server, 'session', 'path').includes(paths[0]), paths[0]);
      assert.equal(fieldsAt(server, 'repair', 'defect'), []);
      assert.equal(fieldsAt(server, 'anomaly', 'anomaly'), []);
      assert.not.ok(fieldsAt(server, 'learned', 'greeting').includes('truncated'));
    });
  }

  lab.test(`${path}: a greeting of one octet each 0.3 s comes as it is sent`, NEEDS, async () => {
    for (const nth of [0, 1]) {
      const { text, pieces } = (await client('slow', THREE)) as { text: string; pieces: [number, string][] };
      assert.is(text, `${SLOW.text}250 mx.dest.example\r\n221 bye\r\n`);
      assert.ok(pieces.length >= SLOW.text.length - SLOW.decided, JSON.stringify(pieces));
      await sessions(THREE, nth + 1);
      assert.is(fieldsAt(THREE, 'session', 'path')[nth], paths[nth]);
    }
    assert.equal(fieldsAt(THREE, 'repair', 'defect'), []);
    assert.equal(fieldsAt(THREE, 'anomaly', 'anomaly'), []);
    assert.not.ok(fieldsAt(THREE, 'learned', 'greeting').includes('truncated'));
    await wire.remove();
  });
}

lab.run();
