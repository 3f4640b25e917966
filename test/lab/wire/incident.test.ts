// The incident on the wire: a lone 220- is learned, then repaired in the kernel, and nothing else is touched.

import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { LogLine } from '../../kit/ehlowire';
import { labSuite, type Need } from '../../kit/lab';
import { makeMessage, writeMessage } from '../../kit/message';
import { until, type Child } from '../../kit/process';
import {
  deliver,
  LONE,
  makeWire,
  meet,
  ONE,
  ONE6,
  remember,
  startLoad,
  startServers,
  TWO,
} from '../../kit/wire';
import type { Servers, Wire } from '../../kit/wire';
import { isChecksumRight, layoutOf, tap, tapBoth } from './frames';
import { layTags, TAGGED, TAGGED6, TWICE } from './tags';

const NEEDS: readonly Need[] = ['python3', 'tcpdump', 'ethtool', 'swaks', 'curl', 'clang', 'bpf'];
const CLIENTS = ['swaks', 'smtplib', 'curl', 'nodemailer'];

/** Ways to the same server, each an address of its own: one is learned by itself. */
const WAYS = [
  { name: 'IPv4', server: ONE, tags: 0 },
  { name: 'IPv6', server: ONE6, tags: 0 },
  { name: 'IPv4 behind a tag', server: TAGGED, tags: 1 },
  { name: 'IPv6 behind a tag', server: TAGGED6, tags: 1 },
  { name: 'IPv4 behind two tags', server: TWICE, tags: 2 },
] as const;

const lab = labSuite('wire, the incident');
let wire: Wire;
let servers: Servers;
let ehlowire: Child;

lab.before(async () => {
  wire = makeWire('i');
  await layTags(wire);
  const all = [...WAYS.map(({ server }) => server), TWO];
  servers = await startServers(wire, ...all.map((host) => `[${host}]=${LONE}`));
  // Where ehlowire cannot connect, it takes clients of three networks; behind a tag there is only one.
  remember(wire, ...WAYS.flatMap(({ server, tags }) => (tags > 0 ? [server] : [])));
  // A probe would be a frame that only one side has.
  ehlowire = await wire.enter('--path', 'wire', '--set', 'evidence.probe=off');
});

lab.after(async () => {
  await servers.stop();
  await wire.remove();
});

function linesAt(server: string, event: string): LogLine[] {
  return wire.events().filter((line) => line['server.address'] === server && line.event === event);
}

async function visit(server: string, sessions: number): Promise<void> {
  const { fine, failed } = await startLoad(wire, server, { connections: 1, pace: 0, sessions }).ended;
  assert.equal({ fine, failed }, { fine: sessions, failed: {} });
}

for (const { name, server, tags } of WAYS) {
  lab.test(`${name}: learned, then one octet and the checksum change, and nothing else`, NEEDS, async () => {
    if (tags === 0) {
      const learned = await meet(wire, server);
      const words = ['greeting', 'policy', 'way', 'path'].map((each) => learned[each]);
      assert.equal(words, ['truncated', 'repair', 'networks', 'wire']);
    }
    const { segments, changed } = await tapBoth(wire, '', () => visit(server, 3));
    assert.ok(segments > 3 * 20, `${segments} segments`);
    assert.equal(
      changed,
      Array.from({ length: 3 }, () => ({
        was: '220-mx.dest.example ESMTP\r\n',
        is: '220 mx.dest.example ESMTP\r\n',
      })),
    );
    await wire.line('three repairs', () => linesAt(server, 'repair').length === 3);
    for (const line of linesAt(server, 'repair')) {
      assert.is(line['defect'], 'truncated');
      assert.is(line['before'], '220-mx.dest.example ESMTP\\r\\n');
      assert.is(line['after'], '220 mx.dest.example ESMTP\\r\\n');
    }
    // Where the client is, all checksums are right; and the tags are where they were.
    const client = await tap(wire, 'cli', 'eth0');
    await visit(server, 1);
    const frames = await client.stop();
    const greeting = frames.filter((frame) => frame.includes('220 mx.dest'));
    assert.is(greeting.length, 1);
    assert.ok(frames.every(isChecksumRight), 'a wrong checksum');
    assert.ok(greeting.every((frame) => layoutOf(frame)?.ip === 14 + 4 * tags));
  });
}

for (const [family, server] of [
  ['IPv4', ONE],
  ['IPv6', ONE6],
] as const) {
  for (const client of CLIENTS) {
    const needs: readonly Need[] =
      server === ONE6 && client === 'swaks' ? [...NEEDS, 'IO::Socket::INET6'] : NEEDS;
    lab.test(`${family}: ${client} delivers, at once`, needs, async () => {
      const path = writeMessage(
        join(wire.folder, 'message.eml'),
        makeMessage({ octets: 2_000, eightBit: false }),
      );
      const before = servers.mails(server).length;
      const { ok, output } = await deliver(wire, client, server, path, 30_000);
      assert.ok(ok, output);
      assert.is(servers.mails(server).length, before + 1);
    });
  }
}

lab.test('with offloads, where checksums are left to the cards, the same', NEEDS, async () => {
  wire.offload(true);
  for (const { server } of WAYS) {
    const { changed } = await tapBoth(wire, '', () => visit(server, 2));
    assert.is(changed.length, 2, server);
  }
  // A sum that was left to a card and is made in the shim, behind the repair.
  await wire.topology.run('shim', 10_000, 'ethtool', '-K', 'wan', 'tx', 'off');
  for (const { server } of WAYS) {
    const client = await tap(wire, 'cli', 'eth0', 'src port 25 or vlan');
    await visit(server, 2);
    const frames = (await client.stop()).filter((frame) => layoutOf(frame)?.from === 'server');
    assert.ok(frames.length > 0 && frames.every(isChecksumRight), `${server}: a wrong checksum`);
  }
  wire.offload(false);
});

lab.test('the greeting of a server not learned is not touched', NEEDS, async () => {
  const { changed } = await tapBoth(wire, 'port 25', async () => {
    await meet(wire, TWO);
    await until('all of them have gone', () => servers.ends(TWO).length === 3 || undefined);
  });
  assert.equal(changed, []);
});

lab.test('the process is killed: repairs go on', NEEDS, async () => {
  await ehlowire.stop('SIGKILL');
  const before = (await wire.status()).counters['repaired'] ?? 0;
  for (const { server } of WAYS) {
    const { changed } = await tapBoth(wire, '', () => visit(server, 2));
    assert.is(changed.length, 2, server);
  }
  const { counters, process } = await wire.status();
  assert.is(process, null);
  assert.is(counters['repaired'], before + 2 * WAYS.length);
});

lab.test('a server that goes on behind a repair is left alone from then on', NEEDS, async () => {
  ehlowire = await wire.enter('--path', 'wire');
  await servers.stop();
  servers = await startServers(wire, `${ONE}=${LONE}\\w220 at last\\r\\n`);
  const client = startLoad(wire, ONE, { connections: 1, pace: 1.2, sessions: 1 });
  const learned = await wire.line('the contradiction', (line) => line['greeting'] === 'teaser');
  assert.equal([learned['server.address'], learned['policy']], [ONE, 'observe']);
  await client.ended;
  const { changed } = await tapBoth(wire, 'port 25', () => visit(ONE, 1));
  assert.equal(changed, []);
  const { servers: known, counters } = await wire.status();
  // What is only observed needs no entry.
  assert.is(known.find(({ address }) => address === ONE)?.policy, undefined);
  assert.is(counters['contradicted'], 1);
});

lab.run();
