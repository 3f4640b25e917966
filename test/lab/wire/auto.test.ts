// Auto: a server not met yet is relayed, with both addresses kept; then the kernel does what can be done there.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { LogLine } from '../../kit/ehlowire';
import { labSuite, type Need } from '../../kit/lab';
import { awaitWord } from '../../kit/topology';
import type { Child } from '../../kit/process';
import { makeMessage, writeMessage } from '../../kit/message';
import {
  deliver,
  FIVE,
  FOUR,
  LONE,
  makeWire,
  NODE,
  ONE,
  ONE6,
  PATIENCE_MS,
  SIX,
  startLoad,
} from '../../kit/wire';
import { startServers, THREE, TWO, WHOLE, type Servers, type Wire } from '../../kit/wire';

const NEEDS: readonly Need[] = ['postfix', 'python3', 'swaks', 'bpf'];
/** The space is missing: an octet must be put in. */
const CUT = '220mx.dest.example ESMTP\\r\\n';

const lab = labSuite('wire, auto');
let wire: Wire;
let servers: Servers;
let ehlowire: Child;
let maillog: string;
/** Where the relay listened, in its life. */
let relayPort: number;

lab.before(async () => {
  wire = makeWire('a', { bridge: 'addresses' });
  servers = await startServers(
    wire,
    ...[`${ONE}=${LONE}`, `[${ONE6}]=${LONE}`, `${TWO}=${WHOLE}`, `${FOUR}=${CUT}`],
    ...[`${FIVE}=${WHOLE}`, `${SIX}=${WHOLE}`],
  );
  const postscreen = wire.topology.start('mta', ...NODE, join(__dirname, 'postscreen.ts'), THREE);
  await awaitWord(postscreen, 'ready', 60_000);
  maillog = /^ready (.*)$/m.exec(postscreen.output())?.[1] ?? '';
  ehlowire = await wire.enter('--path', 'auto');
});

lab.after(async () => {
  await wire.remove();
});

/** The sessions of a server that have ended, as `path`. */
function pathsOf(server: string): string[] {
  return linesAt(server, 'session').map((line) => String(line['path']));
}

/** The only one on the shim. */
async function listeningPort(): Promise<number> {
  const { output } = await wire.run('ss', '-Hltn');
  return Number(/:(\d+) +\S+\s*$/m.exec(output)?.[1]);
}

/** Somebody else on the shim who takes connections there, whatever address they are to, and says nothing. */
async function startStranger(port: number): Promise<Child> {
  const child = wire.topology.start('shim', 'python3', '-u', '-c', STRANGER, String(port));
  await awaitWord(child, 'ready');
  return child;
}

const STRANGER = [
  'import socket, sys, time',
  's = socket.socket(socket.AF_INET6)',
  's.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)',
  's.setsockopt(socket.SOL_IP, 19, 1)  # IP_TRANSPARENT: it can answer for the server',
  "s.bind(('::', int(sys.argv[1])))",
  's.listen(100)',
  "print('ready')",
  'time.sleep(600)',
].join('\n');

function linesAt(server: string, event: string): LogLine[] {
  return wire.events().filter((line) => line['server.address'] === server && line.event === event);
}

/** So many sessions, one after another; all of them must be fine, and their lines written. */
async function visit(server: string, sessions: number): Promise<void> {
  const before = pathsOf(server).length;
  const { fine, failed } = await startLoad(wire, server, { connections: 1, pace: 0, sessions }).ended;
  assert.equal({ fine, failed }, { fine: sessions, failed: {} });
  await wire.line(`${sessions} sessions of ${server}`, () => pathsOf(server).length >= before + sessions);
}

for (const [family, server] of [
  ['IPv4', ONE],
  ['IPv6', ONE6],
] as const) {
  lab.test(
    `${family}, a lone 220-: relayed until it is verified, then repaired in the kernel`,
    NEEDS,
    async () => {
      await visit(server, 1);
      const learned = await wire.line(
        'verified',
        (line) => line.event === 'learned' && line['server.address'] === server,
      );
      assert.is(learned['way'], 'verified');
      await visit(server, 2);
      assert.equal(pathsOf(server), ['relay', 'wire', 'wire']);
      const repairs = linesAt(server, 'repair');
      assert.equal(
        repairs.map((line) => line['path']),
        ['relay', 'wire', 'wire'],
      );
      assert.ok(Number(repairs[0]?.['held_ms']) >= PATIENCE_MS);
      assert.is(repairs[1]?.['held_ms'], 0);
      assert.is(repairs[1]?.['after'], String(repairs[1]?.['before']).replace('220-', '220 '));
      // Relayed or not, the server sees the client, its port included.
      const ports = linesAt(server, 'session').map(
        (line) => `${line['client.address']},${line['client.port']}`,
      );
      // Between them is the one by which ehlowire looked itself.
      const peers = servers.peers(server);
      const own = `${learned['client.address']},${learned['client.port']}`;
      assert.equal(
        peers.filter((peer) => peer !== own),
        ports,
      );
      assert.is(peers.length, ports.length + 1);
      const { v4, v6 } = wire.client;
      assert.ok(
        ports.every((port) => port.startsWith(`${family === 'IPv4' ? v4 : v6},`)),
        ports.join(),
      );
      assert.is(servers.mails(server).length, 6);
    },
  );
}

lab.test('a server without defect: relayed once, then left to the wire', NEEDS, async () => {
  await visit(TWO, 3);
  assert.equal(pathsOf(TWO), ['relay', 'wire', 'wire']);
  assert.equal(linesAt(TWO, 'repair'), []);
});

lab.test(
  'postscreen, which teases: ends on the wire, unrepaired, and nobody talks early',
  NEEDS,
  async () => {
    await visit(THREE, 3);
    assert.equal(pathsOf(THREE), ['relay', 'wire', 'wire']);
    assert.equal(linesAt(THREE, 'repair'), []);
    const learned = linesAt(THREE, 'learned').map((line) => `${line['greeting']} ${line['policy']}`);
    assert.equal(learned, ['teaser observe']);
    const log = existsSync(maillog) ? readFileSync(maillog, 'utf8') : '';
    assert.is(log.split('PASS NEW').length - 1, 3, log);
    assert.not.match(log, /PREGREET/);
  },
);

lab.test('a greeting that needs octets put in stays relayed', NEEDS, async () => {
  await visit(FOUR, 3);
  assert.equal(pathsOf(FOUR), ['relay', 'relay', 'relay']);
  const after = linesAt(FOUR, 'repair').map((line) => line['after']);
  assert.equal(
    after,
    Array.from({ length: 3 }, () => '220 mx.dest.example ESMTP\\r\\n'),
  );
  // A client that an octet too few leaves waiting.
  const path = writeMessage(
    join(wire.folder, 'message.eml'),
    makeMessage({ octets: 2_000, eightBit: false }),
  );
  const { ok, output } = await deliver(wire, 'swaks', FOUR, path, 20_000);
  assert.ok(ok, output);
});

lab.test('status tells of it', NEEDS, async () => {
  const { healthy, relays, not_relayed, servers: known, counters } = await wire.status();
  assert.equal({ healthy, relays, not_relayed }, { healthy: true, relays: true, not_relayed: [] });
  const policies = Object.fromEntries(known.map(({ address, policy }) => [address, policy]));
  assert.equal(policies, {
    [ONE]: 'repair',
    [ONE6]: 'repair',
    [TWO]: 'observe',
    [THREE]: 'observe',
    // The fourth is relayed, as every server that has no entry.
  });
  // Four servers' first connections, and all four of the fifth.
  assert.is(counters['diverted'], 8);
  assert.is(counters['repaired'], 4);
  assert.is(counters['no_relay'], 0);
});

lab.test('a dead relay takes along what it carried, and nothing else', NEEDS, async () => {
  const known = startLoad(wire, ONE, { connections: 3, pace: 0.05 });
  const strange = startLoad(wire, FIVE, { connections: 1, pace: 0.3 });
  await Promise.all([known.greeted, strange.greeted]);
  relayPort = await listeningPort();
  await ehlowire.stop('SIGKILL');
  // Nobody has met that one, and nobody listens: over the bridge, at once.
  const fresh = await startLoad(wire, SIX, { connections: 5, pace: 0, sessions: 20 }).ended;
  assert.equal(fresh, { fine: 20, messages: 40, failed: {} });
  const [kept, lost] = [await known.stop(), await strange.stop()];
  assert.equal(kept.failed, {});
  assert.is(
    Object.values(lost.failed).reduce((sum, count) => sum + count, 0),
    1,
    JSON.stringify(lost),
  );
  const { process, counters } = await wire.status();
  assert.is(process, null);
  assert.ok((counters['no_relay'] ?? 0) >= 20, JSON.stringify(counters));
});

lab.test(
  'who listens where a dead relay did, or on the servers’ own port, gets nothing of it',
  NEEDS,
  async () => {
    const strangers = [await startStranger(relayPort), await startStranger(25)];
    const before = (await wire.status()).counters;
    const { ended } = startLoad(wire, SIX, { connections: 5, pace: 0, sessions: 20 });
    assert.equal(await ended, { fine: 20, messages: 40, failed: {} });
    const { counters } = await wire.status();
    assert.is(counters['no_relay'], (before['no_relay'] ?? 0) + 20);
    assert.is(counters['diverted'], before['diverted']);
    await Promise.all(strangers.map((stranger) => stranger.stop('SIGKILL')));
  },
);

lab.test('its successor relays again, and knows what was learned', NEEDS, async () => {
  ehlowire = await wire.enter('--path', 'auto');
  const opened = wire.events().filter(({ event }) => event === 'wire-open');
  assert.equal(
    opened.map(({ adopted }) => adopted),
    [false, true],
  );
  await visit(FOUR, 1);
  assert.is(pathsOf(FOUR).at(-1), 'relay');
  // Met before it: not relayed any more, and still repaired.
  await visit(ONE, 1);
  assert.is(pathsOf(ONE).at(-1), 'wire');
  assert.is(linesAt(ONE, 'repair').at(-1)?.['path'], 'wire');
});

lab.test('a mail server on the machine itself gets nobody else’s clients', NEEDS, async () => {
  const own = await startStranger(25);
  await visit(FOUR, 2);
  assert.equal(pathsOf(FOUR).slice(-2), ['relay', 'relay']);
  await own.stop('SIGKILL');
});

lab.test('without an address on the bridge auto means wire, and status says why', NEEDS, async () => {
  await wire.leave();
  wire.ip('shim', 'address flush dev br0 scope global');
  ehlowire = await wire.enter('--path', 'auto');
  const { relays, not_relayed } = await wire.status();
  assert.is(relays, false);
  assert.match(not_relayed.join(), 'br0 has no IPv4 address');
  assert.ok(
    wire.events().some(({ event, because }) => event === 'not-relayed' && /no IPv4/.test(String(because))),
  );
  const before = pathsOf(TWO).length;
  await visit(TWO, 2);
  assert.equal(pathsOf(TWO).slice(before), ['wire', 'wire']);
});

lab.run();
