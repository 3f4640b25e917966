// The session machine: both directions' octets and times in, events out. (Types first; the machine follows.)

import type { Close, Direction, Micros, Phase, SmtpEvent } from '../events';

export interface SessionOptions {
  /** When the client's connection began. */
  readonly started: Micros;
  /** The connection to the server was made by then: ends the `connect` phase. */
  readonly connected: Micros;
  /** TLS from the first octet on (port 465, RFC 8314 §3.3). */
  readonly implicitTls?: boolean;
}

/** Whom the dialogue waits for, and in which phase: what a path chooses its timeout by (RFC 5321 §4.5.3.2). */
export interface Waiting {
  readonly on: Direction;
  readonly phase: Phase;
  readonly since: Micros;
  /** Octets are only counted: TLS, or behind a cap. */
  readonly opaque: boolean;
}

export interface Session {
  /** Octets as one side sent them, in the order in which they were read. Never throws on content. */
  feed(from: Direction, bytes: Uint8Array, at: Micros): SmtpEvent[];
  /** `length` octets of this side will never be seen; 0 where the number is unknown. */
  gap(from: Direction, length: number, at: Micros): SmtpEvent[];
  /** Time passed and nothing came. */
  idle(at: Micros): SmtpEvent[];
  /** The connection is over: the open phase, `close` and `session` come out, and nothing after them. */
  close(close: Close, at: Micros): SmtpEvent[];
  waiting(): Waiting;
  /**
   * How many octets at the end of what the client sent are a beginning of CRLF . CRLF inside a message:
   * a path that keeps them for the next write does not split the end of data (0 to 4).
   */
  endOfDataBegun(): number;
}
