// Both ways to have connections: by epoll, and by Node's own sockets. They must be heard alike.

import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createEpollNetwork } from '../../../proxy/measure/epoll';
import { SILENT, type Link, type Network, type Peer } from '../../../proxy/measure/network';
import { createSocketNetwork } from '../../../proxy/measure/sockets';
import { isRefusal } from '../../../proxy/native/libc';
import { isFault } from '../../../proxy/system/fault';
import { CERTIFICATE, KEY } from '../../kit/certificate';
import { freePort, until } from '../../kit/process';

function epoll(): Network {
  const network = createEpollNetwork();
  if (isRefusal(network)) throw new Error(network.code);
  return network;
}

interface Heard {
  readonly link: Link;
  readonly events: string[];
  octets: number;
}

/** A connection out, and what is heard of it. */
function open(network: Network, port: number, more: Partial<Peer> = {}): Heard {
  const events: string[] = [];
  const heard: { octets: number; events: string[] } = { octets: 0, events };
  const peer: Peer = {
    opened: () => events.push('opened'),
    octets: (octets) => (heard.octets += octets.length),
    secured: () => events.push('secured'),
    ended: (cause) => events.push(`ended ${cause}`),
  };
  const joined: Peer = {
    opened(at) {
      peer.opened(at);
      more.opened?.(at);
    },
    octets(octets, at) {
      peer.octets(octets, at);
      more.octets?.(octets, at);
    },
    secured(at) {
      peer.secured(at);
      more.secured?.(at);
    },
    ended: peer.ended,
  };
  return Object.assign(heard, { link: network.connect({ address: '127.0.0.1', port }, joined) });
}

async function serve(accept: (socket: Socket) => void): Promise<{ server: Server; port: number }> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    accept(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, port: (server.address() as AddressInfo).port };
}

const text = (octets: string): Uint8Array => Buffer.from(octets, 'latin1');

for (const [name, create] of [
  ['epoll', epoll],
  ['sockets', createSocketNetwork],
] as const) {
  const test = suite(name);

  test('octets out and in, and an end', async () => {
    const network = create();
    const { server, port } = await serve((socket) => socket.on('data', (octets) => socket.end(octets)));
    const heard = open(network, port, { opened: () => heard.link.send([text('one '), text('two')]) });
    await until('the end', () => (heard.events.includes('ended closed') ? true : undefined));
    assert.equal([heard.events, heard.octets], [['opened', 'ended closed'], 7]);
    network.end();
    server.close();
  });

  test('a connection that is refused', async () => {
    const network = create();
    const heard = open(network, await freePort());
    await until('the end', () => (heard.events.length > 0 ? true : undefined));
    assert.equal(heard.events, ['ended ECONNREFUSED']);
    network.end();
  });

  test('a reset', async () => {
    const network = create();
    const { server, port } = await serve((socket) => socket.on('data', () => socket.resetAndDestroy()));
    const heard = open(network, port, { opened: () => heard.link.send([text('x')]) });
    await until('the end', () => (heard.events.length > 1 ? true : undefined));
    assert.equal(heard.events, ['opened', 'ended ECONNRESET']);
    network.end();
    server.close();
  });

  test('nothing is heard behind close', async () => {
    const network = create();
    const sockets: Socket[] = [];
    const { server, port } = await serve((socket) => sockets.push(socket));
    const heard = open(network, port);
    const [socket] = await until('the connection', () =>
      sockets.length > 0 && heard.events.length > 0 ? sockets : undefined,
    );
    heard.link.close();
    heard.link.close();
    heard.link.send([text('x')]);
    if (socket) await once(socket.resume(), 'close');
    assert.equal(heard.events, ['opened']);
    network.end();
    server.close();
  });

  test('more than the kernel takes at once arrives whole, behind a reader that pauses', async () => {
    const network = create();
    const total = 24_000_000;
    const piece = new Uint8Array(total / 3).fill(0x78);
    let got = 0;
    const { server, port } = await serve((socket) => {
      socket.pause();
      setTimeout(() => socket.on('data', (octets) => (got += octets.length)).resume(), 100);
    });
    const heard = open(network, port, { opened: () => heard.link.send([piece, piece, piece]) });
    await until('all octets', () => (got === total ? true : undefined), 30_000);
    heard.link.close();
    network.end();
    server.close();
  });

  test('TLS begins behind plain octets', async () => {
    const network = create();
    const { server, port } = await serve((socket) => {
      socket.once('data', () => {
        socket.write('go');
        const tls = new TLSSocket(socket, { isServer: true, key: KEY, cert: CERTIFICATE });
        tls.on('error', () => undefined).on('data', (octets: Buffer) => tls.end(octets));
      });
    });
    let plain = true;
    const heard = open(network, port, {
      opened: () => heard.link.send([text('starttls')]),
      octets() {
        if (plain) heard.link.secure('mx.example');
        plain = false;
      },
      secured: () => heard.link.send([text('secret')]),
    });
    await until('the end', () => (heard.events.length > 2 ? true : undefined));
    assert.equal([heard.events, heard.octets], [['opened', 'secured', 'ended closed'], 8]);
    network.end();
    server.close();
  });

  test('TLS that is none', async () => {
    const network = create();
    const { server, port } = await serve((socket) =>
      socket.on('data', () => socket.end('no TLS at all\r\n')),
    );
    const heard = open(network, port, { opened: () => heard.link.secure(undefined) });
    await until('the end', () => (heard.events.length > 1 ? true : undefined));
    assert.equal(heard.events[0], 'opened');
    assert.match(heard.events[1] ?? '', /^ended (E|ERR_|closed)/);
    network.end();
    server.close();
  });

  test('connections in: many at once, each heard by its own', async () => {
    const network = create();
    const at = await network.listen({ address: '127.0.0.1', port: 0 }, (link) => {
      link.send([text('hello ')]);
      return {
        ...SILENT,
        octets(octets) {
          link.send([octets.slice()]);
          link.close();
        },
      };
    });
    if (isFault(at)) throw new Error(at.what);
    const answers = await Promise.all(
      Array.from({ length: 200 }, async (_, i) => {
        const socket = connect(at.port, '127.0.0.1');
        socket.write(String(i));
        let said = '';
        for await (const octets of socket) said += String(octets);
        return said;
      }),
    );
    assert.equal(
      answers,
      answers.map((_, i) => `hello ${i}`),
    );
    network.end();
  });

  test('a port that is taken is a fault', async () => {
    const network = create();
    const { server, port } = await serve(() => undefined);
    const at = await network.listen({ address: '127.0.0.1', port }, () => SILENT);
    assert.is(isFault(at) && at.code, 'port-in-use');
    network.end();
    server.close();
  });

  test.run();
}
