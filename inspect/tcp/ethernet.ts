// What Ethernet and its like carry: tags, LLC, MPLS, PPPoE and PPP, down to the IP packet.

import { enter, has, octet, pass, word, type Found, type Layer, type Walk } from './layer';

/** IEEE 802.3 §3.2.6: up to 1500 it is a length, and an LLC header follows. */
export const ethernet: Layer = (walk) => {
  if (!has(walk, 14)) return 'cut';
  const type = word(walk, 12);
  return pass(walk, 14, type <= LARGEST_LENGTH ? llc : carried(type));
};

/** The layer of an EtherType. */
export function carried(type: number): Layer | Found {
  return type === IPV4 || type === IPV6 ? 'ip' : (TYPES.get(type) ?? 'other');
}

/** The EtherType stands at `at`. */
export const typed: Layer = (walk) => {
  if (!has(walk, 2)) return 'cut';
  return pass(walk, 2, carried(word(walk, 0)));
};

/** IEEE 802.1Q §9.3: the tag's other half, and the EtherType behind it. */
const tag: Layer = (walk) => {
  if (!has(walk, 4)) return 'cut';
  const vlan = word(walk, 0) & 0x0fff;
  walk.vlans = walk.vlans.length === 0 ? (SINGLE[vlan] ??= [vlan]) : [...walk.vlans, vlan];
  const type = word(walk, 2);
  return pass(walk, 4, type <= LARGEST_LENGTH ? llc : carried(type));
};

/** IEEE 802.1ah §9.7: a whole Ethernet frame of a customer behind the service's number. */
const pbb: Layer = (walk) => {
  enter(walk, 'pbb');
  return pass(walk, 4, ethernet);
};

/** IEEE 802.2 §3, RFC 1042, IEEE 802 §9.5. */
export const llc: Layer = (walk) => {
  if (!has(walk, 3)) return 'cut';
  const [to, from] = [octet(walk, 0), octet(walk, 1)];
  if (to === LLC_IP && from === LLC_IP) return pass(walk, 3, 'ip');
  if (to !== LLC_SNAP || from !== LLC_SNAP) return 'other';
  if (!has(walk, 8)) return 'cut';
  const organization = (word(walk, 3) << 8) | octet(walk, 5);
  const type = word(walk, 6);
  if (organization === 0 || organization === BRIDGE_TUNNEL) return pass(walk, 8, carried(type));
  // RFC 2684 §5.2: a bridged frame, behind two octets of padding.
  if (organization === BRIDGED && (type === 1 || type === 7)) return pass(walk, 10, ethernet);
  return 'other';
};

/** RFC 3032 §2.1: labels down to the last, and nothing that says what they carry. */
export const mpls: Layer = (walk) => {
  enter(walk, 'mpls');
  for (let labels = 0; labels < LABELS; labels += 1) {
    if (!has(walk, 4)) return 'cut';
    const last = (octet(walk, 2) & 1) === 1;
    walk.at += 4;
    if (last) return labelled(walk);
  }
  return 'other';
};

/**
 * RFC 4928 §3: the first four bits tell IP from others; RFC 4448 §4.6: a pseudowire may have a control word, which
 * begins with four zeros, as many an Ethernet address does. What fits is it.
 */
function labelled(walk: Walk): Layer | Found {
  if (!has(walk, 1)) return 'cut';
  const kind = octet(walk, 0) >> 4;
  if ((kind === 4 || kind === 6) && isPacket(walk)) return 'ip';
  if (kind === 0 && isFrame(walk, 4)) return pass(walk, 4, ethernet);
  if (isFrame(walk, 0)) return ethernet;
  return kind === 4 || kind === 6 ? 'ip' : 'other';
}

/** Whether IP's own lengths agree with what is there. */
function isPacket(walk: Walk): boolean {
  if (octet(walk, 0) >> 4 === 6) return has(walk, 40) && (walk.beyond > 0 || has(walk, 40 + word(walk, 4)));
  const header = (octet(walk, 0) & 0x0f) * 4;
  return (
    header >= 20 && has(walk, 20) && word(walk, 2) >= header && (walk.beyond > 0 || has(walk, word(walk, 2)))
  );
}

/** Whether an Ethernet frame whose type is known begins there. */
function isFrame(walk: Walk, offset: number): boolean {
  if (!has(walk, offset + 14)) return false;
  const type = word(walk, offset + 12);
  if (type > LARGEST_LENGTH) return carried(type) !== 'other';
  return (
    has(walk, offset + 16) && word(walk, offset + 14) === LLC_SNAPS && (walk.beyond > 0 || has(walk, type))
  );
}

/** RFC 2516 §4: version and type, code, session, length. */
export const pppoe: Layer = (walk) => {
  if (!has(walk, 6)) return 'cut';
  if (word(walk, 0) !== SESSION_DATA) return 'other';
  enter(walk, 'pppoe');
  return pass(walk, 6, pppProtocol);
};

/** RFC 1662 §3.1: address and control may be left out. */
export const ppp: Layer = (walk) => {
  if (!has(walk, 2)) return 'cut';
  return word(walk, 0) === ALL_STATIONS ? pass(walk, 2, pppProtocol) : pppProtocol;
};

/** RFC 1661 §2: of two octets, or compressed to one, which is odd. */
const pppProtocol: Layer = (walk) => {
  if (!has(walk, 1)) return 'cut';
  const short = (octet(walk, 0) & 1) === 1;
  if (!short && !has(walk, 2)) return 'cut';
  const next = PPP[short ? octet(walk, 0) : word(walk, 0)] ?? 'other';
  return pass(walk, short ? 1 : 2, next);
};

/** Cisco's HDLC, which some write where PPP is expected: address, control, EtherType. */
export const hdlc: Layer = (walk) => {
  if (!has(walk, 4)) return 'cut';
  const address = octet(walk, 0);
  if (address !== UNICAST && address !== BROADCAST) return ppp;
  return pass(walk, 4, carried(word(walk, 2)));
};

const skip =
  (octets: number): Layer =>
  (walk) =>
    pass(walk, octets, typed);

const IPV4 = 0x0800;
const IPV6 = 0x86dd;
const TYPES: ReadonlyMap<number, Layer> = new Map<number, Layer>([
  // 802.1Q, 802.1ad, and what was there before 802.1ad.
  ...[0x8100, 0x88a8, 0x9100, 0x9200, 0x9300].map((type) => [type, tag] as const),
  // VNTag and 802.1BR: which port of a card or of a line card, and an EtherType behind it.
  [0x8926, skip(4)],
  [0x893f, skip(6)],
  [0x88e7, pbb],
  [0x8847, mpls],
  [0x8848, mpls],
  [0x8864, pppoe],
  [0x880b, ppp],
  // A frame of more than 1500 octets with an LLC header, and Ethernet in Ethernet (transparent bridging).
  [0x8870, llc],
  [0x6558, ethernet],
]);
const PPP: Readonly<Record<number, Layer | Found>> = { 0x21: 'ip', 0x57: 'ip', 0x281: mpls, 0x283: mpls };
const LARGEST_LENGTH = 1_500;
const LLC_IP = 0x06;
const LLC_SNAP = 0xaa;
const LLC_SNAPS = 0xaaaa;
/** RFC 1042 with an EtherType that is bridged the other way (IEEE 802.1H). */
const BRIDGE_TUNNEL = 0x0000f8;
const BRIDGED = 0x0080c2;
const LABELS = 32;
const SESSION_DATA = 0x1100;
const ALL_STATIONS = 0xff03;
const UNICAST = 0x0f;
const BROADCAST = 0x8f;
/** Lists of a single tag, which come again with every frame. */
const SINGLE: (readonly number[] | undefined)[] = [];
