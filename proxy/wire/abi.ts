// The other half of abi.h: where each field lies, and what the numbers mean. A test compares both with the object's BTF.

/** `EHLOWIRE_ABI`. */
export const ABI = 3;

/** Octet offsets of fields, and the size of each struct. */
export const RECORD = {
  at: 0,
  kind: 8,
  leg: 9,
  from: 10,
  flags: 11,
  vlan_tci: 12,
  vlan_protocol: 14,
  length: 16,
  headers: 20,
  payload: 24,
  skipped: 28,
  seq: 32,
  octets: 36,
  segments: 40,
  captured: 44,
  data: 48,
} as const;

export const SETTINGS = {
  abi: 0,
  relay_mark: 4,
  relay_socket_mark: 8,
  relay_port: 12,
  relay_mac: 14,
  unknown: 20,
  unheld: 24,
} as const;
export const SETTINGS_SIZE = 28;

/** By what a segment's connection is found; `ports` is a list, two octets each, 64 at the most. */
export const INDEX = { seed: 0, mask: 8, ports: 16 } as const;
/** Connections that may share a set of the table. */
export const WAYS = 16;

export const SERVER_KEY = { address: 0, port: 16 } as const;
export const SERVER_KEY_SIZE = 20;

export const SERVER = { policy: 0, contradicted: 1, lines: 2 } as const;
export const SERVER_SIZE = 4;

/** What a processor has in hand, its counters first: 64 bits each. */
export const HAND = { counters: 0, segment: 144, tick: 232, tick_at: 240, room: 248, spare: 256 } as const;
export const HAND_SIZE = 8_760;

/** A record's place in the ring; `SLOT_VOID` stands in its size. */
export const SLOT = { size: 0, record: 8 } as const;
export const SLOT_VOID = 1;

/** Positions that a piece of the ring stands for, and its octets: there is room behind for the rest of the last slot. */
export const PIECE = 1 << 18;
export const PIECE_SIZE = PIECE + 8_504;

export const POSITIONS = {
  produced: 0,
  room_from: 8,
  capacity: 16,
  mask: 24,
  tickets: 32,
  crowded: 36,
  consumed: 64,
  read: 72,
} as const;
export const POSITIONS_SIZE = 128;

/** Entries of the map `commons`, one behind the other, and the octets of each. */
export const COMMON_KEY = { COMMON_INDEX: 0, COMMON_POSITIONS: 1 } as const;
export const COMMON_SIZE = 192;

export const FLOW_KEY = { client: 0, server: 16, client_port: 32, server_port: 34 } as const;
/** Where the octets of a stretch begin behind its key. */
export const STRETCH_KEY = 40;
/** Octets in the table of a message's end: the octet with number n at n mod TAIL. */
export const TAIL = 1_024;

export const LEG = { LEG_WAN: 0, LEG_LAN: 1 } as const;
export const SIDE = { SIDE_CLIENT: 0, SIDE_SERVER: 1 } as const;
export const RECORD_KIND = { RECORD_SEGMENT: 0, RECORD_STRETCH: 1 } as const;
export const RECORD_FLAG = {
  RECORD_LOST: 1,
  RECORD_CONTENT: 2,
  RECORD_REPAIRED: 4,
  RECORD_CONTRADICTED: 8,
  RECORD_LEAD: 16,
  RECORD_MIDSTREAM: 32,
} as const;
export const POLICY = { POLICY_UNKNOWN: 0, POLICY_OBSERVE: 1, POLICY_REPAIR: 2, POLICY_RELAY: 3 } as const;

/** Indices of the counters. */
export const COUNTER = {
  COUNT_FRAMES: 0,
  COUNT_SEGMENTS: 1,
  COUNT_OCTETS: 2,
  COUNT_FRAGMENTS: 3,
  COUNT_MALFORMED: 4,
  COUNT_RECORDS: 5,
  COUNT_LOST: 6,
  COUNT_LEFT_OUT_SEGMENTS: 7,
  COUNT_LEFT_OUT_OCTETS: 8,
  COUNT_FLOWS: 9,
  COUNT_REPAIRED: 10,
  COUNT_CONTRADICTED: 11,
  COUNT_DIVERTED: 12,
  COUNT_DIVERTED_SEGMENTS: 13,
  COUNT_NO_RELAY: 14,
  COUNT_DIVERTED_ERRORS: 15,
  COUNT_WRONG_LEG: 16,
  COUNT_UNWATCHED: 17,
} as const;
