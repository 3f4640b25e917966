// What is to be said of each cause beside the sentence of its judge: in general, what to do, how to check it, what was
// ruled out, and what else may explain it. A cause is a verdict, where it happened, and what it rests on.

import type { Proof, VerdictName, Where } from '../events';

export interface Cause {
  /** 1: somebody on the path; 2: the path or the server, less surely; 3: a peer. */
  readonly rank: 1 | 2 | 3;
  /** `EHLO dropped before this point`: of many sessions. */
  readonly what: string;
  /** What to do about it. */
  readonly next: string;
  /**
   * Who may have made it, beside somebody on the path: a client, or its own network, whose claim it rests on; a server;
   * or nobody.
   */
  readonly suspect: 'client' | 'server' | 'nobody';
  /** How somebody else can check it, in Wireshark. */
  readonly recheck: string;
  /** Where it is proved: what else might explain it, and why it does not. */
  readonly ruledOut: readonly string[];
  /** Where it is only suspected: what else may explain it. */
  readonly open: readonly string[];
}

export interface CauseFacts {
  readonly verdict: VerdictName;
  readonly where: Where;
  readonly proof: Proof;
}

export function causeOf({ verdict, where, proof }: CauseFacts): Cause {
  const cause = CAUSES[verdict](where, proof === 'header');
  return where === 'here' ? { ...cause, ...BETWEEN } : cause;
}

type Ground = Pick<Cause, 'suspect' | 'recheck' | 'ruledOut' | 'open'>;

/** As words in a sentence. */
export const PLACES: Readonly<Record<Where, string>> = {
  before: 'before this point',
  beyond: 'beyond this point',
  here: 'between the two points',
};

const VENDOR = "show the firewall's vendor the report (--evidence DIR)";
const SERVER_SIDE = `look between this point and the server; capture there too, and compare (--wan, --dmz); ${VENDOR}`;
const MISSED = 'Segments that were not captured: the connection was not seen completely.';

/** Its sender's numbers: octets that were sent and did not arrive here. */
const NUMBERED: Ground = {
  suspect: 'client',
  recheck:
    'TCP numbers every octet (RFC 9293 §3.4). A frame’s SEQ is the number of the next octet that its sender sends. ' +
    'In the commented frames it lies beyond the last octet that was captured from this sender: its TCP says that it ' +
    'sent the octets between, and they are not in the capture. Turn on relative sequence numbers and read `tcp.seq` ' +
    'from top to bottom.',
  ruledOut: [
    'That the sender said nothing: its own sequence number counts the missing octets.',
    'That the capture missed them: the other side never acknowledged them, or the sender had to send them again.',
    'That they were only overtaken: reordering takes milliseconds; these were missing for longer than 100 ms.',
  ],
  open: ['Octets that were only overtaken: the capture ended before they could have come.', MISSED],
};

/** The client's packet counter: segments that were sent and did not arrive here. */
const COUNTED: Ground = {
  suspect: 'client',
  recheck:
    'Add the column `ip.id`. The client’s stack counts its packets there, by one each; right before the commented ' +
    'frame numbers are left out, and the time before it is as long as TCP waits before it sends again.',
  ruledOut: [],
  open: [
    'Chance: any road loses a packet now and then.',
    'Packets of the same counter that were something else than copies of this one.',
  ],
};

/** The receiver's acknowledgements: octets that passed here and did not come to it. */
const UNACKNOWLEDGED = (suspect: Cause['suspect']): Ground => ({
  suspect,
  recheck:
    'The commented frames carry the same octets (`tcp.seq`, `tcp.len`) again and again. Add the column `tcp.ack`: in the ' +
    'receiver’s frames behind them it stays where it was before the first of them (an ACK covers all that has arrived, ' +
    'RFC 9293 §3.4).',
  ruledOut: [
    'That the sender said nothing: its octets are in the capture, several times.',
    'That the receiver is down: it speaks.',
    'That its acknowledgement is only late: it speaks more than half a second and a round trip after the second copy.',
    'That the capture missed the acknowledgement: a later one would cover these octets too, and does not.',
  ],
  open: [
    'The receiver is down, or too busy to answer.',
    'It has got them, and its answers were lost on their way back.',
    MISSED,
  ],
});

/** Both sides of what dropped it were captured. */
const BETWEEN: Ground = {
  suspect: 'nobody',
  recheck:
    'Open the captures of both points beside each other and look for the commented frames, by `tcp.seq` relative to the ' +
    'SYN: they are at one point, and not, or not so, at the other.',
  ruledOut: [
    'The client and the server: what one point has and the other has not was changed between the two.',
  ],
  open: ['One of the two captures did not run, or missed a frame, at that time.'],
};

const dropped =
  (what: string, next: string) =>
  (where: Where, counted: boolean): Cause => ({
    rank: 1,
    what: `${what} ${PLACES[where]}`,
    next: where === 'beyond' ? SERVER_SIDE : next,
    ...(where === 'beyond' ? UNACKNOWLEDGED('server') : counted ? COUNTED : NUMBERED),
  });

const always = (cause: Cause) => (): Cause => cause;

const CAUSES: Readonly<Record<VerdictName, (where: Where, counted: boolean) => Cause>> = {
  'ehlo-dropped': dropped('EHLO dropped', VENDOR),
  'greeting-lost': (where) => ({
    rank: 1,
    what: `the greeting lost ${PLACES[where]}`,
    next:
      where === 'beyond'
        ? `look between this point and the clients; ${VENDOR}`
        : 'look between the server and this point',
    ...(where === 'beyond' ? UNACKNOWLEDGED('client') : { ...NUMBERED, suspect: 'server' }),
  }),
  'segment-dropped': (where, counted) => ({
    ...dropped('segments dropped', '')(where, counted),
    rank: 2,
    next: 'see the ladders for which; large ones only may be a black hole for full-size packets (MTU)',
    ...(where === 'beyond' && UNACKNOWLEDGED('client')),
  }),
  'ehlo-held': (where) => ({
    rank: 1,
    what: `EHLO held back ${PLACES[where]}`,
    next: VENDOR,
    suspect: 'client',
    recheck:
      'Add the columns `frame.time_delta` and `tcp.options.timestamp.tsval`. Between the commented frames the arrival ' +
      'time advances far more than the sender’s own clock (TSval, RFC 7323) does: the difference is the time under way.',
    ruledOut: [
      'That the client was slow: its own clock, stamped into the segment as it was sent, says when it sent it.',
      'That a lost segment was sent again: a retransmission carries a new stamp.',
    ],
    open: ['A clock that ticks at another rate: too little of the connection was seen to know it.', MISSED],
  }),
  'ehlo-altered': (where) => ({
    rank: 1,
    what: `EHLO or its reply altered ${PLACES[where]}`,
    next: 'a middlebox inspects SMTP; switch that off, and if it is off, show its vendor the report (--evidence DIR)',
    suspect: 'client',
    recheck:
      'Compare the octets of the commented frames with each other, or with what the sender’s log says.',
    ruledOut: ['Damage on the line: TCP’s and the link’s checksums would have stopped it.'],
    open: [MISSED],
  }),
  'starttls-stripped': (where) => ({
    rank: 1,
    what: `STARTTLS taken away ${PLACES[where]}`,
    next: 'a middlebox inspects SMTP; switch that off: mail goes in the clear',
    suspect: 'server',
    recheck: 'Compare the two EHLO replies: one has STARTTLS, the other has not.',
    ruledOut: [],
    open: [MISSED],
  }),
  'path-terminated': always({
    rank: 2,
    what: 'a device on the path speaks TCP for an endpoint',
    next: 'a proxy or SYN proxy is on the path; capture on its other side too and compare (--wan, --dmz)',
    suspect: 'client',
    recheck:
      'Add the columns `ip.ttl`, `tcp.options.timestamp.tsval` and `tcp.window_size_value`. One TCP has one ' +
      'distance, one clock and one set of options: within one side they change.',
    ruledOut: ['A change of route: it moves the TTL by one or two, and nothing else.'],
    open: [
      'A change of route, or a load balancer with two ways: one sign alone may be that.',
      'A peer whose stack is unusual, a scanner’s for example.',
      MISSED,
    ],
  }),
  'reset-injected': always({
    rank: 1,
    what: "a reset that is not the peer's own",
    next: VENDOR,
    suspect: 'client',
    recheck:
      'Compare `ip.ttl` and `tcp.seq` of the RST with the other frames of the same sender, and see who goes on behind it.',
    ruledOut: [
      'An ordinary end: a TCP that sent RST does not go on, and its RST has its own TTL and number.',
    ],
    open: ['The peer’s own machine, which resets in an unusual way: one sign alone may be that.', MISSED],
  }),
  'greeting-truncated': always({
    rank: 2,
    what: 'the greeting never ended, and it was the server that did not send more',
    next: "repair the mail server's banner; until then `ehlowire relay` completes it",
    suspect: 'server',
    recheck:
      'The last line of a reply has a space behind its code (RFC 5321 §4.2.1). The server’s next sequence number shows ' +
      'that it sent nothing more.',
    ruledOut: [
      'That the rest was lost on the way: the server’s sequence number shows that there was no rest.',
    ],
    open: [
      'The last line was lost before this point.',
      'A server that is slow: the last line would have come later.',
    ],
  }),
  'greeting-malformed': always({
    rank: 2,
    what: 'the greeting is malformed',
    next: "repair the mail server's banner (`ehlowire check HOST:PORT` says what is wrong)",
    suspect: 'server',
    recheck: 'Follow the TCP stream and compare its first line with RFC 5321 §4.2.',
    ruledOut: [],
    open: [MISSED],
  }),
  'greeting-slow': always({
    rank: 2,
    what: 'the greeting came too late for common clients',
    next: 'look at the mail server: DNS lookups, postscreen, load',
    suspect: 'server',
    recheck: 'The time between the handshake and the greeting’s last line.',
    ruledOut: [],
    open: [MISSED],
  }),
  'early-talker': always({
    rank: 3,
    what: 'clients spoke before the greeting',
    next: 'these are mostly spam engines; nothing on the path is to blame',
    suspect: 'client',
    recheck: 'The client’s first octets come before the last line of the greeting.',
    ruledOut: [],
    open: [MISSED],
  }),
  'client-silent': always({
    rank: 3,
    what: 'the client was alive and never spoke',
    next: 'nothing was dropped; look at the client',
    suspect: 'client',
    recheck:
      'The client acknowledges the greeting, and its sequence number (`tcp.seq`) stays that of its first octet: it ' +
      'has sent nothing.',
    ruledOut: [
      'That a firewall dropped the EHLO: the client’s sequence number shows that it sent none.',
      'That the client was down: it answered.',
    ],
    open: [MISSED],
  }),
  'client-gone': always({
    rank: 3,
    what: 'the client answered nothing any more',
    next: 'it is gone, or nothing of it comes through; capture nearer to it',
    suspect: 'client',
    recheck: 'The server’s frames are sent again and again, and no frame of the client follows.',
    ruledOut: [],
    open: [
      'A client that left without a word: a scanner, or a spam engine.',
      'A path that swallows all that it answers.',
    ],
  }),
};

/** All that there are. */
export const VERDICT_NAMES = Object.keys(CAUSES) as readonly VerdictName[];
