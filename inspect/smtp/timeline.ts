// The phases of one connection on one time line: each begins where the one before it ended, or later.

import type {
  Close,
  GreetingClass,
  GreetingDefect,
  Micros,
  Phase,
  PhaseEntry,
  PhaseEvent,
  ReplyCode,
  SessionEvent,
  TlsFacts,
} from '../events';
import { SESSION_PHASES } from '../limits';
import type { Quotable } from '../quotable';

/** What a phase says besides its times. */
export interface PhaseFacts {
  readonly verb?: string;
  readonly argument?: Quotable;
  readonly reply?: ReplyCode;
  readonly bytes?: number;
  readonly tls?: TlsFacts;
  readonly greeting?: { readonly class: GreetingClass; readonly defects: readonly GreetingDefect[] };
  readonly close?: Close;
}

/** What a connection's line says besides its phases. */
type SessionFacts = Pick<SessionEvent, 'proxy' | 'hello' | 'tls' | 'messages' | 'bytes' | 'close'>;

export interface Timeline {
  /**
   * Ends a phase that was requested at `asked`. It starts then or, where it was pipelined, at the end of the
   * phase before it. `transferred`: when the last octet of a message had come.
   */
  end(phase: Phase, asked: Micros, at: Micros, facts: PhaseFacts, transferred?: Micros): PhaseEvent;
  summary(at: Micros, facts: SessionFacts): SessionEvent;
}

export function createTimeline(started: Micros): Timeline {
  const phases: PhaseEntry[] = [];
  let omitted = 0;
  let last = started;
  return {
    end(phase, asked, at, facts, transferred) {
      // A clock that was set back must not make times negative.
      const begun = Math.max(asked, last);
      const ended = Math.max(at, begun);
      const event: Mutable<PhaseEvent> = {
        kind: 'phase',
        phase,
        at: ended,
        started: begun,
        sinceConnect: begun - started,
        duration: ended - begun,
        waited: begun - last,
      };
      addFacts(event, facts);
      if (transferred !== undefined) event.transfer = Math.max(0, transferred - begun);
      last = ended;
      if (phases.length < SESSION_PHASES) {
        phases.push([phase, event.sinceConnect, event.duration, facts.reply?.code]);
      } else {
        omitted += 1;
      }
      return event;
    },
    summary: (at, facts) => ({
      kind: 'session',
      at: Math.max(at, last),
      started,
      phases,
      phasesOmitted: omitted,
      ...facts,
    }),
  };
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** What there is of them, one by one: a spread in the midst of a literal is ten times as dear. */
function addFacts(event: Mutable<PhaseEvent>, facts: PhaseFacts): void {
  const { verb, argument, reply, bytes, tls, greeting, close } = facts;
  if (verb !== undefined) event.verb = verb;
  if (argument !== undefined) event.argument = argument;
  if (reply) event.reply = reply;
  if (bytes !== undefined) event.bytes = bytes;
  if (tls) event.tls = tls;
  if (greeting) event.greeting = greeting;
  if (close) event.close = close;
}
