// Which command a reply answers. Behind a hole it is said only where one answer is left: unknown is none, never a wrong one.

import type { Micros, ReplyCode } from '../events';
import { opensWithCommand, opensWithHeader } from './behind';
import { beginBody, decide } from './client';
import { canHave, UNSEEN } from '../grammar/grammar';
import { endPending, fragment, type Pending, type State } from './state';

/** The command that a reply answers, as the first one that is pending; those before it are given up. */
export function pair(state: State, reply: ReplyCode, at: Micros): Pending | undefined {
  if (!state.lossy) return state.pending[0];
  if (state.held.length > 0 && settleUndecided(state, reply, at)) return undefined;
  const anchor = anchorOf(state, reply);
  if (anchor !== undefined) {
    giveUp(state, anchor, at);
    state.repliesLost = false;
    findBack(state);
    return state.pending[0];
  }
  const [head, next] = state.pending;
  if (!head || head.rule === UNSEEN) return askedUnseen(state, reply, at);
  if (!state.repliesLost) return head;
  // What seems to be its octets may be commands, if its end was missed.
  if (head.content?.holed && head.content.ended === undefined) return undefined;
  if (next === undefined) {
    // The server owes one reply at the most, and this is one.
    if (!canHave(head.rule, reply.code)) return undefined;
    state.repliesLost = false;
    findBack(state);
    return head;
  }
  // It answers one of them: at the least the first is answered.
  giveUp(state, 1, at);
  return undefined;
}

/** Replies of the server were missed: those to the first commands may be among them. */
export function loseReplies(state: State): void {
  state.lossy = true;
  state.repliesLost = true;
}

/** Octets of the client were missed: commands may be among them, here in the order. */
export function loseCommands(state: State, at: Micros): void {
  state.lossy = true;
  if (state.pending[state.pending.length - 1]?.rule !== UNSEEN)
    state.pending.push({ rule: UNSEEN, arrived: at });
}

/** A client that waits goes on only when it has been answered (RFC 2920 §3.1). */
export function goOn(state: State, at: Micros): void {
  const { lossy, pending, repliesLost } = state;
  if (!lossy || state.told?.has('improper-pipelining client')) return;
  const from = repliesLost ? 0 : pending.findIndex(({ rule }) => rule === UNSEEN);
  const waited = pending
    .map(({ rule: { endsGroup, phase } }) => endsGroup && phase !== 'greeting')
    .lastIndexOf(true);
  if (from >= 0 && waited >= from) giveUp(state, waited + 1, at);
  if (pending.length === 0) state.repliesLost = false;
  findBack(state);
}

/** Nothing is unknown any more. */
function findBack(state: State): void {
  if (!state.repliesLost && !state.pending.some(({ rule }) => rule === UNSEEN)) state.lossy = false;
}

function giveUp(state: State, count: number, at: Micros): void {
  for (let i = 0; i < count; i += 1) endPending(state, at, undefined);
}

/** The one pending command that can have such a reply, where no other verb has it. */
function anchorOf({ pending }: State, { code, lines }: ReplyCode): number | undefined {
  const fits = ({ rule: { codes, phase } }: Pending): boolean =>
    code === 250 ? phase === 'hello' && lines > 1 : codes?.includes(code) === true;
  const found = pending.flatMap((each, i) => (fits(each) ? [i] : []));
  return found.length === 1 ? found[0] : undefined;
}

/** A reply to what was missed. 354: that was DATA, and the message follows. */
function askedUnseen(state: State, { code }: ReplyCode, at: Micros): undefined {
  if (code !== START_MAIL_INPUT || state.pending.length === 0 || state.mode.kind !== 'command') return;
  giveUp(state, state.pending.length, at);
  state.repliesLost = state.lossy = false;
  const half = state.sides.client.framer.flush();
  if (half) fragment(state, 'client', half);
  beginBody(state, at);
}

/**
 * The client has gone on behind a command whose reply decides: most likely it was answered in the hole, and what it sent
 * shows how. Whose reply this one is may be left unknown: true.
 */
function settleUndecided(state: State, { code }: ReplyCode, at: Micros): boolean {
  const { pending } = state;
  const last = pending[pending.length - 1];
  if (!state.repliesLost || !last?.rule.next) return false;
  const refused = code >= 400;
  const own = !refused && (last.rule.codes?.includes(code) === true || code === SERVICE_CLOSES);
  // Those before it may still be answered.
  if (!own && (pending.length > 1 || (!refused && canHave(last.rule, code)))) return false;
  presume(state, at);
  return refused;
}

/** They may be anything. */
function loseHeld(state: State, at: Micros): void {
  const { held } = state;
  const { position } = state.sides.client;
  const span = { start: position - held.length, end: position };
  fragment(state, 'client', { span, started: held.startedAt(), at });
  held.clear();
  loseCommands(state, at);
  state.mode = { kind: 'command' };
}

/** Nobody will say what the held octets are: they do. */
export function presume(state: State, at: Micros): void {
  const { pending, held } = state;
  const last = pending[pending.length - 1];
  if (state.mode.kind !== 'undecided' || !last) return;
  const piece = held.first();
  giveUp(state, pending.length, at);
  if (piece && opensWithCommand(piece.bytes)) decide(state, { kind: 'command' });
  else if (last.rule.phase === 'data' && piece && opensWithHeader(piece.bytes)) beginBody(state, at);
  else if (last.rule.phase === 'data') loseHeld(state, at);
  else if (last.rule.phase === 'auth') decide(state, { kind: 'secret', verb: last.verb ?? '' });
  else decide(state, { kind: 'command' });
}

const START_MAIL_INPUT = 354;
/** QUIT may be among what is held. */
const SERVICE_CLOSES = 221;
