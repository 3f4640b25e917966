// What hostile peers do to their sockets, and when. Each row must end with nothing left, by itself or as the relay stops.

import { resetOnClose } from '../../../proxy/native/libc';
import { call as callRelay, eventually, GREETING, politely, sleep, type Peer } from './peers';
import { upstreamOf, type Stage, type Wishes } from './stage';

/** Clients of all rows: some never close by themselves. */
export const clients: Peer[] = [];

async function call(port: number): Promise<Peer> {
  const client = await callRelay(port);
  clients.push(client);
  return client;
}

export const greet = (peer: Peer): void => peer.say(GREETING);
const silent = (): void => undefined;
const MUCH = Buffer.alloc(8_000_000, 'x');

/** Everybody's patience is short: silence is one more way out. */
export const SHORT = 1_000;
const NAMES = ['connect', 'proxyHeader', 'greeting', 'hello', 'mail', 'rcpt', 'data', 'block', 'message'];
export const timeouts = Object.fromEntries([...NAMES, 'command', 'opaque'].map((name) => [name, SHORT]));
const trusted = ['127.0.0.0/8'];

async function greeted(stage: Stage): Promise<{ client: Peer; server: Peer }> {
  const client = await call(stage.port);
  await client.expect(GREETING);
  const server = await upstreamOf(stage);
  return { client, server };
}

/** Sends until the relay takes no more of it. */
async function fill(from: Peer, to: Peer): Promise<void> {
  to.socket.pause();
  from.say(MUCH);
  let before = -1;
  await eventually('it is stopped', () => {
    const stopped = before === from.socket.writableLength;
    before = from.socket.writableLength;
    return stopped;
  });
}

export interface Row {
  readonly name: string;
  readonly play?: (peer: Peer) => void;
  readonly wishes?: Wishes;
  /** It ends without a timeout. */
  readonly patient?: boolean;
  readonly act: (stage: Stage) => Promise<unknown>;
}

/** Not node's `resetAndDestroy`: it leaks, see `farewell.ts`. */
export const rst = ({ socket }: Peer): void => {
  resetOnClose(socket);
  socket.destroy();
};

/** How a client leaves, or does not. */
const LEAVES: Readonly<Record<string, (peer: Peer) => void>> = {
  FIN: ({ socket }) => void socket.end(),
  RST: rst,
  closed: ({ socket }) => void socket.destroy(),
  'reads no more': ({ socket }) => void socket.pause(),
};

export const ROWS: readonly Row[] = [
  {
    name: 'RST of both while FIN waits behind octets that nobody reads',
    patient: true,
    async act(stage) {
      const { client, server } = await greeted(stage);
      client.socket.pause();
      server.socket.end(MUCH);
      await eventually('FIN is asked for', () => server.socket.writableEnded);
      client.say('NOOP\r\n');
      await server.expect('NOOP');
      rst(server);
      await sleep(50);
      rst(client);
    },
  },
  {
    name: 'the server reads nothing more, FIN waits for it, and it resets',
    async act(stage) {
      const { client, server } = await greeted(stage);
      server.socket.pause();
      client.socket.end(Buffer.alloc(3_000_000, 'x'));
      await sleep(100);
      rst(server);
    },
  },
  {
    name: 'RST of the client while its FIN waits for a server that does not read',
    async act(stage) {
      const { client, server } = await greeted(stage);
      server.socket.pause();
      client.socket.end(Buffer.alloc(3_000_000, 'x'));
      await sleep(100);
      server.say('250 late\r\n'.repeat(1_000));
      rst(client);
      await sleep(50);
      rst(server);
    },
  },
  {
    name: 'many commands, and closed at once',
    patient: true,
    play: politely,
    async act({ port }) {
      const many = await Promise.all(Array.from({ length: 40 }, () => call(port)));
      for (const [index, client] of many.entries()) {
        await client.expect('220');
        client.say('EHLO a\r\n'.repeat(2_000));
        if (index % 2 === 0) client.socket.destroy();
        else rst(client);
      }
    },
  },
  {
    name: 'a half close, and silence of both',
    async act(stage) {
      const { client } = await greeted(stage);
      client.socket.end();
    },
  },
  {
    name: 'a half close of the server, and silence of both',
    async act(stage) {
      const { server } = await greeted(stage);
      server.socket.end();
    },
  },
  {
    name: 'a close with octets that were not read',
    async act(stage) {
      const { client, server } = await greeted(stage);
      client.socket.pause();
      server.say(Buffer.alloc(100_000, 'x'));
      await sleep(50);
      client.socket.destroy();
    },
  },
  {
    name: 'a client that never reads',
    async act(stage) {
      const { client, server } = await greeted(stage);
      await fill(server, client);
    },
  },
  {
    name: 'a server that never reads',
    async act(stage) {
      const { client, server } = await greeted(stage);
      await fill(client, server);
    },
  },
  {
    name: 'a client that vanishes with a RST while the server reads nothing',
    async act(stage) {
      const { client, server } = await greeted(stage);
      await fill(client, server);
      rst(client);
    },
  },
  {
    name: 'a server that resets in the midst of what it sends',
    async act(stage) {
      const { client, server } = await greeted(stage);
      await fill(server, client);
      rst(server);
    },
  },
  {
    name: 'a server that closes at once',
    play: ({ socket }) => socket.destroy(),
    act: ({ port }) => call(port),
  },
  { name: 'a server that resets at once', play: rst, act: ({ port }) => call(port) },
  { name: 'a server that says nothing', play: silent, act: ({ port }) => call(port) },
  {
    name: 'FIN before the server was reached',
    async act({ port }) {
      const client = await call(port);
      client.socket.end();
    },
  },
  {
    name: 'RST before the server was reached, with octets in front of it',
    async act({ port }) {
      for (let i = 0; i < 20; i++) {
        const client = await call(port);
        client.say('EHLO x\r\n'.repeat(i * 100));
        rst(client);
      }
    },
  },
  {
    name: 'no server, and a client that stays and talks',
    wishes: { listeners: [{ upstream: { host: '127.0.0.1', port: 1 } }] },
    async act({ port }) {
      const client = await call(port);
      client.say(Buffer.alloc(1_000_000, 'x'));
      await client.ending();
    },
  },
  ...Object.entries(LEAVES).map(([how, leave]): Row => ({
    name: `in the midst of a PROXY header: ${how}`,
    wishes: { listeners: [{ proxyIn: true }], trusted },
    async act({ port }) {
      const client = await call(port);
      client.say('PROXY TCP4 ');
      await sleep(20);
      leave(client);
    },
  })),
  {
    name: 'a PROXY header and RST in one',
    wishes: { listeners: [{ proxyIn: true }], trusted },
    async act({ port }) {
      const client = await call(port);
      client.socket.write('PROXY UNKNOWN\r\nEHLO x\r\n');
      rst(client);
    },
  },
  ...Object.entries(LEAVES).map(([how, leave]): Row => ({
    name: `refused at the cap: ${how}`,
    wishes: { relay: { maxConnections: 1 } },
    async act(stage) {
      const { client } = await greeted(stage);
      for (let i = 0; i < 10; i++) {
        const other = await call(stage.port);
        other.say('EHLO x\r\n');
        leave(other);
      }
      rst(client);
    },
  })),
  ...Object.entries(LEAVES).map(([how, leave]): Row => ({
    name: `while a timeout dismisses both: ${how}`,
    async act(stage) {
      const { client, server } = await greeted(stage);
      client.socket.pause();
      await eventually('dismissed', () => stage.sink.of('session').length > 0);
      server.say('250 late\r\n');
      client.say(Buffer.alloc(1_000_000, 'x'));
      leave(client);
      leave(server);
    },
  })),
  {
    name: 'a refusal behind a greeting that was completed, and a client that stays',
    patient: true,
    play: (peer) => {
      peer.say('220-mta.example\r\n');
      peer.socket.on('data', () => peer.socket.end('554 5.7.1 no\r\n'));
    },
    wishes: { listeners: [{ repair: 'now' }] },
    async act({ port }) {
      const client = await call(port);
      await client.expect('220 ');
      client.say('EHLO x\r\n');
      await client.expect('554');
    },
  },
];
