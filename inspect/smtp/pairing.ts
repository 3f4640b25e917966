// Which command a reply answers. Behind a hole it is said only where one answer is left: unknown is none, never a wrong one.

import type { Micros, ReplyCode } from '../events';
import { beginBody, presume } from './client';
import { canHave, UNSEEN } from '../grammar/grammar';
import { fragment, type Pending, type State } from './state';
import { findBack, giveUp } from './gap';

/** The command that a reply answers, as the first one that is pending; those before it are given up. */
export function pair(state: State, reply: ReplyCode, at: Micros): Pending | undefined {
  if (!state.lossy) return state.pending[0];
  if (state.undecided.length() > 0 && settleUndecided(state, reply, at)) return undefined;
  const anchor = anchorOf(state, reply);
  if (anchor !== undefined) {
    giveUp(state, anchor, at);
    state.repliesLost = false;
    findBack(state);
    return state.pending[0];
  }
  const [head, next] = state.pending;
  if (!head || head.rule === UNSEEN) return answersUnseen(state, reply, at);
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

/** The one pending command that can have such a reply, where no other verb has it. */
function anchorOf({ pending }: State, { code, lines }: ReplyCode): number | undefined {
  const fits = ({ rule: { codes, phase } }: Pending): boolean =>
    code === 250 ? phase === 'hello' && lines > 1 : codes?.includes(code) === true;
  const found = pending.flatMap((each, i) => (fits(each) ? [i] : []));
  return found.length === 1 ? found[0] : undefined;
}

/** A reply to what was missed. 354: that was DATA, and the message follows. */
function answersUnseen(state: State, { code }: ReplyCode, at: Micros): undefined {
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

const START_MAIL_INPUT = 354;
/** QUIT may be among what is held. */
const SERVICE_CLOSES = 221;
