// What a person reads of a dry run, and the same as JSON.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { RULES } from '../../../../inspect/policy/rules';
import { policyOf } from '../../../../proxy/config/reload';
import { createMet, createTally, type Effect } from '../../../../proxy/report/policy/tally';
import { toObject, toText } from '../../../../proxy/report/policy/text';

const AT = Date.UTC(2026, 10, 27, 3, 2, 1) * 1_000;
const { rules } = policyOf({ 'policy.lines': 'off' });
const SHOWN = RULES.filter((rule) => rule !== 'load' && rule !== 'banner');
const READING = {
  lines: ['3 connections, 3 of them judged to their end'],
  json: { connections: 3 },
  empty: false,
  rules: SHOWN,
};

function tallyOf(
  ...findings: readonly (readonly [client: string, rule: string, effect: Effect, what: string])[]
) {
  const tally = createTally();
  for (const [address, rule, effect, what] of findings) {
    const met = createMet();
    met.add(rule, effect, { client: { address, port: 4711 }, at: AT, what });
    tally.count(address, met, { messages: 2, tls: false });
  }
  tally.count('192.0.2.99', undefined, { messages: 0, tls: true });
  return tally;
}

test('by what becomes of it, by rule and by network, the most connections first', () => {
  const tally = tallyOf(
    ['2001:db8:1::7', 'commands', 'refused', 'refused command EXPN'],
    ['192.0.2.7', 'commands', 'refused', 'refused command VRFY'],
    ['192.0.2.8', 'commands', 'refused', 'refused command VRFY'],
    ['192.0.2.7', 'synchronization', 'reported', 'early talk'],
    ['192.0.2.7', 'smuggling', 'changed', '\u001b[2J 1 bare LF'],
  );
  assert.equal(toText({ reading: READING, tally, rules, all: false }, false).split('\n'), [
    'Read    3 connections, 3 of them judged to their end',
    'Rules   smuggling normalize, starttls enforce, synchronization observe, nul enforce, commands enforce, auth-before-tls observe',
    '',
    'Would be refused',
    '  commands: 3 connections of 2 networks',
    '    192.0.2.0/24         2 connections of 5, 2 times; this network sent 8 messages, and 1 connection in TLS, whose messages are not counted',
    '      first: 192.0.2.7:4711 at 2026-11-27T03:02:01.000000Z: refused command VRFY',
    '    2001:db8:1::/48      1 connection of 1, 1 time; this network sent 2 messages',
    '      first: [2001:db8:1::7]:4711 at 2026-11-27T03:02:01.000000Z: refused command EXPN',
    '',
    'Would be changed, and passed on',
    '  smuggling: 1 connection of 1 network',
    '    192.0.2.0/24         1 connection of 5, 1 time; this network sent 8 messages, and 1 connection in TLS, whose messages are not counted',
    '      first: 192.0.2.7:4711 at 2026-11-27T03:02:01.000000Z: \\u001b[2J 1 bare LF',
    '',
    'Would only be reported (observe); enforce would refuse it',
    '  synchronization: 1 connection of 1 network',
    '    192.0.2.0/24         1 connection of 5, 1 time; this network sent 8 messages, and 1 connection in TLS, whose messages are not counted',
    '      first: 192.0.2.7:4711 at 2026-11-27T03:02:01.000000Z: early talk',
    '',
  ]);
});

test('nothing was found: it says so, and with which rules', () => {
  const report = { reading: READING, tally: tallyOf(), rules, all: true };
  assert.equal(toText(report, false).split('\n'), [
    'Read    3 connections, 3 of them judged to their end',
    'Rules   all, as if enforced; exemptions hold',
    '',
    'Nothing that was read would be refused, changed or reported by these rules.',
    '',
  ]);
  assert.equal(toObject(report)['found'], []);
});

test('where there was nothing to judge, nothing is said of the rules', () => {
  const report = { reading: { ...READING, empty: true }, tally: createTally(), rules, all: false };
  assert.match(toText(report, false), /\n\nThere was nothing to judge\.\n$/);
});

test('many networks: the first ten, and how many more', () => {
  const many = Array.from({ length: 23 }, (_, i) => [`10.0.${i}.1`, 'nul', 'refused', 'NUL'] as const);
  const text = toText({ reading: READING, tally: tallyOf(...many), rules, all: false }, false);
  assert.is(text.match(/first: /g)?.length, 10);
  assert.match(text, /\n {4}… 13 networks more: --json\n/);
});

test('as JSON: what was read, the modes, and a row for each rule and network', () => {
  const tally = tallyOf(['192.0.2.7', 'commands', 'refused', 'refused command VRFY']);
  assert.equal(toObject({ reading: READING, tally, rules, all: false }), {
    read: { connections: 3 },
    rules: {
      ...{ smuggling: 'normalize', starttls: 'enforce', synchronization: 'observe', lines: 'off' },
      ...{ nul: 'enforce', commands: 'enforce', 'auth-before-tls': 'observe', 'require-tls': 'off' },
    },
    found: [
      {
        ...{ rule: 'commands', effect: 'refused', network: '192.0.2.0/24', connections: 1, times: 1 },
        of: { connections: 2, messages: 2, tls: 1 },
        example: {
          ...{ 'client.address': '192.0.2.7', 'client.port': 4711 },
          ...{ time: '2026-11-27T03:02:01.000000Z', detail: 'refused command VRFY' },
        },
      },
    ],
  });
});

test('a flood from more networks than are kept apart is one row', () => {
  const tally = createTally();
  for (let i = 0; i < 65_600; i += 1) {
    const met = createMet();
    const address = `10.${i >> 8}.${i & 255}.1`.replace(
      /^10\.(\d+)/,
      (_, n: string) => `${10 + (Number(n) >> 8)}.${Number(n) & 255}`,
    );
    met.add('nul', 'refused', { client: { address, port: 1 }, at: AT, what: '' });
    tally.count(address, met, { messages: 0, tls: false });
  }
  assert.is(tally.rows.length, 65_537);
  assert.is(tally.rows.at(-1)?.network, 'other networks');
  assert.is(tally.rows.at(-1)?.connections, 64);
});

test.run();
