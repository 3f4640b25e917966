// The rule `load` on real sockets: what a client that costs too much gets, what the log says, and who is left alone.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { call, eventually, GREETING, politely, type Peer } from './peers';
import { closeOf, onStage, type Wishes } from './stage';

/** Every recipient is unknown to it. */
const unknowing = (peer: Peer): void => {
  peer.say(GREETING);
  peer.socket.on('end', () => peer.socket.end());
  peer.socket.on('data', (chunk: Buffer) => {
    const lines = chunk.toString('latin1').split('\r\n').slice(0, -1);
    peer.say(
      lines.map((line) => (/^RCPT/.test(line) ? '550 5.1.1 unknown\r\n' : '250 2.0.0 ok\r\n')).join(''),
    );
  });
};

interface Row {
  readonly name: string;
  readonly wishes: Wishes;
  readonly play: (peer: Peer) => void;
  readonly act: (client: Peer) => Promise<void>;
  /** The end of all that the client gets. */
  readonly want: RegExp;
  /** What stands in the log of it; empty: nothing. */
  readonly detail: string;
}

const harvest = async (client: Peer): Promise<void> => {
  for (let i = 1; i <= 4; i += 1) {
    client.say('RCPT TO:<x@mta.example>\r\n');
    await eventually('a reply', () => client.text().split('550 ').length > i);
  }
};
const deliver = async (client: Peer): Promise<void> => {
  for (const line of [
    'MAIL FROM:<a@b.example>',
    'RCPT TO:<c@mta.example>',
    'DATA',
    'Subject: x\r\n\r\ny\r\n.',
  ]) {
    const before = client.text().length;
    client.say(`${line}\r\n`);
    await eventually('a reply', () => client.text().length > before);
  }
};
const nothing = (): Promise<void> => Promise.resolve();

const ROWS: readonly Row[] = [
  {
    name: 'errors',
    wishes: { limits: { errors: 3 } },
    play: unknowing,
    act: harvest,
    want: /550 5\.1\.1 unknown\r\n421 4\.7\.0 shim\.example too many errors, [^\r]+\r\n$/,
    detail: 'more than policy.limits.errors (3)',
  },
  {
    name: 'messages: the next MAIL',
    wishes: { limits: { messages: 1 } },
    play: politely,
    act: async (client) => {
      await deliver(client);
      client.say('MAIL FROM:<a@b.example>\r\n');
    },
    want: /250 2\.0\.0 queued\r\n421 4\.7\.0 shim\.example too many messages [^\r]+\r\n$/,
    detail: 'more than policy.limits.messages (1)',
  },
  {
    name: 'no first command',
    wishes: { limits: { firstCommand: 50_000 } },
    play: politely,
    act: nothing,
    want: /ESMTP\r\n421 4\.7\.0 shim\.example no command came in time, connect again\r\n$/,
    detail: 'no command within policy.limits.firstCommand (0.05 s)',
  },
  {
    name: 'a line that does not end',
    wishes: { limits: { commandLine: 50_000 } },
    play: politely,
    act: (client) => Promise.resolve(client.say('EHL')),
    want: /ESMTP\r\n421 4\.7\.0 shim\.example a command line took too long, connect again\r\n$/,
    detail: 'a command line took longer than policy.limits.commandLine (0.05 s)',
  },
  {
    name: 'no transaction',
    wishes: { limits: { withoutTransaction: 50_000 } },
    play: politely,
    act: (client) => Promise.resolve(client.say('NOOP\r\n')),
    want: /421 4\.7\.0 shim\.example no message for too long, [^\r]+\r\n$/,
    detail: 'no transaction for policy.limits.withoutTransaction (0.05 s)',
  },
];

for (const { name, wishes, play, act, want, detail } of ROWS) {
  test(`enforced: ${name}`, () =>
    onStage(play, wishes, async ({ port, sink, server }) => {
      const client = await call(port);
      await client.expect(GREETING);
      await act(client);
      await client.ending();
      assert.match(client.text(), want);
      client.socket.destroy();
      assert.equal(
        sink.of('blocked').map((event) => [event.rule, event.action, event.detail]),
        [['load', 'close', detail]],
      );
      assert.equal(await closeOf(sink), { by: 'shim', how: 'fin', reason: 'load' });
      await eventually('the server is let go', () =>
        server.peers.every(({ socket }) => socket.readableEnded),
      );
    }));

  test(`observed: ${name}`, () =>
    onStage(play, { ...wishes, rules: { load: 'observe' } }, async ({ port, sink }) => {
      const client = await call(port);
      await client.expect(GREETING);
      await act(client);
      await eventually('it is reported', () => sink.of('anomaly').length > 0);
      assert.equal(
        sink.of('anomaly').map((event) => [event.anomaly, event.detail]),
        [['load', detail]],
      );
      client.say('\r\nQUIT\r\n');
      await eventually('it goes on', () => /\r\n[25]/.test(client.text().slice(GREETING.length - 2)));
      client.socket.destroy();
      assert.equal(sink.of('blocked'), []);
    }));
}

test('switched off: nothing is counted', () =>
  onStage(unknowing, { limits: { errors: 1 }, rules: { load: 'off' } }, async ({ port, sink }) => {
    const client = await call(port);
    await client.expect(GREETING);
    await harvest(client);
    assert.equal([...sink.of('blocked'), ...sink.of('anomaly')], []);
    client.socket.destroy();
  }));

test('a refusal at the door says which limit, and its number; the client gets what it can do', () => {
  const limits = { connectionsPerNetwork: { most: 1, chosen: true } };
  return onStage(politely, { limits }, async ({ port, sink }) => {
    const first = await call(port, '127.0.0.1', '127.0.0.2');
    await first.expect(GREETING);
    const second = await call(port, '127.0.0.1', '127.0.0.3');
    await second.ending();
    assert.is(
      second.text(),
      '421 4.7.0 shim.example too many connections from your network, try again later\r\n',
    );
    assert.equal(
      sink.of('blocked').map((event) => [event.rule, event.action, event.detail]),
      [['load', 'refuse', 'more than policy.limits.connectionsPerNetwork (1) at a time']],
    );
    const other = await call(port, '127.0.0.1', '127.0.1.1');
    await other.expect(GREETING);
    first.socket.destroy();
    await eventually('the place is free', () => sink.of('session').length === 2);
    const again = await call(port, '127.0.0.1', '127.0.0.3');
    await again.expect(GREETING);
    for (const { socket } of [second, other, again]) socket.destroy();
  });
});

const ONE = { connectionsPerClient: { most: 1, chosen: true } };
const HOUR = 3_600_000_000;

test('a client that is refused waits for its 421, and its connection ends then', () =>
  onStage(politely, { limits: { ...ONE, refusalDelay: 50_000 } }, async ({ port, sink }) => {
    const first = await call(port);
    await first.expect(GREETING);
    const second = await call(port);
    second.say('EHLO client.example\r\n');
    await second.ending();
    assert.match(second.text(), /^421 4\.7\.0 [^\r]+\r\n$/);
    const [blocked] = sink.of('blocked');
    const [session] = sink.of('session');
    assert.ok((session?.at ?? 0) - (blocked?.at ?? 0) >= 50_000, 'the record says how long it waited');
    for (const { socket } of [first, second]) socket.destroy();
  }));

test('a relay that is to end does not wait for those that wait for their 421', () =>
  onStage(politely, { limits: { ...ONE, refusalDelay: HOUR } }, async ({ port, sink, relay }) => {
    const first = await call(port);
    await first.expect(GREETING);
    const second = await call(port);
    await eventually('it is blocked', () => sink.of('blocked').length === 1);
    assert.is(second.text(), '');
    assert.equal(sink.of('session'), []);
    const drained = relay.drain();
    await second.ending();
    assert.match(second.text(), /^421 4\.7\.0 /);
    for (const { socket } of [first, second]) socket.destroy();
    await drained;
  }));

test('a client that goes away while it waits for its 421 leaves nothing behind', () =>
  onStage(politely, { limits: { ...ONE, refusalDelay: 50_000 } }, async ({ port, sink, relay }) => {
    const first = await call(port);
    await first.expect(GREETING);
    const second = await call(port);
    await eventually('it is blocked', () => sink.of('blocked').length === 1);
    second.socket.resetAndDestroy();
    await eventually('its line', () => sink.of('session').length === 1);
    first.socket.destroy();
    await eventually('no socket', () => relay.counters.sockets === 0);
  }));

test('where places are few, silent clients give way, and one that is in a transaction stays', () =>
  onStage(
    politely,
    { relay: { maxConnections: 10 }, limits: { busyWait: 100_000 } },
    async ({ port, sink }) => {
      const busy = await call(port);
      await busy.expect(GREETING);
      busy.say('MAIL FROM:<a@b.example>\r\n');
      await busy.expect('ok');
      const silent = await Promise.all(Array.from({ length: 8 }, () => call(port)));
      for (const client of silent) await client.expect(GREETING);
      await new Promise((resolve) => setTimeout(resolve, 150));
      const next = await call(port);
      await next.expect(GREETING);
      for (const client of silent) {
        await client.ending();
        assert.match(client.text(), /421 4\.3\.2 shim\.example too many connections, [^\r]+\r\n$/);
      }
      await deliver(busy);
      assert.match(busy.text(), /queued\r\n$/);
      assert.equal(
        sink.of('blocked').map(({ rule, action }) => `${rule} ${action}`),
        Array.from({ length: 8 }, () => 'connections close'),
      );
      for (const { socket } of [busy, next, ...silent]) socket.destroy();
    },
  ));

const isHidden = ({ what }: { readonly what: string }): boolean => what === 'clients-hidden';

test('all clients from one address: said once a limit is met, and nobody is refused', () =>
  onStage(politely, { relay: { maxConnections: 100 } }, async ({ port, sink, relay }) => {
    for (let i = 0; i < 80; i += 1) {
      const client = await call(port);
      await client.expect(GREETING);
      client.socket.destroy();
    }
    assert.not(sink.notes.some(isHidden));
    const clients = await Promise.all(Array.from({ length: 40 }, () => call(port)));
    await Promise.all(clients.map((client) => client.expect(GREETING)));
    assert.is(sink.notes.filter(isHidden).length, 1);
    assert.equal(relay.clients, { connections: 120, networks: 1, hidden: true });
    assert.equal(sink.of('blocked'), []);
    clients.forEach(({ socket }) => socket.destroy());
  }));

test.run();
