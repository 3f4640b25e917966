// One store of what is known of servers: who hears of it, when ehlowire looks for itself, and what is forgotten.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { GreetingKnowledge } from '../../../inspect/greeting/known';
import type { Lesson, Verification } from '../../../inspect/greeting/lesson';
import { networkOf } from '../../../proxy/system/address';
import { BACK_OFF, createSchedule, VERIFICATIONS_PER_MINUTE } from '../../../proxy/servers/schedule';
import { readServers } from '../../../proxy/config/servers';
import { createServers, type Servers, type ServersOptions } from '../../../proxy/servers/servers';
import type { Connection } from '../../../proxy/sinks/record';
import type { VerifyOptions } from '../../../proxy/servers/verification';
import { rememberingSink, type Remembered } from '../relay/stage';

const TRUNCATED: GreetingKnowledge = { greeting: 'truncated', policy: 'repair', lines: 1, delay: 0 };
const WELLFORMED: GreetingKnowledge = { greeting: 'wellformed', policy: 'observe', lines: 0, delay: 0 };
const because = 'so it was seen';
const STALLED: Lesson = { kind: 'stalled', finding: { knowledge: TRUNCATED, because } };
const ENDED: Lesson = { kind: 'ended', finding: { knowledge: WELLFORMED, because } };
const LONE: Verification = { kind: 'greeted', finding: { knowledge: TRUNCATED, because } };
const HONEST: Verification = { kind: 'greeted', finding: { knowledge: WELLFORMED, because } };
const at = (port: number) => ({ address: '198.18.0.1', port });
const OWN = { address: '198.18.0.9', port: 50_000 };
const CLIENT: Connection = {
  session: 'c-1',
  path: 'relay',
  client: { address: '203.0.113.7', port: 40_000 },
  server: at(25),
};

interface Stage {
  readonly servers: Servers;
  readonly sink: Remembered;
  readonly visits: VerifyOptions[];
  /** Our own connection that was made last has seen this. */
  conclude(result: Verification): Promise<void>;
  readonly learned: string[];
}

function stage(options: Partial<ServersOptions> = {}): Stage {
  const sink = rememberingSink();
  const visits: VerifyOptions[] = [];
  const learned: string[] = [];
  let sessions = 0;
  const servers = createServers({
    sink,
    path: 'relay',
    patience: 20e6,
    connectMs: 1_000,
    nextSession: () => `own-${(sessions += 1)}`,
    onLearned: ({ port }, known) => void learned.push(`${port} ${known?.policy ?? 'forgotten'}`),
    visit: (visit) => {
      visits.push(visit);
      visit.onOpen(OWN);
      return { abort: () => undefined };
    },
    ...options,
  });
  const conclude = async (result: Verification): Promise<void> => {
    visits.at(-1)?.done(result);
    await new Promise((resolve) => setTimeout(resolve, 5));
  };
  return { servers, sink, visits, learned, conclude };
}

async function scene(
  options: Partial<ServersOptions>,
  play: (stage: Stage) => Promise<void> | void,
): Promise<void> {
  const made = stage(options);
  try {
    await play(made);
  } finally {
    made.servers.close();
  }
}

test('a suspicion is no knowledge; our own connection makes it one, and all who wait hear of it', () =>
  scene({}, async ({ servers, sink, visits, conclude, learned }) => {
    const server = servers.server(at(25));
    const heard: string[] = [];
    server.listen(({ greeting }) => void heard.push(greeting));
    assert.is(server.teach(STALLED, CLIENT, 1), undefined);
    assert.is(visits.length, 1);
    assert.is(server.knowledge, undefined);
    await conclude(LONE);
    assert.equal(server.knowledge, TRUNCATED);
    assert.equal(heard, ['truncated']);
    assert.equal(learned, ['25 repair']);
    const [line] = sink.lines;
    assert.equal(line?.connection?.client, OWN);
    assert.equal(line?.event.kind === 'learned' && line.event.way, 'verified');
    assert.equal(
      sink.notes.map(({ what }) => what),
      ['server-suspected', 'server-verified'],
    );
  }));

test('one connection of our own at a time, and the next one only after a while', () =>
  scene({}, async ({ servers, visits, conclude }) => {
    const server = servers.server(at(25));
    for (let i = 0; i < 10; i += 1) server.teach(STALLED, CLIENT, i);
    assert.is(visits.length, 1);
    await conclude(HONEST);
    for (let i = 0; i < 10; i += 1) server.teach(STALLED, CLIENT, i);
    assert.is(visits.length, 1);
  }));

test('clients and we are greeted differently: both counts are told, and what to decide', () =>
  scene({}, async ({ servers, sink, conclude, learned }) => {
    servers.server(at(25)).teach(STALLED, CLIENT, 1);
    await conclude(HONEST);
    const note = sink.notes.find(({ what }) => what === 'server-contested');
    assert.is(note?.fields['clients'], 1);
    assert.is(note?.fields['own'], 1);
    const { address } = at(25);
    assert.match(
      String(note?.fields['next']),
      `greeting.servers with {"server":"${address}:25","repair":"now"}`,
    );
    assert.is(servers.suspects().length, 1);
    assert.equal(learned, ['25 observe']);
  }));

test('a server that the operator decided about is no open question', () =>
  scene({ decided: readServers([{ server: `${at(25).address}:25`, repair: 'now' }]) }, async (it) => {
    it.servers.server(at(25)).teach(STALLED, CLIENT, 1);
    await it.conclude(HONEST);
    const note = it.sink.notes.find(({ what }) => what === 'server-contested');
    assert.match(String(note?.fields['next']), 'greeting.servers says "now" for it');
    assert.equal(it.servers.suspects(), []);
  }));

test('we cannot connect: what three networks taught is written as the last one’s', () =>
  scene(
    {
      visit: ({ done }) => {
        done({ kind: 'unreachable', why: 'no route' });
        return { abort: () => undefined };
      },
    },
    async ({ servers, sink }) => {
      for (const address of ['192.0.2.1', '198.51.100.1', '203.0.113.1']) {
        servers.server(at(25)).teach(STALLED, { ...CLIENT, client: { address, port: 1 } }, 1);
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
      const [line] = sink.lines;
      assert.is(line?.connection?.client.address, '203.0.113.1');
      assert.equal(line?.event.kind === 'learned' && line.event.way, 'networks');
    },
  ));

test('what we saw through our own repair shows nothing', () =>
  scene({}, async ({ servers, conclude, sink }) => {
    const server = servers.server(at(25));
    server.teach(STALLED, CLIENT, 1);
    assert.ok(servers.owns(OWN));
    servers.spoil(OWN);
    await conclude(HONEST);
    assert.is(server.knowledge, undefined);
    assert.ok(sink.notes.some(({ what }) => what === 'server-unverified'));
    assert.ok(servers.owns(OWN), 'its last segments may still be read');
  }));

/** What was in force, what our own connection saw while segments were not recorded, and what is in force then. */
const MISSED: readonly (readonly [name: string, known: boolean, seen: Verification, policy: string])[] = [
  ['a repair in force is not ended by it: it may have seen that very repair', true, HONEST, 'repair'],
  ['a stall stays one: no repair of ours is in its way', true, LONE, 'repair'],
  ['without a repair in force it is believed', false, HONEST, 'observe'],
];
for (const [name, known, seen, policy] of MISSED) {
  test(`what our own connection saw while segments were not recorded: ${name}`, () =>
    scene({}, async ({ servers, conclude, sink }) => {
      const server = servers.server(at(25));
      server.teach(STALLED, CLIENT, 1);
      // What concludes next stands for the next visit.
      if (known) await conclude(LONE);
      servers.missed();
      await conclude(seen);
      assert.is(server.knowledge?.policy, policy);
      assert.not(sink.notes.some(({ what }) => what === 'server-unverified'));
    }));
}

test('a repair that the program in the kernel took back is over, and who ended it is waited for longer', () =>
  scene({}, async ({ servers, conclude, sink, learned }) => {
    const server = servers.server(at(25));
    servers.withdrawn(at(26), 1);
    server.teach(STALLED, CLIENT, 1);
    await conclude(LONE);
    servers.withdrawn(at(25), 2);
    assert.equal(server.knowledge, { greeting: 'teaser', policy: 'observe', lines: 0, delay: 20e6 });
    assert.equal(learned, ['25 repair', '25 observe']);
    const last = sink.lines.at(-1)?.event;
    assert.is(
      last?.kind === 'learned' && last.because,
      'the program in the kernel saw 198.18.0.1:25 end its greeting behind a repair',
    );
    servers.withdrawn(at(25), 3);
    assert.is(sink.lines.length, 2);
  }));

test('a stall of ours is looked at again where a client has meanwhile shown a longer delay', () =>
  scene({}, async ({ servers, visits, conclude }) => {
    const server = servers.server(at(25));
    server.teach(STALLED, CLIENT, 1);
    server.teach({ kind: 'doubt', because, delay: 25e6 }, CLIENT, 2);
    await conclude(LONE);
    assert.is(server.knowledge, undefined);
    assert.equal(
      visits.map(({ wait }) => wait),
      [20e6, 50e6],
    );
  }));

test('what an earlier run verified holds at once, and is looked at with the first client', () =>
  scene(
    { known: [{ server: at(25), knowledge: TRUNCATED, way: 'verified', learned: 0 }] },
    ({ servers, visits, learned }) => {
      assert.equal(learned, ['25 repair']);
      assert.is(visits.length, 0);
      servers.server(at(25));
      assert.is(visits.length, 1);
    },
  ));

test('on the wire it is looked at when the process starts: repaired connections teach nothing', () =>
  scene(
    { path: 'wire', known: [{ server: at(25), knowledge: TRUNCATED, way: 'verified', learned: 0 }] },
    async ({ servers, visits, conclude }) => {
      assert.is(visits.length, 1);
      await conclude(HONEST);
      assert.equal(servers.knownOf(at(25)), WELLFORMED);
    },
  ));

test('at the cap the server that was used least recently is forgotten, and one under repair last', () =>
  scene(
    { capacity: 2, known: [{ server: at(1), knowledge: TRUNCATED, way: 'verified', learned: 0 }] },
    ({ servers, learned }) => {
      for (const port of [2, 3, 4]) servers.server(at(port)).teach(ENDED, CLIENT, 1);
      assert.is(servers.known().length, 2);
      assert.equal(servers.knownOf(at(1)), TRUNCATED);
      assert.equal(learned, [
        '1 repair',
        '2 observe',
        '2 forgotten',
        '3 observe',
        '3 forgotten',
        '4 observe',
      ]);
    },
  ));

test('a server of which nothing is known is not kept over a restart', () =>
  scene({}, ({ servers }) => {
    servers.server(at(25));
    assert.equal(servers.known(), []);
  }));

test('a few visits a minute in all', () => {
  const schedule = createSchedule();
  for (let i = 0; i < 40; i += 1) schedule.want(String(i));
  assert.is(schedule.begin(1).length, VERIFICATIONS_PER_MINUTE);
  assert.is(schedule.begin(30e6).length, 0);
  assert.is(schedule.begin(61e6).length, VERIFICATIONS_PER_MINUTE);
});

test('a visit that showed nothing new makes the next one wait longer, up to ten minutes', () => {
  const schedule = createSchedule();
  let now = 0;
  const waits: number[] = [];
  for (let i = 0; i < 8; i += 1) {
    schedule.want('a');
    const from = now;
    while (schedule.begin(now).length === 0) now += 1e6;
    waits.push((now - from) / 1e6);
    schedule.ended('a', now, true);
  }
  assert.equal(waits, [0, 15, 30, 60, 120, 240, 480, 600]);
  assert.is(BACK_OFF, 15e6);
});

const NETWORKS: readonly (readonly [address: string, want: string])[] = [
  ['192.0.2.7', '192.0.2.0/24'],
  ['::ffff:192.0.2.7', '192.0.2.0/24'],
  ['2001:db8:1:2::7', '2001:db8:1::/48'],
];
for (const [address, want] of NETWORKS) {
  test(`the network of ${address} is ${want}`, () => assert.is(networkOf(address), want));
}

test.run();
