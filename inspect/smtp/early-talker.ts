// A client that speaks before it was greeted (RFC 5321 §3.1), and the one kind that may: its server has agreed to it.

import type { Micros, ReplyCode } from '../events';
import { say, type Quotable } from '../quotable';
import { latin1 } from '../text';
import { report, reportOnce, type State } from './state';

/** The client sent octets while the greeting was not complete. */
export function noteEarly(state: State, at: Micros): void {
  if (state.early === 'reported' || state.early) return;
  state.early = { at, remarks: [], agreed: false };
}

/** A command behind EHLO and before its reply: improper, unless the server agreed to it. */
export function remarkPipelining(state: State, at: Micros, detail: Quotable, isHello: boolean): void {
  if (state.early === 'reported' || !isHello)
    return report(state, 'improper-pipelining', 'client', at, detail);
  state.early ??= { remarks: [], agreed: false };
  state.early.remarks.push({ at, detail });
}

/** A line of the reply to EHLO. */
export function noteKeyword(state: State, text: Uint8Array): void {
  if (state.early === 'reported' || !OFFER.test(latin1(text))) return;
  // The rest of its group may still come.
  state.early ??= { remarks: [], agreed: false };
  state.early.agreed = true;
}

/** The reply to the client's first command, which was no EHLO where `isHello` is false. */
export function judgeEarly(state: State, { code }: ReplyCode, isHello: boolean): void {
  const { early } = state;
  if (!early || early === 'reported') return;
  if (isHello && code < 300 && early.agreed) state.early = undefined;
  else reportEarly(state);
}

export function reportEarly(state: State): void {
  const { early } = state;
  if (!early || early === 'reported') return;
  state.early = early.at === undefined ? undefined : 'reported';
  if (early.at !== undefined) {
    const detail = say`the client spoke before the greeting was complete`;
    reportOnce(state, 'early-talker', 'client', early.at, detail);
  }
  for (const remark of early.remarks)
    report(state, 'improper-pipelining', 'client', remark.at, remark.detail);
}

/** `PIPECONNECT`; before Exim 4.94 `X_PIPE_CONNECT`. */
const OFFER = /^(?:X_)?PIPE_?CONNECT\s*$/i;
