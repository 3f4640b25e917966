// Beyond this point: a side's octets pass here again and again, and the receiver does not acknowledge them.
//
// An acknowledgement names all that its sender has received, in order, and it only ever grows (RFC 9293 §3.4). Where the
// receiver, long after the second copy passed, still sends the old one, neither copy has come to it: that is proved,
// whatever else this point has missed. Where the receiver is silent, it may be gone, or its answers may be lost: that is
// suspected, and only of the client's octets. A client that is silent is `client-gone`: many leave without a word.

import type { Finding, Premise, Premises } from '../coverage/finding';
import type { Certainty, Direction, Micros } from '../events';
import { FLAG, type Segment } from '../tcp/segment';
import { type ConnectionView, evidenceOf, type JudgeInput, windowOf } from '../tcp/view';
import { type Cause, type Ground, MISSED } from './judge';
import { DELAYED_ACK, EVIDENCE, HOLE_PATIENCE, reorderingTime, UNANSWERED } from './thresholds';
import { type DroppedName, droppedName, octets, seconds, times, toName } from './words';

/** Watches the octets that one side sends, and what the other side acknowledges. `counted`: see `Coverage.counted`. */
export function createBeyond(from: Direction, counted: boolean): BeyondState {
  return {
    from,
    unanswered: counted ? 2 : UNANSWERED,
    head: undefined,
    firstEnd: Infinity,
    room: Infinity,
  };
}

export function judgeBeyond(state: BeyondState, input: JudgeInput): readonly Finding[] {
  const { from } = state;
  const findings = acknowledged(state, input);
  if (input.from === OTHER[from] && input.segment) listen(state, input.connection, input.segment);
  if (input.from === from && input.segment) follow(state, input, input.segment);
  for (const event of input.smtp) {
    const whole = (event.kind === 'command' || event.kind === 'reply') && event.from === from;
    if (whole) state.firstEnd = Math.min(state.firstEnd, event.span.end);
  }
  // What passed once is no news, however it is answered.
  if (state.head?.secondAt === undefined) return findings;
  return [...findings, ...judgeAlive(state, state.head, input), ...judgeSilent(state, state.head, input)];
}

export function deadlineOfBeyond({ from, head }: BeyondState): Micros | undefined {
  const waits =
    from === 'client' && head?.secondAt !== undefined && head.reported === undefined && !head.excused;
  return waits ? (head.secondAt ?? 0) + SILENCE : undefined;
}

export interface BeyondState {
  readonly from: Direction;
  /** How many copies must stay without an answer before the silence is reported. */
  readonly unanswered: number;
  head: Head | undefined;
  /** Where the side's first command, or its greeting, ends. */
  firstEnd: number;
  /** Octets that the receiver has room for. */
  room: number;
}

/** The first octets that the receiver has not acknowledged: what is sent again when nothing comes back (RFC 6298 §5.4). */
interface Head {
  readonly start: number;
  end: number;
  /** Copies that passed here. */
  copies: number;
  readonly firstAt: Micros;
  secondAt: Micros | undefined;
  lastAt: Micros;
  /** How far its side had sent by then. */
  sent: number;
  /** The receiver has no room for them (RFC 9293 §3.8.6.1), or has not finished the handshake: it has said why. */
  excused: boolean;
  /** The side had said nothing whole before. Mid-stream that is not known: then nothing is found. */
  readonly first: boolean;
  /** The first of its copies; evidence is made of them when there is something to say. */
  readonly passed: { readonly segment: Segment; readonly copy: number }[];
  reported: Certainty | undefined;
}

function follow(state: BeyondState, { connection, news, at }: JudgeInput, segment: Segment): void {
  const { from } = state;
  const { stream, acked } = connection[from];
  const start = stream.offsetOf(segment.seq) ?? 0;
  const end = start + segment.length;
  if (segment.length === 0 || start > acked || end <= acked || news[0]?.kind === 'keepalive') return;
  const again = news.some((each) => each.kind === 'repeat' && each.span.end > acked);
  const known = state.head?.start === acked ? state.head : undefined;
  if (known && !again) return;
  // One for each segment that carries octets: nothing is copied, and no evidence is made of what comes once.
  const head: Head = known ?? {
    start: acked,
    end,
    copies: again ? 1 : 0,
    firstAt: at,
    secondAt: undefined,
    lastAt: at,
    sent: 0,
    excused: state.room < segment.length,
    first: acked < state.firstEnd,
    passed: [],
    reported: undefined,
  };
  state.head = head;
  head.end = Math.max(head.end, end);
  head.copies += 1;
  head.lastAt = at;
  if (head.copies === 2) {
    head.secondAt = at;
    head.sent = stream.sent;
  }
  if (head.passed.length < EVIDENCE - 1) head.passed.push({ segment, copy: head.copies });
}

/** What keeps the receiver from taking the octets. */
function listen(state: BeyondState, connection: ConnectionView, segment: Segment): void {
  const { head, from } = state;
  const { flags } = segment;
  if (flags & FLAG.rst) return;
  // The window of a SYN is not scaled, and one more SYN says that the handshake's end has not come.
  if (!(flags & FLAG.syn)) state.room = windowOf(connection, OTHER[from], segment);
  if (head && (flags & FLAG.syn || state.room < head.end - head.start)) head.excused = true;
}

/** The receiver has the octets. If it was said that they were dropped, it is said how that ended. */
function acknowledged(state: BeyondState, input: JudgeInput): readonly Finding[] {
  const { head, from } = state;
  if (!head || input.connection[from].acked <= head.start) return NOTHING;
  state.head = undefined;
  if (!head.reported || !input.segment || input.from !== OTHER[from]) return NOTHING;
  // How late it came is no figure of the verdict: the first copy may have passed before the capture began.
  const late = input.at - head.firstAt;
  const note = `acknowledges them, ${seconds(late)} s after the first copy`;
  return [
    {
      ...findingOf(state, head, input, head.reported, [input.segment, note]),
      came: 'late',
      summary: LATE(facts(state, head), late, head.reported),
    },
  ];
}

/** The receiver speaks, and still acknowledges only what came before, long after the second copy should have come to it. */
function judgeAlive(state: BeyondState, head: Head, input: JudgeInput): Finding[] {
  const { segment, connection, at } = input;
  if (input.from !== OTHER[state.from] || !segment) return [];
  const { flags } = segment;
  if (head.reported === 'proved' || head.excused || !(flags & FLAG.ack) || flags & (FLAG.rst | FLAG.syn))
    return [];
  const acked = connection[state.from].stream.offsetOf(segment.ack);
  if (acked !== head.start || head.secondAt === undefined || at - head.secondAt < margin(connection))
    return [];
  head.reported = 'proved';
  const note = 'it still acknowledges only what came before';
  return [
    { ...findingOf(state, head, input, 'proved', [segment, note]), summary: ALIVE(facts(state, head)) },
  ];
}

/** Nothing at all comes back, though its client has sent the octets again and waits. */
function judgeSilent(state: BeyondState, head: Head, input: JudgeInput): Finding[] {
  const { connection, at, kind } = input;
  const { from } = state;
  if (from !== 'client' || head.reported || head.excused || head.secondAt === undefined) return [];
  if (head.copies < state.unanswered) return [];
  const { client, server } = connection;
  const over = server.finAt !== undefined || server.rstAt !== undefined || client.rstAt !== undefined;
  // What was not acknowledged keeps all that is new back (RFC 5681 §3.1): who goes on has heard something.
  if (over || client.stream.sent > head.sent) return [];
  const waited = at - head.secondAt;
  if (waited < SILENCE && !(kind === 'end' && waited >= margin(connection))) return [];
  head.reported = 'suspected';
  return [{ ...findingOf(state, head, input, 'suspected'), summary: SILENT(facts(state, head)) }];
}

/** Until an answer to the second copy must have come here: both ways, and an ACK that its sender delays. */
function margin({ rtt }: ConnectionView): Micros {
  return DELAYED_ACK + (rtt ?? reorderingTime(undefined));
}

function findingOf(
  state: BeyondState,
  head: Head,
  { connection, at, probed }: JudgeInput,
  worth: Certainty,
  answer?: readonly [segment: Segment, note: string],
): Omit<Finding, 'summary'> {
  const { from } = state;
  const { start, end, first, passed } = head;
  const evidence = passed.map(({ segment, copy }) =>
    evidenceOf(connection, from, segment, `copy ${copy}: it passed here`),
  );
  const answered = answer ? [evidenceOf(connection, OTHER[from], ...answer)] : [];
  return {
    at,
    verdict: droppedName(from, first),
    worth,
    premises: premisesOf(from, head, worth),
    proof: probed ? 'probe' : 'sequence',
    where: 'beyond',
    since: head.firstAt,
    about: { from, start },
    missingBytes: end - start,
    came: 'never',
    evidence: [...evidence, ...answered],
  };
}

/** An old acknowledgement is one, whatever else was missed; a silence may be a direction that is not captured. */
function premisesOf(from: Direction, { first, start }: Head, worth: Certainty): Premises {
  const named = toName(from, first, start);
  if (worth === 'proved') return { toSay: named };
  // Later on the receiver may have said, in one segment, that it has no room.
  return { toSay: [...named, 'both-sides', 'nothing-missed', ...(first ? [] : COUNTED)] };
}

interface Facts {
  /** `The client's first command (EHLO, 21 octets) passed here 6 times in 6.8 s`. */
  readonly passed: string;
  readonly receiver: Direction;
}

function facts({ from }: BeyondState, { first, start, end, copies, firstAt, lastAt }: Head): Facts {
  const what = octets(end - start);
  const passed = `${SUBJECT[droppedName(from, first)](from, what)} passed here ${times(copies)} in ${seconds(lastAt - firstAt)} s`;
  return { passed, receiver: OTHER[from] };
}

const SUBJECT: Readonly<Record<DroppedName, (from: Direction, what: string) => string>> = {
  'ehlo-dropped': (_from, what) => `The client's first command (EHLO, ${what})`,
  'greeting-lost': (_from, what) => `The server's greeting (${what})`,
  'segment-dropped': (from, what) => `A segment of the ${from} (${what})`,
};

const ALIVE = ({ passed, receiver }: Facts): string =>
  `${passed}, and the ${receiver}, alive, still acknowledges only what came before: it was lost beyond this point.`;
const SILENT = ({ passed, receiver }: Facts): string =>
  `${passed}, and nothing came back: it was lost beyond this point, or the ${receiver} is gone, or its answers are lost.`;
const LATE = ({ passed, receiver }: Facts, late: Micros, certainty: Certainty): string =>
  `${passed}, and the ${receiver} acknowledged it only ${seconds(late)} s after the first time: the copies before were ` +
  `lost beyond this point${certainty === 'proved' ? '' : `, or the ${receiver} was busy`}.`;

const NOTHING: readonly Finding[] = [];
const COUNTED: readonly Premise[] = ['losses-counted'];
/** Several retransmissions: HOLE_PATIENCE from the second copy on, and a living TCP answers each at once. */
const SILENCE: Micros = HOLE_PATIENCE;
const OTHER = { client: 'server', server: 'client' } as const;

/** The receiver's acknowledgements: octets that passed here and did not come to it. */
export const UNACKNOWLEDGED = (suspect: Cause['suspect']): Ground => ({
  suspect,
  recheck:
    'The commented frames carry the same octets (`tcp.seq`, `tcp.len`) again and again. Add the column `tcp.ack`: in the ' +
    'receiver’s frames behind them it stays where it was before the first of them (an ACK covers all that has arrived, ' +
    'RFC 9293 §3.4).',
  ruledOut: [
    'That the sender said nothing: its octets are in the capture, several times.',
    'That the receiver is down: it speaks.',
    'That its acknowledgement is only late: it speaks more than half a second and a round trip after the second copy.',
    'That the capture missed the acknowledgement: a later one would cover these octets too, and does not.',
  ],
  open: [
    'The receiver is down, or too busy to answer.',
    'It has got them, and its answers were lost on their way back.',
    MISSED,
  ],
});
