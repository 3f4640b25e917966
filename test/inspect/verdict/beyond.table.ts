// What is lost beyond this point: octets that pass here again and again, and what the receiver says of them.

import type { Direction } from '../../../inspect/events';
import { FLAG } from '../../../inspect/tcp/segment';
import { SECOND } from '../smtp/transcript';
import { packetise, type Sent } from '../tcp/packetise';
import { change, DIALOGUE, extra, type Row, without } from './verdicts.table';

// The client's first octet is 1001, the server's 2001; the greeting has 14 octets, EHLO 9.
const CLIENT = 1_001;
const SERVER = 2_001;
const GREETED = packetise([['S', '220 mx ESMTP\r\n']], { fin: false });
const [HELLO, MAIL] = ['EHLO vm\r\n', 'MAIL FROM:<a@x>\r\n'];
const TO_HELLO = packetise(
  [
    ['S', '220 mx ESMTP\r\n'],
    ['C', HELLO],
    ['S', '250 mx\r\n'],
  ],
  { fin: false },
);

/** EHLO at these seconds. */
const hello = (...at: readonly number[]): Sent[] =>
  at.map((second) => extra('client', second, { seq: CLIENT, ack: SERVER + 14, payload: HELLO }));
/** The greeting again, from a server that has nothing but the handshake. */
const greeting = (second: number): Sent =>
  extra('server', second, { seq: SERVER, ack: CLIENT, payload: '220 mx ESMTP\r\n' });
const ack = (from: Direction, second: number, flags: number = FLAG.ack): Sent =>
  from === 'server'
    ? extra('server', second, { seq: SERVER + 14, ack: CLIENT, flags })
    : extra('client', second, { seq: CLIENT + 9, ack: SERVER + 14, flags });
const mail = (...at: readonly number[]): Sent[] =>
  at.map((second) => extra('client', second, { seq: CLIENT + 9, ack: SERVER + 22, payload: MAIL }));
const inTime = (sent: readonly Sent[]): Sent[] => [...sent].sort((a, b) => a.segment.at - b.segment.at);

export const BEYOND_ROWS: readonly Row[] = [
  {
    name: 'EHLO sent six times, and the server is silent: suspected',
    sent: [...GREETED, ...hello(2, 2.2, 2.6, 3.4, 5, 8)],
    until: 12,
    want: ['ehlo-dropped suspected sequence beyond'],
    missing: 9,
  },
  {
    name: 'EHLO sent six times, and the server repeats its greeting: suspected, then proved, and one finding',
    sent: inTime([...GREETED, ...hello(2, 2.2, 2.6, 3.4, 5, 8), greeting(6)]),
    until: 12,
    want: ['ehlo-dropped suspected sequence beyond', 'ehlo-dropped proved sequence beyond'],
    standing: ['ehlo-dropped proved'],
    missing: 9,
  },
  {
    name: 'EHLO sent again, and the server closes without having got it',
    sent: inTime([...GREETED, ...hello(2, 2.2, 2.6), ack('server', 3.5, FLAG.fin | FLAG.ack)]),
    until: 12,
    want: ['ehlo-dropped proved sequence beyond'],
  },
  {
    name: 'EHLO sent again, and a duplicate ACK of the server says that it has nothing',
    sent: inTime([...GREETED, ...hello(2, 2.2, 2.6), ack('server', 3.5)]),
    until: 4,
    want: ['ehlo-dropped proved sequence beyond'],
  },
  {
    name: 'EHLO comes through with the fifth copy: how it ended is told',
    sent: inTime([
      ...GREETED,
      ...hello(2, 2.2, 2.6, 3.4, 5),
      greeting(4),
      extra('server', 5.1, { seq: SERVER + 14, ack: CLIENT + 9, payload: '250 mx\r\n' }),
    ]),
    until: 12,
    want: ['ehlo-dropped proved sequence beyond'],
    standing: ['ehlo-dropped proved'],
  },
  {
    name: 'EHLO comes through with the fifth copy, and the server said nothing meanwhile',
    sent: inTime([
      ...GREETED,
      ...hello(2, 2.2, 2.6, 3.4, 5),
      extra('server', 5.1, { seq: SERVER + 14, ack: CLIENT + 9, payload: '250 mx\r\n' }),
    ]),
    until: 12,
    want: ['ehlo-dropped suspected sequence beyond'],
    standing: ['ehlo-dropped suspected'],
  },
  {
    name: 'EHLO lost once and acknowledged soon: no more than any road loses',
    sent: [...GREETED, ...hello(2, 2.2), extra('server', 2.3, { seq: SERVER + 14, ack: CLIENT + 9 })],
    until: 20,
    want: [],
  },
  {
    name: 'EHLO once, and the server takes its time',
    sent: [...GREETED, ...hello(2), ack('server', 9)],
    until: 20,
    want: [],
  },
  {
    name: 'an ACK that was under way as EHLO was sent again',
    sent: [...GREETED, ...hello(2, 2.2), ack('server', 2.4)],
    until: 2.5,
    want: [],
  },
  {
    name: 'a keep-alive is no copy',
    sent: [
      ...TO_HELLO,
      ...[5, 6, 7].map((at) => extra('client', at, { seq: CLIENT + 8, ack: SERVER + 22, payload: '\n' })),
    ],
    until: 20,
    want: [],
  },
  {
    name: 'a server without room takes nothing, and has told so',
    sent: [
      ...TO_HELLO,
      extra('server', 3.5, { seq: SERVER + 22, ack: CLIENT + 9, window: 0 }),
      ...mail(4, 4.2, 4.6, 5.4),
      extra('server', 6.5, { seq: SERVER + 22, ack: CLIENT + 9, window: 0 }),
    ],
    until: 20,
    want: [],
  },
  {
    name: 'the direction of the server is not in the capture',
    sent: without(inTime([...GREETED, ...hello(2, 2.2, 2.6, 3.4, 5, 8)]), ({ from }) => from === 'server'),
    until: 12,
    want: [],
  },
  {
    name: 'the capture misses the server from EHLO on, whose replies the client has',
    sent: without(
      inTime([...packetise(DIALOGUE), ...hello(2.2)]),
      ({ from, segment: { at } }) => from === 'server' && at > (GREETED[0]?.segment.at ?? 0) + 1.5 * SECOND,
    ),
    until: 20,
    want: [],
  },
  {
    name: 'a SYN-ACK again: the server has not begun with this connection',
    sent: inTime([
      ...GREETED,
      ...hello(2, 2.2, 2.6),
      extra('server', 3.5, { seq: SERVER - 1, ack: CLIENT, flags: FLAG.syn | FLAG.ack }),
    ]),
    until: 4,
    want: [],
  },
  {
    name: 'the server has left: what comes later it does not acknowledge',
    sent: [
      ...TO_HELLO,
      extra('server', 3.5, { seq: SERVER + 22, ack: CLIENT + 9, flags: FLAG.rst }),
      ...mail(4, 4.2, 4.6),
    ],
    until: 20,
    want: [],
  },
  {
    name: 'a later command is lost',
    sent: [
      ...TO_HELLO,
      ...mail(4, 4.2, 4.6, 5.4),
      extra('server', 5.8, { seq: SERVER + 22, ack: CLIENT + 9, flags: FLAG.fin | FLAG.ack }),
    ],
    until: 20,
    want: ['segment-dropped proved sequence beyond'],
    missing: 17,
  },
  {
    name: 'a reply is lost: the client says its command again and has nothing of the reply',
    sent: inTime([
      ...GREETED,
      ...hello(2, 2.9, 4.5),
      ...[2.1, 2.4, 2.8, 3.6].map((at) =>
        extra('server', at, { seq: SERVER + 14, ack: CLIENT + 9, payload: '250 mx\r\n' }),
      ),
    ]),
    until: 20,
    want: ['segment-dropped proved sequence beyond'],
    missing: 8,
  },
  {
    name: 'a client that leaves in mid-session without a word: nobody knows where',
    sent: [
      ...TO_HELLO.slice(0, -1),
      ...[3.3, 3.9, 5.1].map((at) =>
        extra('server', at, { seq: SERVER + 14, ack: CLIENT + 9, payload: '250 mx\r\n' }),
      ),
    ],
    until: 20,
    want: [],
  },
  {
    name: 'mid-stream: a command, and nobody knows which',
    sent: inTime([...GREETED.slice(3), ...hello(2, 2.2, 2.6), greeting(4)]),
    until: 20,
    want: [],
  },
  {
    name: 'mid-stream: a command behind one that was seen',
    sent: [
      ...TO_HELLO.slice(3),
      ...mail(4, 4.2, 4.6, 5.4),
      extra('server', 5.8, { seq: SERVER + 22, ack: CLIENT + 9, flags: FLAG.fin | FLAG.ack }),
    ],
    until: 20,
    want: ['segment-dropped proved sequence beyond'],
    missing: 17,
  },
  {
    name: 'the copies of EHLO are segments of a healthy session, 300 ms late',
    sent: inTime([
      ...packetise(DIALOGUE),
      ...change(
        packetise(DIALOGUE),
        () => true,
        ({ at }) => ({ at: at + 300_000 }),
      ),
    ]),
    until: 20,
    want: [],
  },
];
