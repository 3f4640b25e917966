// A watch that cannot keep up: it takes nothing for a while, says so, and claims nothing of that time.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createRelayCapture, type RelayCapture } from '../../../proxy/relay/capture';
import type { LiveListener, LiveSource } from '../../../proxy/sources/live';
import { now } from '../../../proxy/system/clock';
import { eventually } from './peers';
import { rememberingSink, type Remembered } from './stage';

const SECOND = 1_000_000;
const END = { address: '192.0.2.1', port: 25 };
const CALLER = { address: '198.51.100.1', port: 40_000 };
const LEGS = { client: { caller: CALLER, called: END }, server: undefined, repaired: () => false };
const CONNECTION = { session: 's', path: 'relay', client: CALLER, server: END } as const;

interface Scene {
  readonly watch: RelayCapture;
  readonly sink: Remembered;
  readonly listener: LiveListener;
  /** What was asked of the source. */
  readonly asked: string[];
}

function scene(): Scene {
  const sink = rememberingSink();
  const asked: string[] = [];
  let listener: LiveListener | undefined;
  const source: LiveSource = {
    linkType: 1,
    narrow: () => undefined,
    pause: () => void asked.push('pause'),
    resume: () => void asked.push('resume'),
    send: () => undefined,
    start: (given) => void (listener = given),
    close: () => Promise.resolve(),
  };
  const watch = createRelayCapture(sink, undefined, () => source);
  watch.open({ interface: 'eth0', ports: [25] });
  watch.begin({ ports: [25], implicitTlsPorts: [] });
  if (!listener) throw new Error('it was not started');
  return { watch, sink, listener, asked };
}

/** Frames that are read `late`, one after the other, until `enough`. */
async function readLate({ listener }: Scene, late: number, enough: () => boolean): Promise<void> {
  for (let i = 0; i < 40 && !enough(); i += 1) {
    listener.frame(1, new Uint8Array(60), now() - late, 60);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

test('segments that are read late for a while: nothing is taken, and one line says so', async () => {
  const on = scene();
  await readLate(on, 3 * SECOND, () => on.asked.length > 0);
  assert.equal(on.asked, ['pause']);
  assert.equal(
    on.sink.notes.map(({ what, fields }) => [what, fields['seconds']]),
    [['evidence-paused', 1]],
  );
  assert.is(on.watch.follow(CONNECTION, LEGS), undefined, 'a connection of that time is not watched');
  let seen = false;
  on.watch.whenSeen(now(), () => (seen = true));
  assert.ok(seen, 'no line waits for segments that are not taken');
  await eventually('it goes on', () => on.asked.includes('resume'));
  assert.ok(on.watch.follow(CONNECTION, LEGS) !== undefined);
  await readLate(on, 3 * SECOND, () => on.asked.length > 2);
  assert.equal(on.asked, ['pause', 'resume', 'pause']);
  await on.watch.close();
});

test('a connection of which no segment was seen has no counts of segments', () => {
  const { watch } = scene();
  assert.equal(watch.follow(CONNECTION, LEGS)?.facts(), { verdicts: [] });
});

test('a moment in which the process stood still is no reason', async () => {
  const on = scene();
  on.listener.frame(1, new Uint8Array(60), now() - 9 * SECOND, 60);
  on.listener.idle(now());
  await readLate(on, 0, () => false);
  assert.equal(on.asked, []);
  await on.watch.close();
});

test.run();
