// What clients may only suspect: ehlowire looks itself, and then a truncated server is repaired for all, whoever provokes it.

import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { formatEndpoint } from '../../../proxy/system/address';
import type { LogLine } from '../../kit/ehlowire';
import { labSuite, type Need } from '../../kit/lab';
import type { Child } from '../../kit/process';
import { ADDRESS } from '../../kit/topology';
import { LONE, ONE, ONE6, startLoad, startServers, THREE, TWO, WHOLE } from '../../kit/wire';
import { HONEST, honestFor, isHonest, linger, startBots } from './crowd';
import { AUTO, BLIND, makeWay, RELAY, WIRE, type Way } from './paths';

const NEEDS: readonly Need[] = ['python3', 'bpf'];
const BOTH = [ONE, ONE6];
/** A second one of IPv6. */
const TWO6 = 'fd00:19::5';
const PATIENCE_S = 2;
/** A visit waits the patience, and is looked at a little later. */
const VISIT_MS = 30_000;
const IDLE_S = 4;
/** Bots hold a connection for 9 s. */
const PROVOKED_S = 14;
/** A greeting that is repaired at once is held for less. */
const AT_ONCE_MS = 500;

function linesAt({ wire }: Way, server: string, event: string): LogLine[] {
  return wire.events().filter((line) => line['server.address'] === server && line.event === event);
}

function notesOn({ wire }: Way, server: string, event: string): LogLine[] {
  const name = formatEndpoint({ address: server, port: 25 });
  return wire.events().filter((line) => line['server'] === name && line.event === event);
}

function learnedOf(way: Way, server: string): string[] {
  return linesAt(way, server, 'learned').map(
    (line) => `${line['greeting']} ${line['policy']} ${line['way']}`,
  );
}

/** Honest sessions, one after another: all are fine. */
async function visit({ wire, frontOf }: Way, server: string, sessions: number): Promise<void> {
  const from = honestFor(server);
  const load = startLoad(wire, frontOf(server), { connections: 1, pace: 0, sessions, from });
  const { fine, failed } = await load.ended;
  assert.equal({ fine, failed }, { fine: sessions, failed: {} });
}

for (const [nth, path] of [RELAY, WIRE, AUTO].entries()) {
  const lab = labSuite(`verified, ${path.name}`);
  let way: Way;
  lab.before(async () => {
    way = makeWay(`v${nth}`, path, BOTH, PATIENCE_S);
    await startServers(way.wire, `--idle=${IDLE_S}`, ...BOTH.map((server) => `[${server}]=${LONE}`));
    await way.enter();
  });
  lab.after(async () => way.wire.remove());

  lab.test(
    'a client waits, ehlowire looks itself, and the next client is greeted at once, by either family',
    NEEDS,
    async () => void (await Promise.all(BOTH.map((server) => beLearned(way, server)))),
  );

  lab.test(
    'and it stays so, whatever clients provoke',
    NEEDS,
    async () => void (await Promise.all(BOTH.map((server) => beProvoked(way, server)))),
  );

  lab.run();
}

async function beLearned(way: Way, server: string): Promise<void> {
  const client = linger(way.wire, honestFor(server)[0] ?? '', way.frontOf(server));
  await way.wire.line('the lesson', () => learnedOf(way, server).length > 0, VISIT_MS);
  await client.stop('SIGKILL');
  assert.equal(learnedOf(way, server), ['truncated repair verified']);
  assert.is(notesOn(way, server, 'server-suspected').length, 1);
  await way.wire.line('the note', () => notesOn(way, server, 'server-verified').length > 0);
  assert.is(notesOn(way, server, 'server-verified').length, 1);
  await visit(way, server, 2);
  await way.wire.line('the repairs', () => repairs(way, server).length >= 2);
  assert.equal(repairs(way, server).map(isAtOnce), [true, true]);
}

const PROVOKING = [
  'silent',
  'early',
  'pipelined',
  'octet',
  'refused',
  'closes',
  'resets',
  'window',
  'vanish',
];

async function beProvoked(way: Way, server: string): Promise<void> {
  const front = way.frontOf(server);
  const bots = await startBots(way.wire, front, PROVOKED_S, ...PROVOKING);
  const load = startLoad(way.wire, front, { connections: 2, pace: 0.1, from: honestFor(server) });
  const played = await bots.played;
  assert.equal(Object.keys(played).sort(), [...PROVOKING].sort());
  const { fine, failed } = await load.stop();
  assert.equal(failed, {}, server);
  assert.ok(fine > PROVOKED_S, `only ${fine} sessions at ${server}`);
  await way.wire.line('the repairs', () => repairs(way, server).length >= fine + 2, VISIT_MS);
  assert.equal(
    repairs(way, server).filter((line) => !isAtOnce(line)),
    [],
  );
  assert.equal(learnedOf(way, server), ['truncated repair verified']);
}

/** Of honest clients. */
function repairs(way: Way, server: string): LogLine[] {
  // The first one waited on the relay; it was completed for it alone.
  const [first] = honestFor(server);
  const all = linesAt(way, server, 'repair').filter((line) => isHonest(line['client.address']));
  return all.filter((line) => line['client.address'] !== first || isAtOnce(line));
}

function isAtOnce(line: LogLine): boolean {
  return Number(line['held_ms']) < AT_ONCE_MS;
}

const blind = labSuite(`verified, ${BLIND.name}`);
let way: Way;

blind.before(async () => {
  way = makeWay('v3', BLIND, [ONE, TWO, ONE6, TWO6], PATIENCE_S);
  way.wire.ip('mta', `address add ${TWO6}/64 dev eth0 nodad`);
  await startServers(way.wire, ...[ONE, TWO, ONE6, TWO6].map((server) => `[${server}]=${LONE}`));
  await way.enter();
});
blind.after(async () => way.wire.remove());

for (const [family, three, two] of [
  ['IPv4', ONE, TWO],
  ['IPv6', ONE6, TWO6],
] as const) {
  const name = `${family}: clients of three networks stand for ehlowire, those of two do not`;
  blind.test(name, NEEDS, async () => {
    // There are four networks in turn.
    const [a = '', b = '', c = '', , a2 = '', b2 = ''] = honestFor(three);
    const clients: Child[] = [
      ...[a, b, a2, b2].map((address) => linger(way.wire, address, two)),
      ...[a, b, c].map((address) => linger(way.wire, address, three)),
    ];
    await way.wire.line('the lesson', () => learnedOf(way, three).length > 0, VISIT_MS);
    await sleep(PATIENCE_S * 1000);
    assert.equal(learnedOf(way, three), ['truncated repair networks']);
    assert.equal(learnedOf(way, two), []);
    assert.is(notesOn(way, two, 'server-suspected').length, 1);
    assert.is(notesOn(way, three, 'server-unverified').length, 1);
    await visit(way, three, 2);
    const { servers } = await way.wire.status();
    assert.is(
      servers.find(({ address }) => address === two),
      undefined,
    );
    await Promise.all(clients.map((client) => client.stop('SIGKILL')));
  });
}

blind.run();

for (const [nth, path] of [WIRE, AUTO].entries()) {
  const lab = labSuite(`contested, ${path.name}`);
  let contested: Way;
  lab.before(async () => {
    contested = makeWay(`w${nth}`, path, [THREE], PATIENCE_S);
    const own = ADDRESS.shim.map((address) => `${THREE}~${address}=${WHOLE}`);
    await startServers(contested.wire, `${THREE}=${LONE}`, ...own);
    await contested.enter();
  });
  lab.after(async () => contested.wire.remove());

  lab.test('a server that greets ehlowire in another way is not repaired for all', NEEDS, async () => {
    const { wire } = contested;
    const clients = HONEST.slice(0, 4).map((address) => linger(wire, address, THREE));
    const note = await wire.line('the note', (line) => line.event === 'server-contested', VISIT_MS);
    await sleep(PATIENCE_S * 1000);
    await Promise.all(clients.map((client) => client.stop('SIGKILL')));
    assert.is(note['server'], `${THREE}:25`);
    assert.ok(Number(note['clients']) >= 1 && Number(note['own']) >= 1, JSON.stringify(note));
    assert.equal([note['clients_greeting'], note['own_greeting']], ['truncated', 'wellformed']);
    const policies = linesAt(contested, THREE, 'learned').map((line) => line['policy']);
    assert.equal(
      policies.filter((policy) => policy !== 'observe'),
      [],
    );
    const { servers } = await wire.status();
    assert.is(
      servers.find(({ policy }) => policy === 'repair'),
      undefined,
    );
  });
  lab.run();
}

for (const [nth, path] of [RELAY, WIRE, AUTO].entries()) {
  const lab = labSuite(`the operator’s word on one server, ${path.name}`);
  let decided: Way;
  lab.before(async () => {
    decided = makeWay(`y${nth}`, path, [ONE, TWO, THREE], PATIENCE_S);
    await startServers(decided.wire, `${ONE}=${LONE}`, `${TWO}=${LONE}`, `${THREE}=${LONE}`);
    const words = [
      { server: `${ONE}:25`, repair: 'now' },
      { server: `${TWO}:25`, repair: 'never' },
    ];
    await decided.enter('--set', `greeting.servers=${JSON.stringify(words)}`);
  });
  lab.after(async () => decided.wire.remove());

  lab.test('one is repaired from the first client on, one never, and one is learned', NEEDS, async () => {
    const { wire, frontOf } = decided;
    await visit(decided, ONE, 1);
    await wire.line('the repair', () => linesAt(decided, ONE, 'repair').length > 0);
    assert.ok(linesAt(decided, ONE, 'repair').every(isAtOnce));
    const clients = [TWO, THREE].map((server) => linger(wire, HONEST[0] ?? '', frontOf(server)));
    const lesson = (server: string): Promise<LogLine> =>
      wire.line('the lesson', () => learnedOf(decided, server).length > 0, VISIT_MS);
    await Promise.all([lesson(TWO), lesson(THREE)]);
    await Promise.all(clients.map((client) => client.stop('SIGKILL')));
    await visit(decided, THREE, 1);
    await wire.line('the repair', () => linesAt(decided, THREE, 'repair').some(isAtOnce));
    const client = linger(wire, HONEST[1] ?? '', frontOf(TWO));
    await sleep(2 * PATIENCE_S * 1000);
    await client.stop('SIGKILL');
    assert.equal(linesAt(decided, TWO, 'repair'), []);
  });

  lab.run();
}

const ordered = labSuite('the operator’s word, wire');
let stored: Way;

ordered.before(async () => void (stored = makeWay('x', WIRE, [ONE], PATIENCE_S)));
ordered.after(async () => stored.wire.remove());

for (const [name, between] of [
  ['the program stayed', async () => undefined],
  ['it was taken out', async () => void (await stored.wire.leave('--keep-bridge'))],
] as const) {
  ordered.test(
    `--repair now outranks what is stored, ${name}: the first greeting is repaired`,
    NEEDS,
    async () => {
      let servers = await startServers(stored.wire, `${ONE}=${WHOLE}`);
      let ehlowire = await stored.enter();
      await visit(stored, ONE, 1);
      await stored.wire.line('the lesson', () => learnedOf(stored, ONE).includes('wellformed observe seen'));
      await ehlowire.stop('SIGTERM', 20_000);
      await between();
      await servers.stop();
      servers = await startServers(stored.wire, `${ONE}=${LONE}`);
      ehlowire = await stored.enter('--repair', 'now');
      const before = linesAt(stored, ONE, 'repair').length;
      await visit(stored, ONE, 1);
      await stored.wire.line('the repair', () => linesAt(stored, ONE, 'repair').length > before);
      await ehlowire.stop('SIGTERM', 20_000);
      await servers.stop();
    },
  );
}

ordered.run();
