// More than is read: what begins then is not recorded, and what is recorded is whole; mail goes on, repairs too.

import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import type { LogLine } from '../../kit/ehlowire';
import { labSuite, type Need } from '../../kit/lab';
import { until, type Child } from '../../kit/process';
import { LONE, makeWire, ONE, remember, startLoad, startServers, THREE, TWO, WHOLE } from '../../kit/wire';
import type { Servers, Wire } from '../../kit/wire';

const NEEDS: readonly Need[] = ['python3', 'bpf'];
/** Octets of the ring: some forty sessions. In the other half those that are open find room. */
const RING = 1 << 18;
const AT_A_TIME = 8;
/** More than the ring holds. */
const SESSIONS = 300;
/** Of the commands and messages of one session of the load. */
const OCTETS = 395;
/** It was said to be truncated, and is only slow. */
const SLOW = '220-mx.dest.example\\r\\n\\w220 mx.dest.example\\r\\n';

const lab = labSuite('wire, overload');
let wire: Wire;
let servers: Servers;
let ehlowire: Child;

lab.before(async () => {
  wire = makeWire('o', { bridge: 'addresses' });
  servers = await startServers(wire, `${ONE}=${WHOLE}`, `${TWO}=${LONE}`, `${THREE}=${SLOW}`);
});

lab.after(async () => {
  await servers.stop();
  await wire.remove();
});

const enter = async (): Promise<Child> =>
  (ehlowire = await wire.enter('--path', 'wire', '--set', `wire.ring=${RING}`));

const linesOf = (event: string, from = 0): LogLine[] =>
  wire
    .events()
    .slice(from)
    .filter((line) => line.event === event);

/** Sessions to both servers, all of which have to end well. */
async function serve(): Promise<void> {
  const load = { connections: AT_A_TIME / 2, pace: 0.005, sessions: SESSIONS / 2 };
  for (const { ended } of [startLoad(wire, ONE, load), startLoad(wire, TWO, load)])
    assert.equal(await ended, { fine: SESSIONS / 2, messages: SESSIONS, failed: {} });
}

/** Of the sessions since the log had `from` lines and the kernel `before` of them not recorded. */
async function judge(from: number, before: number): Promise<void> {
  const count = async (): Promise<number> => (await wire.status()).counters['unwatched'] ?? NaN;
  await until('all sessions', async () => {
    return linesOf('session', from).length + (await count()) - before >= SESSIONS || undefined;
  });
  await sleep(500);
  const unwatched = (await count()) - before;
  const told = linesOf('session', from);
  console.log(`  ${told.length} recorded, ${unwatched} not`);
  assert.is(told.length + unwatched, SESSIONS);
  assert.ok(told.length >= AT_A_TIME && unwatched >= SESSIONS / 4);
  for (const line of told) {
    assert.equal([line['messages'], line['bytes.client']], [2, OCTETS], JSON.stringify(line));
    assert.is(line['coverage'], undefined, JSON.stringify(line));
  }
  assert.is((await wire.status()).counters['lost'], 0);
  for (const event of ['verdict', 'anomaly', 'loss']) assert.equal(linesOf(event), [], event);
  const over = await wire.line('the end', () => linesOf('watched-again', from).length > 0, 30_000);
  assert.ok(over);
  const sum = linesOf('watched-again', from).reduce((all, line) => all + Number(line['connections']), 0);
  assert.is(sum, unwatched);
  assert.ok(linesOf('unwatched', from).length > 0);
}

lab.test('the process is held up: recorded and not recorded are all sessions', NEEDS, async () => {
  remember(wire, TWO);
  await enter();
  // What it makes of the two servers is said before.
  await wire.line('its own word', (line) => line.event === 'server-verified', 30_000);
  const from = wire.events().length;
  ehlowire.process.kill('SIGSTOP');
  const served = serve();
  await Promise.race([served, sleep(2_500)]);
  ehlowire.process.kill('SIGCONT');
  await served;
  await judge(from, 0);
  const learned = linesOf('learned', from).map((line) => [line['server.address'], line['greeting']]);
  assert.equal(learned, [[ONE, 'wellformed']]);
});

lab.test(
  'no process at all: the next one finds whole sessions, and says how many are not there',
  NEEDS,
  async () => {
    const before = (await wire.status()).counters['unwatched'] ?? NaN;
    const from = wire.events().length;
    ehlowire.process.kill('SIGKILL');
    await ehlowire.ended;
    await serve();
    await enter();
    await judge(from, before);
    assert.equal(linesOf('learned', from), []);
  },
);

lab.test(
  'a repair that was wrong is taken back, though nothing of its connection is recorded',
  NEEDS,
  async () => {
    await wire.leave();
    remember(wire, THREE);
    const from = wire.events().length;
    await enter();
    ehlowire.process.kill('SIGSTOP');
    await startLoad(wire, ONE, { connections: 4, pace: 0, sessions: 200 }).ended;
    // It has not spoken when the late line comes.
    const client = startLoad(wire, THREE, { connections: 1, pace: 1.2, sessions: 1 });
    await until('the kernel to take it back', async () => {
      const { servers: held } = await wire.status();
      return held.some(({ address, contradicted }) => address === THREE && contradicted) || undefined;
    });
    ehlowire.process.kill('SIGCONT');
    const learned = await wire.line('the lesson', (line) => {
      return line.event === 'learned' && String(line['because']).includes(THREE);
    });
    assert.equal([learned['greeting'], learned['policy']], ['teaser', 'observe']);
    await client.ended;
    // What its own connection saw meanwhile may have been its own repair: no other word was said of that server.
    assert.equal(
      linesOf('learned', from).filter((line) => line['server.address'] === THREE),
      [],
    );
  },
);

lab.run();
