// The PROXY header: the table of the specification's rules, however its rows are cut, and the round trip.

import type { Endpoint } from '../../../inspect/address';
import fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  createProxyReader,
  formatLocalHeader,
  formatProxyHeader,
  parseProxyHeader,
  type ProxyParse,
} from '../../../inspect/grammar/proxy-header';
import { FOUR, ROWS, v1, v2 } from './proxy-header.table';

for (const { name, input, want } of ROWS) {
  test(`${name}: whole, and with octets behind it`, () => {
    const before = input.toString('hex');
    const parsed = parseProxyHeader(input);
    assert.is(show(parsed), want);
    assert.is(input.toString('hex'), before, 'the octets go on as they came');
    if (parsed.kind !== 'header') return;
    assert.is(parsed.length, input.length);
    assert.equal(parseProxyHeader(Buffer.concat([input, v1('EHLO vm\r\n')])), parsed);
  });

  test(`${name}: at every split`, () => {
    const whole = parseProxyHeader(input);
    for (let length = 0; length < input.length; length++) {
      const part = parseProxyHeader(input.subarray(0, length));
      if (whole.kind === 'invalid' && part.kind === 'invalid') assert.is(part.why, whole.why);
      else assert.is(part.kind, 'incomplete', `${length} octets`);
    }
  });

  test(`${name}: octet by octet`, () => {
    const whole = parseProxyHeader(input);
    const reader = createProxyReader();
    let parsed = reader.take(new Uint8Array(0));
    for (let at = 0; at < input.length && parsed.kind === 'incomplete'; at += 1) {
      assert.ok(parsed.needed > at, 'more is needed');
      parsed = reader.take(input.subarray(at, at + 1));
    }
    assert.is(show(parsed), show(whole));
    assert.equal(Buffer.from(reader.held()), input.subarray(0, reader.held().length));
  });
}

const four = fc.ipV4().map((address) => ipaddr.parse(address).toString());
const six = fc
  .ipV6()
  .map((address) => ipaddr.IPv6.parse(address).toRFC5952String())
  .filter((address) => !address.startsWith('::ffff:'));
const endpointOf = (address: fc.Arbitrary<string>): fc.Arbitrary<Endpoint> =>
  fc.record({ address, port: fc.nat(65_535) }, { noNullPrototype: true });
const pair = fc.oneof(
  fc.tuple(endpointOf(four), endpointOf(four)),
  fc.tuple(endpointOf(six), endpointOf(six)),
);

test('what was formatted parses as the same, at any split and with anything behind it', () => {
  fc.assert(
    fc.property(pair, fc.constantFrom(1, 2), fc.uint8Array(), fc.nat(), (ends, version, behind, cut) => {
      const [source, destination] = ends;
      const bytes = formatProxyHeader(version, source, destination);
      const parsed = parseProxyHeader(Buffer.concat([bytes, behind]));
      const { length } = bytes;
      const extensions = new Uint8Array(0);
      assert.equal(parsed, {
        kind: 'header',
        version,
        command: 'proxy',
        source,
        destination,
        extensions,
        length,
      });
      assert.is(parseProxyHeader(bytes.subarray(0, cut % bytes.length)).kind, 'incomplete');
    }),
  );
});

test('no octets make it throw', () => {
  const likely = fc.oneof(fc.constant(v1('PROXY ')), fc.constant(v2('21')), fc.constant(v1('')));
  fc.assert(
    fc.property(likely, fc.uint8Array({ maxLength: 300 }), (start, rest) => {
      parseProxyHeader(Buffer.concat([start, rest]));
    }),
  );
});

test('LOCAL', () => {
  assert.is(show(parseProxyHeader(formatLocalHeader())), 'local');
});

test('two families become one on their way: IPv4 mapped into IPv6', () => {
  const source = { address: '198.18.0.1', port: 3000 };
  for (const version of [1, 2] as const) {
    const bytes = formatProxyHeader(version, source, { address: '::1', port: 25 });
    if (version === 1) assert.match(Buffer.from(bytes).toString(), /^PROXY TCP6 ::ffff:c612:1 ::1 3000 25/);
    assert.is(show(parseProxyHeader(bytes)), '198.18.0.1 3000 > ::1 25');
  }
});

const extension = fc
  .tuple(fc.nat(255), fc.uint8Array({ maxLength: 40 }))
  .map(([type, value]) => (type === 3 ? [3, 0, 4, 0, 0, 0, 0] : [type, 0, value.length, ...value]));

test('extensions of any kind come back as they went, and what they carry of a checksum matches', () => {
  fc.assert(
    fc.property(pair, fc.array(extension, { maxLength: 6 }), ([source, destination], list) => {
      const first = list.findIndex(([type]) => type === 3);
      // One checksum a header.
      const given = Uint8Array.from(list.flatMap((each, i) => (each[0] === 3 && i !== first ? [] : each)));
      const parsed = parseProxyHeader(formatProxyHeader(2, source, destination, given));
      if (parsed.kind !== 'header') throw new Error(JSON.stringify(parsed));
      assert.equal(
        formatProxyHeader(2, source, destination, parsed.extensions),
        formatProxyHeader(2, source, destination, given),
      );
      if (first < 0) assert.equal(parsed.extensions, given);
    }),
  );
});

test("extensions whose lengths do not add up are nobody's", () => {
  const parsed = parseProxyHeader(v2(`21110010${FOUR}04000900`));
  assert.is(parsed.kind === 'header' && parsed.extensions.length, 0);
});

test('addresses are read as ipaddr.js reads them', () => {
  const likely = fc.oneof(
    fc.ipV4(),
    fc.ipV6(),
    fc.string({ unit: fc.constantFrom(...'0123456789abcdf:.'), maxLength: 24 }),
  );
  fc.assert(
    fc.property(likely, likely, (from, to) => {
      const valid = [from, to].every(
        (text) => /^[\da-f:.]+$/.test(text) && ipaddr.IPv6.isValid(text) && text.includes(':'),
      );
      const parsed = parseProxyHeader(v1(`PROXY TCP6 ${from} ${to} 1 2\r\n`));
      // Dotted parts with leading zeros are octal to some, and to ipaddr.js.
      if (/(^|[.:])0\d+\./.test(`${from} ${to}`) || /\.0\d/.test(`${from} ${to}`)) return;
      assert.is(parsed.kind, valid ? 'header' : 'invalid', `${from} ${to}`);
    }),
  );
});

test('a header of 65,551 octets that comes octet by octet is read once', () => {
  const noop = new Uint8Array(3 + 65_500);
  noop.set([4, 65_500 >> 8, 65_500 & 255]);
  const header = formatProxyHeader(
    2,
    { address: '198.18.0.1', port: 1 },
    { address: '198.18.0.2', port: 25 },
    noop,
  );
  const reader = createProxyReader();
  const told = new Set<number>();
  let parsed = reader.take(header.subarray(0, 1));
  for (let at = 1; at < header.length; at += 1) {
    if (parsed.kind === 'incomplete') told.add(parsed.needed);
    parsed = reader.take(header.subarray(at, at + 1));
  }
  assert.is(parsed.kind, 'header');
  assert.ok(told.size <= 16, `${told.size} readings`);
});

function show(parsed: ProxyParse): string {
  if (parsed.kind === 'incomplete') return 'incomplete';
  if (parsed.kind === 'invalid') return parsed.why;
  if (parsed.command === 'local') return 'local';
  const { source, destination } = parsed;
  if (source === undefined || destination === undefined) return 'none';
  return `${source.address} ${source.port} > ${destination.address} ${destination.port}`;
}

test.run();
