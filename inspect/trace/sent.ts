// What a trace sends, and what comes back: values for the judges.

import type { Certainty, Micros, VerdictName } from '../events';
import type { Segment } from '../tcp/segment';

/** What is sent with a small TTL; each is compared with its control. */
export type Test =
  /** The octet before the next one, as an old keep-alive has it: it changes nothing at the server. */
  | 'control'
  | 'ehlo'
  /** With a port of its own, and never far enough to reach the server. */
  | 'syn'
  /** An ICMP echo request: the way of packets that are no TCP. */
  | 'echo'
  | 'helo'
  | 'ehlo-lower'
  /** Its second part; the first one, two octets, goes before it. */
  | 'ehlo-split'
  | 'starttls'
  | 'mail-size'
  | 'tls-hello'
  /** Old octets, as the control: 512, and as many as a segment may have. */
  | 'half-size'
  | 'full-size';

export interface Sent {
  /** From 1: also its IP identification and, with an offset, its window; so an answer shows what it answers. */
  readonly number: number;
  readonly test: Test;
  /** How far the session was: a test is compared with the control of its own stage. */
  readonly stage: number;
  readonly ttl: number;
  readonly at: Micros;
  /** From its IP header on. */
  readonly packet: Uint8Array;
}

interface AnswerFacts {
  /** `Sent.number`. */
  readonly to: number;
  readonly at: Micros;
  readonly from: string;
  /** The TTL or hop limit that it came with. */
  readonly ttl: number;
}

/** An ICMP error; the quote is what the hop received, as far as it repeats that. */
export interface IcmpAnswer extends AnswerFacts {
  readonly kind: 'expired' | 'unreachable' | 'too-big';
  readonly code: number;
  readonly quote: Uint8Array;
  /** Of `too-big`: what the next link takes. */
  readonly mtu?: number;
  /** It came out of an MPLS tunnel (RFC 4950), or its quote had hops left. */
  readonly tunnel: boolean;
}

export type Answer =
  | IcmpAnswer
  | (AnswerFacts & { readonly kind: 'segment'; readonly segment: Segment })
  | (AnswerFacts & { readonly kind: 'echo' });

/** What became of the session's own EHLO, sent by the kernel with its usual TTL. */
export interface Hello {
  readonly result: 'replied' | 'acknowledged' | 'silent' | 'reset' | 'unsent';
  readonly code?: number;
  /** From the EHLO to the first segment that acknowledged it. */
  readonly acknowledgedAfter?: Micros;
  /** Without an acknowledgement: a control segment behind it was still answered, so the connection lives. */
  readonly alive?: boolean;
}

/** All that a trace observed. */
export interface Trace {
  readonly server: string;
  readonly port: number;
  /** Our own address in the connection. */
  readonly client: string;
  readonly sent: readonly Sent[];
  readonly answers: readonly Answer[];
  /** The least TTL at which the server's name answered the control; absent where it never did. */
  readonly distance: number | undefined;
  /** Of the session's handshake. */
  readonly synAck: Segment | undefined;
  readonly hello: Hello;
  /** Frames that our own capture lost: an answer may have been among them. */
  readonly lost: number;
  /** Tests that were requested and could not be made, with the reason. */
  readonly untried: readonly string[];
}

export type TraceVerdictName =
  | Extract<
      VerdictName,
      'ehlo-dropped' | 'ehlo-held' | 'ehlo-altered' | 'path-terminated' | 'segment-dropped' | 'reset-injected'
    >
  | 'segment-held'
  | 'segment-altered'
  | 'headers-altered'
  | 'black-hole'
  | 'nat';

/** Hops are TTLs; 0 is this machine. `to` is absent where no hop behind it answered. */
export type Place =
  | { readonly kind: 'hop'; readonly hop: number }
  | { readonly kind: 'between'; readonly from: number; readonly to: number | undefined };

export interface TraceVerdict {
  readonly verdict: TraceVerdictName;
  readonly certainty: Certainty;
  readonly test: Test;
  readonly place: Place;
  /** Of changed headers and octets: which. */
  readonly what?: readonly string[];
  readonly held?: Micros;
  /** It is the path's way, and no fault: a translated address, a smaller MSS. */
  readonly harmless?: boolean;
  /** One plain sentence for a ticket. */
  readonly message: string;
}
