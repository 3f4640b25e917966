// What one connection costs its server: errors, messages, and clocks for clients that are slow on purpose.

import type { Micros, Phase, PhaseEvent } from '../events';
import { IDLE_COMMANDS, IDLE_COMMANDS_BEFORE, MESSAGE_WINDOW } from '../limits';
import type { Waiting } from '../smtp/session';
import {
  noCommand,
  noTransaction,
  slowLine,
  slowMessage,
  tooManyErrors,
  tooManyMessages,
  type ConnectionLimits,
  type Excess,
} from './limits-of-load';

/** All times are of a steady clock. */
export interface Load {
  /** Client octets came; `waiting` is what the session says behind them. */
  read(bytes: Uint8Array, waiting: Waiting, at: Micros): Excess | undefined;
  phase(event: PhaseEvent, at: Micros): Excess | undefined;
  /** When a clock runs out. */
  due(): Micros;
  /** To be called at `due`, or before. `blocked`: the server does not take what the client sends, which is not its fault. */
  late(waiting: Waiting, blocked: boolean, at: Micros): Excess | undefined;
  /** How long the client's next octets are to wait for what it did since this was asked last. */
  delay(): Micros;
  /** It has begun a transaction (MAIL was accepted) once. */
  hasBegun(): boolean;
}

export function createLoad(limits: ConnectionLimits): Load {
  const state: State = {
    limits,
    errors: 0,
    idle: 0,
    owed: 0,
    transactions: 0,
    accepted: false,
    greeted: undefined,
    line: undefined,
    message: undefined,
    rested: undefined,
  };
  return {
    read: (bytes, waiting, at) => read(state, bytes, waiting, at),
    phase: (event, at) => endPhase(state, event, at),
    due: () => dueOf(state),
    late: (waiting, blocked, at) => late(state, waiting, blocked, at),
    delay() {
      const { owed } = state;
      state.owed = 0;
      return owed;
    },
    hasBegun: () => state.transactions > 0,
  };
}

interface State {
  readonly limits: ConnectionLimits;
  /** Since the last message that was accepted: errors, and commands that bring no message nearer. */
  errors: number;
  idle: number;
  owed: Micros;
  transactions: number;
  /** The last transaction came to a message, or to a chunk of one. */
  accepted: boolean;
  /** Since when the first command, the rest of a line, and a transaction are waited for. */
  greeted: Micros | undefined;
  line: Micros | undefined;
  rested: Micros | undefined;
  /** The window of the message that is being sent. */
  message: { since: Micros; octets: number } | undefined;
}

function read(state: State, bytes: Uint8Array, waiting: Waiting, at: Micros): Excess | undefined {
  const { limits } = state;
  if (waiting.opaque) {
    state.greeted = state.line = state.message = state.rested = undefined;
    return undefined;
  }
  if (isContent(waiting)) {
    state.line = undefined;
    state.message ??= { since: at, octets: 0 };
    state.message.octets += bytes.length;
    return undefined;
  }
  state.message = undefined;
  const ends = bytes.lastIndexOf(LF);
  if (ends >= 0) state.greeted = undefined;
  if (ends === bytes.length - 1) state.line = undefined;
  else if (ends >= 0) state.line = at;
  else state.line ??= at;
  const over = state.transactions >= limits.messages && state.accepted && !GOES_ON.has(firstLetters(bytes));
  return over ? tooManyMessages(limits.messages) : undefined;
}

function endPhase(state: State, { phase, reply }: PhaseEvent, at: Micros): Excess | undefined {
  const code = reply?.code ?? 0;
  const fine = code >= 200 && code < 300;
  if (phase === 'greeting') {
    state.greeted = state.rested = at;
    return undefined;
  }
  if (phase === 'message') {
    state.message = undefined;
    state.rested = at;
    if (fine) state.errors = state.idle = 0;
    state.accepted ||= fine;
  }
  if (phase === 'mail' && fine) {
    state.transactions += 1;
    state.accepted = false;
    state.rested = at;
  }
  if (IDLE.has(phase)) state.idle += 1;
  const free = state.transactions === 0 ? IDLE_COMMANDS_BEFORE : IDLE_COMMANDS;
  if (code < 500 && (!IDLE.has(phase) || state.idle <= free)) return undefined;
  const { errorsBeforeDelay, errorDelay } = state.limits;
  state.errors += 1;
  if (state.errors > errorsBeforeDelay) state.owed = errorDelay;
  return judgeErrors(state);
}

/** Who offers no message has no recipients to be wrong about. */
function judgeErrors({ limits, errors, transactions }: State): Excess | undefined {
  const { errors: most, errorsWithoutTransaction: least } = limits;
  if (errors > most) return tooManyErrors('errors', most);
  if (transactions === 0 && errors > least) return tooManyErrors('errorsWithoutTransaction', least);
  return undefined;
}

function dueOf({ limits, greeted, line, rested, message }: State): Micros {
  return Math.min(
    (greeted ?? Infinity) + limits.firstCommand,
    (line ?? Infinity) + limits.commandLine,
    (rested ?? Infinity) + limits.withoutTransaction,
    (message?.since ?? Infinity) + MESSAGE_WINDOW,
  );
}

function late(state: State, waiting: Waiting, blocked: boolean, at: Micros): Excess | undefined {
  const { firstCommand, commandLine, withoutTransaction, messageRate } = state.limits;
  const { message } = state;
  if (message !== undefined && at >= message.since + MESSAGE_WINDOW) {
    if (!blocked && message.octets < messageRate * (MESSAGE_WINDOW / 1e6)) return slowMessage(messageRate);
    state.message = { since: at, octets: 0 };
  }
  // A message has its own clock, and while the server is waited for the client can do nothing.
  if (isContent(waiting) || waiting.on === 'server') {
    if (state.rested !== undefined) state.rested = at;
    if (state.greeted !== undefined) state.greeted = at;
    if (state.line !== undefined) state.line = at;
  }
  if (at - (state.greeted ?? at) >= firstCommand) return noCommand(firstCommand);
  if (at - (state.line ?? at) >= commandLine) return slowLine(commandLine);
  return at - (state.rested ?? at) >= withoutTransaction ? noTransaction(withoutTransaction) : undefined;
}

/** EHLO, HELO, RSET, NOOP, VRFY and what is unknown: some are usual, and any number of them is a flood. */
const IDLE: ReadonlySet<Phase> = new Set(['hello', 'reset', 'other']);

/** Octets that go on with a message, or that end the dialogue. */
const GOES_ON: ReadonlySet<string> = new Set(['BDAT', 'QUIT']);

function firstLetters(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes.subarray(0, 4)).toUpperCase();
}

function isContent({ on, phase }: Waiting): boolean {
  return on === 'client' && phase === 'message';
}

const LF = 0x0a;
