// Transparent sockets on loopback: whose address and port they have, what their failures are, and what they leave.

import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { formatFault, isFault, type Fault } from '../../../proxy/system/fault';
import { createSockets } from '../../../proxy/sockets/linger';
import { createTransparentUpstream } from '../../../proxy/sockets/transparent';
import type { Ends } from '../../../proxy/sockets/upstream';
import type { Endpoint } from '../../../inspect/address';
import { skip } from '../../kit/lab';
import { call, eventually, sleep } from '../relay/peers';
import { configOf, faultOf, openRelay, rememberingSink, type Wishes } from '../relay/stage';

const transparent = suite('transparent');
const root = process.getuid?.() === 0;

/** These need CAP_NET_ADMIN. */
function privileged(name: string, body: () => Promise<void>): void {
  if (root) transparent(name, body);
  else skip(transparent, `transparent: ${name}`, 'not root');
}

const upstream = createTransparentUpstream(0, createSockets());

function reach(ends: Ends, timeoutMs = 5_000): Promise<Socket | Fault> {
  return new Promise((resolve) => upstream.connect(ends, timeoutMs, resolve));
}

async function reached(ends: Ends): Promise<Socket> {
  const result = await reach(ends);
  if (isFault(result)) throw new Error(formatFault(result));
  return result;
}

interface Listening {
  readonly at: Endpoint;
  /** Who called, in order. */
  readonly callers: Endpoint[];
  close(): Promise<void>;
}

/** A server that says one line and closes with its client. */
async function listening(host: string, port = 0): Promise<Listening> {
  const callers: Endpoint[] = [];
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    callers.push({ address: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 });
    socket.on('error', () => undefined).write('220 mta.example\r\n');
  });
  await once(server.listen(port, host), 'listening');
  const { address, port: real } = server.address() as AddressInfo;
  return {
    at: { address, port: real },
    callers,
    close: async () => {
      sockets.forEach((socket) => socket.destroy());
      await once(server.close(), 'close');
    },
  };
}

async function freePort(host = '127.0.0.1'): Promise<number> {
  const server = await listening(host);
  await server.close();
  return server.at.port;
}

function descriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

for (const [family, own, other] of [
  ['IPv4', '127.0.0.1', '127.0.0.5'],
  ['IPv6', '::1', '::1'],
] as const) {
  privileged(
    `${family}: the client's address and its port; what the server says first is heard`,
    async () => {
      const server = await listening(own);
      const client = { address: other, port: await freePort(other) };
      const socket = await reached({ client, destination: server.at });
      const [words] = (await once(socket, 'data')) as [Buffer];
      assert.is(String(words), '220 mta.example\r\n');
      assert.equal(server.callers, [client]);
      assert.is(socket.localPort, client.port);
      socket.destroy();
      await server.close();
    },
  );
}

privileged('a port that somebody listens on is left to him: a free one', async () => {
  const server = await listening('127.0.0.1');
  const other = await listening('127.0.0.5');
  const ends = { client: other.at, destination: server.at };
  const socket = await reached(ends);
  await eventually('it was accepted', () => server.callers.length === 1);
  const [caller] = server.callers;
  assert.is(caller?.address, '127.0.0.5');
  assert.is.not(caller?.port, other.at.port);
  // Diverted once more it would call itself: it is known as ours, as long as it is there.
  const diverted = { client: caller ?? other.at, destination: server.at };
  assert.is(upstream.isOurs(diverted), true);
  assert.is(upstream.isOurs(ends), false);
  socket.destroy();
  await once(socket, 'close');
  assert.is(upstream.isOurs(diverted), false);
  await other.close();
  await server.close();
});

privileged('a second connection from the same port to the same server: a free one', async () => {
  const server = await listening('127.0.0.1');
  const client = { address: '127.0.0.5', port: await freePort('127.0.0.5') };
  const first = await reached({ client, destination: server.at });
  const second = await reached({ client, destination: server.at });
  assert.is(first.localPort, client.port);
  assert.is.not(second.localPort, client.port);
  first.destroy();
  second.destroy();
  await server.close();
});

privileged('nobody listens: the fault of any other connection', async () => {
  const client = { address: '127.0.0.5', port: await freePort('127.0.0.5') };
  const destination = { address: '127.0.0.1', port: await freePort() };
  const fault = await reach({ client, destination });
  assert.ok(isFault(fault));
  assert.is(fault.code, 'refused');
  assert.is(fault.on, `127.0.0.1:${destination.port}`);
});

privileged('given up before it is there: nobody is called', async () => {
  const server = await listening('127.0.0.1');
  const client = { address: '127.0.0.5', port: await freePort('127.0.0.5') };
  let told = 0;
  const cancel = upstream.connect({ client, destination: server.at }, 5_000, () => (told += 1));
  cancel();
  await sleep(50);
  assert.is(told, 0);
  await server.close();
});

privileged('500 that fail, 100 that are given up, 100 that work: no descriptor is left', async () => {
  const server = await listening('127.0.0.1');
  const nobody = { address: '127.0.0.1', port: await freePort() };
  const client = { address: '127.0.0.5', port: await freePort('127.0.0.5') };
  // What is loaded at first use stays open.
  await reach({ client, destination: nobody });
  const before = descriptors();
  const failing = await Promise.all(
    Array.from({ length: 500 }, () => reach({ client: { ...client, port: 0 }, destination: nobody })),
  );
  assert.equal([...new Set(failing.map((each) => isFault(each) && each.code))], ['refused']);
  for (let i = 0; i < 100; i += 1) {
    upstream.connect({ client: { ...client, port: 0 }, destination: nobody }, 5_000, () => undefined)();
  }
  const working = await Promise.all(
    Array.from({ length: 100 }, () => reached({ client: { ...client, port: 0 }, destination: server.at })),
  );
  await Promise.all(working.map((socket) => once(socket.destroy(), 'close')));
  await server.close();
  await eventually(`${before} descriptors, as before`, () => descriptors() <= before);
});

privileged('the relay as the server: refused in words, and not called again', async () => {
  const sink = rememberingSink();
  const relay = await openRelay(configOf(0, { listeners: [{ upstream: undefined }] }), sink);
  const client = await call(relay.addresses[0]?.port ?? 0);
  assert.is(await client.ending(), 'fin');
  assert.match(client.text(), /^421 4\.3\.5 shim\.example [^\r]+\r\n$/);
  client.socket.destroy();
  assert.equal(
    sink.of('blocked').map(({ rule, action }) => [rule, action]),
    [['not-diverted', 'refuse']],
  );
  assert.ok(sink.notes.some(({ what }) => what === 'not-diverted'));
  assert.is(relay.counters.accepted, 1);
  await relay.stop();
});

privileged('an upstream that is a transparent listener leads nowhere: a fault at the start', async () => {
  const [one, two] = [await freePort(), await freePort()];
  const at = (port: number) => ({ host: '127.0.0.1', port });
  const listeners = [
    { listen: at(one), upstream: at(two) },
    { listen: at(two), upstream: undefined },
  ];
  assert.is(await codeOf(listeners), 'upstream-is-relay');
});

transparent('without CAP_NET_ADMIN: one line that says what to do, and nothing left open', async () => {
  // The effective user's capabilities go with it, and come back.
  if (root) process.seteuid?.(65_534);
  const before = descriptors();
  try {
    for (const host of ['127.0.0.1', '::1', '']) {
      assert.is(await codeOf([{ listen: { host, port: 0 }, upstream: undefined }]), 'transparent-forbidden');
    }
    assert.is(descriptors(), before);
  } finally {
    if (root) process.seteuid?.(0);
  }
});

async function codeOf(listeners: NonNullable<Wishes['listeners']>): Promise<string> {
  return (await faultOf(configOf(0, { listeners })))?.code ?? 'started';
}

privileged('a port that is taken is said so', async () => {
  const taken = await listening('127.0.0.1');
  assert.is(
    await codeOf([{ listen: { host: '127.0.0.1', port: taken.at.port }, upstream: undefined }]),
    'port-in-use',
  );
  await taken.close();
});

transparent.run();
