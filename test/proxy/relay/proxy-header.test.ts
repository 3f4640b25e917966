// The PROXY header: a row per rule of the specification, and the round trip.

import fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { formatProxyHeader, parseProxyHeader, type ProxyParse } from '../../../proxy/relay/proxy-header';
import type { Endpoint } from '../../../proxy/sinks/record';

interface Row {
  readonly name: string;
  readonly input: Buffer;
  /** The header's addresses; `none` where it has none; otherwise the refusal. */
  readonly want: string;
}

const SIGNATURE = '0d0a0d0a000d0a515549540a';
const FOUR = 'c6120001c61200020bb80019';
const SIX = `20010db8${'00'.repeat(11)}01${'20010db8'}${'00'.repeat(11)}02${'0bb80019'}`;
const v1 = (text: string): Buffer => Buffer.from(text, 'latin1');
const v2 = (hex: string): Buffer => Buffer.from(SIGNATURE + hex, 'hex');

const ROWS: readonly Row[] = [
  {
    name: 'v1 TCP4',
    input: v1('PROXY TCP4 198.18.0.1 198.18.0.2 3000 25\r\n'),
    want: '198.18.0.1 3000 > 198.18.0.2 25',
  },
  {
    name: 'v1 TCP6',
    input: v1('PROXY TCP6 2001:db8::1 2001:DB8:0:0::2 3000 25\r\n'),
    want: '2001:db8::1 3000 > 2001:db8::2 25',
  },
  { name: 'v1 UNKNOWN, short', input: v1('PROXY UNKNOWN\r\n'), want: 'none' },
  { name: 'v1 UNKNOWN, anything may follow', input: v1('PROXY UNKNOWN ff::1 x y\r\n'), want: 'none' },
  {
    name: 'v1 UNKNOWN, the longest line: 107',
    input: v1(`PROXY UNKNOWN ${'f'.repeat(91)}\r\n`),
    want: 'none',
  },
  { name: 'v1 line of 108', input: v1(`PROXY UNKNOWN ${'f'.repeat(92)}\r\n`), want: 'line too long' },
  { name: 'v1 no end in 107', input: v1(`PROXY UNKNOWN ${'f'.repeat(200)}`), want: 'line too long' },
  { name: 'v1 bare LF', input: v1('PROXY UNKNOWN\n'), want: 'line ends without CR' },
  { name: 'v1 lower case', input: v1('proxy UNKNOWN\r\n'), want: 'no signature' },
  { name: 'v1 UDP', input: v1('PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n'), want: 'unknown protocol' },
  { name: 'v1 UNKNOWNX', input: v1('PROXY UNKNOWNX\r\n'), want: 'unknown protocol' },
  { name: 'v1 families mixed', input: v1('PROXY TCP4 ::1 1.2.3.4 1 2\r\n'), want: 'bad address or port' },
  { name: 'v1 TCP6 with IPv4', input: v1('PROXY TCP6 1.2.3.4 ::1 1 2\r\n'), want: 'bad address or port' },
  { name: 'v1 two spaces', input: v1('PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n'), want: 'too many fields' },
  { name: 'v1 field missing', input: v1('PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n'), want: 'bad address or port' },
  { name: 'v1 field more', input: v1('PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n'), want: 'too many fields' },
  {
    name: 'v1 port too large',
    input: v1('PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\n'),
    want: 'bad address or port',
  },
  {
    name: 'v1 port with zero',
    input: v1('PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n'),
    want: 'bad address or port',
  },
  { name: 'v1 octal address', input: v1('PROXY TCP4 1.2.3.04 1.2.3.4 1 2\r\n'), want: 'bad address or port' },
  { name: 'v1 address short', input: v1('PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n'), want: 'bad address or port' },
  { name: 'v1 zone', input: v1('PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n'), want: 'bad address or port' },
  { name: 'v2 TCP4', input: v2(`2111000c${FOUR}`), want: '198.18.0.1 3000 > 198.18.0.2 25' },
  { name: 'v2 TCP6', input: v2(`21210024${SIX}`), want: '2001:db8::1 3000 > 2001:db8::2 25' },
  {
    name: 'v2 TLVs skipped',
    input: v2(`21110013${FOUR}040004${'00'.repeat(4)}`),
    want: '198.18.0.1 3000 > 198.18.0.2 25',
  },
  { name: 'v2 AF_UNIX', input: v2(`213100d8${'61'.repeat(216)}`), want: 'none' },
  { name: 'v2 UDP over IPv4', input: v2(`2112000c${FOUR}`), want: 'none' },
  { name: 'v2 UNSPEC with a block', input: v2('21000003010203'), want: 'none' },
  { name: 'v2 LOCAL', input: v2('20000000'), want: 'local' },
  { name: 'v2 LOCAL, family ignored', input: v2(`20ff000c${FOUR}`), want: 'local' },
  { name: 'v2 version 3', input: v2(`3111000c${FOUR}`), want: 'unknown version or command' },
  { name: 'v2 command 2', input: v2(`2211000c${FOUR}`), want: 'unknown version or command' },
  { name: 'v2 family 4', input: v2(`2141000c${FOUR}`), want: 'unknown family or transport' },
  { name: 'v2 transport 3', input: v2(`2113000c${FOUR}`), want: 'unknown family or transport' },
  { name: 'v2 IPv4 too short', input: v2(`2111000b${FOUR}`), want: 'shorter than its addresses' },
  { name: 'v2 IPv6 too short', input: v2(`2121000c${FOUR}`), want: 'shorter than its addresses' },
  { name: 'neither', input: v1('EHLO vm\r\n'), want: 'no signature' },
  { name: 'nothing', input: v1(''), want: 'incomplete' },
  { name: 'v2 signature only', input: v2(''), want: 'incomplete' },
];

for (const { name, input, want } of ROWS) {
  test(`${name}: whole, and with octets behind it`, () => {
    const parsed = parseProxyHeader(input);
    assert.is(show(parsed), want);
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
}

const four = fc.ipV4().map((address) => ipaddr.parse(address).toString());
const six = fc.ipV6().map((address) => ipaddr.IPv6.parse(address).toRFC5952String());
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
      const want = { kind: 'header', source, destination, local: false, length: bytes.length };
      assert.equal(parseProxyHeader(Buffer.concat([bytes, behind])), want);
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

test('without addresses the sender speaks for itself', () => {
  assert.is(show(parseProxyHeader(formatProxyHeader(1, undefined, undefined))), 'none');
  assert.is(show(parseProxyHeader(formatProxyHeader(2, undefined, undefined))), 'local');
});

test('two families become one: IPv4 mapped into IPv6', () => {
  const source = { address: '198.18.0.1', port: 3000 };
  for (const version of [1, 2] as const) {
    const bytes = formatProxyHeader(version, source, { address: '::1', port: 25 });
    assert.is(show(parseProxyHeader(bytes)), '::ffff:c612:1 3000 > ::1 25');
  }
});

function show(parsed: ProxyParse): string {
  if (parsed.kind === 'incomplete') return 'incomplete';
  if (parsed.kind === 'invalid') return parsed.why;
  if (parsed.local) return 'local';
  const { source, destination } = parsed;
  if (source === undefined || destination === undefined) return 'none';
  return `${source.address} ${source.port} > ${destination.address} ${destination.port}`;
}

test.run();
