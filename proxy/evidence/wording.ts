// What evidence says in words: for each verdict how to check it, and what was ruled out.

import type { VerdictName } from '../../inspect/events';

/** Summaries may quote a masked line or an address: what leaves the house names neither people nor secrets. */
export function withoutNames(text: string): string {
  return text
    .replace(/"(X{4,}[A-Z]?)[^"]*"/g, '"$1"')
    .replace(/<[^<>\s]*>/g, '<…>')
    .replace(/[^\s"<>@]+@[^\s"<>@]+/g, '…@…')
    .replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ');
}

/** How somebody else can check it, in Wireshark. */
export const RECHECK: Readonly<Record<VerdictName, string>> = {
  'ehlo-dropped': BEYOND(),
  'segment-dropped': BEYOND(),
  'greeting-lost':
    'Compare the sequence numbers of the server with what arrived, and the client’s ACK numbers with what the ' +
    'server sent: octets that were numbered and are missing, or that were sent again and again and never acknowledged.',
  'ehlo-held':
    'Add the columns `frame.time_delta` and `tcp.options.timestamp.tsval`. Between the commented frames the arrival ' +
    'time advances far more than the sender’s own clock (TSval, RFC 7323) does: the difference is the time under way.',
  'ehlo-altered':
    'Compare the octets of the commented frames with each other, or with what the sender’s log says.',
  'path-terminated':
    'Add the columns `ip.ttl`, `tcp.options.timestamp.tsval` and `tcp.window_size_value`. One TCP has one ' +
    'distance, one clock and one set of options: within one side they change.',
  'reset-injected':
    'Compare `ip.ttl` and `tcp.seq` of the RST with the other frames of the same sender, and see who goes on behind it.',
  'starttls-stripped': 'Compare the two EHLO replies: one has STARTTLS, the other has not.',
  'greeting-truncated':
    'The last line of a reply has a space behind its code (RFC 5321 §4.2.1). The server’s next sequence number shows ' +
    'that it sent nothing more.',
  'greeting-malformed': 'Follow the TCP stream and compare its first line with RFC 5321 §4.2.',
  'greeting-slow': 'The time between the handshake and the greeting’s last line.',
  'early-talker': 'The client’s first octets come before the last line of the greeting.',
  'client-silent':
    'The client acknowledges the greeting, and its sequence number (`tcp.seq`) stays that of its first octet: it ' +
    'has sent nothing.',
  'client-gone': 'The server’s frames are sent again and again, and no frame of the client follows.',
};

function BEYOND(): string {
  return (
    'TCP numbers every octet (RFC 9293 §3.4). A frame’s SEQ is the number of the next octet that its sender sends. ' +
    'In the commented frames it lies beyond the last octet that was captured from this sender: the octets between ' +
    'were sent, and are not in the capture. Turn on relative sequence numbers and read `tcp.seq` from top to bottom.'
  );
}

/** What else might explain it, and why it does not. */
export const RULED_OUT: Readonly<Partial<Record<VerdictName, readonly string[]>>> = {
  'ehlo-dropped': [
    'That the sender said nothing: its own sequence number counts the missing octets.',
    'That the capture missed them: the other side never acknowledged them, so they did not pass this point either.',
    'That they were only overtaken: reordering takes milliseconds; these are missing for longer than 100 ms.',
  ],
  'segment-dropped': [
    'That the sender did not send: its own sequence number counts the missing octets.',
    'That the capture missed them: the other side never acknowledged them.',
    'That they were only overtaken: these are missing for longer than 100 ms.',
  ],
  'ehlo-held': [
    'That the client was slow: its own clock, stamped into the segment as it was sent, says when it sent it.',
    'That a lost segment was sent again: a retransmission carries a new stamp.',
  ],
  'greeting-truncated': [
    'That the rest was lost on the way: the server’s sequence number shows that there was no rest.',
  ],
  'greeting-lost': ['That the server said nothing: its octets are numbered, or are in the capture.'],
  'client-silent': [
    'That a firewall dropped the EHLO: the client’s sequence number shows that it sent none.',
    'That the client was down: it answered.',
  ],
  'path-terminated': ['A change of route: it moves the TTL by one or two, and nothing else.'],
  'reset-injected': [
    'An ordinary end: a TCP that sent RST does not go on, and its RST has its own TTL and number.',
  ],
  'ehlo-altered': ['Damage on the line: TCP’s and the link’s checksums would have stopped it.'],
};
