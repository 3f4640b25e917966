// A worker's places and servers, with the primary's part of them behind messages that take their time.

import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createAdmission, type Asking, type Place } from '../../../proxy/relay/caps';
import { defaultPolicy } from '../relay/stage';
import type { Down, Message, Up } from '../../../proxy/workers/messages';
import { createRemoteAdmission, createRemoteServers } from '../../../proxy/workers/shared';

const TOTAL = 4;
const LIMITS = { ...defaultPolicy().limits, connectionsPerClient: { most: 2, chosen: true } };

const asking = (address: string): Asking => ({ address, load: 'enforce' });

/** One table, and workers whose questions it answers when `deliver` says so. */
function stage(workers: number) {
  const admission = createAdmission({ total: TOTAL, limits: () => LIMITS, onHidden: () => undefined });
  const all = Array.from({ length: workers }, () => {
    const up: Up[] = [];
    const places = new Map<number, Place>();
    const remote = createRemoteAdmission((message) => up.push(message));
    const answer = (id: number, no: Message<Down, 'answer'>['no']): void =>
      remote.answer({ kind: 'answer', id, no, observed: undefined, fill: admission.fill });
    const deliver = (): void => {
      for (const message of up.splice(0)) {
        if (message.kind === 'leave') places.get(message.id)?.leave();
        if (message.kind === 'introduce')
          places.get(message.id)?.introduce(message.client, (no) => answer(message.id, no));
        if (message.kind !== 'enter') continue;
        admission.enter(message.client, (given) => {
          if (given.kind === 'place') places.set(message.id, given);
          answer(message.id, given.kind === 'place' ? undefined : given);
        });
      }
    };
    return { remote, deliver };
  });
  return { admission, all };
}

test('limits hold over all workers, and every place comes back', () => {
  const step = fc.record({
    worker: fc.nat(1),
    client: fc.constantFrom(asking('a'), asking('b'), undefined),
    does: fc.constantFrom('enter', 'leave', 'deliver'),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const { admission, all } = stage(2);
      const inside: Place[] = [];
      for (const { worker, client, does } of steps) {
        const { remote, deliver } = all[worker] ?? { remote: undefined, deliver: () => undefined };
        if (does === 'enter') remote?.enter(client, (given) => given.kind === 'place' && inside.push(given));
        if (does === 'leave') inside.shift()?.leave();
        if (does === 'deliver') deliver();
        assert.ok(admission.held <= TOTAL);
        assert.ok(inside.length <= TOTAL);
      }
      all.forEach(({ deliver }) => deliver());
      assert.is(admission.held, inside.length);
      inside.forEach((place) => place.leave());
      all.forEach(({ deliver }) => deliver());
      assert.equal([admission.held, ...all.map(({ remote }) => remote.held)], [0, 0, 0]);
    }),
  );
});

test('a client that a PROXY header names is judged like any other', () => {
  const { admission, all } = stage(2);
  const said: string[] = [];
  for (const { remote, deliver } of [...all, ...all]) {
    remote.enter(undefined, (given) => {
      if (given.kind === 'place') given.introduce(asking('a'), (no) => said.push(no?.reason ?? 'in'));
    });
    deliver();
    deliver();
  }
  assert.equal(said, ['in', 'in', 'load', 'load']);
  assert.is(admission.held, 2);
});

const SERVER = { address: '192.0.2.25', port: 25 };
const TRUNCATED = { greeting: 'truncated', policy: 'repair', lines: 1, delay: 0 } as const;

test('what another worker learned reaches those that wait, and those that come', () => {
  const up: Up[] = [];
  const servers = createRemoteServers((message) => up.push(message), []);
  const heard: unknown[] = [];
  const server = servers.server(SERVER);
  server.listen((knowledge) => heard.push(knowledge.greeting));
  assert.is(server.knowledge, undefined);
  servers.learn({ kind: 'known', server: SERVER, knowledge: TRUNCATED });
  assert.equal(heard, ['truncated']);
  assert.equal(servers.server(SERVER).knowledge, TRUNCATED);
  servers.learn({ kind: 'known', server: SERVER });
  assert.is(servers.knownOf(SERVER), undefined);
  assert.equal(
    up.map(({ kind }) => kind),
    ['server'],
    'the primary hears of a server once a second',
  );
});

test('a worker that begins later knows what the others know', () => {
  const saved = [{ server: SERVER, knowledge: TRUNCATED, way: 'verified', learned: 1 }] as const;
  const servers = createRemoteServers(() => undefined, saved);
  assert.equal(servers.server(SERVER).knowledge, TRUNCATED);
});

test.run();
