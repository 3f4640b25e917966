import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig, wantsColor, type Config, type Overrides } from '../../../proxy/config/config';
import { describeSettings } from '../../../proxy/config/describe';
import { envName, SETTINGS } from '../../../proxy/config/schema';
import { formatFault, type Fault } from '../../../proxy/system/fault';

const dir = mkdtempSync(join(tmpdir(), 'ehlowire-config-'));
const file = join(dir, 'e.json');
test.after(() => rmSync(dir, { recursive: true }));

interface Input {
  readonly text?: string;
  readonly env?: Record<string, string>;
  readonly overrides?: Overrides;
}

function load({ text, env = {}, overrides = {} }: Input): Config | readonly Fault[] {
  if (text !== undefined) writeFileSync(file, text);
  return loadConfig(text === undefined ? overrides : { file, ...overrides }, env);
}

function good(input: Input): Config {
  const config = load(input);
  if ('log' in config) return config;
  throw new Error(config.map(formatFault).join('\n'));
}

const PAIR = { listen: '127.0.0.1:2525', upstream: 'mail.example:25' };
const flag = (key: string, value: unknown) => ({ flags: [{ flag: '--f', key, value }] });

const LAYERS: readonly (Input & { readonly name: string; readonly want: number })[] = [
  { name: 'the default', want: 20_000 },
  { name: 'the file over the default', text: '{"greeting":{"patience":"1s"}}', want: 1_000 },
  {
    name: 'the environment over the file',
    text: '{"greeting":{"patience":"1s"}}',
    env: { EHLOWIRE_GREETING_PATIENCE: '2s' },
    want: 2_000,
  },
  {
    name: '--set over the environment',
    env: { EHLOWIRE_GREETING_PATIENCE: '2s' },
    overrides: { set: ['greeting.patience=3s'] },
    want: 3_000,
  },
  {
    name: 'a flag over --set',
    overrides: { set: ['greeting.patience=3s'], ...flag('greeting.patience', 4_000) },
    want: 4_000,
  },
  {
    name: 'the last --set',
    overrides: { set: ['greeting.patience=3s', 'greeting.patience=5s'] },
    want: 5_000,
  },
  { name: 'a number of milliseconds', text: '{"greeting":{"patience":1500}}', want: 1_500 },
  { name: 'a number of milliseconds as text', env: { EHLOWIRE_GREETING_PATIENCE: '1500' }, want: 1_500 },
  { name: 'fractions', env: { EHLOWIRE_GREETING_PATIENCE: '1.5s' }, want: 1_500 },
  { name: 'minutes', env: { EHLOWIRE_GREETING_PATIENCE: '2min' }, want: 120_000 },
  { name: 'hours', env: { EHLOWIRE_GREETING_PATIENCE: '1h' }, want: 3_600_000 },
];

for (const { name, want, ...input } of LAYERS) {
  test(`patience: ${name}`, () => assert.is(good(input).greeting.patienceMs, want));
}

test('the defaults: one minute more than RFC 5321 §4.5.3.2', () => {
  const { relay, log, greeting } = good({});
  const { greeting: first, mail, rcpt, data, block, message, command } = relay.timeoutsMs;
  const minutes = [first, mail, rcpt, data, block, message, command].map((ms) => ms / 60_000 - 1);
  assert.equal(minutes, [5, 5, 5, 2, 3, 10, 5]);
  assert.equal(log, { file: undefined, format: 'auto', level: 'info', addresses: 'full' });
  assert.equal(greeting, {
    repair: 'learn',
    servers: new Map(),
    patienceMs: 20_000,
    hostname: hostname(),
  });
  assert.equal(relay.listeners, []);
});

test('several listeners, each with its own terms', () => {
  const listeners = [
    PAIR,
    {
      listen: '[::]:25',
      upstream: '[2001:db8::5]:25',
      proxyProtocol: 'in,out-v2',
      repair: 'never',
      tls: 'implicit',
    },
  ];
  const text = JSON.stringify({
    greeting: { repair: 'now' },
    relay: { listeners, trustedProxies: ['10.0.0.0/8'] },
  });
  assert.equal(good({ text }).relay.listeners, [
    {
      listen: { host: '127.0.0.1', port: 2525 },
      upstream: { host: 'mail.example', port: 25 },
      repair: 'now',
      tls: 'auto',
      proxyIn: false,
      proxyOut: undefined,
    },
    {
      listen: { host: '::', port: 25 },
      upstream: { host: '2001:db8::5', port: 25 },
      repair: 'never',
      tls: 'implicit',
      proxyIn: true,
      proxyOut: 'v2',
    },
  ]);
});

test('lists from texts: JSON or commas', () => {
  const env = {
    EHLOWIRE_RELAY_LISTENERS: JSON.stringify([PAIR]),
    EHLOWIRE_RELAY_TRUSTED_PROXIES: '10.0.0.0/8, 2001:db8::1',
  };
  const { relay } = good({ env });
  assert.is(relay.listeners[0]?.upstream?.host, 'mail.example');
  assert.equal(
    relay.trustedProxies.map(([network, bits]) => `${network.toString()}/${bits}`),
    ['10.0.0.0/8', '2001:db8::1/128'],
  );
});

const BAD: readonly (Input & { readonly name: string; readonly want: readonly string[] })[] = [
  {
    name: 'a bad value in the file',
    text: '{"greeting":{"patience":"20x"}}',
    want: [
      `bad configuration: greeting.patience = "20x" (in ${file}): must be a duration from 1 ms to 24 days, as "500ms", "20s", "6min", "1h" or a number of milliseconds`,
    ],
  },
  {
    name: 'a bad value in the environment',
    env: { EHLOWIRE_GREETING_REPAIR: 'maybe' },
    want: [
      'bad configuration: greeting.repair = "maybe" (in EHLOWIRE_GREETING_REPAIR): must be one of "learn", "now", "never"',
    ],
  },
  {
    name: 'a bad value in --set',
    overrides: { set: ['relay.maxConnections=many'] },
    want: ['bad configuration: relay.maxConnections = "many" (in --set): must be a whole number from 1 up'],
  },
  {
    name: 'a bad value of a flag',
    overrides: flag('greeting.repair', 'x'),
    want: ['bad configuration: greeting.repair = "x" (in --f): must be one of "learn", "now", "never"'],
  },
  {
    name: 'the wrong type',
    text: '{"relay":{"maxConnections":true,"drain":null}}',
    want: [
      `bad configuration: relay.maxConnections = true (in ${file}): must be a whole number from 1 up`,
      `bad configuration: relay.drain = null (in ${file}): must be a duration from 1 ms to 24 days, as "500ms", "20s", "6min", "1h" or a number of milliseconds`,
    ],
  },
  {
    name: 'a duration of nothing, and one that no timer holds',
    text: '{"greeting":{"patience":0},"relay":{"drain":"600h"}}',
    want: [
      `bad configuration: greeting.patience = 0 (in ${file}): must be a duration from 1 ms to 24 days, as "500ms", "20s", "6min", "1h" or a number of milliseconds`,
      `bad configuration: relay.drain = 2160000000 (in ${file}): must be a duration from 1 ms to 24 days, as "500ms", "20s", "6min", "1h" or a number of milliseconds`,
    ],
  },
  {
    name: 'unknown keys, near and far',
    text: '{"relay":{"listners":[]},"colour":{"of":1}}',
    want: [
      `unknown key: relay.listners (in ${file}): did you mean relay.listeners?`,
      `unknown key: colour (in ${file}): see CONFIG.md for what there is`,
    ],
  },
  {
    name: 'a value for a section',
    text: '{"log":"x.log"}',
    want: [`bad configuration: log = "x.log" (in ${file}): is a section: must be an object of its keys`],
  },
  {
    name: 'an unknown variable',
    env: { EHLOWIRE_LOG_FIL: 'x' },
    want: ['unknown variable: EHLOWIRE_LOG_FIL: did you mean EHLOWIRE_LOG_FILE?'],
  },
  {
    name: 'an unknown key, and no key at all, in --set',
    overrides: { set: ['greeting.patient=1s', 'quick'] },
    want: [
      'unknown key: greeting.patient (in --set): did you mean greeting.patience?',
      'wrong usage: --set quick: write --set key=value',
    ],
  },
  {
    name: 'a listener without an upstream',
    text: '{"relay":{"listeners":[{"listen":":25"}]}}',
    want: [
      `bad configuration: relay.listeners[0].upstream = nothing (in ${file}): must be an address as HOST:PORT`,
    ],
  },
  {
    name: 'a listener with a bad address',
    text: '{"relay":{"listeners":[{"listen":":25","upstream":"::1"}]}}',
    want: [
      `bad configuration: relay.listeners[0].upstream = "::1" (in ${file}): must be HOST:PORT: put an IPv6 address in brackets, as in [::1]:25`,
    ],
  },
  {
    name: 'a listener with an unknown key',
    text: '{"relay":{"listeners":[{"listen":":25","upstream":"a:25","ssl":true}]}}',
    want: [
      `bad configuration: relay.listeners[0].ssl = true (in ${file}): must be one of listen, upstream, transparent, proxyProtocol, repair, tls`,
    ],
  },
  {
    name: 'two PROXY versions at once',
    text: '{"relay":{"listeners":[{"listen":":25","upstream":"a:25","proxyProtocol":"out-v1,out-v2"}]}}',
    want: [
      `bad configuration: relay.listeners[0].proxyProtocol = "out-v1,out-v2" (in ${file}): must be "in", "out-v1", "out-v2", or "in" and one of the others`,
    ],
  },
  {
    name: 'PROXY headers from nobody',
    text: '{"relay":{"listeners":[{"listen":":25","upstream":"a:25","proxyProtocol":"in"}]}}',
    want: [
      'bad configuration: relay.trustedProxies: must name who may send the PROXY headers that a listener takes ("proxyProtocol": "in")',
    ],
  },
  {
    name: 'a bad network',
    text: '{"relay":{"trustedProxies":["10.0.0.0/8","10.0.0.0/33"]}}',
    want: [
      `bad configuration: relay.trustedProxies[1] = "10.0.0.0/33" (in ${file}): must be an address or a network, as 10.0.0.0/8`,
    ],
  },
  {
    name: 'bad JSON in a variable',
    env: { EHLOWIRE_RELAY_LISTENERS: '[{' },
    want: [
      'bad configuration: relay.listeners = "[{" (in EHLOWIRE_RELAY_LISTENERS): must be a list, as [{"listen": ":25", "upstream": "10.0.0.5:25"}], in texts as JSON',
    ],
  },
  { name: 'a list for a file', text: '[]', want: [`bad configuration: ${file}: must be a JSON object, {…}`] },
  {
    name: 'a missing file',
    overrides: { file: join(dir, 'none.json') },
    want: [`cannot read file: ${join(dir, 'none.json')}: there is no such file`],
  },
  { name: 'a directory', overrides: { file: dir }, want: [`cannot read file: ${dir}: it is a directory`] },
  {
    name: 'keys that are part of every object',
    text: '{"__proto__":{"x":1},"constructor":{"prototype":{"y":1}},"toString":1}',
    want: [
      `unknown key: __proto__ (in ${file}): see CONFIG.md for what there is`,
      `unknown key: constructor (in ${file}): see CONFIG.md for what there is`,
      `unknown key: toString (in ${file}): see CONFIG.md for what there is`,
    ],
  },
];

for (const { name, want, ...input } of BAD) {
  test(`refused: ${name}`, () => {
    const faults = load(input);
    assert.ok(!('log' in faults), 'it was taken');
    assert.equal(faults.map(formatFault), want);
  });
}

test('refused: broken JSON, in one line that names the file', () => {
  const faults = load({ text: '{\n"log": {\n}' });
  assert.ok(!('log' in faults));
  assert.is(faults.length, 1);
  assert.is(faults[0]?.code, 'file-not-json');
  assert.match(formatFault(faults[0] as Fault), /^not valid JSON: .*e\.json: .+$/);
});

test('every key is documented, has a variable of its own, and CONFIG.md is up to date (npm run docs)', () => {
  assert.is(new Set(SETTINGS.map(({ key }) => envName(key))).size, SETTINGS.length);
  for (const { key, doc } of SETTINGS)
    assert.ok((doc.length > 20 && doc.endsWith('.')) || doc.endsWith(').'), key);
  assert.fixture(readFileSync(join(__dirname, '../../../CONFIG.md'), 'utf8'), describeSettings());
});

const COLORS = [
  { env: { NO_COLOR: '1', FORCE_COLOR: '1' }, want: false },
  { env: { FORCE_COLOR: '1' }, want: true },
  { env: { FORCE_COLOR: '0' }, want: false },
  { env: { TERM: 'dumb' }, want: false },
];

for (const { env, want } of COLORS) {
  test(`colours with ${JSON.stringify(env)}`, () => assert.is(wantsColor(1, env), want));
}

test.run();
