// What a trace finds, a row for each way of a path; and for each way that must not be a finding.

import type { TraceVerdict } from '../../../inspect/trace/sent';
import type { Device, Path, Treatment } from './path';
import { SERVER } from './path';

export interface Row {
  readonly name: string;
  readonly path: Path;
  /** `verdict certainty test place`, as `short` has it. */
  readonly want: readonly string[];
  /** Part of what was not seen. */
  readonly limits?: readonly RegExp[];
  readonly message?: RegExp;
}

export function short({ verdict, certainty, test, place, what }: TraceVerdict): string {
  const where = place.kind === 'hop' ? `at ${place.hop}` : `${place.from}-${place.to ?? '?'}`;
  return [verdict, certainty, test, where, ...(what ? [what.join(', ')] : [])].join(' ');
}

const only =
  (wanted: readonly string[], treatment: Treatment): Device =>
  (test) =>
    wanted.includes(test) ? treatment : {};
const always =
  (treatment: Treatment): Device =>
  () =>
    treatment;
const SILENT = { result: 'silent', alive: true } as const;
const DROPS: Treatment = { drops: true };
const MUTE: Treatment = { mute: true };

/** One field of a packet is another one: so many octets behind the IP header. */
const set =
  (at: number, ...octets: readonly number[]) =>
  (packet: Uint8Array): Uint8Array => {
    const copy = packet.slice();
    copy.set(octets, at);
    return copy;
  };
/** Where TCP and its payload begin; the segments of a connection have timestamps. */
const IP = 20;
const PAYLOAD = 20 + 32;

export const ROWS: readonly Row[] = [
  { name: 'a clean path', path: {}, want: [] },
  { name: 'a server on the same network', path: { routers: 0 }, want: [] },
  {
    name: 'EHLO is dropped by a device in the middle',
    path: { devices: { 3: only(['ehlo'], DROPS) }, hello: SILENT },
    want: ['ehlo-dropped proved ehlo 2-3'],
    message:
      /EHLO is dropped between hop 2 and hop 3, or at hop 3: hop 3 answered the control segment, and none of 3 copies of EHLO\./,
  },
  {
    name: 'our own capture lost frames: what is not there proves nothing',
    path: { devices: { 3: only(['ehlo'], DROPS) }, hello: SILENT, lost: 2 },
    want: ['ehlo-dropped suspected ehlo 2-3'],
    limits: [/own capture lost 2 frames/],
  },
  {
    name: 'EHLO is dropped by the first hop',
    path: { devices: { 1: only(['ehlo'], DROPS) }, hello: SILENT },
    want: ['ehlo-dropped proved ehlo 0-1'],
    message: /between this machine and hop 1, or at hop 1/,
  },
  {
    name: 'EHLO is dropped by the last hop',
    path: { devices: { 4: only(['ehlo'], DROPS) }, hello: SILENT },
    want: ['ehlo-dropped proved ehlo 3-4'],
  },
  {
    name: 'EHLO is dropped behind the last hop, or by it after it counted the TTL',
    path: { devices: { 5: only(['ehlo'], DROPS) }, hello: SILENT },
    want: ['ehlo-dropped proved ehlo 4-5'],
    message:
      /between hop 4 and the server: the server still answers, and acknowledges only what came before it/,
  },
  {
    name: 'the hop behind the device is silent: the next one that answers bounds it',
    path: { devices: { 2: only(['ehlo'], DROPS), 3: always(MUTE) }, hello: SILENT },
    want: ['ehlo-dropped proved ehlo 1-2'],
  },
  {
    name: 'the device itself is silent',
    path: {
      devices: { 2: (test) => (test === 'ehlo' ? DROPS : MUTE), 3: always(MUTE) },
      hello: SILENT,
    },
    want: ['ehlo-dropped proved ehlo 1-4'],
    limits: [/^Hops 2 and 3 do not answer/],
  },
  {
    name: 'HELO is dropped, too',
    path: {
      tests: ['control', 'ehlo', 'helo'],
      devices: { 3: only(['ehlo', 'helo'], DROPS) },
      hello: SILENT,
    },
    want: ['ehlo-dropped proved ehlo 2-3', 'segment-dropped proved helo 2-3'],
  },
  {
    name: 'only HELO is dropped',
    path: { tests: ['control', 'ehlo', 'helo'], devices: { 2: only(['helo'], DROPS) } },
    want: ['segment-dropped proved helo 1-2'],
  },
  {
    name: 'ICMP is filtered altogether: EHLO itself shows the drop',
    path: { devices: { 1: always(MUTE), 2: always(MUTE), 3: always(MUTE), 4: always(MUTE) }, hello: SILENT },
    want: ['ehlo-dropped proved ehlo 0-5'],
    limits: [/^No hop answered/],
  },
  {
    name: 'ICMP is filtered altogether, and nothing is wrong',
    path: { devices: { 1: always(MUTE), 2: always(MUTE), 3: always(MUTE), 4: always(MUTE) } },
    want: [],
    limits: [/^No hop answered/],
  },
  {
    name: 'since EHLO the connection is dead: suspected',
    path: { devices: { 5: only(['ehlo'], DROPS) }, hello: { ...SILENT, alive: false } },
    want: ['ehlo-dropped suspected ehlo 4-5'],
  },
  {
    name: 'the server answers no control, and EHLO is not acknowledged: suspected',
    path: { unreached: true, hello: { ...SILENT, alive: false }, noEcho: true },
    want: ['ehlo-dropped suspected ehlo 4-?'],
    limits: [/^The server answered no control segment/],
  },
  {
    name: 'a silent hop is no finding',
    path: { devices: { 2: always(MUTE) } },
    want: [],
    limits: [/^Hop 2 does not answer/],
  },
  {
    name: 'a hop that limits its answers is no finding',
    path: { devices: { 3: (test, attempt) => (test === 'control' && attempt === 1 ? {} : MUTE) } },
    want: [],
    limits: [/^Hop 3 limits its answers/],
  },
  {
    name: 'the last hop that limits its answers is none either',
    path: { devices: { 4: (test, attempt) => (test === 'control' && attempt < 3 ? {} : MUTE) } },
    want: [],
  },
  {
    name: 'one try that is lost is no finding',
    path: { devices: { 3: (test, attempt) => (test === 'ehlo' && attempt === 2 ? DROPS : {}) } },
    want: [],
  },
  {
    name: 'two tries that are lost are none',
    path: { devices: { 4: (test, attempt) => (test === 'ehlo' && attempt > 1 ? DROPS : {}) } },
    want: [],
  },
  {
    name: 'a hop that answers from two addresses is no finding',
    path: { devices: { 3: (_test, attempt) => ({ from: `10.0.3.${attempt > 1 ? 1 : 2}` }) } },
    want: [],
    limits: [/^Hop 3 answered from several addresses/],
  },
  {
    name: 'an MPLS tunnel is no finding',
    path: { devices: { 2: always({ tunnel: true }), 3: always({ tunnel: true }) } },
    want: [],
    limits: [/^Hops 2 and 3 are in an MPLS tunnel/],
  },
  {
    name: 'a hop that quotes eight octets is no finding',
    path: { devices: { 2: always({ quotes: 28 }) } },
    want: [],
    limits: [/^Hop 2 quotes only the first octets/],
  },
  {
    name: 'EHLO has no copy behind a hop, and comes to the server: a device sends it on by itself',
    path: { devices: { 3: only(['ehlo'], DROPS) } },
    want: ['path-terminated suspected ehlo 2-3'],
  },
  {
    name: 'a server that hangs is not the path',
    path: { hello: { result: 'acknowledged' } },
    want: [],
    limits: [/^EHLO arrived, and no reply came/],
  },
  {
    name: 'a server that refuses EHLO is said, and is no finding',
    path: { hello: { code: 502 } },
    want: [],
    limits: [/^The server refused EHLO \(502\)/],
  },
  {
    name: 'EHLO is held for 800 ms',
    path: { devices: { 3: only(['ehlo'], { holds: 800_000 }) } },
    want: ['ehlo-held proved ehlo 2-3'],
    message: /EHLO is held for 800 ms between hop 2 and hop 3, or at hop 3; the control segment is not\./,
  },
  {
    name: 'EHLO is held behind the last hop',
    path: { hello: { acknowledgedAfter: 800_000 } },
    want: ['ehlo-held suspected ehlo 4-5'],
  },
  {
    name: 'a server that acknowledges late is no finding',
    path: { hello: { acknowledgedAfter: 240_000 } },
    want: [],
  },
  {
    name: 'a hop that is late for all segments holds none',
    path: { devices: { 3: always({ holds: 900_000 }) } },
    want: [],
  },
  {
    name: 'one late answer of a busy router is no finding',
    path: { devices: { 3: (test, attempt) => (test === 'ehlo' && attempt === 2 ? { holds: 900_000 } : {}) } },
    want: [],
  },
  {
    name: 'a hop that answers EHLO late, and the ones behind it do not: its own way',
    path: {
      devices: {
        2: only(['ehlo'], { holds: 600_000 }),
        3: only(['ehlo'], { holds: -600_000 }),
      },
    },
    want: [],
  },
  {
    name: 'EHLO is masked in place',
    path: { devices: { 3: only(['ehlo'], { changes: set(PAYLOAD, 88, 88, 88, 88) }) } },
    want: ['ehlo-altered proved ehlo 2-3 octets'],
    message:
      /EHLO is changed between hop 2 and hop 3, or at hop 3: hop 3 received other octets than were sent/,
  },
  {
    name: 'a hop that quotes other octets, and the ones behind it do not: its own way',
    path: {
      devices: {
        2: (test) => (test === 'ehlo' ? { changes: set(PAYLOAD, 88) } : {}),
        3: only(['ehlo'], { changes: set(PAYLOAD, 69) }),
      },
    },
    want: [],
  },
  {
    name: 'sequence numbers are changed',
    path: { devices: { 2: only(['control', 'ehlo'], { changes: set(IP + 4, 1, 2, 3, 4) }) } },
    want: ['headers-altered proved control 1-2 sequence number'],
  },
  {
    name: 'sequence numbers show in eight octets, too',
    path: {
      devices: {
        2: always({ changes: set(IP + 4, 1, 2, 3, 4), quotes: 28 }),
        3: always({ quotes: 28 }),
        4: always({ quotes: 28 }),
      },
    },
    want: ['headers-altered proved control 1-2 sequence number'],
  },
  {
    name: 'the MSS is made smaller',
    path: { devices: { 2: only(['syn'], { changes: set(IP + 22, 5, 20) }) } },
    want: ['headers-altered proved syn 1-2 MSS'],
  },
  {
    name: 'an option is taken away',
    path: { devices: { 4: only(['syn'], { changes: set(IP + 20 + 6, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1) }) } },
    want: ['headers-altered proved syn 3-4 options'],
  },
  {
    name: 'the window and the DSCP are changed',
    path: { devices: { 3: always({ changes: (packet) => set(1, 0x28)(set(IP + 14, 1, 0)(packet)) }) } },
    want: ['headers-altered proved control 2-3 DSCP, window'],
  },
  {
    name: 'NAT: quotes have another destination',
    path: { devices: { 3: always({ changes: set(16, 10, 9, 9, 9) }) } },
    want: ['nat proved control 2-3 destination address'],
  },
  {
    name: "NAT: hops answer with the server's address",
    path: { devices: { 3: always({ from: SERVER.address }), 4: always({ from: SERVER.address }) } },
    want: ['nat proved control 2-3 destination address'],
  },
  {
    name: 'NAT that knows only TCP: echo requests go elsewhere, and that is no proxy',
    path: {
      devices: { 1: only(['control', 'ehlo', 'syn'], { changes: set(16, 10, 9, 9, 9) }) },
      proxy: 2,
      routers: 5,
    },
    want: ['nat proved control 0-1 destination address'],
  },
  {
    name: 'a proxy: echo requests go further than TCP, and TCP comes back from nearer',
    path: { proxy: 2, back: { synAck: 63, control: 63, echo: 60 } },
    want: ['path-terminated proved control at 2'],
    message:
      /A device answers TCP in the server's name at hop 2: echo requests with TTL 4 are still on their way/,
  },
  {
    name: 'a proxy before a server that answers no echo: suspected',
    path: { proxy: 2, devices: { 5: only(['echo'], DROPS) } },
    want: ['path-terminated suspected control at 2'],
  },
  {
    name: 'one hop more for echo requests alone is another route',
    path: { proxy: 4, back: { control: 60, echo: 60 } },
    want: [],
  },
  {
    name: 'a SYN proxy',
    path: {
      devices: { 2: only(['syn'], { answers: 'SYN ACK' }) },
      back: { synAck: 63, control: 60 },
      synAckWindow: 0,
    },
    want: ['path-terminated proved syn at 2'],
  },
  {
    name: 'a SYN proxy that answers no copy of SYN',
    path: { devices: { 2: only(['syn'], DROPS) }, back: { synAck: 63, control: 60 }, synAckWindow: 0 },
    want: ['path-terminated proved syn at 2'],
  },
  {
    name: 'a SYN that is dropped with a small TTL is no finding: the session had its own',
    path: { devices: { 2: only(['syn'], DROPS) } },
    want: [],
  },
  {
    name: 'a SYN-ACK that came over one hop more is another route',
    path: { back: { synAck: 59, control: 60 } },
    want: [],
  },
  {
    name: 'EHLO is answered with RST on the way',
    path: { devices: { 3: only(['ehlo'], { answers: 'RST' }) }, hello: { result: 'unsent' } },
    want: ['reset-injected proved ehlo at 3'],
  },
  {
    name: 'EHLO itself is reset: by the server or on the way',
    path: { hello: { result: 'reset' } },
    want: ['reset-injected suspected ehlo 4-5'],
  },
  {
    name: 'EHLO is refused with ICMP unreachable',
    path: {
      devices: { 3: only(['ehlo'], { kind: 'unreachable', from: '10.0.2.1' }) },
      hello: SILENT,
    },
    want: ['ehlo-dropped proved ehlo at 2'],
  },
  {
    name: 'full-size segments vanish',
    path: {
      tests: ['control', 'ehlo', 'half-size', 'full-size'],
      devices: { 3: only(['full-size'], DROPS) },
    },
    want: ['black-hole proved full-size 2-3'],
  },
  {
    name: 'full-size segments vanish behind the last hop',
    path: {
      tests: ['control', 'ehlo', 'half-size', 'full-size'],
      devices: { 5: only(['full-size'], DROPS) },
    },
    want: ['black-hole proved full-size 4-5'],
    message:
      /between hop 4 and the server: the server answered a segment of 512 octets, and none of 3 copies/,
  },
  {
    name: 'a hop that says what it takes is no black hole',
    path: {
      tests: ['control', 'ehlo', 'half-size', 'full-size'],
      devices: { 3: only(['full-size'], { kind: 'too-big', from: '10.0.2.1' }) },
    },
    want: [],
    limits: [/^10\.0\.2\.1 takes packets of/],
  },
];
