// Floods, beside honest clients: these are served, memory and log stay bounded, and what is repaired is repaired.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { LogLine } from '../../kit/ehlowire';
import { labSuite, type Need } from '../../kit/lab';
import type { Child } from '../../kit/process';
import { LONE, makeWire, meet, ONE, startLoad, startServers, THREE, TWO, WHOLE } from '../../kit/wire';
import type { Servers, Wire } from '../../kit/wire';
import { playRecorded } from './recorded';

const NEEDS: readonly Need[] = ['python3', 'bpf'];
/** Of a SYN flood; FLOOD=100000 plays the large one. */
const COUNT = Number(process.env['FLOOD'] ?? 20_000);
const RATE = 2_000;
/** More than the kernel's table of servers and the process's own have room for. */
const SERVERS = 17_000;
const MIB = 1_048_576;

const lab = labSuite('wire, floods');
let wire: Wire;
let servers: Servers;

lab.before(async () => {
  wire = makeWire('f', { bridge: 'addresses' });
  // What the server answers to them comes back too, and nobody goes on from it.
  wire.ip('mta', `route add 10.0.0.0/8 via ${wire.client.v4} dev eth0 onlink`);
  servers = await startServers(wire, `${ONE}=${WHOLE}`, `${TWO}=${LONE}`, `${THREE}=${LONE}`);
});

lab.after(async () => {
  await servers.stop();
  await wire.remove();
});

/** As an earlier run left it, which had looked for itself. */
function remember(servers: readonly object[]): void {
  const folder = join(wire.folder, 'journal');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  writeFileSync(join(folder, 'servers.json'), JSON.stringify({ schema: 2, servers, lost: 0 }), {
    mode: 0o600,
  });
}

function truncated(address: string): object {
  const knowledge = { greeting: 'truncated', policy: 'repair', lines: 1, delay: 0 };
  return { server: { address, port: 25 }, knowledge, way: 'verified' };
}

function honest(address: string): object {
  const knowledge = { greeting: 'wellformed', policy: 'observe', lines: 1, delay: 0 };
  return { server: { address, port: 25 }, knowledge, way: 'seen' };
}

/** A test that failed may have left one behind. */
async function enter(...more: readonly string[]): Promise<Child> {
  await wire.leave();
  return wire.enter('--path', 'wire', ...more);
}

async function policiesOf(...servers: readonly string[]): Promise<readonly (string | undefined)[]> {
  const { servers: held } = await wire.status();
  return servers.map((server) => held.find(({ address }) => address === server)?.policy);
}

/** In octets, without what is mapped from elsewhere: the ring is the kernel's, and has its size. */
async function memory(): Promise<number> {
  const { process: running } = await wire.status();
  const status = readFileSync(`/proc/${running?.pid ?? 0}/status`, 'latin1');
  return Number(/^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1]) * 1_024;
}

async function flood(mode: 'syn' | 'mid', server: string, count: number): Promise<number> {
  const to = (await wire.topology.run('mta', 5_000, 'cat', '/sys/class/net/eth0/address')).output.trim();
  const program = [join(__dirname, 'flood.py'), mode, String(count), String(RATE), 'eth0', to, server];
  const { code, output } = await wire.topology.run('cli', 300_000, 'python3', ...program);
  assert.is(code, 0, output);
  return Number(output.trim().split(' ')[1]);
}

/** Of each flood: what the process may grow by, which is mostly what V8 leaves lying until it has to collect. */
const FLOODS = [
  ['syn', 'SYNs that nobody goes on from', 96 * MIB],
  ['mid', 'segments of connections that never began', 192 * MIB],
] as const;
for (const [mode, name, most] of FLOODS) {
  lab.test(`${name}: all honest clients are served, memory and log are bounded`, NEEDS, async () => {
    const ehlowire = await enter();
    // Its first sessions make it as large as it is in service.
    await startLoad(wire, ONE, { connections: 20, pace: 0, sessions: 1_500 }).ended;
    const before = await memory();
    const lines = wire.events().length;
    const load = startLoad(wire, ONE, { connections: 5, pace: 0.05 });
    await load.greeted;
    const seconds = await flood(mode, ONE, COUNT);
    const grown = (await memory()) - before;
    const { fine, failed } = await load.stop();
    assert.equal(failed, {});
    assert.ok(fine > 10, `${fine} sessions`);
    const others = wire
      .events()
      .slice(lines)
      .filter((line) => line['client.address'] !== wire.client.v4);
    const lost = (await wire.status()).counters['lost'] ?? 0;
    console.log(
      `  ${COUNT} in ${seconds} s: ${(grown / MIB).toFixed(1)} MiB more, ${others.length} lines more, ${fine} honest sessions, ${lost} records lost`,
    );
    assert.ok(grown <= most, `${(grown / MIB).toFixed(1)} MiB more`);
    assert.ok(others.length <= LINES * (seconds + 2), `${others.length} lines in ${seconds} s`);
    assert.is(ehlowire.process.exitCode, null);
  });
}

/** A second, of those that are no client's. */
const LINES = 60;

lab.test('a repair in force is made for everybody, however small the table is', NEEDS, async () => {
  await wire.leave();
  remember([truncated(TWO)]);
  await enter('--set', 'wire.connections=256');
  for (const at of [ONE, TWO]) {
    const load = startLoad(wire, TWO, { connections: 5, pace: 0.05 });
    await load.greeted;
    await flood('syn', at, COUNT / 4);
    const { fine, failed } = await load.stop();
    assert.equal(failed, {}, `a flood at ${at}`);
    assert.ok(fine > 5, `${fine} sessions`);
  }
});

lab.test('more servers than have room: what is repaired stays so, and what comes is', NEEDS, async () => {
  await wire.leave();
  remember([truncated(TWO)]);
  await enter();
  // Servers whose connections begin while the ring is crowded are not met: they come again.
  for (let rounds = 0; learned() <= TABLE; rounds += 1) {
    assert.ok(rounds < 10, `only ${learned()} servers were met`);
    await greetAll();
    await playRecorded(wire, ONE, 1);
  }
  for (const server of [TWO, THREE]) {
    if (server === THREE) await meet(wire, server);
    const { fine, failed } = await startLoad(wire, server, { connections: 2, pace: 0, sessions: 10 }).ended;
    assert.equal({ fine, failed }, { fine: 10, failed: {} }, server);
  }
  const status = await wire.status();
  const repaired = status.servers.filter(({ policy }) => policy === 'repair').map(({ address }) => address);
  assert.equal(repaired.sort(), [TWO, THREE].sort());
  console.log(`  ${status.servers.length} servers have an entry`);
  const unheld = wire.events().filter(({ event }) => event === 'server-not-held');
  assert.equal(unheld, []);
});

/** One connection to each of them, with a whole greeting. */
async function greetAll(): Promise<void> {
  const { name } = wire.topology;
  const program = ['flood.py', 'greet', String(SERVERS), `${name}-cli`, 'eth0', `${name}-mta`, 'eth0'];
  const [file = '', ...args] = program;
  const { code, output } = await wire.topology.run('cli', 300_000, 'python3', join(__dirname, file), ...args);
  assert.is(code, 0, output);
}

/** How many of them the log says were learned. */
function learned(): number {
  const lessons = wire.events().filter(({ event }) => event === 'learned');
  const servers = lessons.map((line) => String(line['server.address']));
  return new Set(servers.filter((server) => server.startsWith('100.64.'))).size;
}

lab.test('auto, a table that is full: whoever is met gets a place, and what it needs', NEEDS, async () => {
  await wire.leave();
  const others = Array.from({ length: TABLE }, (_, i) => `100.65.${i >> 8}.${i & 255}`);
  remember(others.map(honest));
  const from = wire.events().length;
  await wire.enter('--path', 'auto');
  assert.is((await wire.status()).servers.length, TABLE);
  for (const server of [ONE, THREE]) {
    // The first one is relayed until the server is understood.
    const { fine, failed } = await startLoad(wire, server, { connections: 1, pace: 0, sessions: 1 }).ended;
    assert.equal({ fine, failed }, { fine: 1, failed: {} }, server);
    const lessons = (): LogLine[] =>
      wire
        .events()
        .slice(from)
        .filter(({ event }) => event === 'learned');
    await wire.line('the lesson', () => lessons().some((line) => line['server.address'] === server));
    const again = await startLoad(wire, server, { connections: 2, pace: 0, sessions: 10 }).ended;
    assert.equal({ fine: again.fine, failed: again.failed }, { fine: 10, failed: {} }, server);
  }
  assert.equal(await policiesOf(ONE, THREE), ['observe', 'repair']);
  assert.is((await wire.status()).servers.length, TABLE);
  const unheld = wire.events().filter(({ event }) => event === 'server-not-held');
  assert.equal(unheld, []);
});

/** Places of the kernel's table of servers. */
const TABLE = 16_384;

lab.run();
