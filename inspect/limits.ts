// Every cap of the inspector, with its reason. Octets unless the name says otherwise.

import type { Micros, Phase } from './events';

/** A command line, RFC 5321 §4.5.3.1.4 (512) plus the extensions' room (RFC 4954 §4.3: 12288 for AUTH). */
export const COMMAND_LINE = 12_288;

/** A reply line before it is cut: RFC 5321 §4.5.3.1.5 asks 512; smtplib refuses beyond 8192. */
export const REPLY_LINE = 8_192;

/** What RFC 5321 §4.5.3.1.5 allows a reply or command line; beyond it is worth a remark. */
export const LINE_BY_RFC = 512;

/**
 * Octets of a command line, CRLF included. RFC 5321 §4.1.1.11 lets extensions make MAIL and RCPT longer: SIZE 26, DSN 107
 * and 500, AUTH 500, SMTPUTF8 10 and more; AUTH itself has its own limit (RFC 4954 §4.3).
 */
export function commandLimit(verb: string): number {
  return COMMAND_LIMITS[verb] ?? LINE_BY_RFC;
}

const COMMAND_LIMITS: Readonly<Record<string, number>> = {
  AUTH: COMMAND_LINE,
  'X-EXPS': COMMAND_LINE,
  MAIL: 2_048,
  RCPT: 2_048,
};

/** Lines of one reply whose texts are kept: EHLO replies have 10 to 20. Further lines are only counted. */
export const REPLY_TEXTS = 64;

/** Characters kept of a line's text or of an argument: enough for any path (RFC 5321 §4.5.3.1.3: 256). */
export const TEXT = 512;

/** Characters of a peer's text quoted in an anomaly's detail. */
export const QUOTE = 64;

/** A greeting that is kept whole for judging: smtplib refuses beyond 8192 octets, so does everyone. */
export const GREETING = 8_192;

/** Octets without any reply code held back before a greeting: a stray blank line or a debug print is short. */
export const GREETING_JUNK = 1_024;

/** Microseconds that these are held: RFC 6298 repeats a lost segment after 1 s, and again 2 s later. */
export const GREETING_JUNK_MICROS = 3_000_000;

/** Microseconds that a known teaser may make us wait, whatever it took before: curl gives up after 60 s. */
export const GREETING_WAIT_MICROS = 50_000_000;

/**
 * Networks whose clients must have seen the same before it is believed without a connection of our own: one network is
 * one sender or one path, and two may share an operator.
 */
export const REPAIR_NETWORKS = 3;

/**
 * The least window, in octets, by which a client leaves its server room to speak: stacks begin with 14,600 and more, and
 * a greeting's line of 512 has room many times.
 */
export const OPEN_WINDOW = 4_096;

/** Microseconds without the rest of a line after which none is expected: RFC 6298 §2.1 first retransmits after 1 s. */
export const LINE_PAUSE_MICROS = 1_000_000;

/** Commands that wait for their replies. Postfix sends up to 50 RCPTs in one group; RFC 5321 asks for 100. */
export const PENDING_COMMANDS = 1_024;

/** Client octets kept while a reply decides what they are (behind DATA, STARTTLS, AUTH). */
export const UNDECIDED = 65_536;

/** Pieces of these with their own times; what comes in more than that is joined. A client's pipeline has some ten. */
export const HELD_PIECES = 256;

/** A handshake message that is reassembled for its hello (RFC 8446 §4: 2^24 by form; real ones < 4 KiB). */
export const TLS_HELLO = 16_384;

/** A TLS record's payload: RFC 8446 §5.2 and RFC 5246 §6.2.3 (2^14 + 2048). */
export const TLS_RECORD = 18_432;

/** Phases listed in a session's line; the rest are counted. */
export const SESSION_PHASES = 256;

/** Anomalies reported per connection and kind; a hostile peer could otherwise fill a disk. */
export const ANOMALIES_OF_A_KIND = 3;

/** Verdicts kept of one connection, each with its segments: what is wrong is plain from fewer. */
export const VERDICTS = 16;

/**
 * Microseconds that RFC 5321 §4.5.3.2 lets a peer stay silent, by the phase that is waited for; `block` and
 * `command` are the client's, the others the server's. Phases that the RFC does not name get its five minutes.
 */
export const SILENCE: Readonly<Record<Phase | 'block' | 'command', Micros>> = {
  connect: 300e6,
  greeting: 300e6,
  hello: 300e6,
  starttls: 300e6,
  tls: 300e6,
  auth: 300e6,
  mail: 300e6,
  rcpt: 300e6,
  data: 120e6,
  block: 180e6,
  message: 600e6,
  reset: 300e6,
  quit: 300e6,
  other: 300e6,
  command: 300e6,
  close: 300e6,
};

/** How much later a frame may be captured than one that passed behind it: two queues of a card, two threads of a capture. */
export const DISORDER: Micros = 20_000;

/** Connections whose segments wait for a SYN at a time, each for that long: of a flood the oldest go on without. */
export const AWAITING_SYN = 1_024;

/** Octets held beyond a hole, per direction: the dialogue is small, and a bulk hole costs only its message. */
export const AHEAD_OCTETS = 262_144;

/** Pieces held beyond a hole: at 1448 octets each this is the window above. */
export const AHEAD_PIECES = 256;

/**
 * Octets held beyond all holes of one point, their objects counted in. Beyond it a direction holds the least, which a dialogue's
 * hole hardly needs: the product of the caps above is more than any machine has, and a flood can open as many holes.
 */
export const AHEAD_ALL = 33_554_432;
export const AHEAD_LEAST_OCTETS = 4_096;
export const AHEAD_LEAST_PIECES = 16;

/** Octets kept behind, to compare a retransmission with: several commands, or one segment (MSS 1460). */
export const RECENT_OCTETS = 2_048;

/** Connections followed at a time: some 20 KiB each. */
export const CONNECTIONS = 65_536;

/**
 * Connections of live traffic of which one side alone was heard, kept at a time: some 20 MiB of them. A path where each
 * direction goes its own way has fewer at a time; a flood of segments that belong to nothing has any number.
 */
export const ONE_SIDED_LIVE = 1_024;

/** Handshakes that are not complete, some 250 octets each: two thousand SYNs a second without an answer, for a minute. */
export const HALF_OPEN = 131_072;

/** Of them so many as they came, some 700 octets each: packing costs more than all else that a handshake does, and nearly all are over soon. */
export const HALF_OPEN_WHOLE = 1_024;

/** Repetitions that are remembered of a handshake: Linux sends a SYN again after 1, 3 and 7 s. Of more, what is said is not proved. */
export const HANDSHAKE_REPEATS = 3;

/** A handshake without a segment for this long is forgotten: the pause before the last SYN of Linux is 64 s (tcp_syn_retries). */
export const HALF_OPEN_FOR: Micros = 75_000_000;

/** Incomplete handshakes that are reported a second, each by itself: of a capture; the others are counted. */
export const HALF_OPEN_REPORTED = 1_000;

/** The same of live traffic, whose log may not grow with a flood. */
export const HALF_OPEN_REPORTED_LIVE = 10;

/** A connection that closed is kept this long for stragglers: the last ACK, a late retransmission. */
export const LINGER: Micros = 1_000_000;

/** After a RST longer: a side that knows of none sends again, after 1 s where it has no round trip yet (RFC 6298 §2.1). */
export const LINGER_RESET: Micros = 3_000_000;

/** Then for so long what has no SYN is one of its stragglers, held on the path for some seconds. */
export const STRAGGLERS: Micros = 10_000_000;

/** Connections to other ports that are remembered, some 100 octets each: of older ones a later segment may count as ours. */
export const STRANGERS = 16_384;

/** A connection without a segment for this long is forgotten: RFC 5321 §4.5.3.2.6 waits 10 minutes at most. */
export const FORGET_AFTER: Micros = 900_000_000;

/** How often connections that wait are looked at. */
export const SWEEP: Micros = 50_000;

/** Probes that one vantage point sends a second: an empty segment each, and a flood of silent clients stays one. */
export const PROBES_PER_SECOND = 20;

/**
 * Clients whose connections of a minute are counted, some 150 octets each. Beyond it the minute that began first is
 * forgotten, to that client's advantage: who has more addresses than that is not one client to any count.
 */
export const CLIENT_WINDOWS = 16_384;

/** Networks that are remembered as seen lately, of each family; the rule `load` needs to know of three. */
export const REMEMBERED_NETWORKS = 16;

/** Over so long a message's rate is taken: RFC 5321 §4.5.3.2.5 allows a pause of three minutes in the middle. */
export const MESSAGE_WINDOW: Micros = 300_000_000;

/** Commands since the last message that bring no message nearer (EHLO, RSET, NOOP …) before each is an error, as in Postfix. */
export const IDLE_COMMANDS = 100;
/** The same where no transaction was begun: a client says EHLO twice and AUTH, and one that watches over the server says little more. */
export const IDLE_COMMANDS_BEFORE = 20;
