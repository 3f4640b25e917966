// The wall clock is stepped while a greeting is open: an honest one is not repaired sooner, a truncated one not later.

import { stepWall } from './wall';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { now } from '../../../proxy/system/clock';
import { call, eventually, politely, sleep, type Peer } from './peers';
import { onStage } from './stage';

const LONE = '220-mta.example\r\n';
const LAST = '220 mta.example ESMTP\r\n';
/** The paths look at the wall clock once a second. */
const NOTICED_MS = 1_300;
const PATIENCE = { greeting: { patienceMs: 3 * NOTICED_MS } };
const HOUR = 3_600_000;
const STEPS: readonly (readonly [name: string, ms: number])[] = [
  // As long as the timeouts of the stage.
  ['an hour on', HOUR],
  ['an hour back', -HOUR],
  ['just longer than the patience on', 3 * NOTICED_MS + 100],
];

const later = (peer: Peer): void => {
  politely(peer, LONE);
  setTimeout(() => peer.socket.writable && peer.say(LAST), 2 * NOTICED_MS);
};

for (const [name, ms] of STEPS) {
  test(`${name}, in an honest greeting: it arrives as it is, and nothing is suspected`, () =>
    onStage(later, PATIENCE, async ({ port, sink }) => {
      const client = await call(port);
      await client.expect(LONE);
      const before = now();
      stepWall(ms);
      await client.expect(LAST);
      assert.ok(Math.abs(now() - before - ms * 1000) < 60e6, 'the step was noticed');
      assert.is(client.text(), `${LONE}${LAST}`);
      await eventually('the lesson', () => sink.of('learned').length > 0);
      assert.equal(
        sink.of('learned').map(({ greeting, policy }) => `${greeting} ${policy}`),
        ['teaser observe'],
      );
      assert.equal(sink.of('repair'), []);
      assert.not.ok(sink.notes.some(({ what }) => what.startsWith('server-')));
      client.socket.destroy();
    }));

  test(`${name}, in a truncated greeting: the client has its last line all the same`, () =>
    onStage(
      (peer) => politely(peer, LONE),
      { greeting: { patienceMs: 2 * NOTICED_MS } },
      async (stage) => {
        const client = await call(stage.port);
        await client.expect(LONE);
        stepWall(ms);
        await sleep(NOTICED_MS);
        assert.is(client.text(), LONE, 'not before the patience is over');
        await client.expect('220 mta.example');
        const [repair] = stage.sink.of('repair');
        assert.ok(repair);
        client.socket.destroy();
      },
    ));
}

test.run();
