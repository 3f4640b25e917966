// An upstream that leads back to the relay is found out at the start, and one that does not is left alone.

import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Address } from '../../../proxy/system/address';
import { formatFault } from '../../../proxy/system/fault';
import { answersAt, isLocal } from '../../../proxy/relay/own-addresses';
import { firstOf } from './peers';
import { configOf, faultOf, type Wishes } from './stage';

/** `one` and `two` stand for ports that are free. */
interface Row {
  readonly name: string;
  readonly pairs: readonly (readonly [listen: readonly [string, Port], upstream: readonly [string, Port]])[];
  readonly want: 'loop' | 'fine';
}
type Port = 'one' | 'two' | 'other';

const ROWS: readonly Row[] = [
  {
    name: 'itself',
    pairs: [
      [
        ['127.0.0.1', 'one'],
        ['127.0.0.1', 'one'],
      ],
    ],
    want: 'loop',
  },
  {
    name: 'itself by name',
    pairs: [
      [
        ['127.0.0.1', 'one'],
        ['localhost', 'one'],
      ],
    ],
    want: 'loop',
  },
  {
    name: 'on all addresses, called at one',
    pairs: [
      [
        ['', 'one'],
        ['127.0.0.1', 'one'],
      ],
    ],
    want: 'loop',
  },
  {
    name: 'on all of IPv4',
    pairs: [
      [
        ['0.0.0.0', 'one'],
        ['127.0.0.9', 'one'],
      ],
    ],
    want: 'loop',
  },
  {
    name: 'on all of IPv6',
    pairs: [
      [
        ['::', 'one'],
        ['::1', 'one'],
      ],
    ],
    want: 'loop',
  },
  {
    name: 'called at no address',
    pairs: [
      [
        ['127.0.0.1', 'one'],
        ['0.0.0.0', 'one'],
      ],
    ],
    want: 'loop',
  },
  {
    name: 'another port',
    pairs: [
      [
        ['127.0.0.1', 'one'],
        ['127.0.0.1', 'other'],
      ],
    ],
    want: 'fine',
  },
  {
    name: 'another address',
    pairs: [
      [
        ['127.0.0.1', 'one'],
        ['127.0.0.2', 'one'],
      ],
    ],
    want: 'fine',
  },
  {
    name: 'by way of another listener',
    pairs: [
      [
        ['127.0.0.1', 'one'],
        ['127.0.0.1', 'two'],
      ],
      [
        ['127.0.0.1', 'two'],
        ['127.0.0.1', 'one'],
      ],
    ],
    want: 'loop',
  },
  {
    name: 'to another listener, and out from there',
    pairs: [
      [
        ['127.0.0.1', 'one'],
        ['127.0.0.1', 'two'],
      ],
      [
        ['127.0.0.1', 'two'],
        ['127.0.0.1', 'other'],
      ],
    ],
    want: 'fine',
  },
];

for (const { name, pairs, want } of ROWS) {
  test(`${name}: ${want}`, async () => {
    const ports = await freePorts();
    const at = ([host, port]: readonly [string, Port]): Address => ({ host, port: ports[port] });
    const listeners = pairs.map(([listen, upstream]) => ({ listen: at(listen), upstream: at(upstream) }));
    assert.is(await startOf(listeners), want === 'loop' ? 'upstream-is-relay' : 'started');
    // Nothing is left bound.
    assert.is(
      await startOf([{ ...firstOf(listeners), upstream: { host: '127.0.0.1', port: 1 } }]),
      'started',
    );
  });
}

async function startOf(listeners: NonNullable<Wishes['listeners']>): Promise<string> {
  const fault = await faultOf(configOf(0, { listeners }));
  if (fault === undefined) return 'started';
  assert.match(formatFault(fault), /^upstream is the relay itself: .+: it would call itself/);
  return fault.code;
}

async function freePorts(): Promise<Readonly<Record<Port, number>>> {
  const servers = [0, 1, 2].map(() => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const [one = 0, two = 0, other = 0] = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return { one, two, other };
}

const LOCAL: readonly (readonly [address: string, want: boolean])[] = [
  ['127.0.0.1', true],
  ['127.8.9.10', true],
  ['::1', true],
  ['::ffff:127.0.0.1', true],
  ['0.0.0.0', true],
  ['192.0.2.1', false],
  ['2001:db8::1', false],
  ['mail.example', false],
];

for (const [address, want] of LOCAL) {
  test(`${address} is ${want ? '' : 'not '}this machine's`, () => assert.is(isLocal(address), want));
}

test('the addresses of its interfaces are', () => {
  for (const { address } of Object.values(networkInterfaces()).flatMap((all) => all ?? [])) {
    assert.ok(isLocal(address), address);
    assert.ok(answersAt('::', address), address);
    assert.is(answersAt('0.0.0.0', address), !address.includes(':'), address);
  }
});

test.run();
