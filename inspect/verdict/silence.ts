// Silence: a client that is alive and never spoke, and one that answers nothing. Both clear the firewall, or nearly.

import type { Finding, Premises } from '../coverage/finding';
import type { Evidence, Micros } from '../events';
import { FLAG, type Segment } from '../tcp/segment';
import { evidenceOf, type JudgeInput } from '../tcp/view';
import { type Cause, MISSED } from './judge';
import { CLIENT_SILENT, EVIDENCE, PROBE_ANSWER, UNANSWERED } from './thresholds';
import { many } from './words';

/** `counted`: see `Coverage.counted`. */
export function createSilence(counted: boolean): SilenceState {
  return {
    unanswered: counted ? 1 : UNANSWERED,
    greetedAt: undefined,
    completeAt: undefined,
    shown: [],
    repeats: 0,
    probes: [],
    answer: undefined,
    over: false,
  };
}

export function judgeSilence(state: SilenceState, input: JudgeInput): readonly Finding[] {
  if (state.over) return NOTHING;
  follow(state, input);
  const finding = spoke(input) ? undefined : (judgeSilent(state, input) ?? judgeGone(state, input));
  state.over = finding !== undefined || spoke(input);
  return finding ? [finding] : NOTHING;
}

export function deadlineOfSilence({ over, greetedAt, completeAt, probes }: SilenceState): Micros | undefined {
  if (over || greetedAt === undefined) return undefined;
  const lastProbe = probes[probes.length - 1];
  return Math.max((completeAt ?? greetedAt) + CLIENT_SILENT, (lastProbe ?? 0) + PROBE_ANSWER);
}

export interface SilenceState {
  /** What the client must have left without an answer: so many probes, or copies of the greeting. */
  readonly unanswered: number;
  /** When the server first said something. */
  greetedAt: Micros | undefined;
  /** When the greeting was complete: before that a client is right to say nothing (RFC 5321 §3.1). */
  completeAt: Micros | undefined;
  /** The greeting, and the same again and again. */
  readonly shown: Evidence[];
  repeats: number;
  /** When the client was probed. */
  readonly probes: Micros[];
  /** The client's last sign of life behind the greeting. */
  answer: Segment | undefined;
  over: boolean;
}

function follow(state: SilenceState, { kind, from, segment, news, smtp, connection, at }: JudgeInput): void {
  if (kind === 'probe' && from === 'client') state.probes.push(at);
  // A truncated greeting ends its phase at the end of all, without a code.
  if (smtp.some((event) => event.kind === 'phase' && event.phase === 'greeting' && event.reply)) {
    state.completeAt ??= at;
  }
  if (!segment) return;
  if (from === 'client' && state.greetedAt !== undefined) state.answer = segment;
  if (from !== 'server') return;
  const repeat = news.some((each) => each.kind === 'repeat');
  const first = state.greetedAt === undefined && news.some((each) => each.kind === 'octets');
  if (first) state.greetedAt = at;
  if (repeat) state.repeats += 1;
  if ((first || repeat) && state.shown.length < EVIDENCE) {
    const note = first ? 'the greeting' : 'sent again: not acknowledged';
    state.shown.push(evidenceOf(connection, 'server', segment, note));
  }
}

/** It said something, or its numbers show that it did: then another judge speaks. */
function spoke({ connection: { client } }: JudgeInput): boolean {
  return client.stream.sent > 0;
}

/** The client's own number is still that of its first octet, long after it was greeted. */
function judgeSilent(state: SilenceState, { connection, at }: JudgeInput): Finding | undefined {
  const { completeAt, answer, probes } = state;
  if (completeAt === undefined || !answer || connection.server.acked === 0) return undefined;
  if (answer.at - completeAt < CLIENT_SILENT || connection.client.stream.offsetOf(answer.seq) !== 0)
    return undefined;
  const seconds = Math.round((answer.at - completeAt) / 1e6);
  const probed = probes.some((probe) => probe <= answer.at && answer.at - probe < PROBE_ANSWER);
  return {
    at,
    since: completeAt,
    verdict: 'client-silent',
    worth: 'proved',
    premises: PREMISES,
    where: 'before',
    proof: probed ? 'probe' : 'sequence',
    missingBytes: 0,
    summary:
      `The client has the greeting, is alive, and has sent nothing in ${seconds} s: its next octet is still its ` +
      'first. Nothing was dropped on the path.',
    evidence: [evidenceOf(connection, 'client', answer, `${flagsNote(answer)} at its first octet`)],
  };
}

/** Neither the greeting nor a probe brought a sign of life. That the path swallows the answers cannot be ruled out. */
function judgeGone(state: SilenceState, { at, connection }: JudgeInput): Finding | undefined {
  const { greetedAt, probes, answer, repeats, shown } = state;
  // A client that closed its side has said so, and its TCP may forget it soon.
  if (greetedAt === undefined || connection.client.finAt !== undefined) return undefined;
  const open = probes.filter((each) => (answer?.at ?? 0) < each);
  const [probe] = open;
  const unanswered = probe !== undefined && at - probe >= PROBE_ANSWER;
  const unheard = answer === undefined && repeats > 0;
  if (open.length + (unheard ? repeats : 0) < state.unanswered) return undefined;
  if (!(unanswered || unheard) || at - greetedAt < CLIENT_SILENT) return undefined;
  return {
    at,
    since: greetedAt,
    verdict: 'client-gone',
    worth: 'suspected',
    premises: PREMISES,
    where: 'before',
    proof: unanswered ? 'probe' : 'sequence',
    summary:
      `The client answers nothing: ${many(repeats, 'retransmission')} and ${many(probes.length, 'probe')} of its TCP in ` +
      `${Math.round((at - greetedAt) / 1e6)} s brought no segment. It is gone, or nothing of it comes through.`,
    evidence: [...shown],
  };
}

const NOTHING: readonly Finding[] = [];
/** What was missed may have been what the client said. */
const PREMISES: Premises = { toSay: ['handshake', 'nothing-missed'] };

function flagsNote({ flags }: Segment): string {
  return flags & FLAG.rst ? 'RST' : flags & FLAG.fin ? 'FIN' : 'bare ACK';
}

/** A client that is alive and says nothing. */
export const SILENT_CAUSE: Cause = {
  rank: 3,
  what: 'the client was alive and never spoke',
  next: 'nothing was dropped; look at the client',
  suspect: 'client',
  recheck:
    'The client acknowledges the greeting, and its sequence number (`tcp.seq`) stays that of its first octet: it ' +
    'has sent nothing.',
  ruledOut: [
    'That a firewall dropped the EHLO: the client’s sequence number shows that it sent none.',
    'That the client was down: it answered.',
  ],
  open: [MISSED],
};

/** A client that answers nothing. */
export const GONE_CAUSE: Cause = {
  rank: 3,
  what: 'the client answered nothing any more',
  next: 'it is gone, or nothing of it comes through; capture nearer to it',
  suspect: 'client',
  recheck: 'The server’s frames are sent again and again, and no frame of the client follows.',
  ruledOut: [],
  open: [
    'A client that left without a word: a scanner, or a spam engine.',
    'A path that swallows all that it answers.',
  ],
};
