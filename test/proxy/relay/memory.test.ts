// What is remembered of servers, for how many, and the name that ehlowire gives for one.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { GreetingKnowledge } from '../../../inspect/smtp/greeter';
import { createMemory, hostnameFor } from '../../../proxy/relay/memory';

const KNOWN: GreetingKnowledge = { greeting: 'truncated', policy: 'repair', lines: 1, delay: 0 };
const at = (port: number) => ({ address: '198.18.0.1', port });

test('a server is its address and port', () => {
  const memory = createMemory();
  memory.server(at(25)).learn(KNOWN, 0, () => undefined);
  assert.equal(memory.server(at(25)).knowledge, KNOWN);
  assert.is(memory.server(at(26)).knowledge, undefined);
});

test('everybody who listens is told, but not the one who learned it', () => {
  const server = createMemory().server(at(25));
  const told: string[] = [];
  const [one, two, gone] = ['one', 'two', 'gone'].map((name) => () => void told.push(name));
  if (!one || !two || !gone) throw new Error('three names');
  for (const listen of [one, two, gone]) server.listen(listen);
  server.unlisten(gone);
  server.learn(KNOWN, 0, one);
  assert.equal(told, ['two']);
});

test('the server that was least recently used is forgotten', () => {
  const memory = createMemory({ capacity: 2 });
  for (const port of [1, 2]) memory.server(at(port)).learn(KNOWN, 0, () => undefined);
  memory.server(at(1));
  memory.server(at(3));
  assert.is(memory.size, 2);
  assert.is(memory.server(at(1)).knowledge, KNOWN);
  assert.is(memory.server(at(2)).knowledge, undefined);
});

const NAMES: readonly (readonly [configured: string, host: string, address: string, want: string])[] = [
  ['shim.example', 'mta.example', '198.18.0.1', 'shim.example'],
  ['', 'mta.example', '198.18.0.1', 'mta.example'],
  ['', 'mta.example.', '198.18.0.1', 'mta.example'],
  ['', '198.18.0.1', '198.18.0.1', '[198.18.0.1]'],
  ['', '2001:db8::1', '2001:db8::1', '[IPv6:2001:db8::1]'],
  ['', '', '127.0.0.1', '[127.0.0.1]'],
];

for (const [configured, host, address, want] of NAMES) {
  test(`the name for ${host || 'this machine'}${configured && ', configured'}: ${want}`, () => {
    assert.is(hostnameFor(configured, { host, port: 25 }, { address, port: 25 }), want);
  });
}

test.run();
