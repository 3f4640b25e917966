// The exact sentence of every cause: verdict, where, proof, certainty, and how it ended. A row of the other tables says it.

interface Sentence {
  readonly cause: string;
  /** The row by which it is said. */
  readonly row: string;
  readonly sentence: string;
}

export const SENTENCES: readonly Sentence[] = [
  {
    cause: 'ehlo-dropped before sequence proved never',
    row: 'EHLO eaten, and a bare ACK shows where the client is',
    sentence:
      "The client's TCP had sent 9 octets more than arrived here: its first command (EHLO) was lost before this point.",
  },
  {
    cause: 'ehlo-dropped before probe proved never',
    row: 'EHLO eaten, and a probe is answered',
    sentence:
      "The client's TCP had sent 9 octets more than arrived here: its first command (EHLO) was lost before this point.",
  },
  {
    cause: 'ehlo-dropped before sequence proved late',
    row: 'EHLO dropped once, then sent again',
    sentence:
      "The client's TCP had sent 9 octets more than arrived here: its first command (EHLO) was lost before this point, and came only 1000 ms later, sent again.",
  },
  {
    cause: 'segment-dropped before sequence proved never',
    row: 'a later command is dropped',
    sentence: "The client's TCP had sent 17 octets more than arrived here: they were lost before this point.",
  },
  {
    cause: 'greeting-lost before sequence proved never',
    row: 'the greeting is lost before this point',
    sentence:
      "The server's TCP had sent 14 octets more than arrived here: its greeting was lost before this point.",
  },
  {
    cause: 'ehlo-held before timestamp proved -',
    row: 'EHLO held for 800 ms',
    sentence:
      'The first command (EHLO) was held on the path for 799 ms: it arrived 1790 ms after the segment before it, and by its clock of 1000 ticks a second it was sent 990 ticks after it.',
  },
  {
    cause: 'ehlo-held before timestamp suspected -',
    row: 'EHLO held, and the connection ends before its clock is known',
    sentence:
      'The first command (EHLO) was held on the path for 781 ms: it arrived 801 ms after the segment before it, and by a clock of unknown rate it was sent 1 tick after it.',
  },
  {
    cause: 'ehlo-altered before content proved -',
    row: 'EHLO masked in place',
    sentence:
      'A command of the client was overwritten on the path: "XXXX" is a middlebox\'s mask, and no SMTP program\'s word.',
  },
  {
    cause: 'path-terminated before header proved -',
    row: 'another machine behind the handshake: TTL and clock',
    sentence:
      'A device on the path speaks TCP for the client: TTL 64, and 57 in its first segment: another number of hops; timestamp clock leapt by -999995 ticks in 2.000 s.',
  },
  {
    cause: 'path-terminated before header suspected -',
    row: 'TTL alone: suspected, at the end',
    sentence:
      'A device on the path may speak TCP for the client: TTL 64, and 57 in its first segment: another number of hops.',
  },
  {
    cause: 'reset-injected before sequence proved -',
    row: 'a RST that the client did not send: it goes on',
    sentence:
      "The RST in the client's name is not the client's: RST with TTL 64; the client's own segments have 57; the client itself goes on after \"its\" RST.",
  },
  {
    cause: 'reset-injected before header suspected -',
    row: 'a RST of other hops',
    sentence:
      "The RST in the client's name may not be the client's: RST with TTL 64; the client's own segments have 57.",
  },
  {
    cause: 'greeting-truncated before sequence proved -',
    row: 'the incident: 220- and nothing more; a keep-alive shows that nothing was lost',
    sentence:
      'The server began a greeting of several lines (220-) and then nothing for 21 s: it never sent the last line.',
  },
  {
    cause: 'greeting-truncated before sequence suspected -',
    row: '220- and nothing more, and nothing else either',
    sentence:
      'The server began a greeting of several lines (220-) and then nothing for 21 s: no last line came here.',
  },
  {
    cause: 'greeting-slow before timestamp proved -',
    row: 'a slow greeting',
    sentence: 'The server took 26 s for its greeting; impatient clients give up after 30 s.',
  },
  {
    cause: 'greeting-malformed before content proved -',
    row: 'a malformed greeting',
    sentence: "The server's greeting is malformed (no-separator): clients stall on it or refuse it.",
  },
  {
    cause: 'greeting-lost beyond probe proved never',
    row: 'the greeting never reaches the client, which is alive',
    sentence:
      "The server's greeting (14 octets) passed here 3 times in 0.9 s, and the client, alive, still acknowledges only what came before: it was lost beyond this point.",
  },
  {
    cause: 'client-silent before probe proved -',
    row: 'a silent client, probed',
    sentence:
      'The client has the greeting, is alive, and has sent nothing in 13 s: its next octet is still its first. Nothing was dropped on the path.',
  },
  {
    cause: 'client-silent before sequence proved -',
    row: 'a silent client that leaves after a minute',
    sentence:
      'The client has the greeting, is alive, and has sent nothing in 59 s: its next octet is still its first. Nothing was dropped on the path.',
  },
  {
    cause: 'client-gone before probe suspected -',
    row: 'a client that is gone, probed',
    sentence:
      'The client answers nothing: 0 retransmissions and 1 probe of its TCP in 10 s brought no segment. It is gone, or nothing of it comes through.',
  },
  {
    cause: 'client-gone before sequence suspected -',
    row: 'a client that is gone: retransmissions only',
    sentence:
      'The client answers nothing: 2 retransmissions and 0 probes of its TCP in 10 s brought no segment. It is gone, or nothing of it comes through.',
  },
  {
    cause: 'early-talker before sequence proved -',
    row: 'an early talker',
    sentence: 'The client spoke before the greeting was complete; postscreen and others refuse such clients.',
  },
  {
    cause: 'ehlo-dropped before header suspected late',
    row: 'EHLO lost once, by the packet counter',
    sentence:
      "The first command (EHLO) came as a retransmission, one copy of it lost before this point: the client's packet counter (IP identification) left out 1 before it, and up to 991 ms went by, as TCP waits before it sends again; once may be chance.",
  },
  {
    cause: 'segment-dropped before header suspected late',
    row: 'a later command lost once',
    sentence:
      "The command MAIL came as a retransmission, one copy of it lost before this point: the client's packet counter (IP identification) left out 1 before it, and up to 991 ms went by, as TCP waits before it sends again; once may be chance.",
  },
  {
    cause: 'ehlo-dropped beyond sequence suspected never',
    row: 'EHLO sent six times, and the server is silent: suspected',
    sentence:
      "The client's first command (EHLO, 9 octets) passed here 4 times in 1.4 s, and nothing came back: it was lost beyond this point, or the server is gone, or its answers are lost.",
  },
  {
    cause: 'ehlo-dropped beyond sequence proved never',
    row: 'EHLO sent six times, and the server repeats its greeting: suspected, then proved, and one finding',
    sentence:
      "The client's first command (EHLO, 9 octets) passed here 5 times in 3 s, and the server, alive, still acknowledges only what came before: it was lost beyond this point.",
  },
  {
    cause: 'ehlo-dropped beyond sequence proved late',
    row: 'EHLO comes through with the fifth copy: how it ended is told',
    sentence:
      "The client's first command (EHLO, 9 octets) passed here 5 times in 3 s, and the server acknowledged it only 3.1 s after the first time: the copies before were lost beyond this point.",
  },
  {
    cause: 'segment-dropped beyond sequence proved never',
    row: 'a later command is lost',
    sentence:
      'A segment of the client (17 octets) passed here 4 times in 1.4 s, and the server, alive, still acknowledges only what came before: it was lost beyond this point.',
  },
  {
    cause: 'ehlo-dropped beyond sequence suspected late',
    row: 'EHLO comes through with the fifth copy, and the server said nothing meanwhile',
    sentence:
      "The client's first command (EHLO, 9 octets) passed here 5 times in 3 s, and the server acknowledged it only 3.1 s after the first time: the copies before were lost beyond this point, or the server was busy.",
  },
];
