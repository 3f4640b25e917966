// Link types: what a frame of each begins with (tcpdump.org/linktypes.html).

import { ethernet, hdlc, llc, mpls, ppp, pppoe, typed } from './ethernet';
import { follow, has, octet, pass, word, type Found, type Layer, type Walk } from './layer';

/** Whether frames of this LINKTYPE_ can be read. */
export function isKnownLink(linkType: number): boolean {
  return LINKS.has(linkType);
}

/** The first layer of its frames. */
export function linkLayer(linkType: number): Layer | Found | undefined {
  return LINKS.get(linkType);
}

/** What stands before the packet in an Ethernet frame with no more than tags; `undefined`: there is no such packet. */
export function ethernetHead(frame: Uint8Array): Uint8Array | undefined {
  const at = packetAt(ETHERNET, frame);
  return at === undefined ? undefined : frame.subarray(0, at);
}

/** Where the IP packet begins in a frame that has it in no tunnel; `undefined`: there is no such packet. */
export function packetAt(linkType: number, frame: Uint8Array): number | undefined {
  const walk: Walk = {
    ...{ frame, at: 0, end: frame.length, beyond: 1 },
    ...{ vlans: [], tunnels: undefined },
  };
  const first = linkLayer(linkType);
  return first !== undefined && follow(walk, first) === 'ip' && !walk.tunnels ? walk.at : undefined;
}

const skip =
  (octets: number, next: Layer | Found): Layer =>
  (walk) =>
    pass(walk, octets, next);

/** Linux cooked capture: a protocol of 4 is an LLC header. */
const cooked =
  (protocol: number, length: number): Layer =>
  (walk) => {
    if (!has(walk, length)) return 'cut';
    if (word(walk, protocol) === COOKED_LLC) return pass(walk, length, llc);
    // The EtherType is read where it stands, and the packet is behind the header.
    const start = walk.at;
    walk.at += protocol;
    const next = typed(walk);
    walk.at = start + length;
    return next;
  };

/** `pfloghdr` of OpenBSD and FreeBSD, which has grown: its length is in it, without the padding. */
const pflog: Layer = (walk) => {
  if (!has(walk, 4)) return 'cut';
  const length = octet(walk, 0);
  if (length < PFLOG_LEAST) return 'other';
  // Padded to four octets, or where a `long` has eight to those.
  const four = Math.ceil(length / 4) * 4;
  const eight = Math.ceil(length / 8) * 8;
  const begins = (offset: number): boolean => {
    const version = octet(walk, offset) >> 4;
    return has(walk, offset + 1) && (version === 4 || version === 6);
  };
  return pass(walk, !begins(four) && begins(eight) ? eight : four, 'ip');
};

/** Linux's netfilter log: fields in the order of octets of the machine that wrote them; the packet is one of them. */
const nflog: Layer = (walk) => {
  let offset = 4;
  for (let fields = 0; fields < NFLOG_FIELDS && has(walk, offset + 4); fields += 1) {
    const [first, second] = [word(walk, offset), word(walk, offset + 2)];
    const little = (second & 0xff) === 0 && second !== 0;
    const [length, type] = little ? [swap(first), swap(second)] : [first, second];
    if (type === NFLOG_PAYLOAD) return pass(walk, offset + 4, 'ip');
    if (length < 4) return 'other';
    offset += Math.ceil(length / 4) * 4;
  }
  return 'cut';
};

/** Apple's: its header's length, and the link type of what is behind it, in the order of octets of a Mac. */
const pktap: Layer = (walk) => {
  if (!has(walk, 12)) return 'cut';
  const length = swap(word(walk, 0));
  if (length < 12 || word(walk, 2) !== 0 || word(walk, 10) !== 0) return 'other';
  const type = swap(word(walk, 8));
  if (type === PKTAP || type === PKTAP_USER) return 'other';
  return pass(walk, length, LINKS.get(type) ?? 'other');
};

function swap(value: number): number {
  return ((value & 0xff) << 8) | (value >> 8);
}

const ETHERNET = 1;
const COOKED_LLC = 4;
const PFLOG_LEAST = 20;
const NFLOG_PAYLOAD = 9;
const NFLOG_FIELDS = 64;
const PKTAP = 258;
const PKTAP_USER = 149;

const LINKS: ReadonlyMap<number, Layer | Found> = new Map<number, Layer | Found>([
  // NULL and LOOP: an address family in front, in the capturing machine's order of octets.
  [0, skip(4, 'ip')],
  [108, skip(4, 'ip')],
  [ETHERNET, ethernet],
  // PPP as it is, with HDLC's address before it, over Ethernet, with the direction in front.
  [9, ppp],
  [50, hdlc],
  [51, pppoe],
  [104, hdlc],
  [166, skip(2, ppp)],
  [204, skip(1, ppp)],
  // Raw IP, by the names that systems gave it.
  [12, 'ip'],
  [14, 'ip'],
  [101, 'ip'],
  [228, 'ip'],
  [229, 'ip'],
  // IP or bridged frames over ATM (RFC 2684).
  [100, llc],
  // OpenBSD's IPsec: family, index and flags.
  [109, skip(12, 'ip')],
  // Linux cooked capture, v1 and v2.
  [113, cooked(14, 16)],
  [276, cooked(0, 20)],
  [117, pflog],
  [219, mpls],
  [239, nflog],
  [PKTAP_USER, pktap],
  [PKTAP, pktap],
]);
