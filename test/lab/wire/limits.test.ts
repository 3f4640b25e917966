// At its limits: a ring that is full, more connections than it follows, taken out of a bridge that was there before.

import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import type { LogLine } from '../../kit/ehlowire';
import { labSuite, type Need } from '../../kit/lab';
import { until, type Child } from '../../kit/process';
import { makeWire, ONE, startLoad, startServers, TWO, WHOLE } from '../../kit/wire';
import type { Servers, Tally, Wire } from '../../kit/wire';
import { counter, playRecorded } from './recorded';

const NEEDS: readonly Need[] = ['python3', 'bpf'];
/** Of the ring: so many octets are the dialogues of some ten sessions. */
const SMALL = 65_536;
const FOLLOWED = 16;
/** Connections at a time. */
const MANY = 80;
/** On a machine that has much else to do. */
const PATIENCE_MS = 60_000;

const lab = labSuite('wire, at its limits');
let wire: Wire;
let servers: Servers;
let ehlowire: Child;

lab.before(async () => {
  wire = makeWire('m', { bridge: 'addresses' });
  servers = await startServers(wire, `${ONE}=${WHOLE}`, `${TWO}=${WHOLE}`);
});

lab.after(async () => {
  await servers.stop();
  await wire.remove();
});

const linesOf = (event: string): LogLine[] => wire.events().filter((line) => line.event === event);

lab.test('a full ring: mail goes on, and the log says how much it missed', NEEDS, async () => {
  ehlowire = await wire.enter('--path', 'wire', '--set', `wire.ring=${SMALL}`);
  // More that are recorded already than the ring has room for: who begins later is not recorded at all.
  const load = startLoad(wire, ONE, { connections: MANY, pace: 0.1 });
  await until('all of them', () => servers.peers(ONE).length >= MANY || undefined, PATIENCE_MS);
  ehlowire.process.kill('SIGSTOP');
  await until(
    'records to be lost',
    async () => (await counter(wire, 'lost')) > 100 || undefined,
    PATIENCE_MS,
  );
  ehlowire.process.kill('SIGCONT');
  await sleep(2_500);
  const { fine, failed } = await load.stop();
  assert.equal(failed, {});
  const lost = await counter(wire, 'lost');
  await wire.line('the losses', () => lossesTold() === lost, PATIENCE_MS);
  for (const line of linesOf('loss')) assert.is(line['source'], 'ring');
  // What was not seen proves nothing.
  assert.equal(linesOf('verdict'), []);
  assert.ok(linesOf('session').length < fine, 'all of them were told');
  // What begins behind the loss is whole again.
  const last = await playRecorded(wire, TWO, 3);
  assert.equal(
    last.map((line) => [line['messages'], line['bytes.client']]),
    [1, 2, 3].map(() => [2, OCTETS]),
  );
});

/** Of the commands and messages of one session of the load. */
const OCTETS = 395;

function lossesTold(): number {
  return linesOf('loss').reduce((sum, line) => sum + Number(line['segments']), 0);
}

lab.test('left under load: the bridge that was there before notices nothing', NEEDS, async () => {
  const load = startLoad(wire, ONE, { connections: 10, pace: 0.02 });
  await load.greeted;
  const { code, output } = await wire.leave();
  assert.is(code, 0, output);
  await sleep(1_000);
  assert.equal(await failuresOf(load.stop()), {});
  assert.is((await ehlowire.ended).code, 0);
  assert.is((await wire.status()).attached, false);
});

lab.test(
  'more connections than are followed: all of them get through, and nothing false is told',
  NEEDS,
  async () => {
    const before = linesOf('session').length;
    ehlowire = await wire.enter('--path', 'wire', '--set', `wire.connections=${FOLLOWED}`);
    const load = startLoad(wire, ONE, { connections: 6 * FOLLOWED, pace: 0.1, sessions: 20 * FOLLOWED });
    const tally = await load.ended;
    assert.equal(tally, { fine: 20 * FOLLOWED, messages: 40 * FOLLOWED, failed: {} });
    await sleep(1_500);
    assert.equal(linesOf('verdict'), []);
    const told = linesOf('session').slice(before);
    assert.ok(told.length > 0);
    for (const line of told) assert.ok(Number(line['bytes.client']) <= OCTETS, JSON.stringify(line));
    // And whoever comes alone is followed from beginning to end.
    const last = await playRecorded(wire, TWO, 1);
    assert.equal(
      last.map((line) => [line['messages'], line['bytes.client']]),
      [[2, OCTETS]],
    );
  },
);

async function failuresOf(tally: Promise<Tally>): Promise<Tally['failed']> {
  return (await tally).failed;
}

lab.run();
