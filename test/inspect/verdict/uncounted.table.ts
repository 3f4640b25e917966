// A capture that does not say whether it lost segments: what rests on one that is not there is not said; what the receiver's
// own segments show is.

import { FLAG } from '../../../inspect/tcp/segment';
import { packetise, type Sent } from '../tcp/packetise';
import { carries, delay, DIALOGUE, extra, type Row } from './verdicts.table';

// The client's first octet is 1001, the server's 2001; the greeting has 14 octets, EHLO 9.
const CLIENT = 1_001;
const SERVER = 2_001;
const GREETED = packetise([['S', '220 mx ESMTP\r\n']], { fin: false });
const AFTER_HELLO = extra('client', 30, { seq: CLIENT + 9, ack: SERVER + 14 });
const FIN = FLAG.fin | FLAG.ack;

/** What is said of the rows that say less then. All others say the same. */
export const UNCOUNTED: Readonly<Record<string, readonly string[]>> = {
  // Nothing of the receiver's shows that it lacks the octets: the capture may have lost them, and what answers them.
  'EHLO eaten, and a bare ACK shows where the client is': [],
  'EHLO eaten, and a probe is answered': [],
  'EHLO eaten, and the client resets: nobody answers that': [],
  'EHLO dropped once, then sent again': [],
  'a later command is dropped': [],
  'the greeting is lost before this point': [],
  'a loss that is proved is not suspected as well': [],
  'a hole of half a second, on a path of 20 ms: it cost an RTO': [],
  '220- and nothing more: a number beyond it shows that the rest was lost': [
    'greeting-truncated suspected sequence',
  ],
  // All that comes is waited for.
  'EHLO held for 5 s, and a probe is answered meanwhile: what seemed dropped was not': [
    'ehlo-held proved timestamp',
  ],
  // How many octets, nobody knows: behind them the capture may have lost a segment more.
  'EHLO eaten, and a later HELO comes through': ['ehlo-dropped suspected sequence'],
  // It may answer a segment that is not here.
  'a RST at a number that the server was at before, and no answer by its form': [],
  // It may be a copy of one that came in time.
  'EHLO is late by its stamp, and nobody answers it': [],
  // One answer is easily lost.
  'a client that is gone, probed': [],
  'a client that is gone: retransmissions only': [],
  // A packet that was counted and is not here.
  'EHLO lost once, by the packet counter': [],
  'EHLO lost three times, by the packet counter': [],
  'a later command lost once': [],
  'EHLO and the ACK of the greeting lost once each': [],
  'EHLO lost three times in a row where another packet got lost: no weather': [],
  'each packet captured twice': [],
  'packets captured twice, several at a time': [],
  'segments put together by a card leave their numbers out: no loss, and no weather': [],
  'EHLO three times, and the server is silent': [],
  'the rest of a greeting comes late, and nothing tells that its client was waiting': [],
  'MAIL four times, and the server is silent: in one segment it may have said that it has no room': [],
};

export const UNCOUNTED_ROWS: readonly Row[] = [
  {
    name: 'EHLO is late by its stamp, and nobody answers it',
    sent: delay(packetise(DIALOGUE), carries('EHLO'), 800_000).slice(0, 6),
    until: 6,
    want: ['ehlo-held proved timestamp'],
  },
  {
    name: 'EHLO eaten, the client resets, and the server answers that it has nothing (RFC 5961)',
    sent: [
      ...GREETED,
      extra('client', 30, { seq: CLIENT + 9, ack: SERVER + 14, flags: FLAG.rst | FLAG.ack }),
      extra('server', 30.0001, { seq: SERVER + 14, ack: CLIENT }),
    ],
    until: 33,
    want: ['ehlo-dropped proved sequence'],
    missing: 9,
  },
  {
    name: 'EHLO eaten: the server closes, echoes the stamp that shows it, and has nothing',
    sent: [
      ...GREETED,
      AFTER_HELLO,
      echoing(extra('server', 30.001, { seq: SERVER + 14, ack: CLIENT, flags: FIN })),
    ].concat(extra('client', 30.02, { seq: CLIENT + 9, ack: SERVER + 15, flags: FIN })),
    until: 40,
    want: ['ehlo-dropped proved sequence'],
    missing: 9,
  },
  {
    name: 'the capture ends before it shows whether the client closed too: its FIN may be one of what is missing',
    sent: [
      ...GREETED,
      AFTER_HELLO,
      echoing(extra('server', 30.001, { seq: SERVER + 14, ack: CLIENT, flags: FIN })),
    ],
    until: 30,
    want: ['ehlo-dropped suspected sequence'],
  },
  {
    name: 'copies of EHLO that are not here, and at the end one that is: it was lost beyond this point, or is held',
    sent: [
      ...GREETED,
      extra('client', 3, { seq: CLIENT + 9, ack: SERVER + 14 }),
      extra('server', 4, { seq: SERVER, ack: CLIENT, payload: '220 mx ESMTP\r\n' }),
      extra('client', 4.01, { seq: CLIENT, ack: SERVER + 14, payload: 'EHLO vm\r\n' }),
    ],
    until: 4,
    want: [],
  },
  {
    name: 'a client that is gone: four copies of the greeting, and nothing came back',
    sent: [...GREETED.slice(0, 4), ...[1.3, 1.9, 3.1, 5.5].map(greeting)],
    until: 20,
    want: ['client-gone suspected sequence'],
  },
  {
    name: 'EHLO three times, and the server is silent',
    sent: [...GREETED, ...[2, 2.2, 2.6].map(hello)],
    until: 12,
    want: ['ehlo-dropped suspected sequence beyond'],
  },
  {
    name: 'EHLO four times, and the server is silent',
    sent: [...GREETED, ...[2, 2.2, 2.6, 3.4].map(hello)],
    until: 12,
    want: ['ehlo-dropped suspected sequence beyond'],
  },
  {
    name: 'MAIL four times, and the server is silent: in one segment it may have said that it has no room',
    sent: [
      ...packetise(
        [
          ['S', '220 mx ESMTP\r\n'],
          ['C', 'EHLO vm\r\n'],
          ['S', '250 mx\r\n'],
        ],
        { fin: false },
      ),
      ...[4, 4.2, 4.6, 5.4].map((second) =>
        extra('client', second, { seq: CLIENT + 9, ack: SERVER + 22, payload: 'MAIL FROM:<a@x>\r\n' }),
      ),
    ],
    until: 15,
    want: ['segment-dropped suspected sequence beyond'],
  },
  {
    name: 'the rest of a greeting comes late, and nothing tells that its client was waiting',
    sent: [
      ...packetise([['S', '220-mx\r\n']], { fin: false }).slice(0, 4),
      extra('server', 26, { seq: SERVER + 8, ack: CLIENT, payload: '220 mx\r\n' }),
      extra('client', 26.01, { seq: CLIENT, ack: SERVER + 16, payload: 'QUIT\r\n' }),
    ],
    until: 27,
    want: ['greeting-slow proved timestamp'],
  },
  {
    name: 'a whole greeting that comes late',
    sent: packetise([['S', '220 mx\r\n']], { fin: false }).map((each, i) =>
      i < 3 ? each : { ...each, segment: { ...each.segment, at: each.segment.at + 25_000_000 } },
    ),
    want: ['greeting-slow proved timestamp'],
  },
];

function hello(second: number): Sent {
  return extra('client', second, { seq: CLIENT, ack: SERVER + 14, payload: 'EHLO vm\r\n' });
}

function greeting(second: number): Sent {
  return extra('server', second, { seq: SERVER, ack: CLIENT, payload: '220 mx ESMTP\r\n' });
}

/** It repeats the stamp of AFTER_HELLO. */
function echoing({ from, segment }: Sent): Sent {
  const [own = 0] = segment.options.timestamps ?? [];
  const [echo = 0] = AFTER_HELLO.segment.options.timestamps ?? [];
  return { from, segment: { ...segment, options: { ...segment.options, timestamps: [own, echo] } } };
}
