// A client that speaks before it was greeted (RFC 5321 §3.1), and the one kind that may: its server has agreed to it.

import type { Micros, ReplyCode } from '../events';
import { say, type Quotable } from '../quotable';
import { latin1 } from '../text';
import { report, reportOnce, type State } from './state';

/**
 * Whether it may is known from the reply to its EHLO: Exim offers pipelined connects there, for the connections after
 * this one, and a client that uses them begins with EHLO. What it sends may arrive before the greeting or behind it.
 */
export interface Early {
  /** Absent: it has waited for the greeting. */
  readonly at?: Micros;
  /** What would be said of a client that may not. */
  readonly remarks: { readonly at: Micros; readonly detail: Quotable }[];
  agreed: boolean;
}

/** Octets of the client while the greeting is not complete. */
export function speakEarly(state: State, at: Micros): void {
  if (state.early === 'told' || state.early) return;
  state.early = { at, remarks: [], agreed: false };
}

/** A command behind EHLO and before its reply: improper, unless the server agreed to it. */
export function remarkGroup(state: State, at: Micros, detail: Quotable, isHello: boolean): void {
  if (state.early === 'told' || !isHello) return report(state, 'improper-pipelining', 'client', at, detail);
  state.early ??= { remarks: [], agreed: false };
  state.early.remarks.push({ at, detail });
}

/** A line of the reply to EHLO. */
export function seeKeyword(state: State, text: Uint8Array): void {
  if (state.early === 'told' || !OFFER.test(latin1(text))) return;
  // The rest of its group may still be on its way.
  state.early ??= { remarks: [], agreed: false };
  state.early.agreed = true;
}

/** The reply to the client's first command, which was no EHLO where `isHello` is false. */
export function judgeEarly(state: State, { code }: ReplyCode, isHello: boolean): void {
  const { early } = state;
  if (!early || early === 'told') return;
  if (isHello && code < 300 && early.agreed) state.early = undefined;
  else tellEarly(state);
}

export function tellEarly(state: State): void {
  const { early } = state;
  if (!early || early === 'told') return;
  state.early = early.at === undefined ? undefined : 'told';
  if (early.at !== undefined) {
    const detail = say`the client spoke before the greeting was complete`;
    reportOnce(state, 'early-talker', 'client', early.at, detail);
  }
  for (const remark of early.remarks)
    report(state, 'improper-pipelining', 'client', remark.at, remark.detail);
}

/** `PIPECONNECT`; before Exim 4.94 `X_PIPE_CONNECT`. */
const OFFER = /^(?:X_)?PIPE_?CONNECT\s*$/i;
