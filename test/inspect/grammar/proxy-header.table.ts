// PROXY headers: a row per rule of the specification.

export interface Row {
  readonly name: string;
  readonly input: Buffer;
  /** The header's addresses; `none` where it has none; otherwise the refusal. */
  readonly want: string;
}

const SIGNATURE = '0d0a0d0a000d0a515549540a';
export const FOUR = 'c6120001c61200020bb80019';
const SIX = `20010db8${'00'.repeat(11)}01${'20010db8'}${'00'.repeat(11)}02${'0bb80019'}`;
/** Computed by Python, bit by bit, over the header with zeros in its place. */
const CHECKSUM = '267b71e3';
export const v1 = (text: string): Buffer => Buffer.from(text, 'latin1');
export const v2 = (hex: string): Buffer => Buffer.from(SIGNATURE + hex, 'hex');

export const ROWS: readonly Row[] = [
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
  {
    name: 'v1 line of 108',
    input: v1(`PROXY UNKNOWN ${'f'.repeat(92)}\r\n`),
    want: 'PROXY v1: line too long',
  },
  {
    name: 'v1 no end in 107',
    input: v1(`PROXY UNKNOWN ${'f'.repeat(200)}`),
    want: 'PROXY v1: line too long',
  },
  { name: 'v1 bare LF', input: v1('PROXY UNKNOWN\n'), want: 'PROXY v1: line ends without CR' },
  { name: 'v1 lower case', input: v1('proxy UNKNOWN\r\n'), want: 'no PROXY header' },
  { name: 'v1 UDP', input: v1('PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n'), want: 'PROXY v1: unknown protocol' },
  { name: 'v1 UNKNOWNX', input: v1('PROXY UNKNOWNX\r\n'), want: 'PROXY v1: unknown protocol' },
  {
    name: 'v1 families mixed',
    input: v1('PROXY TCP4 ::1 1.2.3.4 1 2\r\n'),
    want: 'PROXY v1: bad address or port',
  },
  {
    name: 'v1 TCP6 with IPv4',
    input: v1('PROXY TCP6 1.2.3.4 ::1 1 2\r\n'),
    want: 'PROXY v1: bad address or port',
  },
  {
    name: 'v1 two spaces',
    input: v1('PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n'),
    want: 'PROXY v1: too many fields',
  },
  {
    name: 'v1 field missing',
    input: v1('PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n'),
    want: 'PROXY v1: bad address or port',
  },
  {
    name: 'v1 field more',
    input: v1('PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n'),
    want: 'PROXY v1: too many fields',
  },
  {
    name: 'v1 port too large',
    input: v1('PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\n'),
    want: 'PROXY v1: bad address or port',
  },
  {
    name: 'v1 port with zero',
    input: v1('PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n'),
    want: 'PROXY v1: bad address or port',
  },
  {
    name: 'v1 octal address',
    input: v1('PROXY TCP4 1.2.3.04 1.2.3.4 1 2\r\n'),
    want: 'PROXY v1: bad address or port',
  },
  {
    name: 'v1 address short',
    input: v1('PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n'),
    want: 'PROXY v1: bad address or port',
  },
  {
    name: 'v1 zone',
    input: v1('PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n'),
    want: 'PROXY v1: bad address or port',
  },
  { name: 'v2 TCP4', input: v2(`2111000c${FOUR}`), want: '198.18.0.1 3000 > 198.18.0.2 25' },
  { name: 'v2 TCP6', input: v2(`21210024${SIX}`), want: '2001:db8::1 3000 > 2001:db8::2 25' },
  {
    name: 'v2 TLVs skipped',
    input: v2(`21110013${FOUR}040004${'00'.repeat(4)}`),
    want: '198.18.0.1 3000 > 198.18.0.2 25',
  },
  {
    name: 'v1 TCP6, IPv4 mapped',
    input: v1('PROXY TCP6 ::ffff:198.18.0.1 ::FFFF:c612:2 3000 25\r\n'),
    want: '198.18.0.1 3000 > 198.18.0.2 25',
  },
  {
    name: 'v1 TCP6, two runs of zeros',
    input: v1('PROXY TCP6 1::2::3 ::1 1 2\r\n'),
    want: 'PROXY v1: bad address or port',
  },
  {
    name: 'v1 TCP6, nine groups',
    input: v1('PROXY TCP6 1:2:3:4:5:6:7:8:9 ::1 1 2\r\n'),
    want: 'PROXY v1: bad address or port',
  },
  {
    name: 'v2 TCP6, IPv4 mapped',
    input: v2(`21210024${'00'.repeat(10)}ffffc6120001${'00'.repeat(10)}ffffc61200020bb80019`),
    want: '198.18.0.1 3000 > 198.18.0.2 25',
  },
  {
    // Of the specification's own making: CRC-32C over the header with zeros in its place.
    name: 'v2 checksum that matches',
    input: v2(`21110013${FOUR}030004${CHECKSUM}`),
    want: '198.18.0.1 3000 > 198.18.0.2 25',
  },
  {
    name: 'v2 checksum that does not match',
    input: v2(`21110013${FOUR}03000400000000`),
    want: 'PROXY v2 whose checksum does not match',
  },
  { name: 'v2 AF_UNIX', input: v2(`213100d8${'61'.repeat(216)}`), want: 'none' },
  { name: 'v2 UDP over IPv4', input: v2(`2112000c${FOUR}`), want: 'none' },
  { name: 'v2 UNSPEC with a block', input: v2('21000003010203'), want: 'none' },
  { name: 'v2 LOCAL', input: v2('20000000'), want: 'local' },
  { name: 'v2 LOCAL, family ignored', input: v2(`20ff000c${FOUR}`), want: 'local' },
  { name: 'v2 version 3', input: v2(`3111000c${FOUR}`), want: 'PROXY v2 with wrong version 3' },
  { name: 'v2 command 2', input: v2(`2211000c${FOUR}`), want: 'PROXY v2 with unknown command 2' },
  {
    name: 'v2 family 4',
    input: v2(`2141000c${FOUR}`),
    want: 'PROXY v2 with unknown family or transport 0x41',
  },
  {
    name: 'v2 transport 3',
    input: v2(`2113000c${FOUR}`),
    want: 'PROXY v2 with unknown family or transport 0x13',
  },
  { name: 'v2 IPv4 too short', input: v2(`2111000b${FOUR}`), want: 'PROXY v2 shorter than its addresses' },
  { name: 'v2 IPv6 too short', input: v2(`2121000c${FOUR}`), want: 'PROXY v2 shorter than its addresses' },
  { name: 'neither', input: v1('EHLO vm\r\n'), want: 'no PROXY header' },
  { name: 'nothing', input: v1(''), want: 'incomplete' },
  { name: 'v2 signature only', input: v2(''), want: 'incomplete' },
];
