// What a transparent listener may say, and what it may not.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { loadConfig, type Config } from '../../../proxy/config/config';
import { formatFault, type Fault } from '../../../proxy/system/fault';

const PAIR = { listen: '127.0.0.1:2525', upstream: 'mail.example:25' };

function load(listeners: readonly object[], env: Record<string, string> = {}): Config | readonly Fault[] {
  return loadConfig({}, { EHLOWIRE_RELAY_LISTENERS: JSON.stringify(listeners), ...env });
}

function good(...given: Parameters<typeof load>): Config {
  const config = load(...given);
  if ('log' in config) return config;
  throw new Error(config.map(formatFault).join('\n'));
}

test('it has no upstream; another one may say that it is none', () => {
  const { relay } = good([
    { listen: ':8025', transparent: true, repair: 'now' },
    { ...PAIR, transparent: false },
  ]);
  assert.equal(
    relay.listeners.map(({ upstream, repair }) => [upstream?.host, repair]),
    [
      [undefined, 'now'],
      ['mail.example', 'learn'],
    ],
  );
});

const MARKS = [
  { text: '7', want: 7 },
  { text: '0xFFFFFFFF', want: 0xffff_ffff },
  { text: '0', want: 0 },
];

for (const { text, want } of MARKS) {
  test(`mark ${text}`, () => assert.is(good([], { EHLOWIRE_RELAY_MARK: text }).relay.mark, want));
}

const BAD: readonly { readonly name: string; readonly item: object; readonly want: string }[] = [
  {
    name: 'an upstream as well',
    item: { ...PAIR, transparent: true },
    want: '[0].upstream = "mail.example:25" (in EHLOWIRE_RELAY_LISTENERS): must be absent: a transparent connection goes to the server that its client meant',
  },
  {
    name: 'PROXY headers as well',
    item: { listen: ':25', transparent: true, proxyProtocol: 'out-v2' },
    want: '[0].proxyProtocol = "out-v2" (in EHLOWIRE_RELAY_LISTENERS): must be absent: behind a transparent listener the server sees the client\'s own address',
  },
  {
    name: 'perhaps transparent',
    item: { ...PAIR, transparent: 'yes' },
    want: '[0].transparent = "yes" (in EHLOWIRE_RELAY_LISTENERS): must be true or false',
  },
  {
    name: 'TLS that is neither',
    item: { ...PAIR, tls: true },
    want: '[0].tls = true (in EHLOWIRE_RELAY_LISTENERS): must be "implicit" or "auto"',
  },
  {
    name: 'neither upstream nor transparent',
    item: { listen: ':25' },
    want: '[0].upstream = nothing (in EHLOWIRE_RELAY_LISTENERS): must be an address as HOST:PORT',
  },
];

for (const { name, item, want } of BAD) {
  test(`refused: ${name}`, () => {
    const faults = load([item]);
    assert.ok(!('log' in faults), 'it was taken');
    assert.equal(faults.map(formatFault), [`bad configuration: relay.listeners${want}`]);
  });
}

for (const text of ['4294967296', '-1', '0xg']) {
  test(`refused: mark ${text}`, () => {
    const faults = load([], { EHLOWIRE_RELAY_MARK: text });
    assert.ok(!('log' in faults), 'it was taken');
    assert.match(
      faults.map(formatFault).join(),
      /^bad configuration: relay\.mark = .* must be a number from 0/,
    );
  });
}

test.run();
