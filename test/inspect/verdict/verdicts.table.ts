// What was done to a connection, and what the judges are to say of it.

import type { Direction, VerdictName } from '../../../inspect/events';
import { FLAG, type Segment } from '../../../inspect/tcp/segment';
import { octets, SECOND, START, type Turn } from '../smtp/transcript';
import { packetise, type PacketOptions, segment, type Sent } from '../tcp/packetise';

const GREETING: Turn = ['S', '220 mx ESMTP\r\n'];
const HELLO: readonly Turn[] = [
  ['C', 'EHLO vm\r\n'],
  ['S', '250 mx\r\n'],
];
const REST: readonly Turn[] = [
  ['C', 'MAIL FROM:<a@x>\r\n'],
  ['S', '250 ok\r\n'],
  ['C', 'QUIT\r\n'],
  ['S', '221 bye\r\n'],
];
export const DIALOGUE = [GREETING, ...HELLO, ...REST];

export interface Row {
  readonly name: string;
  readonly sent: readonly Sent[];
  /** Seconds after the start up to which time passes behind the last segment. */
  readonly until?: number;
  /** The client is probed at these seconds after the start. */
  readonly probes?: readonly number[];
  /** `verdict certainty proof`, and where if not before this point; each once, in order. */
  readonly want: readonly string[];
  /** `verdict certainty` of what stands at the end, where that is less. */
  readonly standing?: readonly string[];
  readonly missing?: number;
  /** By the last verdict. */
  readonly withdraws?: VerdictName;
  readonly held?: readonly [least: number, most: number];
}

/** Segments that carry `text`, or of which this is true. */
export function carries(text: string): (sent: Sent) => boolean {
  return ({ segment: { payload } }) => Buffer.from(payload).toString('latin1').includes(text);
}

export function without(sent: readonly Sent[], drop: (each: Sent) => boolean): Sent[] {
  return sent.filter((each) => !drop(each));
}

export function change(
  sent: readonly Sent[],
  which: (each: Sent) => boolean,
  to: (each: Segment) => Partial<Segment>,
): Sent[] {
  return sent.map((each) =>
    which(each) ? { ...each, segment: { ...each.segment, ...to(each.segment) } } : each,
  );
}

/** Everything from the first that matches on comes later; the stamps of `stamped` ones stay as they were sent. */
export function delay(sent: readonly Sent[], which: (each: Sent) => boolean, by: number): Sent[] {
  const start = sent.findIndex(which);
  return sent.map((each, i) => {
    if (i < start) return each;
    const { segment: old } = each;
    const stamps = old.options.timestamps;
    // What follows was sent after the late one had come: its stamps move along.
    const moved = i === start || !stamps ? stamps : ([stamps[0] + by / 1000, stamps[1]] as const);
    return {
      ...each,
      segment: { ...old, at: old.at + by, options: { ...old.options, ...(moved && { timestamps: moved }) } },
    };
  });
}

function masked(each: Segment): Partial<Segment> {
  const payload = each.payload.slice();
  payload.set(octets('XXXX'));
  return { payload };
}

/** A segment that nobody sent in `packetise`. */
export function extra(
  from: Direction,
  seconds: number,
  facts: { seq: number; ack: number; flags?: number; payload?: string; ttl?: number; window?: number },
  options: PacketOptions = {},
): Sent {
  const { seq, ack, flags = FLAG.ack, payload = '', ttl, window } = facts;
  const each = segment(
    from,
    { seq, ack, flags, payload: octets(payload), at: START + seconds * SECOND },
    options,
  );
  return { from, segment: { ...each, ttl: ttl ?? each.ttl, window: window ?? each.window } };
}

// The client's first octet is 1001, the server's 2001; the greeting has 14 octets, EHLO 9.
const CLIENT = 1_001;
const SERVER = 2_001;
const GREETED = packetise([GREETING], { fin: false });
const PROBE_ANSWER = extra('client', 5, { seq: CLIENT + 9, ack: SERVER + 14 });
const DUPLICATE_ACK = extra('server', 5.01, { seq: SERVER + 14, ack: CLIENT });
const HEALTHY = packetise(DIALOGUE);
/** EHLO comes 5 s late; meanwhile two of the client's segments show that it was sent. Dropped, it seems, and was held. */
export const SEEMED_DROPPED = delay(HEALTHY, carries('EHLO'), 5 * SECOND)
  .concat([PROBE_ANSWER, extra('client', 6, { seq: CLIENT + 9, ack: SERVER + 14 })])
  .sort((a, b) => a.segment.at - b.segment.at);
/** A copy of EHLO stamped when EHLO was sent, 2 s after the start, or a bit later; the path kept it back until now. */
const OLD_HELLO = (seconds: number, later = 0): Sent =>
  extra(
    'client',
    seconds,
    { seq: CLIENT, ack: SERVER + 14, payload: 'EHLO vm\r\n' },
    { rate: (1_000 * (2 + later)) / seconds },
  );

export const ROWS: readonly Row[] = [
  { name: 'healthy', sent: HEALTHY, want: [] },
  { name: 'healthy, no timestamps', sent: packetise(DIALOGUE, { rate: 0 }), want: [] },
  {
    name: 'EHLO eaten, and a bare ACK shows where the client is',
    sent: [...GREETED, PROBE_ANSWER],
    until: 8,
    want: ['ehlo-dropped proved sequence'],
    missing: 9,
  },
  {
    name: 'EHLO eaten, and a probe is answered',
    sent: [...GREETED, PROBE_ANSWER],
    probes: [4.9],
    until: 8,
    want: ['ehlo-dropped proved probe'],
    missing: 9,
  },
  {
    name: 'EHLO not here, and the capture ends at once: it may only have been overtaken',
    sent: [...GREETED, PROBE_ANSWER],
    want: [],
  },
  {
    name: 'EHLO eaten, and a later HELO comes through',
    sent: [
      ...GREETED,
      extra('client', 5, { seq: CLIENT + 9, ack: SERVER + 14, payload: 'HELO vm\r\n' }),
      DUPLICATE_ACK,
    ],
    until: 8,
    want: ['ehlo-dropped proved sequence'],
    missing: 9,
  },
  {
    name: 'EHLO eaten, and the client gives up with FIN',
    sent: [
      ...GREETED,
      extra('client', 30, { seq: CLIENT + 9, ack: SERVER + 14, flags: FLAG.fin | FLAG.ack }),
      { ...DUPLICATE_ACK, segment: { ...DUPLICATE_ACK.segment, at: START + 30.01 * SECOND } },
    ],
    until: 33,
    want: ['ehlo-dropped proved sequence'],
    missing: 9,
  },
  {
    name: 'EHLO not here, and the server has it: missed by us',
    sent: [
      ...GREETED,
      extra('client', 30, { seq: CLIENT + 9, ack: SERVER + 14, flags: FLAG.fin | FLAG.ack }),
      extra('server', 30.01, { seq: SERVER + 14, ack: CLIENT + 10 }),
    ],
    until: 33,
    want: [],
  },
  {
    name: 'EHLO not here, and the client has more of the server than was here: both missed by us',
    sent: [
      ...GREETED,
      extra('client', 30, { seq: CLIENT + 9, ack: SERVER + 100, flags: FLAG.fin | FLAG.ack }),
    ],
    until: 33,
    want: [],
  },
  {
    name: 'EHLO eaten, and the client resets: nobody answers that',
    sent: [
      ...GREETED,
      extra('client', 30, { seq: CLIENT + 9, ack: SERVER + 14, flags: FLAG.rst | FLAG.ack }),
    ],
    until: 33,
    want: ['ehlo-dropped proved sequence'],
    missing: 9,
  },
  {
    name: 'EHLO dropped once, then sent again',
    sent: [
      ...GREETED,
      extra('client', 2, { seq: CLIENT + 9, ack: SERVER + 14 }),
      extra('client', 3, { seq: CLIENT, ack: SERVER + 14, payload: 'EHLO vm\r\n' }),
      extra('server', 3.1, { seq: SERVER + 14, ack: CLIENT + 9, payload: '250 mx\r\n' }),
    ],
    until: 20,
    want: ['ehlo-dropped proved sequence'],
    missing: 9,
    held: [0.9 * SECOND, 1.1 * SECOND],
  },
  {
    name: 'EHLO overtaken by a bare ACK: no verdict',
    sent: [
      ...GREETED,
      extra('client', 2, { seq: CLIENT + 9, ack: SERVER + 14 }),
      extra('client', 2.02, { seq: CLIENT, ack: SERVER + 14, payload: 'EHLO vm\r\n' }),
      extra('server', 2.1, { seq: SERVER + 14, ack: CLIENT + 9, payload: '250 mx\r\n' }),
    ],
    until: 20,
    want: [],
  },
  {
    name: 'the capture missed EHLO, and the server had it: no verdict',
    sent: without(HEALTHY, carries('EHLO')),
    want: [],
  },
  {
    name: 'a later command is dropped',
    sent: [
      ...packetise([GREETING, ...HELLO], { fin: false }),
      extra('client', 6, { seq: CLIENT + 9 + 17, ack: SERVER + 22 }),
    ],
    until: 9,
    want: ['segment-dropped proved sequence'],
    missing: 17,
  },
  {
    name: 'the greeting is lost before this point',
    sent: without(packetise([GREETING], { fin: false }), carries('220'))
      .slice(0, 3)
      .concat([extra('server', 2, { seq: SERVER + 14, ack: CLIENT })]),
    until: 5,
    want: ['greeting-lost proved sequence'],
    missing: 14,
  },
  {
    name: 'EHLO held for 800 ms',
    sent: delay(HEALTHY, carries('EHLO'), 800_000),
    want: ['ehlo-held proved timestamp'],
    held: [0.79 * SECOND, 0.81 * SECOND],
  },
  ...[100, 250].map((rate) => ({
    name: `EHLO held, a clock of ${rate} ticks`,
    sent: delayAt(rate),
    want: ['ehlo-held proved timestamp'],
    held: [0.75 * SECOND, 0.81 * SECOND] as const,
  })),
  {
    name: 'EHLO held for 800 ms, and its retransmission as well',
    sent: [...delay(HEALTHY, carries('EHLO'), 800_000), OLD_HELLO(3, 0.2)].sort(
      (a, b) => a.segment.at - b.segment.at,
    ),
    want: ['ehlo-held proved timestamp'],
    held: [0.79 * SECOND, 0.81 * SECOND],
  },
  {
    name: 'EHLO held for 5 s, and a probe is answered meanwhile: what seemed dropped was not',
    sent: delay(HEALTHY, carries('EHLO'), 5 * SECOND)
      .concat([PROBE_ANSWER])
      .sort((a, b) => a.segment.at - b.segment.at),
    probes: [4.9],
    want: ['ehlo-dropped proved probe', 'ehlo-held proved timestamp'],
    withdraws: 'ehlo-dropped',
    held: [4.9 * SECOND, 5.1 * SECOND],
  },
  {
    name: 'EHLO held, and the connection ends before its clock is known',
    sent: delay(quick(packetise([GREETING, ['C', 'EHLO vm\r\n']], { fin: false })), carries('EHLO'), 800_000),
    want: ['ehlo-held suspected timestamp'],
  },
  {
    name: 'EHLO held, and what comes after it shows the clock',
    sent: delay(quick(HEALTHY), carries('EHLO'), 800_000),
    want: ['ehlo-held proved timestamp'],
    held: [0.75 * SECOND, 0.81 * SECOND],
  },
  {
    name: 'a SYN that waited 60 ms, for ARP say, makes no clock, and holds nothing',
    sent: change(
      slow(quick(HEALTHY), carries('EHLO'), 0.5),
      ({ segment: { seq } }) => seq === CLIENT - 1,
      ({ options }) => ({
        options: { ...options, timestamps: [(options.timestamps?.[0] ?? 0) - 60, 0] as const },
      }),
    ),
    want: [],
  },
  { name: 'a slow client is not held', sent: slow(HEALTHY, carries('EHLO'), 5), want: [] },
  {
    name: 'EHLO masked in place',
    sent: change(HEALTHY, carries('EHLO'), masked),
    want: ['ehlo-altered proved content'],
  },
  {
    name: 'a keyword of the EHLO reply masked',
    sent: packetise([GREETING, ['C', 'EHLO vm\r\n'], ['S', '250-mx\r\n250 XXXXXXXA\r\n']]),
    want: ['ehlo-altered proved content'],
  },
  {
    name: 'a retransmission that differs',
    sent: twice(HEALTHY, 'EHLO', 'EHLO vx\r\n'),
    want: ['ehlo-altered proved content'],
  },
  { name: 'a retransmission that does not differ', sent: twice(HEALTHY, 'EHLO', 'EHLO vm\r\n'), want: [] },
  {
    name: 'another machine behind the handshake: TTL and clock',
    sent: change(
      HEALTHY,
      ({ from, segment: { length } }) => from === 'client' && length > 0,
      ({ options }) => ({
        ttl: 64,
        options: { ...options, timestamps: [5, 0] as const },
      }),
    ),
    want: ['path-terminated proved header'],
  },
  {
    name: 'TTL alone: suspected, at the end',
    sent: change(
      HEALTHY,
      ({ from, segment: { length } }) => from === 'client' && length > 0,
      () => ({ ttl: 64 }),
    ),
    want: ['path-terminated suspected header'],
  },
  {
    name: 'a SYN proxy: other hops, and a first SYN that echoes',
    sent: change(
      HEALTHY,
      ({ from, segment: { flags } }) => from === 'client' && (flags & FLAG.syn) !== 0,
      ({ options }) => ({
        ttl: 64,
        options: { ...options, timestamps: [options.timestamps?.[0] ?? 0, 4_522_522] as const },
      }),
    ),
    want: ['path-terminated proved header'],
  },
  {
    name: 'an echo of what the server never stamped: suspected, at the end',
    sent: change(HEALTHY, carries('EHLO'), ({ options }) => ({
      options: { ...options, timestamps: [options.timestamps?.[0] ?? 0, 999_999] as const },
    })),
    want: ['path-terminated suspected header'],
  },
  {
    name: 'a RST that the client did not send: it goes on',
    sent: [
      ...packetise([GREETING, ...HELLO], { fin: false }),
      extra('client', 5, { seq: CLIENT + 9, ack: SERVER + 22, flags: FLAG.rst | FLAG.ack, ttl: 64 }),
      extra('client', 6, { seq: CLIENT + 9, ack: SERVER + 22, payload: 'QUIT\r\n' }),
    ],
    want: ['reset-injected proved sequence'],
  },
  {
    name: 'a RST of other hops',
    sent: [
      ...packetise([GREETING, ...HELLO], { fin: false }),
      extra('client', 5, { seq: CLIENT + 9, ack: SERVER + 22, flags: FLAG.rst, ttl: 64 }),
    ],
    want: ['reset-injected suspected header'],
  },
  {
    name: "the client's own RST",
    sent: [
      ...packetise([GREETING, ...HELLO], { fin: false }),
      extra('client', 5, { seq: CLIENT + 9, ack: SERVER + 22, flags: FLAG.rst }),
    ],
    want: [],
  },
  {
    name: "the client's own RST, and an older segment that was held on the path behind it",
    sent: [
      ...packetise([GREETING, ...HELLO], { fin: false }),
      OLD_HELLO(4.8),
      extra('client', 5, { seq: CLIENT + 9, ack: SERVER + 22, flags: FLAG.rst }),
      OLD_HELLO(5.2, 0.4),
    ],
    want: [],
  },
  {
    name: 'all is closed, an old copy of EHLO comes, and a RST answers it at the number that it acknowledged',
    sent: [...HEALTHY, OLD_HELLO(20), extra('server', 20.01, { seq: SERVER + 14, ack: 0, flags: FLAG.rst })],
    want: [],
  },
  {
    name: 'two old segments come in one order and are answered in another, each by a RST at its own number',
    sent: [
      ...HEALTHY,
      OLD_HELLO(20),
      extra('client', 20.001, { seq: CLIENT + 9, ack: SERVER + 22 }),
      extra('server', 20.01, { seq: SERVER + 14, ack: 0, flags: FLAG.rst }),
      extra('server', 20.011, { seq: SERVER + 22, ack: 0, flags: FLAG.rst }),
    ],
    want: [],
  },
  {
    name: 'a RST at a number that the server was at before, and no answer by its form',
    sent: [
      ...packetise([GREETING, ...HELLO], { fin: false }),
      extra('server', 5, { seq: SERVER + 14, ack: CLIENT + 9, flags: FLAG.rst | FLAG.ack }),
    ],
    want: ['reset-injected suspected header'],
  },
  {
    name: 'an answer of before: the client is closed, and what it had sent long ago comes late',
    sent: [...HEALTHY, extra('client', 20, { seq: CLIENT + 4, ack: 0, flags: FLAG.rst }), OLD_HELLO(20.1)],
    want: [],
  },
  {
    name: 'an answer of before by its form, and the client goes on',
    sent: [
      ...packetise([GREETING, ...HELLO], { fin: false }),
      extra('client', 5, { seq: CLIENT + 4, ack: 0, flags: FLAG.rst }),
      extra('client', 6, { seq: CLIENT + 9, ack: SERVER + 22, payload: 'QUIT\r\n' }),
    ],
    want: ['reset-injected proved sequence'],
  },
  {
    name: 'the incident: 220- and nothing more; a keep-alive shows that nothing was lost',
    sent: [
      ...packetise([['S', '220-mx\r\n']], { fin: false }),
      extra('client', 10, { seq: CLIENT - 1, ack: SERVER + 8 }),
      extra('server', 10.1, { seq: SERVER + 8, ack: CLIENT }),
    ],
    until: 25,
    want: ['greeting-truncated proved sequence'],
  },
  {
    name: '220- and nothing more, and nothing else either',
    sent: packetise([['S', '220-mx\r\n']], { fin: false }),
    until: 25,
    want: ['greeting-truncated suspected sequence'],
  },
  {
    name: '220- and nothing more, and a client that waits for the rest: it is not the silent one',
    sent: [
      ...packetise([['S', '220-mx\r\n']], { fin: false }),
      extra('client', 30, { seq: CLIENT, ack: SERVER + 8, flags: FLAG.fin | FLAG.ack }),
    ],
    until: 31,
    want: ['greeting-truncated suspected sequence'],
  },
  {
    name: 'mid-stream, and the server closes first: nobody knows what it had greeted with',
    sent: [
      ...packetise([['S', '250-half a reply']], { fin: false }).slice(3),
      extra('server', 5, { seq: SERVER + 16, ack: CLIENT, flags: FLAG.fin | FLAG.ack }),
    ],
    until: 30,
    want: [],
  },
  {
    name: 'postscreen: a teaser, and the rest after 6 s',
    sent: slow(packetise([['S', '220-mx\r\n'], ['S', '220 mx ESMTP\r\n'], ...HELLO]), carries('220 mx'), 6),
    want: [],
  },
  {
    name: 'a teaser, the rest after 15 s: the client that acknowledges it has not been silent',
    sent: slow(packetise([['S', '220-mx\r\n'], ['S', '220 mx ESMTP\r\n'], ...HELLO]), carries('220 mx'), 15),
    want: [],
  },
  {
    name: 'a slow greeting',
    sent: slow(HEALTHY, carries('220'), 25),
    want: ['greeting-slow proved timestamp'],
  },
  {
    name: 'a malformed greeting',
    sent: packetise([['S', '220mx ESMTP\r\n'], ...HELLO]),
    want: ['greeting-malformed proved content'],
  },
  {
    name: 'a masked greeting',
    sent: packetise([['S', '220 ****2*0*\r\n'], ...HELLO]),
    want: ['greeting-malformed proved content'],
  },
  {
    name: 'the greeting never reaches the client, which is alive',
    sent: [
      ...GREETED.slice(0, 4),
      extra('server', 1.3, { seq: SERVER, ack: CLIENT, payload: '220 mx ESMTP\r\n' }),
      extra('server', 1.9, { seq: SERVER, ack: CLIENT, payload: '220 mx ESMTP\r\n' }),
      extra('client', 5, { seq: CLIENT, ack: SERVER }),
    ],
    probes: [4.9],
    until: 8,
    want: ['greeting-lost proved probe beyond'],
  },
  {
    name: 'a silent client, probed',
    sent: [
      ...GREETED,
      extra('client', 4.1, { seq: CLIENT, ack: SERVER + 14 }),
      extra('client', 14, { seq: CLIENT, ack: SERVER + 14 }),
    ],
    probes: [4, 13.9],
    until: 20,
    want: ['client-silent proved probe'],
    missing: 0,
  },
  {
    name: 'a silent client that leaves after a minute',
    sent: [...GREETED, extra('client', 60, { seq: CLIENT, ack: SERVER + 14, flags: FLAG.fin | FLAG.ack })],
    want: ['client-silent proved sequence'],
  },
  {
    name: 'a health check: connects, reads, leaves',
    sent: [...GREETED, extra('client', 1.5, { seq: CLIENT, ack: SERVER + 14, flags: FLAG.fin | FLAG.ack })],
    want: [],
  },
  {
    name: 'a client that is gone, probed',
    sent: GREETED.slice(0, 5),
    probes: [4, 11],
    until: 20,
    want: ['client-gone suspected probe'],
  },
  {
    name: 'a client that left, is asked, and whose TCP has forgotten it',
    sent: [...GREETED, extra('client', 1.5, { seq: CLIENT, ack: SERVER + 14, flags: FLAG.fin | FLAG.ack })],
    probes: [4, 11],
    until: 20,
    want: [],
  },
  {
    name: 'a client that is gone: retransmissions only',
    sent: [
      ...GREETED.slice(0, 4),
      extra('server', 1.3, { seq: SERVER, ack: CLIENT, payload: '220 mx ESMTP\r\n' }),
      extra('server', 1.9, { seq: SERVER, ack: CLIENT, payload: '220 mx ESMTP\r\n' }),
    ],
    until: 20,
    want: ['client-gone suspected sequence'],
  },
  {
    name: 'an early talker',
    sent: packetise([
      ['S', '220-mx\r\n'],
      ['C', 'EHLO vm\r\n'],
      ['S', '220 mx\r\n250 ok\r\n'],
    ]),
    want: ['early-talker proved sequence'],
  },
];

/** EHLO late by 800 ms, stamped by a clock of this rate. */
function delayAt(rate: number): Sent[] {
  return change(
    delay(HEALTHY, carries('EHLO'), 800_000),
    () => true,
    ({ options }) => ({
      options: {
        ...options,
        ...(options.timestamps && {
          timestamps: [Math.floor((options.timestamps[0] * rate) / 1000), 0] as const,
        }),
      },
    }),
  );
}

/** From the first that matches on everything is sent later, stamps and all. */
function slow(sent: readonly Sent[], which: (each: Sent) => boolean, seconds: number): Sent[] {
  const start = sent.findIndex(which);
  return change(
    sent,
    (each) => sent.indexOf(each) >= start,
    ({ at, options }) => ({
      at: at + seconds * SECOND,
      options: {
        ...options,
        ...(options.timestamps && { timestamps: [options.timestamps[0] + seconds * 1000, 0] as const }),
      },
    }),
  );
}

/** All within some milliseconds: too short for a clock to show its rate. */
function quick(sent: readonly Sent[]): Sent[] {
  return sent.map((each, i) => {
    const { options } = each.segment;
    const timestamps = [1_000 + i, 0] as const;
    return {
      ...each,
      segment: { ...each.segment, at: START + i * 1000, options: { ...options, timestamps } },
    };
  });
}

/** The segment that carries `text`, and at once its copy with other octets. */
export function twice(sent: readonly Sent[], text: string, copy: string): Sent[] {
  return sent.flatMap((each) =>
    carries(text)(each) ? [each, { ...each, segment: { ...each.segment, payload: octets(copy) } }] : [each],
  );
}
