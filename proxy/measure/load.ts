// One load: sessions that begin on schedule or as places free, until they have all ended.

import type { Endpoint } from '../../inspect/address';
import type { Micros } from '../../inspect/events';
import type { Dialogue, Step } from '../../inspect/measure/dialogue';
import { dueAt, type Schedule } from '../../inspect/measure/schedule';
import { steady } from '../system/clock';
import type { Link, Network, Peer } from './network';
import { record, recordFailure, type Tally } from './tally';

export interface LoadOptions {
  readonly network: Network;
  readonly server: Endpoint;
  /** For TLS (RFC 6066 §3). */
  readonly serverName: string | undefined;
  readonly createDialogue: (started: Micros) => Dialogue;
  readonly schedule: Schedule;
  /** Sessions at a time. */
  readonly concurrency: number;
  /** Silence of the server after which a session has failed. */
  readonly timeout: Micros;
  readonly tally: Tally;
}

export interface Load {
  readonly ended: Promise<void>;
  /** No more sessions begin, and those that are open are cut off. */
  stop(): void;
}

interface Session {
  readonly dialogue: Dialogue;
  readonly link: Link;
  readonly due: Micros;
  lastAt: Micros;
  failed: boolean;
}

export function startLoad(options: LoadOptions): Load {
  const { schedule, concurrency, tally } = options;
  const began = steady();
  const open = new Set<Session>();
  let next = 0;
  let over = false;
  let timer: NodeJS.Timeout | undefined;
  let done: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => (done = resolve));
  const sweep = setInterval(() => endSilent(open, options, leave), SWEEP_MS);

  /** Begins what is due. */
  const advance = (): void => {
    while (!over && open.size < concurrency) {
      const elapsed = steady() - began;
      const due = dueAt(schedule, next, elapsed);
      if (due === undefined || isOver(elapsed)) break;
      if (due - elapsed > TIMER) {
        timer ??= setTimeout(wake, Math.floor((due - elapsed) / 1000));
        break;
      }
      next += 1;
      if (schedule.rate !== undefined) record(tally, 'late', elapsed - due);
      open.add(beginSession(options, began + Math.min(due, elapsed), leave));
    }
    if (open.size === 0 && timer === undefined) finish();
  };
  const wake = (): void => {
    timer = undefined;
    advance();
  };
  const leave = (session: Session, at: Micros): void => {
    if (!open.delete(session)) return;
    tally.sessions += 1;
    if (session.failed) tally.failed += 1;
    record(tally, 'session', at - session.due);
    advance();
  };
  /** A session that had no place until then does not begin at all. */
  const isOver = (elapsed: Micros): boolean =>
    schedule.duration !== undefined && elapsed >= schedule.duration;
  const finish = (): void => {
    if (over) return;
    over = true;
    clearInterval(sweep);
    clearTimeout(timer);
    countUnbegun(options, next, steady() - began);
    tally.seconds += Math.max(steady() - began, windowOf(schedule, next)) / 1e6;
    done();
  };
  setImmediate(advance);
  return {
    ended,
    stop() {
      if (over) return;
      tally.open += open.size;
      open.forEach(({ link }) => link.close());
      open.clear();
      finish();
    },
  };
}

/** The time that the sessions which began were due in: the last one ends before the next one would be due. */
function windowOf({ rate, duration }: Schedule, sessions: number): Micros {
  return rate === undefined ? 0 : Math.min((sessions * 1e6) / rate, duration ?? Number.POSITIVE_INFINITY);
}

/** Of what was due and had no place, the wait so far is known: left out, it would hide the stall. */
function countUnbegun({ schedule, tally }: LoadOptions, first: number, elapsed: Micros): void {
  if (schedule.rate === undefined) return;
  const end = Math.min(elapsed, schedule.duration ?? Number.POSITIVE_INFINITY);
  for (let session = first; ; session += 1) {
    const due = dueAt(schedule, session, end);
    if (due === undefined || due > end) return;
    tally.unbegun += 1;
    record(tally, 'late', end - due);
    record(tally, 'session', end - due);
  }
}

type Leave = (session: Session, at: Micros) => void;

function beginSession(options: LoadOptions, due: Micros, leave: Leave): Session {
  const { network, server, createDialogue } = options;
  const started = steady();
  const dialogue = createDialogue(started);
  const hear = (steps: readonly Step[], at: Micros): void => {
    session.lastAt = at;
    for (const step of steps) if (take(step, session, options)) leave(session, at);
  };
  const peer: Peer = {
    opened: (at) => hear(dialogue.opened(at), at),
    octets: (octets, at) => hear(dialogue.feed(octets, at), at),
    secured: (at) => hear(dialogue.secured(at), at),
    ended(cause, at) {
      hear(dialogue.end(cause, at), at);
      leave(session, at);
    },
  };
  const session: Session = {
    dialogue,
    due,
    link: network.connect(server, peer),
    lastAt: started,
    failed: false,
  };
  return session;
}

/** Does one step; true where it ends the session. */
function take(step: Step, session: Session, { tally, serverName }: LoadOptions): boolean {
  const { link } = session;
  switch (step.kind) {
    case 'phase':
      record(tally, step.phase, step.duration);
      return false;
    case 'send':
      link.send(step.octets);
      return false;
    case 'secure':
      link.secure(serverName);
      return false;
    case 'taken':
      tally.messages += 1;
      tally.octets += step.octets;
      return false;
    case 'failure':
      session.failed = true;
      recordFailure(tally, step);
      return false;
    case 'close':
      link.close();
      return true;
  }
}

/** The server has said nothing for too long; of a session that said QUIT only the close is waited for. */
function endSilent(open: ReadonlySet<Session>, options: LoadOptions, leave: Leave): void {
  const at = steady();
  for (const session of [...open]) {
    const { dialogue, link, lastAt } = session;
    if (at - lastAt < (dialogue.waiting() === 'close' ? CLOSE : options.timeout)) continue;
    link.close();
    for (const step of dialogue.end('timed-out', at)) take(step, session, options);
    leave(session, at);
  }
}

const SWEEP_MS = 100;
/** A timer's step: what is due within it begins now, and counts from now. */
const TIMER: Micros = 1_000;
/** A server that leaves the closing to its client. */
const CLOSE: Micros = 1_000_000;
