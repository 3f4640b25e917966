// What the program in the kernel and the process agree on. Written by `npm run build:wire` from the compiled types of
// bpf/abi.h, where the comments are; not to be edited.

export const ABI = 5;
export const PORTS = 64;
export const WAYS = 16;
export const TAIL_OCTETS = 1024;
export const TAILS = 8192;
export const ELIDED_KEY = 40;

export const LEG = {
  LEG_WAN: 0,
  LEG_LAN: 1,
} as const;

export const SIDE = {
  SIDE_CLIENT: 0,
  SIDE_SERVER: 1,
} as const;

export const POLICY = {
  POLICY_UNKNOWN: 0,
  POLICY_OBSERVE: 1,
  POLICY_REPAIR: 2,
  POLICY_RELAY: 3,
} as const;

export const RECORD_KIND = {
  RECORD_SEGMENT: 0,
  RECORD_ELIDED: 1,
} as const;

export const RECORD_FLAG = {
  RECORD_LOST: 1,
  RECORD_CONTENT: 2,
  RECORD_REPAIRED: 4,
  RECORD_CONTRADICTED: 8,
  RECORD_LEAD: 16,
  RECORD_MIDSTREAM: 32,
} as const;

export const COUNTER = {
  COUNT_FRAMES: 0,
  COUNT_SEGMENTS: 1,
  COUNT_OCTETS: 2,
  COUNT_FRAGMENTS: 3,
  COUNT_MALFORMED: 4,
  COUNT_RECORDS: 5,
  COUNT_LOST: 6,
  COUNT_ELIDED_SEGMENTS: 7,
  COUNT_ELIDED_OCTETS: 8,
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

export const COMMON_KEY = {
  COMMON_INDEX: 0,
  COMMON_LATEST: 1,
} as const;

export const RELAYING = {
  RELAYING_UNKNOWN: 0,
  RELAYING_NOT: 1,
  RELAYING: 2,
} as const;

// Offsets of fields, and sizes, in octets.

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

export const SERVER_KEY = {
  address: 0,
  port: 16,
} as const;
export const SERVER_KEY_SIZE = 20;

export const SERVER = {
  policy: 0,
  contradicted: 1,
  lines: 2,
} as const;
export const SERVER_SIZE = 4;

export const INDEX = {
  seed: 0,
  mask: 8,
  ports: 16,
} as const;
export const INDEX_SIZE = 144;

export const LATEST = {
  tail_id: 0,
  crowded: 4,
} as const;
export const LATEST_SIZE = 8;

export const COMMON = {
  index: 0,
  latest: 0,
  lines: 0,
} as const;
export const COMMON_SIZE = 192;

export const CPU_SCRATCH = {
  counters: 0,
  segment: 144,
  tick: 232,
  tick_at: 240,
  record: 248,
} as const;
export const CPU_SCRATCH_SIZE = 8744;

export const FLOW_KEY = {
  client: 0,
  server: 16,
  client_port: 32,
  server_port: 34,
} as const;
export const FLOW_KEY_SIZE = 36;

export const FLOW = {
  key: 0,
  used: 36,
  sides: 40,
  missed: 48,
  tail_id: 52,
  lines: 56,
  policy: 58,
  patch_count: 59,
  started: 60,
  relaying: 61,
  repairing: 62,
  unwatched: 63,
  streams: 64,
  patches: 192,
} as const;
export const FLOW_SIZE = 256;

export const STREAM = {
  next: 0,
  elided_segments: 4,
  elided: 8,
  elided_at: 16,
  first: 24,
  content_start: 24,
  content_end: 24,
  copied_to: 24,
  unanswered: 28,
  busy: 32,
  isn: 36,
  greeting_end: 40,
  waits_since: 44,
} as const;
export const STREAM_SIZE = 64;

export const TAIL = {
  id: 0,
  from: 4,
  end: 8,
  shift: 12,
  octets: 16,
} as const;
export const TAIL_SIZE = 2064;

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
  repaired_at: 32,
  replaced: 36,
  repairs: 40,
  shown: 24,
  shift: 28,
  seq: 32,
  octets: 36,
  segments: 40,
  captured: 44,
  data: 48,
} as const;
export const RECORD_SIZE = 8496;
