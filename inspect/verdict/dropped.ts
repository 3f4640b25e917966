// Dropped: the sender's sequence number lies beyond what ever arrived (RFC 9293 §3.4: every octet is numbered).

import type { Finding, Premises } from '../coverage/finding';
import type { Direction, Evidence, Micros, Proof } from '../events';
import { DISORDER } from '../limits';
import { FLAG, type Segment } from '../tcp/segment';
import { distance } from '../tcp/seq';
import type { StreamNews } from '../tcp/stream';
import { evidenceOf, type JudgeInput } from '../tcp/view';
import { type Ground, MISSED } from './judge';
import { addFromReceiver, isBareAck, type Missing } from './missing';
import { DELAYED_ACK, EVIDENCE, HOLE_PATIENCE, recoveryTime, REORDERING, reorderingTime } from './thresholds';
import { type DroppedName, droppedName, milliseconds, octets, toName } from './words';

/** Watches the octets that one side sends. `counted`: see `Coverage.counted`. */
export function createDropped(from: Direction, counted: boolean): DroppedState {
  return {
    from,
    counted,
    hole: undefined,
    late: undefined,
    acknowledges: false,
    last: undefined,
    spoken: false,
  };
}

export function judgeDropped(state: DroppedState, input: JudgeInput): readonly Finding[] {
  const { from } = state;
  watchReceiver(state, input);
  const filled = input.from === from ? input.news.find(isFilled) : undefined;
  if (filled) close(state, input, filled);
  const findings = filled ? NOTHING : look(state, input);
  for (const event of input.smtp) {
    if ((event.kind === 'command' || event.kind === 'reply') && event.from === from) state.spoken = true;
  }
  // Behind a gap there is no command event; a line is a command all the same.
  if (from === 'client' && input.from === from) state.spoken ||= input.news.some(endsLine);
  if (input.from === from && input.segment) state.last = input.segment;
  return state.late ? [...findings, ...cameThrough(state, input)] : findings;
}

export function deadlineOfDropped({ hole }: DroppedState): Micros | undefined {
  return hole && !hole.reported ? hole.since + hole.patience : undefined;
}

export interface DroppedState {
  readonly from: Direction;
  readonly counted: boolean;
  hole: Hole | undefined;
  /** The octets came later; to be said once they came to the receiver too: `end` is acknowledged. */
  late: { readonly finding: Finding; readonly end: number } | undefined;
  /** Bare ACKs of the receiver are among what is observed: the wire's records leave out most. */
  acknowledges: boolean;
  /** The side's last segment. */
  last: Segment | undefined;
  /** A whole command, or a whole reply, of this side has come. */
  spoken: boolean;
}

interface Hole extends Missing {
  readonly proof: Proof;
  /** How long the octets may be late. */
  readonly patience: Micros;
  readonly evidence: Evidence[];
  /** Its options were cut off. */
  readonly cut: boolean;
  /** Octets came behind the hole. */
  followed: boolean;
  reported: boolean;
}

function watchReceiver(state: DroppedState, { connection, from: sender, segment }: JudgeInput): void {
  const { from, hole } = state;
  if (!segment || sender !== OTHER[from] || !(segment.flags & FLAG.ack)) return;
  state.acknowledges ||= isBareAck(segment);
  if (hole && connection[from].acked <= hole.start)
    addFromReceiver(hole, connection[from].stream, segment, connection.rtt);
}

/**
 * Where the receiver has not got them either, something on the path has; else what the capture lost would look the same.
 * Of octets between which and the next ones the capture may have lost others the number is not known.
 */
function premisesOf({ from }: DroppedState, { first, notReceived, followed, start }: Hole): Premises {
  const named = toName(from, first, start);
  return notReceived
    ? { toSay: [...named, 'nothing-missed'], toProve: followed ? ['losses-counted'] : [] }
    : { toSay: [...named, 'both-sides', 'nothing-missed', 'losses-counted'] };
}

type Filled = Extract<StreamNews, { kind: 'filled' }>;

/** Opens a hole where the side has sent beyond what came, collects what shows it, and reports it when it has waited long enough. */
function look(state: DroppedState, input: JudgeInput): readonly Finding[] {
  const { stream } = input.connection[state.from];
  if (stream.sent <= stream.next) {
    // Given up: the other side had the octets, and it was the capture that missed them.
    state.hole = undefined;
    return NOTHING;
  }
  if (input.from === state.from && input.segment) collect(state, input, input.segment);
  const { hole } = state;
  const { kind, connection } = input;
  if (!hole || hole.reported || !isRipe(hole, input)) return [];
  // The receiver may still say what it has. Where stamps are cut off, what came late looks the same as what was held.
  if (kind !== 'end' && (!state.counted || hole.cut || connection[state.from].syn?.options.cut)) return [];
  if (!isConfirmed(state, hole, input)) return [];
  hole.reported = true;
  const missing = stream.holeEnd() - hole.start - hiddenFin(state, input);
  const worth = mayHideFin(state, input) ? 'suspected' : 'proved';
  return [{ ...findingOf(state, hole, input.at, missing), worth }];
}

/** Whether nothing but a loss explains it: what was overtaken had time to come, and the receiver had time to send an ACK. */
function isConfirmed(
  { from, acknowledges }: DroppedState,
  hole: Hole,
  { at, connection, kind }: JudgeInput,
): boolean {
  const age = at - hole.since;
  const { stream } = connection[from];
  // Where the capture ends in bulk, one segment that is sent again at once may be on its way; a flight of them is not.
  const alone = !hole.first && stream.holeEnd() - hole.start <= TWO_SEGMENTS;
  if (hole.notReceived) return kind !== 'end' || !alone || age >= recoveryTime(connection.rtt);
  // The wire's records leave the ACKs of bulk out.
  if (kind !== 'end' && age >= HOLE_PATIENCE) return true;
  if (hole.ackEliciting > 0 && acknowledges)
    return hole.receiverSegments > 0 && age >= DELAYED_ACK + (connection.rtt ?? 0);
  // The capture ended.
  return age >= Math.max(DISORDER, connection.rtt ?? REORDERING);
}

function collect(state: DroppedState, input: JudgeInput, segment: Segment): void {
  const { connection, at } = input;
  const bare = segment.length === 0 && !(segment.flags & (FLAG.fin | FLAG.rst));
  const answer = bare && input.probed;
  state.hole ??= {
    start: connection[state.from].stream.next,
    since: at,
    proof: answer ? 'probe' : 'sequence',
    // A probe asks after seconds of silence: what its sender had sent by then is late already, and only overtaking is left.
    patience: answer ? reorderingTime(connection.rtt) : HOLE_PATIENCE,
    evidence: state.last
      ? [evidenceOf(connection, state.from, state.last, 'the last segment before the hole')]
      : [],
    stamp: segment.options.timestamps?.[0],
    before: state.last?.options.timestamps?.[0],
    cut: segment.options.cut === true,
    first: !state.spoken,
    notReceived: false,
    ackEliciting: 0,
    resets: 0,
    followed: false,
    receiverSegments: 0,
    duplicateAcks: 0,
    reported: false,
  };
  if (segment.length > 0 || segment.flags & FLAG.fin) state.hole.ackEliciting += 1;
  if (segment.flags & FLAG.rst) state.hole.resets += 1;
  state.hole.followed ||= segment.length > 0;
  if (state.hole.evidence.length < EVIDENCE) {
    state.hole.evidence.push(evidenceOf(connection, state.from, segment, noteOf(segment, input)));
  }
}

/**
 * A FIN takes a sequence number and is no octet. Where it got lost with the octets before it, nothing shows it but that its
 * sender lets the other side's FIN stand without an own one: that it has sent before.
 */
function hiddenFin({ from }: DroppedState, { connection }: JudgeInput): number {
  const { finAt, stream } = connection[from];
  const hidden = finAt === undefined && connection[OTHER[from]].finAcked && stream.holeEnd() === stream.sent;
  return hidden && stream.sent - stream.next > 1 ? 1 : 0;
}

/** The other side has closed, and whether this one answered with its FIN is not known yet: one of what is missing may be that. */
function mayHideFin({ from }: DroppedState, { connection }: JudgeInput): boolean {
  const { finAt, finAcked } = connection[OTHER[from]];
  return connection[from].finAt === undefined && finAt !== undefined && !finAcked;
}

/** The octets came after all: they were overtaken, or they were lost and sent again. */
function close(state: DroppedState, input: JudgeInput, { span, waited }: Filled): void {
  const { hole } = state;
  state.hole = undefined;
  if (!hole || !input.segment || wasUnderWay(hole, input.segment)) return;
  // Its stamp, which would say that it was only held, the capture cut off.
  if (input.segment.options.cut) return;
  if (!hole.reported && waited < recoveryTime(input.connection.rtt)) return;
  const note = `the missing octets, ${milliseconds(waited)} ms after they were first missed`;
  hole.evidence.push(evidenceOf(input.connection, state.from, input.segment, note));
  const finding = findingOf(state, hole, input.at, span.end - span.start, waited);
  state.late = { finding, end: span.end };
}

/** What does not come to the receiver either is lost beyond this point, and its first copies may have been here unseen. */
function cameThrough(state: DroppedState, { connection }: JudgeInput): readonly Finding[] {
  const { late, from } = state;
  if (!late || connection[from].acked < late.end) return NOTHING;
  state.late = undefined;
  return [late.finding];
}

/** Sent before the segment that missed it, by its sender's own clock (RFC 7323 §3.2): overtaken or held, not lost. */
function wasUnderWay({ stamp }: Hole, { options }: Segment): boolean {
  const own = options.timestamps?.[0];
  return stamp !== undefined && own !== undefined && distance(own, stamp) > 0;
}

function isRipe(hole: Hole, { kind, at }: JudgeInput): boolean {
  return at - hole.since >= hole.patience || kind === 'end';
}

function findingOf(state: DroppedState, hole: Hole, at: Micros, missing: number, late?: Micros): Finding {
  const { from, counted } = state;
  const { start, proof, evidence } = hole;
  const verdict = droppedName(from, hole.first);
  return {
    at,
    verdict,
    worth: 'proved',
    premises: premisesOf(state, hole),
    proof,
    where: 'before',
    since: hole.since,
    about: { from, start },
    missingBytes: missing,
    came: late === undefined ? 'never' : 'late',
    // Segments that showed it sooner may have been lost by the capture.
    ...(late !== undefined && counted && { held: late }),
    summary: `The ${from}'s TCP had sent ${octets(missing)} more than arrived here: ${SUBJECT[verdict]} ${endedBy(late, counted)}.`,
    evidence: [...evidence],
  };
}

function endedBy(late: Micros | undefined, counted: boolean): string {
  if (late === undefined) return 'lost before this point';
  const least = counted ? 'only' : 'at least';
  return `lost before this point, and came ${least} ${milliseconds(late)} ms later, sent again`;
}

function noteOf({ flags, length }: Segment, { probed }: JudgeInput): string {
  if (flags & FLAG.rst) return 'RST, numbered beyond what arrived';
  if (flags & FLAG.fin) return 'FIN, numbered beyond what arrived';
  if (length > 0) return 'later octets; those before them are missing';
  return `${probed ? 'answer to a probe' : 'bare ACK'}: SEQ is what its sender sends next (SND.NXT), beyond what arrived`;
}

function endsLine(news: StreamNews): boolean {
  return news.kind === 'octets' && news.bytes.includes(LF);
}

function isFilled(news: StreamNews): news is Filled {
  return news.kind === 'filled';
}

/** Octets of two segments on an Ethernet. */
const TWO_SEGMENTS = 2 * 1_460;
const LF = 0x0a;
const NOTHING: readonly Finding[] = [];
const OTHER = { client: 'server', server: 'client' } as const;
/** What the octets are; whose is said already. */
const SUBJECT: Readonly<Record<DroppedName, string>> = {
  'ehlo-dropped': 'its first command (EHLO) was',
  'greeting-lost': 'its greeting was',
  'segment-dropped': 'they were',
};

/** Its sender's numbers: octets that were sent and did not arrive here. */
export const NUMBERED: Ground = {
  suspect: 'client',
  recheck:
    'TCP numbers every octet (RFC 9293 §3.4). A frame’s SEQ is the number of the next octet that its sender sends. ' +
    'In the commented frames it lies beyond the last octet that was captured from this sender: its TCP says that it ' +
    'sent the octets between, and they are not in the capture. Turn on relative sequence numbers and read `tcp.seq` ' +
    'from top to bottom.',
  ruledOut: [
    'That the sender said nothing: its own sequence number counts the missing octets.',
    'That the capture missed them: the other side never acknowledged them, or the sender had to send them again.',
    'That they were only overtaken: reordering takes milliseconds; these were missing for longer than 100 ms.',
  ],
  open: ['Octets that were only overtaken: the capture ended before they could have come.', MISSED],
};
