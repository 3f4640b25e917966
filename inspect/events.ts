// The vocabulary: everything the inspector can say, as `kind`-tagged values without behaviour.

import type { Endpoint } from './address';
import type { Phase } from './phases';
import type { Quotable } from './quotable';

export type { Phase };

/** Microseconds since the Unix epoch, UTC. A double holds them exactly until the year 2255. */
export type Micros = number;

/** Who sent the bytes: the SMTP client or the SMTP server (RFC 5321 §2.1). */
export type Direction = 'client' | 'server';

/** Half-open range of octet offsets in the sender's stream: `0 <= start <= end`. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** How a line ended on the wire. RFC 5321 §2.3.8 allows only `crlf`; `none` is a line cut by close or cap. */
export type Terminator = 'crlf' | 'lf' | 'cr' | 'none';

/** A reply without its text: what a phase keeps of it (RFC 5321 §4.2, RFC 2034 §4). */
export interface ReplyCode {
  /** Three digits, as of the last line: Postfix and most clients go by that one. */
  readonly code: number;
  /** `5.7.1`, where the server sent one. */
  readonly enhanced?: string;
  /** Number of lines. */
  readonly lines: number;
  /** Text of the first line without code and enhanced code, as far as it may be quoted. */
  readonly text?: Quotable;
}

/** What the ClientHello and the ServerHello say in the clear (RFC 8446 §4.1, RFC 6066 §3). */
export interface TlsFacts {
  /** `TLSv1.3` and so on; absent until the ServerHello is seen. */
  readonly version?: string;
  readonly sni?: Quotable;
}

/** Who ended the connection: a peer, or ehlowire itself. */
export type CloseBy = Direction | 'shim';
/** `open`: the end was not observed: the capture ended first, or no segment came for a long time. */
export type CloseHow = 'fin' | 'rst' | 'timeout' | 'open';

export interface Close {
  /** Absent where it was `open`. */
  readonly by?: CloseBy;
  readonly how: CloseHow;
  /** Always there where `by` is `shim`. */
  readonly reason?: CloseReason;
}

/** Why ehlowire itself ended a connection, or never passed it on. */
export type CloseReason =
  /** `relay.maxConnections`: there was no place, or it gave its own way for another client. */
  | 'connections'
  /** A limit of `policy.limits`. */
  | 'load'
  /** The process has no file descriptors left. */
  | 'descriptors'
  /** The PROXY header came from a client that may not send one; it was missing, late or wrong. */
  | 'proxy-source'
  | 'proxy-header'
  /** The connection was meant for the transparent relay itself. */
  | 'not-diverted'
  /** Why the mail server was not reached. */
  | 'upstream-refused'
  | 'upstream-timed-out'
  | 'upstream-unreachable'
  | 'upstream-unresolved'
  | 'upstream-failed'
  /** One of the timeouts of RFC 5321 §4.5.3.2, by whom was waited for. */
  | 'client-timeout'
  | 'server-timeout'
  /** A rule of policy; a `blocked` event names it. */
  | 'policy'
  /** ehlowire is being stopped. */
  | 'shutdown';

/** What is odd about a greeting; the rows of the greeting table are named after these. */
export type GreetingDefect =
  /** Ends in a continuation line `220-`: no last line (RFC 5321 §4.2.1). */
  | 'truncated'
  /** Octets behind the last terminator, or no terminator at all. */
  | 'no-terminator'
  /** The code is followed neither by a space nor by a hyphen. */
  | 'no-separator'
  /** The code is followed by a tab. */
  | 'tab-separator'
  /** A last line with a code and nothing else. */
  | 'empty-text'
  /** Text made only of `2`, `0`, `*`, space and tab: a middlebox hid it (Cisco `inspect esmtp`). */
  | 'masked'
  | 'bare-lf'
  | 'bare-cr'
  /** Lines of one reply carry different codes (RFC 5321 §4.2.1: MUST be the same). */
  | 'mixed-codes'
  | 'leading-blank'
  | 'leading-junk'
  /** Between its lines one that is no reply line: smtplib, nodemailer, msmtp and Postfix give up there. */
  | 'inner-junk'
  | 'eight-bit'
  | 'nul'
  /** A line over 512 octets (RFC 5321 §4.5.3.1.5). */
  | 'over-long'
  /** The first word is not a domain or an address literal (RFC 5321 §4.2: `220 <domain>`). */
  | 'no-domain'
  /** A 4xx or 5xx: the server refuses the connection (RFC 5321 §3.1, RFC 7504). */
  | 'refusal'
  /** Neither 220 nor 4xx nor 5xx. */
  | 'wrong-code'
  /** No octet at all. */
  | 'empty';

/** What is known of a server's greetings. `teaser`: honest `220-` first, the rest after a wait (postscreen). */
export type GreetingClass = 'wellformed' | 'teaser' | 'truncated' | 'malformed';

/** Oddities that do not end a connection. The detail of each is one short escaped phrase. */
export type Anomaly =
  /** Client octets before the greeting was complete (RFC 5321 §3.1). */
  | 'early-talker'
  /** A client went on behind a command that must end a pipelined group (RFC 2920 §3.1). */
  | 'improper-pipelining'
  | 'bare-lf'
  | 'bare-cr'
  | 'nul'
  | 'eight-bit'
  | 'line-too-long'
  | 'unknown-command'
  | 'bad-syntax'
  /** A verb or an EHLO keyword overwritten with X: a middlebox hides what it does not know (Cisco). */
  | 'masked'
  /** HTTP spoken at an SMTP port: a confused or abused browser. */
  | 'http'
  /** A PROXY protocol header where none was agreed. */
  | 'proxy-header'
  /** `LF . CRLF` and its kin inside DATA: some server would end the message there (SMTP smuggling). */
  | 'end-of-data-lookalike'
  /** The greeting has defects; the detail names them. */
  | 'greeting-malformed'
  /** A server line that is not a reply line (RFC 5321 §4.2). */
  | 'malformed-reply'
  | 'mixed-codes'
  /** A reply to no command. */
  | 'unsolicited-reply'
  /** The server answered before the message or chunk had ended. */
  | 'early-reply'
  /** 421 outside of a QUIT: the server is closing (RFC 5321 §3.8). */
  | 'service-closing'
  /** Plain octets behind STARTTLS or behind its reply: command or response injection (RFC 3207 §6). */
  | 'starttls-injection'
  /** STARTTLS was agreed, and what follows is not TLS. */
  | 'not-tls'
  /** The TLS handshake was given up; the detail names the alert (RFC 8446 §6). */
  | 'tls-alert'
  /** LHLO, or one reply per recipient, on an SMTP port (RFC 2033). */
  | 'lmtp'
  /** A bare CR or LF in a message, or a line that some server takes for its end; the detail says how many. */
  | 'bare-line-end'
  /** The same, and the server was sent CRLF and a stuffed dot in their place. */
  | 'normalized'
  /** A command that policy would answer in place of the server. */
  | 'refused-command'
  /** Credentials before TLS. */
  | 'auth-before-tls'
  /** A command before TLS of a client that must use it. */
  | 'tls-required'
  /** Commands before the reply to the one before, and the server does not offer PIPELINING (RFC 2920). */
  | 'pipelining-not-offered'
  /** SSH, or TLS at a plain port. */
  | 'foreign-protocol'
  /** Octets that we never saw; what follows is read with care. */
  | 'gap'
  /** A limit of `policy.limits` was met, where the rule `load` only observes. */
  | 'load'
  /** Silence beyond the time RFC 5321 §4.5.3.2 asks the other side to wait. */
  | 'silence'
  /** A cap was met or the stream made no sense: from here the octets are only counted. */
  | 'opaque';

/** Where a stretch of one side's stream lies, and when its first and last octets were read. */
interface Stretch {
  readonly from: Direction;
  readonly span: Span;
  readonly started: Micros;
  readonly at: Micros;
}

/** A command line (RFC 5321 §4.1), as far as it may be quoted. */
export interface CommandEvent extends Stretch {
  readonly kind: 'command';
  readonly from: 'client';
  /** Upper case; one of the known verbs, or `?`: unknown, or it may be something else that looks like a command. */
  readonly verb: string;
  /** Of an argument that may not be quoted its length and class. */
  readonly argument: Quotable;
  /** Octets from the line's start that may be shown as they are. */
  readonly shown: number;
  readonly terminator: Terminator;
}

/** A whole reply, all lines (RFC 5321 §4.2.1). */
export interface ReplyEvent extends Stretch, ReplyCode {
  readonly kind: 'reply';
  readonly from: 'server';
  /** The phase that it belongs to; absent where no command requested it. */
  readonly answers?: Phase;
  /** Texts of the lines, capped in number and length, as far as they may be quoted. */
  readonly texts: readonly Quotable[];
  /** Octets from the reply's start that may be shown as they are. */
  readonly shown: number;
}

/**
 * A message's or chunk's octets as sent, end-of-data included (RFC 5321 §4.1.1.4, RFC 3030 §2). `blob`: octets that the
 * server requested, and that are no part of a message (XEXCH50).
 */
export interface ContentEvent extends Stretch {
  readonly kind: 'content';
  readonly from: 'client';
  readonly how: 'data' | 'bdat' | 'blob';
  /** This stretch ends the message. */
  readonly last: boolean;
}

/**
 * Octets that are no line, each with its reason. `secret`: a line of an AUTH exchange (RFC 4954 §4). `fragment`: a line that was cut, or that was
 * not part of any dialogue. `opaque`: only counted, since they are TLS or lie behind a cap; one at the end of each side.
 * `gap`: they never reached us.
 */
interface StretchEvent extends Stretch {
  readonly kind: 'secret' | 'fragment' | 'opaque' | 'gap';
}

/** A PROXY protocol header in front of the client's first octets: no command. Version 1's UNKNOWN is `proxy` without addresses. */
interface ProxyEvent extends Stretch {
  readonly kind: 'proxy';
  readonly from: 'client';
  readonly version: 1 | 2;
  /** `local`: the sender speaks for itself, as in a health check, and the connection's own addresses hold. */
  readonly command: 'proxy' | 'local';
  /** Addresses are absent where the sender did not know them (UNKNOWN, UNSPEC, AF_UNIX, datagrams). */
  readonly source?: Endpoint;
  readonly destination?: Endpoint;
}

/** What a header says. */
export type ProxyFacts = Pick<ProxyEvent, 'version' | 'command' | 'source' | 'destination'>;

/** The TLS hellos were read. */
interface TlsEvent extends TlsFacts {
  readonly kind: 'tls';
  readonly from: Direction;
  readonly at: Micros;
}

/**
 * A phase ended. Phases follow one another: a command that was pipelined starts when the reply before it
 * ended, so for every session `waited + duration`, summed over its phases, is its whole time.
 */
export interface PhaseEvent {
  readonly kind: 'phase';
  readonly phase: Phase;
  /** When it ended. */
  readonly at: Micros;
  readonly started: Micros;
  /** From the connection's start to this phase's start. */
  readonly sinceConnect: Micros;
  readonly duration: Micros;
  /** Between the end of the phase before and this start: the client's own time. */
  readonly waited: Micros;
  readonly verb?: string;
  readonly argument?: Quotable;
  readonly reply?: ReplyCode;
  /** Octets of the message or chunk. */
  readonly bytes?: number;
  /** From the phase's start to the last octet of the message: the rest of the duration is the server's. */
  readonly transfer?: Micros;
  readonly tls?: TlsFacts;
  readonly greeting?: { readonly class: GreetingClass; readonly defects: readonly GreetingDefect[] };
  readonly close?: Close;
}

export type PhaseEntry = readonly [
  phase: Phase,
  sinceConnect: Micros,
  duration: Micros,
  code: number | undefined,
];

/** The connection ended: its whole story. */
export interface SessionEvent {
  readonly kind: 'session';
  readonly at: Micros;
  readonly started: Micros;
  readonly phases: readonly PhaseEntry[];
  /** Phases beyond the cap. */
  readonly phasesOmitted: number;
  /** The PROXY header that it began with. */
  readonly proxy?: ProxyFacts;
  /** The last EHLO or HELO name. */
  readonly hello?: Quotable;
  readonly tls?: TlsFacts;
  /** Messages that the server took responsibility for (2xx). */
  readonly messages: number;
  readonly bytes: { readonly client: number; readonly server: number };
  readonly close: Close;
}

export interface AnomalyEvent {
  readonly kind: 'anomaly';
  readonly anomaly: Anomaly;
  readonly direction: Direction;
  readonly at: Micros;
  readonly detail: Quotable;
}

/** A greeting was changed on its way to the client; `before` and `after` are escaped texts. */
export interface RepairEvent {
  readonly kind: 'repair';
  readonly at: Micros;
  readonly defect: GreetingDefect;
  readonly before: Quotable;
  readonly after: Quotable;
  /** How long the client waited for it: from the greeting's first octet, or the connection's start. */
  readonly held: Micros;
}

/** What a path does with a server's connections: nothing, repair in place, or hold and complete. */
export type Policy = 'observe' | 'repair' | 'relay';

/** What is known of a server changed. */
export interface LearnedEvent {
  readonly kind: 'learned';
  readonly at: Micros;
  readonly greeting: GreetingClass;
  readonly policy: Policy;
  /** `seen` on clients' connections, `verified` by one of our own, or by clients of several `networks`. */
  readonly way: 'seen' | 'verified' | 'networks';
  /** One plain sentence. */
  readonly because: string;
}

/** A policy refused something. */
export interface BlockedEvent {
  readonly kind: 'blocked';
  readonly at: Micros;
  /** The rule's name, `connections` for example. */
  readonly rule: string;
  /** What was done: `refuse`, `close`… */
  readonly action: string;
  readonly direction: Direction;
  readonly detail?: string;
}

/** We missed something ourselves: a ring was full, a log could not keep up. */
export interface LossEvent {
  readonly kind: 'loss';
  readonly at: Micros;
  readonly source: 'log' | 'ring' | 'capture';
  /** Segments; of the log: lines. */
  readonly count: number;
  /** How many of each event, where that is known. */
  readonly of?: Readonly<Record<string, number>>;
}

/** Lines of the log that were left out on purpose: one peer, or many, made more than a log should hold. */
export interface OmittedEvent {
  readonly kind: 'omitted';
  readonly at: Micros;
  readonly count: number;
  /** How many of each event. */
  readonly of: Readonly<Record<string, number>>;
  /** Which bound was met, in words. */
  readonly because: string;
}

/** What evidence says of the path or of a peer. */
export type VerdictName =
  | 'ehlo-dropped'
  | 'ehlo-held'
  | 'ehlo-altered'
  | 'path-terminated'
  | 'segment-dropped'
  | 'greeting-truncated'
  | 'greeting-malformed'
  | 'greeting-lost'
  | 'greeting-slow'
  | 'starttls-stripped'
  | 'reset-injected'
  | 'early-talker'
  | 'client-silent'
  | 'client-gone';

/** `proved`: no other reading of the segments is left. `suspected`: the likeliest of several. */
export type Certainty = 'proved' | 'suspected';

/**
 * Where it happened, as seen from here: between the sender of what it is about and this point, the sender included; beyond
 * this point, on the way to the receiver; or here, between the two points of a comparison.
 */
export type Where = 'before' | 'beyond' | 'here';

/** What a verdict is about: a side, and where it is about octets the first of them, by its offset. */
export interface Subject {
  readonly from: Direction;
  readonly start?: number;
}

/** What a verdict rests on. */
export type Proof = 'sequence' | 'timestamp' | 'content' | 'header' | 'probe' | 'two-point';

/** One segment as evidence: header facts, and a note on what it shows. Never content. */
export interface Evidence {
  readonly at: Micros;
  readonly from: Direction;
  /** Relative to the side's first octet, which is 0; a probe answer may show -1. */
  readonly seq: number;
  /** Relative to the other side's first octet; absent without the ACK flag. */
  readonly ack?: number;
  readonly length: number;
  /** `SYN ACK`, as tcpdump and Wireshark name them. */
  readonly flags: string;
  readonly ttl: number;
  readonly tsval?: number;
  /** Of two points compared: where it was captured, and by whose clock `at` is. */
  readonly point?: Point;
  readonly note: string;
}

/** Two points of one path: outside of what stands between them, where the clients are, and inside. */
export type Point = 'wan' | 'dmz';

/** Evidence was enough. */
export interface VerdictEvent {
  readonly kind: 'verdict';
  readonly at: Micros;
  readonly verdict: VerdictName;
  readonly certainty: Certainty;
  readonly proof: Proof;
  readonly where: Where;
  /** When it happened, if that was before it was reported (`at`). */
  readonly since?: Micros;
  /** The same verdict on the same subject is the same finding: the later word replaces the earlier one. */
  readonly about?: Subject;
  /** Octets that were sent and did not arrive, or not with the first copy. */
  readonly missingBytes?: number;
  /** Whether octets that were dropped came to their receiver, or to this point, after all: sent again, then. */
  readonly came?: 'never' | 'late';
  /** For how long the path, or a server, kept something back. */
  readonly held?: Micros;
  /** If this was reported of the connection before, it is withdrawn: what was missing had only been held. */
  readonly withdraws?: VerdictName;
  /** One plain sentence for a ticket. */
  readonly summary: string;
  readonly evidence: readonly Evidence[];
}

export type SmtpEvent =
  | CommandEvent
  | ReplyEvent
  | ContentEvent
  | StretchEvent
  | ProxyEvent
  | TlsEvent
  | PhaseEvent
  | SessionEvent
  | AnomalyEvent;
