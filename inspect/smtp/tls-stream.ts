// TLS as a part of the dialogue: what its records show the session.

import type { Direction, Micros } from '../events';
import { say, sayFrom, type Quotable } from '../quotable';
import { reportRest } from './state';
import { endPending, endTls, fragment, openStretch, report, type State, stepAside } from './state';
import { quoteAfterRefusal } from './quoting';
import { createTls } from './tls';

/** STARTTLS was agreed at `at`: both sides' next octets are TLS. Offsets are those of the next octets. */
export function beginTls(state: State, at: Micros, clientStart: number, serverStart: number): void {
  state.sides.client.opaque = { start: clientStart, started: at };
  state.sides.server.opaque = { start: serverStart, started: at };
  state.tlsBegan = at;
  state.serverMode = 'tls';
}

/** Neither side has spoken, and the first octets are TLS: as if that had been known from the start. */
export function beginImplicitTls(state: State): void {
  beginTls(state, state.started, 0, 0);
  state.mode = { kind: 'tls' };
  state.pending = [];
  state.greeting = undefined;
}

/** Reads TLS from `bytes[from…]`; the number of octets taken. */
export function readTls(state: State, from: Direction, bytes: Uint8Array, index: number, at: Micros): number {
  for (const news of state.tls.feed(from, bytes, index)) {
    if (news.kind === 'hello') {
      state.out.push({ kind: 'tls', from, at, ...state.tls.facts() });
    } else if (news.kind === 'alert') {
      report(state, 'tls-alert', from, at, alertName(news.level, news.description));
    } else if (news.kind === 'established') {
      endTls(state, at);
      state.mode = { kind: 'opaque' };
      state.serverMode = 'opaque';
    } else {
      const why = say`no TLS record where TLS was agreed`;
      // A digit where the server's hello belongs: a reply was put behind the 220 (response injection).
      const digit = from === 'server' && isDigit(bytes[news.index - 1]);
      const anomaly = digit ? 'starttls-injection' : 'not-tls';
      if (news.begun || news.index !== index + 1) stepAside(state, anomaly, from, at, why);
      else {
        report(state, anomaly, from, at, why);
        readPlainly(state, at);
        return 0;
      }
    }
  }
  return bytes.length - index;
}

/** No TLS has begun: both sides go on in plain text, and are read. Each may still begin TLS with its next line. */
function readPlainly(state: State, at: Micros): void {
  endTls(state, at);
  quoteAfterRefusal(state);
  for (const from of ['client', 'server'] as const) {
    // What looked like the beginning of a record has been read, and is not read again.
    if (state.sides[from].opaque) reportRest(state, from);
    state.sides[from].opaque = undefined;
  }
  state.tls = createTls();
  state.tlsDue = true;
  state.mode = { kind: 'command' };
  state.serverMode = 'reply';
}

/** TLS at the beginning of a line, where it was agreed and plain octets came first. */
export function isTlsAgain(state: State, side: Direction, first: number | undefined): boolean {
  if (!state.tlsDue || state.tlsBegan !== undefined) return false;
  return (first === HANDSHAKE || first === ALERT) && state.sides[side].framer.peek() === undefined;
}

export function beginAgain(state: State, at: Micros): number {
  const { client, server } = state.sides;
  const { undecided } = state;
  state.tlsDue = false;
  for (const direction of ['client', 'server'] as const) {
    const open = openStretch(state, direction);
    if (open)
      fragment(state, direction, {
        span: { start: open.start, end: state.sides[direction].position },
        started: open.started,
        at,
      });
    state.sides[direction].framer.flush();
  }
  undecided.clear();
  state.openReply = undefined;
  while (state.pending.length > 0) endPending(state, at, undefined);
  beginTls(state, at, client.position, server.position);
  state.mode = { kind: 'tls' };
  return 0;
}

function alertName(level: number, description: number): Quotable {
  const name = sayFrom(ALERTS, description) ?? say`alert`;
  return say`${level === 2 ? say`fatal` : say`warning`} ${name} (${description})`;
}

function isDigit(octet: number | undefined): boolean {
  return octet !== undefined && octet >= 0x30 && octet <= 0x39;
}

const HANDSHAKE = 0x16;
const ALERT = 0x15;

// RFC 8446 §6: those that are seen before the keys are there.
const ALERTS: Readonly<Record<number, string>> = {
  0: 'close_notify',
  10: 'unexpected_message',
  40: 'handshake_failure',
  42: 'bad_certificate',
  43: 'unsupported_certificate',
  44: 'certificate_revoked',
  45: 'certificate_expired',
  46: 'certificate_unknown',
  47: 'illegal_parameter',
  48: 'unknown_ca',
  50: 'decode_error',
  51: 'decrypt_error',
  70: 'protocol_version',
  71: 'insufficient_security',
  80: 'internal_error',
  86: 'inappropriate_fallback',
  90: 'user_canceled',
  109: 'missing_extension',
  112: 'unrecognized_name',
  116: 'certificate_required',
  120: 'no_application_protocol',
};
