// What IP carries other than TCP: tunnels, and the frame or packet that is inside them.

import { carried, ethernet, mpls, ppp } from './ethernet';
import { enter, has, octet, pass, word, type Found, type Layer, type Walk } from './layer';

/** The layer behind an IP header of this protocol (IANA protocol numbers); `other`: nothing that can hold TCP for us. */
export function insideOf(protocol: number): Layer | Found {
  return PROTOCOLS[protocol] ?? 'other';
}

/** RFC 2003, 2473, 4213: one more IP header. */
const ipInIp: Layer = (walk) => {
  enter(walk, 'ip in ip');
  return 'ip';
};

/** RFC 2784, 2890, 1701 (version 0) and 2637 (version 1, of PPTP). */
const gre: Layer = (walk) => {
  if (!has(walk, 4)) return 'cut';
  const flags = word(walk, 0);
  const protocol = word(walk, 2);
  const version = flags & 7;
  if (version > 1) return 'other';
  enter(walk, 'gre');
  const sequenced = (flags & GRE.sequence) !== 0;
  let length = 4 + (flags & GRE.key ? 4 : 0) + (sequenced ? 4 : 0);
  if (version === 1) return pass(walk, length + (flags & GRE.acknowledged ? 4 : 0), greProtocol(protocol));
  if (flags & (GRE.checksum | GRE.routing)) length += 4;
  if (flags & GRE.routing) length = behindRoutes(walk, length);
  if (protocol === ERSPAN) return pass(walk, length, sequenced ? erspan2 : erspan1);
  return pass(walk, length, protocol === WCCP ? wccp : greProtocol(protocol));
};

function greProtocol(protocol: number): Layer | Found {
  return protocol === ERSPAN_3 ? erspan3 : carried(protocol);
}

/** RFC 1701: source routes, each with its length, and an empty one behind the last. */
function behindRoutes(walk: Walk, start: number): number {
  let length = start;
  while (has(walk, length + 4)) {
    const octets = octet(walk, length + 3);
    const last = octets === 0 && word(walk, length) === 0;
    length += 4 + octets;
    if (last) return length;
  }
  // Beyond what is there: cut.
  return length + 4;
}

/** The redirect header that WCCP version 2 puts before the packet may be missing. */
const wccp: Layer = (walk) => {
  if (!has(walk, 1)) return 'cut';
  return octet(walk, 0) >> 4 === 4 ? 'ip' : pass(walk, 4, 'ip');
};

// draft-foschiano-erspan: type I is a GRE header alone, II has 8 octets of its own, III has 12 and perhaps 8 more.
const erspan1: Layer = (walk) => {
  enter(walk, 'erspan');
  return ethernet;
};

const erspan2: Layer = (walk) => {
  enter(walk, 'erspan');
  return pass(walk, 8, ethernet);
};

const erspan3: Layer = (walk) => {
  if (!has(walk, 12)) return 'cut';
  enter(walk, 'erspan');
  const flags = word(walk, 10);
  const isPacket = ((flags >> 10) & 0x1f) === ERSPAN_IP;
  return pass(walk, flags & 1 ? 20 : 12, isPacket ? 'ip' : ethernet);
};

const udp: Layer = (walk) => {
  if (!has(walk, 8)) return 'other';
  const next = PORTS.get(word(walk, 2));
  return next ? pass(walk, 8, next) : 'other';
};

/** RFC 7348 §5. */
const vxlan: Layer = (walk) => {
  if (!has(walk, 8)) return 'cut';
  if (!(octet(walk, 0) & VXLAN_VALID)) return 'other';
  enter(walk, 'vxlan');
  return pass(walk, 8, ethernet);
};

/** draft-ietf-nvo3-vxlan-gpe §3.1: it says what it carries. */
const vxlanGpe: Layer = (walk) => {
  if (!has(walk, 8)) return 'cut';
  enter(walk, 'vxlan');
  const next = octet(walk, 0) & VXLAN_TYPED ? (GPE[octet(walk, 3)] ?? 'other') : ethernet;
  return pass(walk, 8, next);
};

/** RFC 8926 §3.4: options in units of 4 octets. */
const geneve: Layer = (walk) => {
  if (!has(walk, 8)) return 'cut';
  if (octet(walk, 0) >> 6 !== 0) return 'other';
  enter(walk, 'geneve');
  return pass(walk, 8 + (octet(walk, 0) & 0x3f) * 4, carried(word(walk, 2)));
};

/** 3GPP TS 29.281 §5.1: user data of a mobile network; extension headers in units of 4 octets. */
const gtp: Layer = (walk) => {
  if (!has(walk, 8)) return 'cut';
  const flags = octet(walk, 0);
  if (flags >> 5 !== 1 || octet(walk, 1) !== GTP_USER_DATA) return 'other';
  enter(walk, 'gtp');
  if (!(flags & 7)) return pass(walk, 8, 'ip');
  if (!has(walk, 12)) return 'cut';
  let next = flags & 4 ? octet(walk, 11) : 0;
  let length = 12;
  while (next !== 0) {
    if (!has(walk, length + 4)) return 'cut';
    const octets = octet(walk, length) * 4;
    if (octets === 0 || !has(walk, length + octets)) return octets === 0 ? 'other' : 'cut';
    next = octet(walk, length + octets - 1);
    length += octets;
  }
  return pass(walk, length, 'ip');
};

/** RFC 2661 §3.1: which fields there are is in the flags. */
const l2tp: Layer = (walk) => {
  if (!has(walk, 6)) return 'cut';
  const flags = word(walk, 0);
  if ((flags & 0x0f) !== 2 || flags & L2TP.control) return 'other';
  enter(walk, 'l2tp');
  let length = 6 + (flags & L2TP.length ? 2 : 0) + (flags & L2TP.sequence ? 4 : 0);
  if (flags & L2TP.offset) {
    if (!has(walk, length + 2)) return 'cut';
    length += 2 + word(walk, length);
  }
  return pass(walk, length, ppp);
};

/** TaZmen sniffer protocol: tagged fields, ended by a tag of 1. */
const tzsp: Layer = (walk) => {
  if (!has(walk, 4)) return 'cut';
  if (octet(walk, 0) !== 1 || word(walk, 2) !== 1) return 'other';
  enter(walk, 'tzsp');
  let length = 4;
  while (has(walk, length + 1)) {
    const tag = octet(walk, length);
    if (tag === 1) return pass(walk, length + 1, ethernet);
    if (tag === 0) length += 1;
    else if (!has(walk, length + 2)) return 'cut';
    else length += 2 + octet(walk, length + 1);
  }
  return 'cut';
};

/** RFC 3378 §3: version 3 and nothing else. */
const etherIp: Layer = (walk) => {
  enter(walk, 'ethernet in IP');
  return pass(walk, 2, ethernet);
};

/** RFC 8986 §10.1. */
const srv6: Layer = (walk) => {
  enter(walk, 'ethernet in IP');
  return ethernet;
};

const PROTOCOLS: Readonly<Record<number, Layer>> = {
  4: ipInIp,
  17: udp,
  41: ipInIp,
  47: gre,
  97: etherIp,
  137: mpls,
  143: srv6,
};
/** By the port that it goes to; 8472 is what Linux took before there was a number. */
const PORTS: ReadonlyMap<number, Layer> = new Map([
  [1_701, l2tp],
  [2_152, gtp],
  [4_754, gre],
  [4_789, vxlan],
  [4_790, vxlanGpe],
  [6_081, geneve],
  [6_635, mpls],
  [8_472, vxlan],
  [37_008, tzsp],
]);
const GPE: Readonly<Record<number, Layer | Found>> = { 1: 'ip', 2: 'ip', 3: ethernet, 5: mpls };
const GRE = {
  checksum: 0x8000,
  routing: 0x4000,
  key: 0x2000,
  sequence: 0x1000,
  acknowledged: 0x0080,
} as const;
const L2TP = { control: 0x8000, length: 0x4000, sequence: 0x0800, offset: 0x0200 } as const;
const ERSPAN = 0x88be;
const ERSPAN_3 = 0x22eb;
const ERSPAN_IP = 2;
const WCCP = 0x883e;
const VXLAN_VALID = 0x08;
const VXLAN_TYPED = 0x04;
const GTP_USER_DATA = 0xff;
