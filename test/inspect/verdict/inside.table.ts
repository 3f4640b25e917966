// What is seen from inside only by the client's packet counter, by SACK blocks, or by a later number: with its false friends.

import { FLAG, type Segment } from '../../../inspect/tcp/segment';
import { SECOND } from '../smtp/transcript';
import { packetise, type Sent } from '../tcp/packetise';
import { carries, change, delay, DIALOGUE, extra, type Row, without } from './verdicts.table';

const CLIENT = 1_001;
const SERVER = 2_001;
const ONCE = ['ehlo-dropped suspected header'];
const RENUMBERED = ['path-terminated proved header'];

/** Segments of the client before which it sent so many more that never came. */
interface Lost {
  readonly before: (sent: Sent) => boolean;
  readonly packets: number;
}

/** The client counts its packets as Linux does, from `from` on. */
function counted(sent: readonly Sent[], lost: readonly Lost[] = [], from = 65_533): Sent[] {
  let id = from;
  return sent.map((each) => {
    if (each.from !== 'client') return each;
    id += 1 + lost.reduce((sum, { before, packets }) => sum + (before(each) ? packets : 0), 0);
    return { ...each, segment: { ...each.segment, ipId: id & 0xffff } };
  });
}

const before = (text: string, packets: number): Lost => ({ before: carries(text), packets });
const HEALTHY = packetise(DIALOGUE);
const greetingAck = ({ from, segment: { seq, length, ack } }: Sent): boolean =>
  from === 'client' && seq === CLIENT && length === 0 && ack === SERVER + 14;
const helloAck = ({ from, segment: { seq, length, ack } }: Sent): boolean =>
  from === 'client' && seq === CLIENT + 9 && length === 0 && ack === SERVER + 22;

/** A message in one large segment, as a card hands it over. */
const BULK = packetise(
  [
    ...DIALOGUE.slice(0, 5),
    ['C', 'DATA\r\n'],
    ['S', '354 go\r\n'],
    ['C', `${'x'.repeat(4_000)}\r\n.\r\n`],
    ['S', '250 ok\r\n'],
    ['C', 'QUIT\r\n'],
  ],
  { mss: 65_000 },
);
const CONTENT = BULK.filter(carries('xxx'))[0] as Sent;

/** All of the client's segments carry this. */
function client(sent: readonly Sent[], facts: Partial<Segment>): Sent[] {
  return change(
    sent,
    ({ from }) => from === 'client',
    () => facts,
  );
}

function inOrder(sent: readonly Sent[]): Sent[] {
  return [...sent].sort((a, b) => a.segment.at - b.segment.at);
}

function withId(each: Sent, ipId: number): Sent {
  return { ...each, segment: { ...each.segment, ipId } };
}

const RESENT: readonly Row[] = [
  {
    name: 'EHLO lost once, by the packet counter',
    sent: counted(HEALTHY, [before('EHLO', 1)]),
    want: ONCE,
    missing: 9,
    held: [0.98 * SECOND, SECOND],
  },
  {
    name: 'EHLO lost three times, by the packet counter',
    sent: counted(HEALTHY, [before('EHLO', 3)]),
    want: ONCE,
  },
  { name: 'nothing lost: the counter says so', sent: counted(HEALTHY), want: [] },
  {
    name: 'more are left out than TCP sends in that time: another kind of counter',
    sent: counted(HEALTHY, [before('EHLO', 4)]),
    want: [],
  },
  {
    name: 'one is left out, and the client did not wait as long as TCP does',
    sent: counted(
      change(HEALTHY, greetingAck, ({ at, options }) => ({
        at: at + 900_000,
        options: { ...options, timestamps: [(options.timestamps?.[0] ?? 0) + 900, 0] as const },
      })),
      [before('EHLO', 1)],
    ),
    want: [],
  },
  {
    name: 'a later command lost once',
    sent: counted(HEALTHY, [before('MAIL', 1)]),
    want: ['segment-dropped suspected header'],
    missing: 17,
  },
  {
    name: 'EHLO and the ACK of the greeting lost once each',
    sent: counted(without(HEALTHY, greetingAck), [before('EHLO', 2)]),
    want: ONCE,
  },
  {
    name: 'the ACK of the greeting lost, and a slow client',
    sent: counted(without(HEALTHY, greetingAck), [before('EHLO', 1)]),
    want: [],
  },
  {
    name: 'answers to keep-alives lost, and a slow client',
    sent: counted(
      inOrder([
        ...HEALTHY,
        extra('server', 1.3, { seq: SERVER + 13, ack: CLIENT }),
        extra('server', 1.6, { seq: SERVER + 13, ack: CLIENT }),
      ]),
      [before('EHLO', 2)],
    ),
    want: [],
  },
  {
    name: 'the one that was left out comes late: overtaken',
    sent: inOrder([
      ...counted(HEALTHY, [before('EHLO', 1)], 99),
      withId(extra('client', 2.005, { seq: CLIENT, ack: SERVER + 14 }), 103),
    ]),
    want: [],
  },
  {
    name: 'EHLO lost once where other packets got lost: weather',
    sent: counted(HEALTHY, [before('EHLO', 1), { before: helloAck, packets: 1 }]),
    want: [],
  },
  {
    name: 'EHLO lost three times in a row where another packet got lost: no weather',
    sent: counted(HEALTHY, [before('EHLO', 3), { before: helloAck, packets: 1 }]),
    want: ONCE,
  },
  {
    name: 'one counter for all that the machine sends',
    sent: counted(HEALTHY, [
      { before: ({ segment: { length } }) => length > 0, packets: 1 },
      { before: greetingAck, packets: 2 },
    ]),
    want: [],
  },
  {
    name: 'a TTL of stacks that count otherwise',
    sent: client(counted(HEALTHY, [before('EHLO', 1)]), { ttl: 117 }),
    want: [],
  },
  {
    name: 'identification by chance',
    sent: HEALTHY.map((each, i) => withId(each, (i * 40_503 + 17) & 0xffff)),
    want: [],
  },
  { name: 'identification 0', sent: HEALTHY, want: [] },
  {
    name: 'IPv6 has no identification',
    sent: client(HEALTHY, { ipId: undefined }),
    want: [],
  },
  {
    name: 'no timestamps: nobody knows when the copy was sent',
    sent: counted(packetise(DIALOGUE, { rate: 0 }), [before('EHLO', 1)]),
    want: [],
  },
  {
    name: 'the capture missed octets: it may have missed EHLO too',
    sent: without(counted(HEALTHY, [before('EHLO', 1)]), carries('MAIL')),
    want: [],
  },
  {
    name: 'the connection ends before the counter has shown itself',
    sent: counted(HEALTHY, [before('EHLO', 1)]).slice(0, 8),
    want: [],
  },
  {
    name: 'each packet captured twice',
    sent: counted(HEALTHY, [before('EHLO', 1)]).flatMap((each) => [each, each]),
    want: ONCE,
  },
  {
    name: 'packets captured twice, several at a time',
    sent: inOrder(
      counted(HEALTHY, [before('EHLO', 1)]).flatMap((each) => [
        each,
        { ...each, segment: { ...each.segment, at: each.segment.at + 11_000 } },
      ]),
    ),
    want: ONCE,
  },
  {
    name: 'EHLO came here twice: it was lost behind this point',
    sent: counted(
      inOrder([...HEALTHY, extra('client', 1.8, { seq: CLIENT, ack: SERVER + 14, payload: 'EHLO vm\r\n' })]),
    ),
    want: [],
  },
  {
    name: 'segments put together by a card leave their numbers out: no loss, and no weather',
    sent: counted(BULK, [
      before('EHLO', 1),
      { before: (sent) => sent === BULK[BULK.indexOf(CONTENT) + 2], packets: 2 },
    ]),
    want: ONCE,
  },
  {
    name: 'EHLO held, and no packet missing: held, not lost',
    sent: counted(delay(HEALTHY, carries('EHLO'), 800_000)),
    want: ['ehlo-held proved timestamp'],
  },
  {
    name: 'EHLO held, its copies as well, and MAIL comes before them: none of MAIL is missing',
    sent: counted(
      change(delay(HEALTHY, carries('EHLO'), 800_000), carries('MAIL'), ({ at, options }) => ({
        at: at - 980_000,
        options: { ...options, timestamps: [(options.timestamps?.[0] ?? 0) - 980, 0] as const },
      })).filter((sent) => !helloAck(sent)),
      [before('MAIL', 2)],
    ),
    want: ['ehlo-held proved timestamp'],
  },
  {
    name: 'a loss that is proved is not suspected as well',
    sent: inOrder([
      ...counted(HEALTHY, [before('EHLO', 1)]),
      withId(extra('client', 1.5, { seq: CLIENT + 9, ack: SERVER + 14 }), 0),
    ]),
    want: ['ehlo-dropped proved sequence'],
  },
];

/** The handshake takes this long, and everything behind it comes later. */
function far(sent: readonly Sent[], seconds: number): Sent[] {
  return change(
    sent,
    ({ from, segment: { flags } }) => from === 'server' || !(flags & FLAG.syn),
    ({ at }) => ({ at: at + seconds * SECOND }),
  );
}

const GREETED = packetise([DIALOGUE[0] ?? ['S', '']], { fin: false });
/** The client's number is beyond EHLO, which comes a while later. */
const mended = (seconds: number): Sent[] => [
  extra('client', 3, { seq: CLIENT + 9, ack: SERVER + 14 }),
  extra('client', 3 + seconds, { seq: CLIENT, ack: SERVER + 14, payload: 'EHLO vm\r\n' }),
  extra('server', 4, { seq: SERVER + 14, ack: CLIENT + 9, payload: '250 mx\r\n' }),
];

const MENDED: readonly Row[] = [
  {
    name: 'a hole of half a second, on a path of 0.3 s: mended within two round trips',
    sent: [...far(GREETED, 0.28), ...mended(0.5)],
    want: [],
  },
  {
    name: 'a hole of half a second, on a path of 20 ms: it cost an RTO',
    sent: [...GREETED, ...mended(0.5)],
    want: ['ehlo-dropped proved sequence'],
  },
];

const TEASED = packetise([['S', '220-mx\r\n']], { fin: false });
const LEAVES = extra('client', 30, { seq: CLIENT, ack: SERVER + 8, flags: FLAG.fin | FLAG.ack });

const TRUNCATED: readonly Row[] = [
  {
    name: '220- and nothing more: the ACK of the client’s FIN shows the server’s number',
    sent: [...TEASED, LEAVES, extra('server', 30.01, { seq: SERVER + 8, ack: CLIENT + 1 })],
    until: 31,
    want: ['greeting-truncated suspected sequence', 'greeting-truncated proved sequence'],
    held: [28.9 * SECOND, 29.1 * SECOND],
  },
  {
    name: '220- and nothing more: a number beyond it shows that the rest was lost',
    sent: [...TEASED, LEAVES, extra('server', 30.01, { seq: SERVER + 16, ack: CLIENT + 1 })],
    until: 34,
    want: ['greeting-truncated suspected sequence', 'greeting-lost proved sequence'],
  },
  {
    name: '220- and nothing more: a keep-alive of the server’s repeats an old number, a RST proves nothing',
    sent: [
      ...TEASED,
      extra('server', 25, { seq: SERVER + 7, ack: CLIENT }),
      extra('client', 25.01, { seq: CLIENT, ack: SERVER + 8 }),
      extra('server', 30.01, { seq: SERVER + 8, ack: 0, flags: FLAG.rst }),
    ],
    until: 31,
    want: ['greeting-truncated suspected sequence'],
  },
  {
    name: '220- and the rest after 25 s: never proved',
    sent: [
      ...TEASED,
      extra('server', 26, { seq: SERVER + 8, ack: CLIENT, payload: '220 mx\r\n' }),
      extra('client', 26.01, { seq: CLIENT, ack: SERVER + 16, payload: 'QUIT\r\n' }),
      extra('server', 26.02, { seq: SERVER + 16, ack: CLIENT + 6 }),
    ],
    want: ['greeting-truncated suspected sequence'],
  },
  {
    name: '220- and a client that speaks into it: what the server answers is no proof against the server',
    sent: packetise([
      ['S', '220-mx\r\n'],
      ['C', 'EHLO c.example\r\n'],
      ['S', '250 mx\r\n'],
    ]),
    until: 31,
    want: ['early-talker proved sequence'],
  },
  {
    name: '220- and a client that speaks into it and is not answered: nothing is known of the server',
    sent: packetise(
      [
        ['S', '220-mx\r\n'],
        ['C', 'E'],
      ],
      { fin: false },
    ),
    until: 31,
    want: [],
  },
  {
    name: '220 and a client that had acknowledged octets before they came: what was taken for a hole is not judged',
    sent: [
      ...TEASED.slice(0, 3),
      extra('client', 0.5, { seq: CLIENT, ack: SERVER + 2 }),
      extra('client', 0.6, { seq: CLIENT, ack: SERVER + 2 }),
      extra('server', 2, { seq: SERVER, ack: CLIENT, payload: '220-mx\r\n' }),
      extra('client', 2.1, { seq: CLIENT, ack: SERVER + 8 }),
      extra('server', 3, { seq: SERVER + 8, ack: CLIENT, payload: '220 mx\r\n' }),
      extra('client', 3.1, { seq: CLIENT, ack: SERVER + 16 }),
    ],
    until: 60,
    want: [],
  },
  {
    name: '220- and a client that acknowledges nothing: the rest may wait for it in the server',
    sent: TEASED.slice(0, 4),
    until: 60,
    want: [],
  },
  {
    name: '220- and a client without room for more: the rest may wait for it in the server',
    sent: [...TEASED, extra('client', 2, { seq: CLIENT, ack: SERVER + 8, window: 0 })],
    until: 60,
    want: [],
  },
  {
    name: '220- and a client that has room again: the server has 20 s from then on',
    sent: [
      ...TEASED,
      extra('client', 2, { seq: CLIENT, ack: SERVER + 8, window: 0 }),
      extra('client', 15, { seq: CLIENT, ack: SERVER + 8 }),
      extra('client', 36, { seq: CLIENT, ack: SERVER + 8, flags: FLAG.fin | FLAG.ack }),
    ],
    until: 37,
    want: ['greeting-truncated suspected sequence'],
    held: [33.9 * SECOND, 34.1 * SECOND],
  },
];

/** The client's ACK of the greeting comes with a SACK block. */
function sacked(left: number, right: number, facts: Partial<Segment> = {}, sent = HEALTHY): Sent[] {
  return change(sent, greetingAck, ({ options }) => ({
    options: { ...options, sack: [[left, right]] },
    ...facts,
  }));
}

const SACKED: readonly Row[] = [
  {
    name: 'a SACK block before the server’s first octet: numbers rewritten',
    sent: sacked(SERVER - 1_000_000, SERVER - 999_986),
    want: RENUMBERED,
  },
  {
    name: 'a SACK block beyond all windows: numbers rewritten',
    sent: sacked(SERVER + 1_500_000_000, SERVER + 1_500_000_014),
    want: RENUMBERED,
  },
  { name: 'a SACK block of octets that came twice', sent: sacked(SERVER, SERVER + 14), want: [] },
  {
    name: 'a SACK block of octets that the capture has not seen yet',
    sent: sacked(SERVER + 2_000, SERVER + 4_000),
    want: [],
  },
  {
    name: 'a SACK block far off in a segment that was damaged',
    sent: sacked(SERVER - 1_000_000, SERVER - 999_986, { checksum: 'bad' }),
    want: [],
  },
  {
    name: 'a SACK block from before the capture began',
    sent: sacked(SERVER - 1_000_000, SERVER - 999_986, {}, HEALTHY.slice(3)),
    want: [],
  },
];

export const INSIDE_ROWS: readonly Row[] = [...RESENT, ...MENDED, ...TRUNCATED, ...SACKED];
