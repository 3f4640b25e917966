// Probes on a bridge without any address: an eaten EHLO is proved within seconds, and the server is none the worse.
// They go the way of the server's own frames only: no neighbour learns an address at a wrong place.

import * as assert from 'uvu/assert';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { labSuite, type Need } from '../../kit/lab';
import { until } from '../../kit/process';
import { awaitWord, type Place } from '../../kit/topology';
import { makeWire, ONE, ONE6, startLoad, startServers, WHOLE } from '../../kit/wire';
import type { Servers, Wire } from '../../kit/wire';
import { layoutOf, tap } from './frames';
import { layTags, TAGGED } from './tags';

const NEEDS: readonly Need[] = ['python3', 'tcpdump', 'nftables', 'clang', 'bpf'];
/** After its greeting; the first probe is sent after 3 s of silence. */
const WITHIN_MS = 5_000;
const EHLO = 'EHLO client.example\r\n';
const ACK = 0x10;
const LAUNCHER = join(__dirname, '../../../ehlowire');

const lab = labSuite('wire, probes');
let wire: Wire;
let servers: Servers;

lab.before(async () => {
  wire = makeWire('p');
  await layTags(wire);
  servers = await startServers(wire, ...[ONE, ONE6, TAGGED].map((host) => `[${host}]=${WHOLE}`));
  await wire.enter('--path', 'wire', '--evidence', evidence());
});

lab.after(async () => {
  await servers.stop();
  await wire.remove();
});

function evidence(): string {
  return join(wire.folder, 'evidence');
}

/** What `analyze` says of the evidence of this client's connection. */
async function analysed(port: unknown): Promise<readonly unknown[]> {
  const file = await until('its evidence', () =>
    existsSync(evidence())
      ? readdirSync(evidence()).find((name) => name.endsWith(`-${String(port)}-ehlo-dropped.pcapng`))
      : undefined,
  );
  const { output } = await wire.run(LAUNCHER, 'analyze', '--json', join(evidence(), file));
  return output
    .split('\n')
    .filter((line) => line.includes('"event":"verdict"'))
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .map(({ verdict, certainty, missing_bytes: missing }) => [verdict, certainty, missing]);
}

/** The firewall of the incident: it drops every segment that begins with EHLO, and says nothing. */
async function eat(on: boolean): Promise<void> {
  const rule = on
    ? 'add table netdev f; add chain netdev f c { type filter hook ingress device out priority 0; }; ' +
      'add rule netdev f c tcp dport 25 @ih,0,32 0x45484c4f drop; ' +
      'add rule netdev f c vlan id 10 ip saddr 198.18.10.1 tcp dport 25 @ih,0,32 0x45484c4f drop'
    : 'flush ruleset';
  const { code, output } = await wire.topology.run('fw', 10_000, 'nft', rule);
  assert.is(code, 0, output);
}

for (const [name, server] of [
  ['IPv4', ONE],
  ['IPv6', ONE6],
  ['behind a tag', TAGGED],
] as const) {
  lab.test(`${name}: an EHLO that was eaten is proved by its sequence numbers`, NEEDS, async () => {
    const { output } = await wire.run('ip', 'address', 'show', 'dev', 'ehlowire0');
    assert.not.match(output, /\binet6? /);
    await eat(true);
    const mta = await tap(wire, 'mta', 'eth0');
    const load = startLoad(wire, server, { connections: 1, pace: 0, sessions: 1 });
    const verdict = await wire.line(
      'the verdict',
      (line) => line.event === 'verdict' && line['server.address'] === server,
      20_000,
    );
    await sleep(300);
    const frames = await mta.stop();
    await eat(false);
    assert.equal(
      [verdict['verdict'], verdict['certainty']],
      ['ehlo-dropped', 'proved'],
      JSON.stringify(verdict),
    );
    assert.is(verdict['proof'], 'probe');
    assert.is(verdict['missing_bytes'], EHLO.length);
    const greeting = await wire.line('the greeting', (line) => {
      return line['phase'] === 'greeting' && line['session'] === verdict['session'];
    });
    const after = Date.parse(String(verdict['time'])) - Date.parse(String(greeting['time']));
    assert.ok(after < WITHIN_MS, `${after} ms after the greeting`);
    // What came to the server: the handshake, and acknowledgements of what it had said; it answered none of them.
    const seen = frames.flatMap((frame) => {
      const layout = layoutOf(frame);
      return layout === undefined
        ? []
        : [{ ...layout, flags: frame[layout.tcp + 13], ack: frame.readUInt32BE(layout.tcp + 8) }];
    });
    const [, ...acks] = seen.filter(({ from }) => from === 'client');
    assert.ok(acks.length >= 2, `${acks.length} acknowledgements`);
    assert.ok(acks.every(({ payload, end, flags }) => payload === end && flags === ACK));
    assert.is(acks.at(-1)?.ack, acks.at(-2)?.ack);
    assert.is(
      seen.filter(({ from }) => from === 'server').length,
      2,
      'SYN ACK and greeting, and nothing more',
    );
    // The firewall relents, and the session goes on as if nothing had been.
    assert.equal(await load.ended, { fine: 1, messages: 2, failed: {} });
    assert.equal(servers.ends(server), ['quit']);
    assert.is(servers.mails(server).length, 2);
    // What the ring kept of it proves it again.
    const again = await analysed(verdict['client.port']);
    assert.equal(again[0], ['ehlo-dropped', 'proved', EHLO.length]);
  });
}

/** A server that teases for 12 s, and a client that waits for it: probes would be due after 3 s and 10 s. */
async function outbound({ topology, client }: Wire): Promise<void> {
  const teaser = `[${client.v4}]=220-mx.far.example\\r\\n${'\\w'.repeat(12)}220 mx.far.example\\r\\n`;
  const script = join(__dirname, 'server.py');
  const far = topology.start('cli', 'python3', '-u', script, teaser);
  await awaitWord(far, 'ready');
  const waits = `import socket, sys
f = socket.create_connection((sys.argv[1], 25)).makefile('rwb')
while f.readline()[3:4] == b'-': pass
f.write(b'QUIT\\r\\n'); f.flush(); print(f.readline().decode())`;
  const { output } = await topology.run('mta', 30_000, 'python3', '-c', waits, client.v4);
  await far.stop();
  assert.match(output, /^221 /);
}

/** Where the firewall's bridge has a hardware address. */
async function learnedAt({ topology }: Wire, hardware: string): Promise<string | undefined> {
  const { output } = await topology.run('fw', 10_000, 'bridge', 'fdb', 'show', 'br', 'br0');
  return new RegExp(`^${hardware} dev (\\w+)`, 'm').exec(output)?.[1];
}

async function hardwareOf({ topology }: Wire, place: Place): Promise<string> {
  return (await topology.run(place, 10_000, 'cat', '/sys/class/net/eth0/address')).output.trim();
}

async function probesNobody(at: Wire): Promise<void> {
  const far = await hardwareOf(at, 'cli');
  const stray = await tap(at, 'fw', 'in', `inbound and ether src ${far}`);
  await at.topology.run('mta', 10_000, 'ping', '-c', '1', at.client.v4);
  assert.is(await learnedAt(at, far), 'out', 'before');
  const moves = at.topology.start('fw', 'bridge', 'monitor', 'fdb');
  await outbound(at);
  assert.is(await learnedAt(at, far), 'out', 'after');
  const { output } = await moves.stop();
  assert.not.match(output, new RegExp(`${far} dev in`));
  assert.equal(
    await stray.stop(),
    [],
    'frames that came to the firewall in the name of the server beyond it',
  );
  const session = await at.line('the session', (line) => {
    return line.event === 'session' && line['server.address'] === at.client.v4;
  });
  assert.equal(session['verdicts'], []);
}

lab.test('the server behind lan delivers outwards: no probe, and no address moves', NEEDS, () =>
  probesNobody(wire),
);

lab.test('host: a client on this machine is sent no probe', NEEDS, async () => {
  const host = makeWire('q', { as: 'host' });
  try {
    await host.enter();
    await probesNobody(host);
  } finally {
    await host.remove();
  }
});

lab.test('whoever sends probes takes no copy of what passes', NEEDS, async () => {
  const { output } = await wire.run('cat', '/proc/net/packet');
  const [head = '', ...sockets] = output.trim().split('\n');
  const protocol = head.trim().split(/\s+/).indexOf('Proto');
  assert.equal(
    sockets.map((each) => each.trim().split(/\s+/)[protocol]),
    ['0000'],
  );
});

lab.run();
