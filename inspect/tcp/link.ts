// Link layers: where the IP packet begins in a frame.

/** The IP packet starts at `offset`. */
export type Link =
  | { readonly kind: 'ip'; readonly offset: number; readonly vlans: readonly number[] }
  | { readonly kind: 'other' }
  | { readonly kind: 'malformed'; readonly why: string };

/** Whether frames of this LINKTYPE_ can be read (tcpdump.org/linktypes.html). */
export function isKnownLink(linkType: number): boolean {
  return linkType in LINKS;
}

export function parseLink(linkType: number, frame: Uint8Array): Link {
  return LINKS[linkType]?.(frame) ?? { kind: 'malformed', why: `link type ${linkType} is not known` };
}

const LINKS: Readonly<Record<number, (frame: Uint8Array) => Link>> = {
  // NULL and LOOP: an address family in front, in the capturing machine's order of octets.
  0: () => ip(4),
  108: () => ip(4),
  1: (frame) => etherType(frame, 12),
  // Raw IP, by the names that systems gave it.
  12: () => ip(0),
  14: () => ip(0),
  101: () => ip(0),
  228: () => ip(0),
  229: () => ip(0),
  // Linux cooked capture, v1 and v2.
  113: (frame) => etherType(frame, 14),
  276: (frame) => etherType(frame, 0, 20),
};

/** Follows 802.1Q and 802.1ad tags from the EtherType at `at`; `start` is where an untagged payload begins. */
function etherType(frame: Uint8Array, at: number, start = at + 2): Link {
  let vlans: readonly number[] = UNTAGGED;
  let type = be16(frame, at);
  let offset = start;
  while (TAGS.has(type) && vlans.length < MAX_TAGS) {
    vlans = [...vlans, be16(frame, offset) & 0x0fff];
    type = be16(frame, offset + 2);
    offset += 4;
  }
  if (offset > frame.length) return { kind: 'malformed', why: 'frame cut short' };
  return type === IPV4 || type === IPV6 ? ip(offset, vlans) : { kind: 'other' };
}

function ip(offset: number, vlans: readonly number[] = UNTAGGED): Link {
  return { kind: 'ip', offset, vlans };
}

function be16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

const UNTAGGED: readonly number[] = [];
const IPV4 = 0x0800;
const IPV6 = 0x86dd;
const TAGS: ReadonlySet<number> = new Set([0x8100, 0x88a8, 0x9100]);
const MAX_TAGS = 4;
