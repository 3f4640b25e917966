// One segment in everything that carries it: link types, tags, tunnels, and these in one another.

import type { Tunnel } from '../../../inspect/tcp/segment';

export const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replace(/\s/g, ''), 'hex'));
export const join = (...parts: (Uint8Array | string)[]): Uint8Array =>
  Uint8Array.from(parts.flatMap((part) => [...(typeof part === 'string' ? hex(part) : part)]));
const word = (value: number): string => value.toString(16).padStart(4, '0');
const swapped = (value: number): string => word(((value & 0xff) << 8) | (value >> 8));

// PSH ACK, seq 0x01020304, ack 0x0a0b0c0d, window 502; NOP NOP timestamps 1000 900; "EHLO".
const TCP = hex('9c40 0019 01020304 0a0b0c0d 8018 01f6 0000 0000 0101 080a 000003e8 00000384 45484c4f');

export function ipv4(payload: Uint8Array, protocol = 6, flags = '4000'): Uint8Array {
  const header = hex(
    `4500 ${word(20 + payload.length)} 1234 ${flags} 39${byte(protocol)} 0000 c6120001 c6120002`,
  );
  let sum = 0;
  for (let at = 0; at < 20; at += 2) sum += ((header[at] ?? 0) << 8) | (header[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  header.set([(~sum >> 8) & 0xff, ~sum & 0xff], 10);
  return join(header, payload);
}

export function ipv6(payload: Uint8Array, next = 6): Uint8Array {
  const addresses = '20010db8000000000000000000000001 20010db8000000000000000000000002';
  return join(`60000000 ${word(payload.length)} ${byte(next)} 39 ${addresses}`, payload);
}

const byte = (value: number): string => value.toString(16).padStart(2, '0');
const MACS = '020000000001 020000000002';
const ether = (type: string, payload: Uint8Array): Uint8Array => join(MACS, type, payload);
const udp = (port: number, payload: Uint8Array): Uint8Array =>
  join(word(50_000), word(port), word(8 + payload.length), '0000', payload);
const overUdp = (port: number, payload: Uint8Array): Uint8Array =>
  ether('0800', ipv4(udp(port, payload), 17));
const gre = (header: string, payload: Uint8Array): Uint8Array =>
  ether('0800', ipv4(join(header, payload), 47));
/** 802.3: a length in place of the type. */
const framed = (payload: Uint8Array): Uint8Array => join(MACS, word(payload.length), payload);

const IP = ipv4(TCP);
const IP6 = ipv6(TCP);
const FRAME = ether('0800', IP);
const SNAP = join('aaaa03 000000 0800', IP);
const VXLAN = '08000000 00002a00';
const PFLOG = (length: number, pad: number): Uint8Array =>
  join(byte(length), '02 00 00 656d3000', new Uint8Array(length - 8 + pad), IP);
const pktap = (link: number, payload: Uint8Array): Uint8Array =>
  join(swapped(108), '0000 01000000', swapped(link), '0000 656e3000', new Uint8Array(92), payload);
const nflog = (order: (value: number) => string): Uint8Array =>
  join(
    '02 00 0005',
    `${order(8)} ${order(1)} 0800 03 00`,
    `${order(7)} ${order(10)} 61620000`,
    order(4 + IP.length),
    order(9),
    IP,
  );

export interface Row {
  readonly name: string;
  readonly link: number;
  readonly frame: Uint8Array;
  readonly vlans?: readonly number[];
  readonly tunnels?: readonly Tunnel[];
  /** What tshark has to be told (`-d`); `false`: it does not read it. */
  readonly tshark?: string | false;
}

const LINKS: readonly Row[] = [
  { name: 'Ethernet', link: 1, frame: FRAME },
  { name: 'Ethernet, IPv6', link: 1, frame: ether('86dd', IP6) },
  { name: 'PPP', link: 9, frame: join('ff03 0021', IP) },
  { name: 'PPP without address and control, IPv6', link: 9, frame: join('0057', IP6) },
  { name: 'PPP, its protocol compressed', link: 9, frame: join('21', IP) },
  { name: 'PPP in HDLC framing', link: 50, frame: join('ff03 0021', IP) },
  { name: "Cisco's HDLC where PPP is expected", link: 50, frame: join('0f00 0800', IP) },
  {
    name: 'PPP over Ethernet',
    link: 51,
    frame: join('1100 0001', word(2 + IP.length), '0021', IP),
    tunnels: ['pppoe'],
  },
  { name: "Cisco's HDLC", link: 104, frame: join('0f00 0800', IP) },
  { name: 'PPP of pppd', tshark: false, link: 166, frame: join('0003 0021', IP) },
  { name: 'PPP with direction', link: 204, frame: join('00 ff03 0021', IP) },
  { name: 'RFC 2684 over ATM', link: 100, frame: SNAP },
  { name: 'RFC 2684 over ATM, bridged', link: 100, frame: join('aaaa03 0080c2 0007 0000', FRAME) },
  { name: "OpenBSD's enc", link: 109, frame: join('02000000 00000000 00000000', IP) },
  { name: 'PFLOG of 61 octets and three of padding', link: 117, frame: PFLOG(61, 3) },
  { name: 'PFLOG of 69 and three', link: 117, frame: PFLOG(69, 3) },
  { name: 'PFLOG of 100', link: 117, frame: PFLOG(100, 0) },
  { name: 'PFLOG padded to eight', tshark: false, link: 117, frame: PFLOG(65, 7) },
  { name: 'MPLS as the link', tshark: false, link: 219, frame: join('00010140', IP), tunnels: ['mpls'] },
  { name: 'NFLOG of a little-endian machine', link: 239, frame: nflog(swapped) },
  { name: 'NFLOG of a big-endian machine', tshark: false, link: 239, frame: nflog(word) },
  { name: 'PKTAP around Ethernet', link: 258, frame: pktap(1, FRAME) },
  {
    name: 'PKTAP by the number that a Mac writes, around NULL',
    link: 149,
    frame: pktap(0, join('02000000', IP)),
  },
  { name: 'PKTAP around raw IP', link: 258, frame: pktap(12, IP) },
  { name: 'Linux cooked, 802.2', link: 113, frame: join('0000 0001 0006 020000000001 0000 0004', SNAP) },
  { name: 'Linux cooked v2', link: 276, frame: join('0800 0000 00000002 0001 00 06 0200000000010000', IP) },
  {
    name: 'Linux cooked v2 with a tag',
    link: 276,
    frame: join('8100 0000 00000002 0001 00 06 0200000000010000 0064 0800', IP),
    vlans: [100],
  },
];

const TAGS: readonly Row[] = [
  { name: '802.1Q', link: 1, frame: ether('8100', join('2064 0800', IP)), vlans: [100] },
  { name: '802.1ad', link: 1, frame: ether('88a8', join('0007 8100 0064 0800', IP)), vlans: [7, 100] },
  { name: 'QinQ by 0x9100', link: 1, frame: ether('9100', join('0007 8100 0064 0800', IP)), vlans: [7, 100] },
  {
    name: 'QinQ by 0x9200',
    tshark: false,
    link: 1,
    frame: ether('9200', join('0007 8100 0064 0800', IP)),
    vlans: [7, 100],
  },
  {
    name: 'two tags by 0x8100',
    link: 1,
    frame: ether('8100', join('0007 8100 0064 86dd', IP6)),
    vlans: [7, 100],
  },
  {
    name: 'a tag, and a length behind it',
    link: 1,
    frame: ether('8100', join('0064', word(SNAP.length), SNAP)),
    vlans: [100],
  },
  { name: 'VNTag', link: 1, frame: ether('8926', join('c0010000 0800', IP)) },
  { name: 'VNTag, 802.1Q', link: 1, frame: ether('8926', join('c0010000 8100 0064 0800', IP)), vlans: [100] },
  { name: '802.1BR', link: 1, frame: ether('893f', join('000000000000 0800', IP)) },
  { name: 'LLC and SNAP', link: 1, frame: framed(SNAP) },
  {
    name: 'LLC and SNAP of a bridge tunnel',
    link: 1,
    frame: framed(join('aaaa03 0000f8 0800', IP)),
  },
  { name: 'LLC with IP alone', link: 1, frame: framed(join('060603', IP)) },
  {
    name: 'PBB',
    link: 1,
    frame: ether('88a8', join('0007 88e7 00000123', ether('8100', join('0064 0800', IP)))),
    ...{ vlans: [7, 100], tunnels: ['pbb'] },
  },
];

const MPLS: readonly Row[] = [
  { name: 'MPLS, IPv4', link: 1, frame: ether('8847', join('00010140', IP)), tunnels: ['mpls'] },
  {
    name: 'MPLS of three labels, IPv6',
    link: 1,
    frame: ether('8847', join('00010040 00020040 00030140', IP6)),
    tunnels: ['mpls'],
  },
  {
    name: 'Ethernet over MPLS with a control word',
    tshark: 'mpls.label==16,pwethcw',
    link: 1,
    frame: ether('8847', join('00010140 00000000', FRAME)),
    tunnels: ['mpls'],
  },
  {
    name: 'Ethernet over MPLS with a sequence number',
    tshark: 'mpls.label==16,pwethcw',
    link: 1,
    frame: ether('8847', join('00010140 00000009', FRAME)),
    tunnels: ['mpls'],
  },
  {
    name: 'Ethernet over MPLS without a control word',
    tshark: 'mpls.label==16,pwethnocw',
    link: 1,
    frame: ether('8847', join('00010140', FRAME)),
    tunnels: ['mpls'],
  },
  {
    name: 'Ethernet over MPLS to an address that begins as IPv4 does',
    tshark: 'mpls.label==16,pwethnocw',
    link: 1,
    frame: ether('8847', join('00010140 450000000001 020000000002 0800', IP)),
    tunnels: ['mpls'],
  },
  {
    name: 'Ethernet over MPLS, tagged',
    tshark: 'mpls.label==16,pwethcw',
    link: 1,
    frame: ether('8847', join('00010140 00000000', ether('8100', join('0064 0800', IP)))),
    ...{ tunnels: ['mpls'], vlans: [100] },
  },
  { name: 'MPLS in IP', link: 1, frame: ether('0800', ipv4(join('00010140', IP), 137)), tunnels: ['mpls'] },
  { name: 'MPLS in UDP', link: 1, frame: overUdp(6_635, join('00010140', IP)), tunnels: ['mpls'] },
];

const TUNNELS: readonly Row[] = [
  {
    name: 'PPPoE',
    link: 1,
    frame: ether('8864', join('1100 0001', word(2 + IP.length), '0021', IP)),
    tunnels: ['pppoe'],
  },
  {
    name: 'PPPoE, IPv6',
    link: 1,
    frame: ether('8864', join('1100 0001', word(2 + IP6.length), '0057', IP6)),
    tunnels: ['pppoe'],
  },
  {
    name: 'PPPoE behind a tag',
    link: 1,
    frame: ether('8100', join('0007 8864 1100 0001', word(2 + IP.length), '0021', IP)),
    vlans: [7],
    tunnels: ['pppoe'],
  },
  { name: 'IP in IP', link: 1, frame: ether('0800', ipv4(IP, 4)), tunnels: ['ip in ip'] },
  { name: '6in4', link: 1, frame: ether('0800', ipv4(IP6, 41)), tunnels: ['ip in ip'] },
  { name: '4in6', link: 1, frame: ether('86dd', ipv6(IP, 4)), tunnels: ['ip in ip'] },
  { name: 'ip6ip6', link: 1, frame: ether('86dd', ipv6(IP6, 41)), tunnels: ['ip in ip'] },
  {
    name: 'ip6ip6 with destination options',
    link: 1,
    frame: ether('86dd', ipv6(join('2900 010400000000', IP6), 60)),
    tunnels: ['ip in ip'],
  },
  { name: 'three IPs', link: 101, frame: ipv4(ipv4(IP, 4), 4), tunnels: ['ip in ip', 'ip in ip'] },
  {
    name: 'AH',
    link: 1,
    frame: ether('0800', ipv4(join('0604 0000 00000001 00000001 000000000000000000000000', TCP), 51)),
  },
  {
    name: 'EtherIP',
    link: 1,
    frame: ether('0800', ipv4(join('3000', FRAME), 97)),
    tunnels: ['ethernet in IP'],
  },
  { name: 'Ethernet in IPv6', link: 1, frame: ether('86dd', ipv6(FRAME, 143)), tunnels: ['ethernet in IP'] },
  { name: 'L2TP', link: 1, frame: overUdp(1_701, join('0002 0001 0001 ff03 0021', IP)), tunnels: ['l2tp'] },
  {
    name: 'L2TP with length, sequence and offset',
    link: 1,
    frame: overUdp(1_701, join('4a02', word(18 + IP.length), '0001 0001 0000 0000 0002 0000 ff03 0021', IP)),
    tunnels: ['l2tp'],
  },
  {
    name: 'GTP',
    link: 1,
    frame: overUdp(2_152, join('30ff', word(IP.length), '00000001', IP)),
    tunnels: ['gtp'],
  },
  {
    name: 'GTP with an extension header',
    link: 1,
    frame: overUdp(2_152, join('34ff', word(8 + IP.length), '00000001 0000 00 85 01 1001 00', IP)),
    tunnels: ['gtp'],
  },
  {
    name: 'TZSP',
    link: 1,
    frame: overUdp(37_008, join('01 00 0001 0a 01 05 00 01', FRAME)),
    tunnels: ['tzsp'],
  },
];

const GRE: readonly Row[] = [
  { name: 'GRE', link: 1, frame: gre('0000 0800', IP), tunnels: ['gre'] },
  {
    name: 'GRE over IPv6',
    link: 1,
    frame: ether('86dd', ipv6(join('0000 86dd', IP6), 47)),
    tunnels: ['gre'],
  },
  { name: 'GRE with a key', link: 1, frame: gre('2000 0800 0000002a', IP), tunnels: ['gre'] },
  {
    name: 'GRE with checksum, key and sequence',
    link: 1,
    frame: gre('b000 86dd 00000000 0000002a 00000001', IP6),
    tunnels: ['gre'],
  },
  {
    name: 'GRE with source routes',
    link: 1,
    frame: gre('4000 0800 0000 0000 0800 00 04 0a000001 0000 00 00', IP),
    tunnels: ['gre'],
  },
  { name: 'GRE, Ethernet (NVGRE)', link: 1, frame: gre('2000 6558 00002a00', FRAME), tunnels: ['gre'] },
  { name: 'GRE, MPLS', link: 1, frame: gre('0000 8847 00010140', IP), tunnels: ['gre', 'mpls'] },
  {
    name: 'GRE of PPTP',
    link: 1,
    frame: gre(`3081 880b ${word(4 + IP.length)} 0001 00000001 00000000 ff03 0021`, IP),
    tunnels: ['gre'],
  },
  { name: 'GRE of WCCP', link: 1, frame: gre('0000 883e 00000000', IP), tunnels: ['gre'] },
  {
    name: 'GRE in UDP',
    link: 1,
    frame: overUdp(4_754, join('0000 0800', IP)),
    tunnels: ['gre'],
  },
  { name: 'ERSPAN I', link: 1, frame: gre('0000 88be', FRAME), tunnels: ['gre', 'erspan'] },
  {
    name: 'ERSPAN II',
    link: 1,
    frame: gre('1000 88be 00000001 10640001 00000000', FRAME),
    tunnels: ['gre', 'erspan'],
  },
  {
    name: 'ERSPAN III',
    link: 1,
    frame: gre('1000 22eb 00000001 20640001 00000000 00000000', FRAME),
    tunnels: ['gre', 'erspan'],
  },
  {
    name: 'ERSPAN III with a platform header',
    link: 1,
    frame: gre('1000 22eb 00000001 20640001 00000000 00000001 0c000000 00000000', FRAME),
    tunnels: ['gre', 'erspan'],
  },
  {
    name: 'ERSPAN II, tagged',
    link: 1,
    frame: gre('1000 88be 00000001 10640001 00000000', ether('8100', join('0064 0800', IP))),
    tunnels: ['gre', 'erspan'],
    vlans: [100],
  },
  { name: 'VXLAN', link: 1, frame: overUdp(4_789, join(VXLAN, FRAME)), tunnels: ['vxlan'] },
  {
    name: "VXLAN by Linux's first port",
    tshark: 'udp.port==8472,vxlan',
    link: 1,
    frame: overUdp(8_472, join(VXLAN, FRAME)),
    tunnels: ['vxlan'],
  },
  {
    name: 'VXLAN over IPv6, tagged inside',
    link: 1,
    frame: ether('86dd', ipv6(udp(4_789, join(VXLAN, ether('8100', join('0064 86dd', IP6)))), 17)),
    tunnels: ['vxlan'],
    vlans: [100],
  },
  { name: 'VXLAN-GPE', link: 1, frame: overUdp(4_790, join('0c000001 00002a00', IP)), tunnels: ['vxlan'] },
  { name: 'GENEVE', link: 1, frame: overUdp(6_081, join('0000 6558 00002a00', FRAME)), tunnels: ['geneve'] },
  {
    name: 'GENEVE with options, IPv4',
    link: 1,
    frame: overUdp(6_081, join('0200 0800 00002a00 0102 80 01 00000000', IP)),
    tunnels: ['geneve'],
  },
  {
    name: 'VXLAN in ERSPAN in a tag',
    link: 1,
    frame: ether(
      '8100',
      join(
        '0009 0800',
        ipv4(join('1000 88be 00000001 10640001 00000000', overUdp(4_789, join(VXLAN, FRAME))), 47),
      ),
    ),
    vlans: [9],
    tunnels: ['gre', 'erspan', 'vxlan'],
  },
];

export const ROWS: readonly Row[] = [...LINKS, ...TAGS, ...MPLS, ...TUNNELS, ...GRE];

const bomb = (): Uint8Array => {
  let packet = IP;
  for (let i = 0; i < 200; i += 1) packet = ipv4(packet, 4);
  return packet;
};

/** What holds no segment that could be found. */
export const OTHERS: readonly { name: string; link: number; frame: Uint8Array; want: string }[] = [
  { name: 'PPPoE discovery', link: 1, frame: ether('8863', hex('1109 0000 0000')), want: 'other' },
  { name: 'LLC of spanning tree', link: 1, frame: framed(hex('424203 0000')), want: 'other' },
  {
    name: 'a pseudowire that carries no Ethernet',
    link: 1,
    frame: ether('8847', hex('00010140 00000000 7e7e7e7e')),
    want: 'other',
  },
  {
    name: 'labels without a last one',
    link: 1,
    frame: ether('8847', hex('00010040'.repeat(40))),
    want: 'other',
  },
  {
    name: 'labels that end with the frame',
    link: 1,
    frame: ether('8847', hex('00010040')),
    want: 'malformed',
  },
  { name: 'GRE of version 2', link: 1, frame: gre('0002 0800', IP), want: 'other' },
  {
    name: 'GRE whose source routes never end',
    link: 1,
    frame: gre('4000 0800 00000000 0800 00 08', IP),
    want: 'malformed',
  },
  {
    name: 'VXLAN without its flag',
    link: 1,
    frame: overUdp(4_789, join('00000000 00002a00', FRAME)),
    want: 'other',
  },
  {
    name: 'GENEVE whose options are longer than it',
    link: 1,
    frame: overUdp(6_081, hex('3f00 6558 00002a00')),
    want: 'malformed',
  },
  {
    name: 'a later fragment of a tunnel',
    link: 1,
    frame: ether('0800', ipv4(join('0000 0800', IP), 47, '0010')),
    want: 'fragment',
  },
  { name: 'packets in packets in packets, without end', link: 101, frame: bomb(), want: 'other' },
  { name: 'PKTAP around PKTAP', link: 258, frame: pktap(258, pktap(1, FRAME)), want: 'other' },
  { name: 'NFLOG without a packet', link: 239, frame: hex('02000005 08000100 08000300'), want: 'malformed' },
  {
    name: 'NFLOG whose field has no length',
    link: 239,
    frame: hex('02000005 00000100 00000000'),
    want: 'other',
  },
];
