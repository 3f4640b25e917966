// Dropped: the sender's sequence number lies beyond what ever arrived (RFC 9293 §3.4: every octet is numbered).

import type { Finding, Premise, Premises } from '../coverage/finding';
import type { Direction, Evidence, Micros, Proof } from '../events';
import { FLAG, type Segment } from '../tcp/segment';
import { distance } from '../tcp/seq';
import type { StreamNews } from '../tcp/stream';
import { evidenceOf, type Sight } from '../tcp/view';
import type { Judge } from './judge';
import { DELAYED_ACK, EVIDENCE, HOLE_PATIENCE, mendingTime, reorderingTime } from './thresholds';
import { type DroppedName, droppedName, milliseconds, octets } from './words';

/** Watches the octets that one side sends. */
export function createDroppedJudge(from: Direction): Judge {
  const state: State = { from, hole: undefined, last: undefined, spoken: false };
  return {
    see(sight) {
      watchReceiver(state, sight);
      const filled = sight.from === from ? sight.news.find(isFilled) : undefined;
      const verdicts = filled ? close(state, sight, filled) : look(state, sight);
      for (const event of sight.smtp) {
        if ((event.kind === 'command' || event.kind === 'reply') && event.from === from) state.spoken = true;
      }
      if (sight.from === from && sight.segment) state.last = sight.segment;
      return verdicts;
    },
    deadline: () => (state.hole && !state.hole.told ? state.hole.since + state.hole.patience : undefined),
  };
}

interface State {
  readonly from: Direction;
  hole: Hole | undefined;
  /** The side's last segment. */
  last: Segment | undefined;
  /** A whole command, or a whole reply, of this side has come. */
  spoken: boolean;
}

interface Hole {
  /** Offset of the first octet that is missing. */
  readonly start: number;
  readonly since: Micros;
  readonly proof: Proof;
  /** How long the octets may be late. */
  readonly patience: Micros;
  readonly evidence: Evidence[];
  /** The timestamp of the segment that showed it. */
  readonly stamp: number | undefined;
  /** Nothing whole of this side had come before: the missing octets are its first words. */
  readonly first: boolean;
  /** The receiver, alive, has still not acknowledged them: they did not come to it either, by whatever way. */
  lacked: boolean;
  told: boolean;
}

/** An ACK may be delayed by 500 ms (RFC 9293 §3.8.6.3); a SACK block behind the hole says at once that it is one. */
function watchReceiver({ from, hole }: State, { connection, from: sender, segment, at }: Sight): void {
  if (!hole || !segment || sender !== OTHER[from] || !(segment.flags & FLAG.ack)) return;
  const { stream, acked } = connection[from];
  const sacked = segment.options.sack.some(([left]) => (stream.offsetOf(left) ?? 0) > hole.start);
  const late = at - hole.since >= DELAYED_ACK + (connection.rtt ?? 0);
  hole.lacked ||= acked <= hole.start && (late || sacked);
}

/** Where the receiver has not got them either, something on the path has; else what we ourselves missed would look the same. */
function premisesOf({ from }: State, { first, lacked, start }: Hole): Premises {
  const named: readonly Premise[] = !first ? [] : start === 0 ? ['handshake'] : ['handshake', OCTETS[from]];
  return lacked
    ? { toSay: named, toProve: ['nothing-missed'] }
    : { toSay: [...named, 'both-sides', 'nothing-missed'] };
}

type Filled = Extract<StreamNews, { kind: 'filled' }>;

/** Opens a hole where the side has sent beyond what came, collects what shows it, and speaks when it is ripe. */
function look(state: State, sight: Sight): Finding[] {
  const { stream } = sight.connection[state.from];
  if (stream.sent <= stream.next) {
    // Given up: the other side had the octets, and it was the capture that missed them.
    state.hole = undefined;
    return [];
  }
  if (sight.from === state.from && sight.segment) collect(state, sight, sight.segment);
  const { hole } = state;
  if (!hole || hole.told || !isRipe(hole, sight)) return [];
  hole.told = true;
  // The capture ended before what was overtaken could come.
  const early = sight.at - hole.since < reorderingTime(sight.connection.rtt) && !hole.lacked;
  const finding = tell(
    state,
    hole,
    sight.at,
    stream.holeEnd() - hole.start,
    early ? ENDED.open : ENDED.never,
  );
  return [early ? { ...finding, worth: 'suspected' } : finding];
}

function collect(state: State, sight: Sight, segment: Segment): void {
  const { connection, at } = sight;
  const bare = segment.length === 0 && !(segment.flags & (FLAG.fin | FLAG.rst));
  const answer = bare && sight.probed;
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
    first: !state.spoken,
    lacked: false,
    told: false,
  };
  if (state.hole.evidence.length < EVIDENCE) {
    state.hole.evidence.push(evidenceOf(connection, state.from, segment, noteOf(segment, sight)));
  }
}

/** The octets came after all: they were overtaken, or they were lost and sent again. */
function close(state: State, sight: Sight, { span, waited }: Filled): Finding[] {
  const { hole } = state;
  state.hole = undefined;
  if (!hole || !sight.segment || wasUnderWay(hole, sight.segment)) return [];
  if (!hole.told && waited < mendingTime(sight.connection.rtt)) return [];
  const note = `the missing octets, ${milliseconds(waited)} ms after they were first missed`;
  hole.evidence.push(evidenceOf(sight.connection, state.from, sight.segment, note));
  return [tell(state, hole, sight.at, span.end - span.start, ENDED.late(waited), waited)];
}

/** Sent before the segment that missed it, by its sender's own clock (RFC 7323 §3.2): overtaken or held, not lost. */
function wasUnderWay({ stamp }: Hole, { options }: Segment): boolean {
  const own = options.timestamps?.[0];
  return stamp !== undefined && own !== undefined && distance(own, stamp) > 0;
}

function isRipe(hole: Hole, { kind, at }: Sight): boolean {
  return at - hole.since >= hole.patience || kind === 'end';
}

function tell(state: State, hole: Hole, at: Micros, missing: number, ended: string, late?: Micros): Finding {
  const { from } = state;
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
    ...(late !== undefined && { held: late }),
    summary: `The ${from}'s TCP had sent ${octets(missing)} more than arrived here: ${SUBJECT[verdict]} ${ended}.`,
    evidence: [...evidence],
  };
}

function noteOf({ flags, length }: Segment, { probed }: Sight): string {
  if (flags & FLAG.rst) return 'RST, numbered beyond what arrived';
  if (flags & FLAG.fin) return 'FIN, numbered beyond what arrived';
  if (length > 0) return 'later octets; those before them are missing';
  return `${probed ? 'answer to a probe' : 'bare ACK'}: SEQ is what its sender sends next (SND.NXT), beyond what arrived`;
}

function isFilled(news: StreamNews): news is Filled {
  return news.kind === 'filled';
}

const OTHER = { client: 'server', server: 'client' } as const;
const OCTETS = { client: 'client-octets', server: 'server-octets' } as const;
const ENDED = {
  never: 'lost before this point',
  open: 'not here when the capture ended',
  late: (late: Micros): string =>
    `lost before this point, and came only ${milliseconds(late)} ms later, sent again`,
} as const;
/** What the octets are; whose is said already. */
const SUBJECT: Readonly<Record<DroppedName, string>> = {
  'ehlo-dropped': 'its first command (EHLO) was',
  'greeting-lost': 'its greeting was',
  'segment-dropped': 'they were',
};
