// One connection and one event of each kind, for the tables of the sinks' tests.

import type { Quotable } from '../../../inspect/quotable';
import type { Connection, Recorded } from '../../../proxy/sinks/record';

/** A test says by itself that its texts may be written down. */
const quotable = (text: string): Quotable => text as Quotable;

export const AT = 1_777_863_721_000_123;

export const CONNECTION: Connection = {
  session: 'mc3x1k2a-7',
  path: 'relay',
  client: { address: '198.51.100.7', port: 40_123 },
  server: { address: '2001:db8::5', port: 25 },
};

export const GREETING: Recorded = {
  kind: 'phase',
  phase: 'greeting',
  at: AT,
  started: AT - 20_004_000,
  sinceConnect: 812,
  duration: 20_004_000,
  waited: 0,
  reply: { code: 220, lines: 1, text: quotable('mx.demo ESMTP') },
  greeting: { class: 'truncated', defects: ['truncated'] },
};

export const RCPT: Recorded = {
  kind: 'phase',
  phase: 'rcpt',
  at: AT,
  started: AT - 3_211,
  sinceConnect: 30_000,
  duration: 3_211,
  waited: 1_500_000,
  verb: 'RCPT',
  argument: quotable('TO:<a@b.example>'),
  reply: { code: 550, enhanced: '5.1.1', lines: 2, text: quotable('User unknown') },
};

export const MESSAGE: Recorded = {
  kind: 'phase',
  phase: 'message',
  at: AT,
  started: AT - 50_000,
  sinceConnect: 40_000,
  duration: 50_000,
  waited: 0,
  reply: { code: 250, enhanced: '2.0.0', lines: 1, text: quotable('Ok: queued as X') },
  bytes: 12_345,
  transfer: 47_001,
};

export const TLS: Recorded = {
  kind: 'phase',
  phase: 'tls',
  at: AT,
  started: AT - 900,
  sinceConnect: 50_000,
  duration: 900,
  waited: 10,
  tls: { version: 'TLSv1.3', sni: quotable('mx.demo') },
};

export const CLOSE: Recorded = {
  kind: 'phase',
  phase: 'close',
  at: AT,
  started: AT - 100,
  sinceConnect: 60_000,
  duration: 100,
  waited: 0,
  close: { by: 'client', how: 'fin' },
};

export const SESSION: Recorded = {
  kind: 'session',
  at: AT,
  started: AT - 60_100,
  phases: [
    ['connect', 0, 812, undefined],
    ['greeting', 812, 2_000.4, 220],
  ],
  phasesOmitted: 0,
  hello: quotable('client.example'),
  tls: { version: 'TLSv1.3' },
  messages: 1,
  bytes: { client: 13_000, server: 532 },
  close: { by: 'client', how: 'fin' },
};

export const REPAIR: Recorded = {
  kind: 'repair',
  at: AT,
  defect: 'truncated',
  before: quotable('220-mx.demo\\r\\n'),
  after: quotable('220 mx.demo ESMTP\\r\\n'),
  held: 20_000_250,
};

export const LEARNED: Recorded = {
  kind: 'learned',
  at: AT,
  greeting: 'truncated',
  policy: 'relay',
  way: 'verified',
  because: 'no last line came in 20 s',
};

export const ANOMALY: Recorded = {
  kind: 'anomaly',
  anomaly: 'bare-lf',
  direction: 'client',
  at: AT,
  detail: quotable('EHLO x\\n'),
};

export const BLOCKED: Recorded = {
  kind: 'blocked',
  at: AT,
  rule: 'load',
  action: 'refuse',
  direction: 'client',
};

export const LOSS: Recorded = {
  kind: 'loss',
  at: AT,
  source: 'log',
  count: 312,
  of: { phase: 300, session: 12 },
};

export const SEGMENT_SESSION: Recorded = {
  ...SESSION,
  retransmits: { client: 2, server: 0 },
  rtt: 812,
  verdicts: ['ehlo-dropped'],
} as Recorded;

export const VERDICT: Recorded = {
  kind: 'verdict',
  at: AT,
  verdict: 'ehlo-dropped',
  certainty: 'proved',
  proof: 'probe',
  where: 'before',
  missingBytes: 9,
  held: 802_500,
  summary: 'The first command (EHLO) was sent and never arrived here.',
  evidence: [
    {
      at: AT - 123,
      from: 'client',
      seq: 9,
      ack: 22,
      length: 0,
      flags: 'ACK',
      ttl: 64,
      tsval: 4_031_306_899,
      note: 'answer to a probe',
    },
  ],
};

export const CAPTURE_LOSS: Recorded = { kind: 'loss', at: AT, source: 'capture', count: 17 };
