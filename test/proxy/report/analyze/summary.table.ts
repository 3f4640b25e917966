// Connections of every fate, and what the summary is to say of each.

import { buildFrame, openWire, type SegmentPlan } from '../../sources/frames';

export interface Captured {
  readonly at: number;
  readonly frame: Uint8Array;
  /** Octets on the wire, where the capture cut the frame. */
  readonly length?: number;
}

export const START = Date.UTC(2026, 4, 4, 3, 2, 1) * 1000;
const MS = 1_000;
const SECOND = 1_000_000;

type Said = readonly (readonly ['client' | 'server', string])[];

const GREETING: Said = [['server', '220 mx.example ESMTP\r\n']];
const HELLO: Said = [...GREETING, ['client', 'EHLO client.example\r\n'], ['server', '250 mx.example\r\n']];
const QUIT: Said = [
  ['client', 'QUIT\r\n'],
  ['server', '221 bye\r\n'],
];
/** From MAIL to the answer to QUIT. */
export const TRANSACTION: Said = [
  ['client', 'MAIL FROM:<a@client.example>\r\n'],
  ['server', '250 ok\r\n'],
  ['client', 'RCPT TO:<b@mx.example>\r\n'],
  ['server', '250 ok\r\n'],
  ['client', 'DATA\r\n'],
  ['server', '354 go on\r\n'],
  ['client', 'Subject: private\r\n\r\nwords\r\n.\r\n'],
  ['server', '250 queued\r\n'],
  ...QUIT,
];
const MAIL: Said = [...HELLO, ...TRANSACTION];

type End = 'fin' | 'rst' | 'client fin' | 'none';

/** One connection; each word is acknowledged by the other side. */
function session(said: Said, end: End = 'fin', client = '198.51.100.7'): Captured[] {
  const wire = openWire(START, { client });
  const at = (i: number): number => START + (i + 1) * 10 * MS;
  said.forEach(([side, text], i) => {
    wire.send(side, at(i), text);
    wire.send(side === 'client' ? 'server' : 'client', at(i) + MS, '');
  });
  const last = at(said.length);
  if (end === 'rst') wire.send('server', last, '', { flags: 4 });
  if (end === 'fin' || end === 'client fin') {
    wire.send('client', last, '', { flags: 17 });
    wire.send('server', last + MS, '', { flags: 17 });
    wire.send('client', last + 2 * MS, '');
  }
  return [...wire.frames];
}

/** Something of another connection, so much later: the capture ran on. */
function later(seconds: number): Captured[] {
  return session(MAIL, 'fin', '192.0.2.9').map((each) => ({ ...each, at: each.at + seconds * SECOND }));
}

function handshake(
  ...plans: readonly (readonly ['client' | 'server', flags: number, seq: number, ack: number])[]
) {
  const [client, server] = [
    { from: '198.51.100.7', fromPort: 40_000, to: '203.0.113.5', toPort: 25 },
    { from: '203.0.113.5', fromPort: 25, to: '198.51.100.7', toPort: 40_000 },
  ];
  return plans.map(([side, flags, seq, ack], i): Captured => {
    const ends = side === 'client' ? client : server;
    const plan: SegmentPlan = { ...ends, flags, seq, ack, ipId: i };
    return { at: START + i * 20 * MS, frame: buildFrame(plan) };
  });
}

function cut(frames: readonly Captured[], most: number): Captured[] {
  return frames.map(({ at, frame }) => ({ at, frame: frame.subarray(0, most), length: frame.length }));
}

export interface Row {
  readonly name: string;
  readonly frames: readonly Captured[];
  readonly lost?: number;
  /** The capture does not say whether it lost frames. */
  readonly uncounted?: boolean;
  readonly says: readonly RegExp[];
  readonly not?: readonly RegExp[];
}

const CLEAR = /nothing shows that the path dropped, held, altered or ended anything\.$/m;
const NOT_CLEAR = /^No all-clear: /m;

export const ROWS: readonly Row[] = [
  {
    name: 'a message delivered: the all-clear',
    frames: session(MAIL),
    says: [/Seen {6}the session whole: both directions/, /^ +1 {2}delivered a message$/m, CLEAR],
    not: [NOT_CLEAR],
  },
  {
    name: 'no message, and QUIT: the all-clear',
    frames: session([...HELLO, ...QUIT]),
    says: [/^ +1 {2}ended with QUIT, without a message$/m, CLEAR],
  },
  {
    name: 'greeted with 554: refused by the server, with its code',
    frames: session([['server', '554 5.7.1 go away\r\n']]),
    says: [
      /^ +1 {2}refused by the server: 554 in place of a greeting \(1\)$/m,
      /^1 session refused by the server itself, 554 in place of a greeting \(1\): its log says why\.$/m,
    ],
  },
  {
    name: 'a recipient refused: with its code and phase',
    frames: session([...MAIL.slice(0, 6), ['server', '550 5.1.1 no such user\r\n'], ...QUIT]),
    says: [/refused by the server: 550 to rcpt \(1\)$/m],
  },
  {
    name: 'a health check: greeted, and the client leaves',
    frames: session(GREETING, 'client fin'),
    says: [/^ +1 {2}greeted, and left by the client at once/m, CLEAR],
  },
  {
    name: 'greeted, and nothing for a minute: no all-clear, and where to capture',
    frames: [...session(GREETING, 'none'), ...later(50)],
    says: [
      /^ +1 {2}greeted, and then nothing came from the client$/m,
      /^No all-clear: 1 of 2 sessions went well/m,
      /^- 1 session greeted, and then nothing .*analyze --wan OUTSIDE --dmz THIS/m,
    ],
    not: [CLEAR],
  },
  {
    name: 'greeted a moment before the capture ends: still open',
    frames: session(GREETING, 'none'),
    says: [/^ +1 {2}still open when the capture ended$/m, /capture until it is over to know\.$/m],
    not: [CLEAR],
  },
  {
    name: 'connected, and no greeting',
    frames: [...session([], 'none'), ...later(50)],
    says: [
      /^ +1 {2}connected, and no whole greeting came$/m,
      /^- 1 session connected, .* capture at the server/m,
    ],
    not: [CLEAR],
  },
  {
    name: 'a command that is not answered any more',
    frames: [...session([...GREETING, ['client', 'EHLO client.example\r\n']], 'none'), ...later(50)],
    says: [
      /^ +1 {2}the client spoke, and was not answered any more$/m,
      /^- 1 session in which the client spoke/m,
    ],
    not: [CLEAR],
  },
  {
    name: 'SYN answered by RST: refused',
    frames: handshake(['client', 2, 100, 0], ['server', 20, 0, 101]),
    says: [/^ +1 {2}refused by a reset/m, /^- 1 session refused by a reset: nothing listens there/m],
    not: [CLEAR, /one direction/, /begun before/],
  },
  {
    name: 'SYN not answered',
    frames: [...handshake(['client', 2, 100, 0]), ...later(300)],
    says: [/^ +1 {2}SYN never answered$/m, /^- 1 session whose SYN was never answered/m],
    not: [CLEAR, /one direction/],
  },
  {
    name: 'a scan: SYN, SYN-ACK, RST',
    frames: handshake(['client', 2, 100, 0], ['server', 18, 900, 101], ['client', 4, 101, 0]),
    says: [/^ +1 {2}SYN answered, and the client did not go on/m, /^1 connection half-open/m],
    not: [CLEAR, /reset-injected/],
  },
  {
    name: 'reset in the midst',
    frames: session(HELLO, 'rst'),
    says: [/^ +1 {2}reset in the midst of the dialogue$/m, /^- 1 session reset in the midst/m],
    not: [CLEAR],
  },
  {
    name: 'begun before the capture: of it nothing is said, and of the others the all-clear',
    frames: [...session(MAIL).slice(9), ...later(50)],
    says: [/1 session begun before the capture/, /^In 1 of 2 sessions nothing shows/m],
  },
  {
    name: 'one direction alone: no all-clear, and which file is missing',
    frames: session(MAIL).filter(({ frame }) => frame[29] === 7),
    says: [
      /1 session in one direction only, the client's/,
      /^- 1 session in one direction only: give the file/m,
    ],
    not: [CLEAR],
  },
  {
    name: 'frames cut: at how many octets, and no all-clear',
    frames: cut(session(MAIL), 80),
    not: [CLEAR, /no whole greeting/],
    says: [
      /\d+ frames cut at 80 octets/,
      /^- \d+ frames cut at 80 octets: capture whole frames \(tcpdump -s 0\)/m,
    ],
  },
  {
    name: 'the capture missed frames: no all-clear',
    frames: session(MAIL),
    lost: 3,
    says: [/3 frames missed by the capture itself/, /^- the capture missed 3 frames: /m],
    not: [CLEAR],
  },
  {
    name: 'a file that does not say whether frames were lost: said, and how to say it; what went well, went well',
    frames: session(MAIL),
    uncounted: true,
    says: [
      /^ +the capture does not say whether it lost frames: /m,
      /^ +\(if tcpdump ended .* --no-drops\)$/m,
      CLEAR,
    ],
    not: [NOT_CLEAR],
  },
  {
    name: 'and where it is no all-clear: what to do about it',
    frames: [...session(GREETING, 'none'), ...later(50)],
    uncounted: true,
    says: [
      NOT_CLEAR,
      /^- the capture does not say whether it lost frames.* --no-drops .* dumpcap .*--live IF/m,
    ],
  },
  {
    name: 'octets that were sent and are not in it, and nobody counted: no whole session, no all-clear',
    // Without what the server answers.
    frames: eaten('198.51.100.7').slice(0, 6),
    uncounted: true,
    says: [
      /^ {2}Seen {6}0 of 1 session whole$/m,
      /^ +9 octets were sent and are not in it, in 1 session: lost by the path, or by the capture$/m,
      NOT_CLEAR,
      /^- the capture does not say whether it lost frames/m,
    ],
    not: [CLEAR, /ehlo-dropped/],
  },
  {
    name: 'frames that were counted: it is not asked for a count',
    frames: session(MAIL),
    lost: 3,
    uncounted: true,
    says: [/3 frames missed by the capture itself/],
    not: [/--no-drops/],
  },
  {
    name: 'each frame twice: said, and nothing was sent again',
    frames: session(MAIL).flatMap((each) => [each, { ...each, at: each.at + 2 }]),
    says: [/in it (twice|more than once)/, /; 0 segments sent again$/m, CLEAR],
  },
  {
    name: 'nothing at all',
    frames: [],
    says: [/^No SMTP connection on port 25 is in it: another capture, or --port\?$/m],
    not: [NOT_CLEAR, CLEAR],
  },
];

/** The EHLO never comes; three seconds later the client's number shows that it was sent. */
export function eaten(client: string): Captured[] {
  const wire = openWire(START, { client });
  wire.send('server', START + 10 * MS, '220 mx.example ESMTP\r\n');
  wire.send('client', START + 11 * MS);
  wire.send('client', START + 12 * MS, 'EHLO vm\r\n', { lost: true });
  wire.send('client', START + 3_000 * MS);
  wire.send('server', START + 6_000 * MS, '', { flags: 20 });
  return [...wire.frames];
}

export const UNANSWERED = handshake(['client', 2, 100, 0]);
