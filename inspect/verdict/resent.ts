// Resent: a command that came as a retransmission, its first copies lost before this point: the packet counter shows it.
//
// Such a copy has the very number that was expected and a fresh timestamp, so inside it looks like a client that took its
// time. Three things together tell it from one: the client's stack counts its packets, and numbers are missing right
// before the command; they are more than the bare ACKs that it may have sent there; and by its own clock it waited as
// long as TCP waits before it sends again. That is suspected and never proved: a number says that a packet was sent, not
// what was in it.
//
// Every path loses a packet now and then. So
// - loss in bulk is not reported: TCP recovers it within a round trip or two;
// - of a command, one lost copy is reported only where the connection lost nothing else: with other losses around it, it is
//   as likely one of many. That is known at the end, so it is reported at the end, and the sentence says that once may be chance;
// - several in a row are reported though the path loses much, where chance does not explain them: see `CHANCE`;
// - where the octets' own numbers prove a loss (`dropped`), nothing is left to suspect.

import type { Finding, Premises } from '../coverage/finding';
import type { CommandEvent, Direction, Evidence, Micros } from '../events';
import { createPacketCounter, type PacketCounter, type Step } from '../tcp/counter';
import { FLAG, type Segment } from '../tcp/segment';
import { distance } from '../tcp/seq';
import { type ConnectionView, evidenceOf, type JudgeInput } from '../tcp/view';
import { type Ground } from './judge';
import {
  CHANCE,
  COUNTING,
  HOLE_PATIENCE,
  recoveryTime,
  REORDERING,
  RESENT,
  TTL_OF_COUNTERS,
} from './thresholds';

/** Watches the client's commands. */
export function createResent(): ResentState {
  return {
    packets: createPacketCounter(),
    suspects: [],
    seen: { client: undefined, server: undefined },
    repliedAt: undefined,
    leftOut: false,
    silent: false,
  };
}

export function judgeResent(state: ResentState, input: JudgeInput): readonly Finding[] {
  if (state.silent) return NOTHING;
  if (input.segment && input.from) follow(state, input, input.from, input.segment);
  if (isProvable(input)) state.silent = true;
  return state.suspects.length > 0 && !state.silent ? decide(state, input) : NOTHING;
}

export function deadlineOfResent({ silent, packets, suspects }: ResentState): Micros | undefined {
  if (silent || packets.odd || suspects.length === 0) return undefined;
  const waiting = suspects.find((each) => !each.reported && lostOf(each.step) > 1);
  return waiting && waiting.step.segment.at + HOLE_PATIENCE;
}

export function isResentUndecided({ suspects }: ResentState): boolean {
  return suspects.length > 0;
}

export interface ResentState {
  readonly packets: PacketCounter;
  /** Commands before which numbers are missing. */
  readonly suspects: Suspect[];
  /** Where each side's last segment ended. */
  readonly seen: Record<Direction, number | undefined>;
  /** When the server's last octets passed: what the client's next command answers. */
  repliedAt: Micros | undefined;
  /** Octets passed whose segments were not observed: from there on nothing can be counted. */
  leftOut: boolean;
  /** The counter is none, the capture missed octets, or another judge has proof. */
  silent: boolean;
}

interface Suspect {
  readonly step: Step;
  readonly verb: string;
  /** Its first octet. */
  readonly start: number;
  /** The client's first octets. */
  readonly first: boolean;
  /** What the counter had shown by then. */
  readonly exact: number;
  /** When what it answers passed here: no copy of it was sent before. */
  readonly answers: Micros;
  reported: boolean;
}

function follow(state: ResentState, input: JudgeInput, from: Direction, segment: Segment): void {
  const { packets, suspects } = state;
  const { news, connection } = input;
  const start = connection[from].stream.offsetOf(segment.seq) ?? 0;
  state.leftOut ||= isBehindLeftOut(state, input, from, start);
  if (state.leftOut) return;
  const end = start + segment.length + (segment.flags & (FLAG.syn | FLAG.fin) ? 1 : 0);
  if (!(segment.flags & FLAG.rst)) state.seen[from] = Math.max(state.seen[from] ?? end, end);
  if (from === 'server') {
    if (news.some(({ kind }) => kind === 'octets')) state.repliedAt = segment.at;
    return packets.heard(segment, news);
  }
  packets.count(segment, news, connection.rtt);
  const { step, exact } = packets;
  if (!step || suspects.length >= SUSPECTS || news[0]?.kind !== 'octets') return;
  const command = input.smtp.find(isCommand);
  // Of a command in several segments the first is what was waited for.
  if (!command || command.span.start !== start) return;
  const answers = state.repliedAt ?? connection.started;
  suspects.push({ step, start, verb: command.verb, first: start === 0, exact, answers, reported: false });
}

/** Nothing is missing between the side's last segment and this one, and yet it begins farther on (a message in the kernel). */
function isBehindLeftOut(
  { seen }: ResentState,
  { connection }: JudgeInput,
  from: Direction,
  start: number,
): boolean {
  return start > (seen[from] ?? start) && connection[from].stream.missingSince === undefined;
}

/** The octets' own numbers show a hole that lasted, or one that was the capture's: then counters are not asked. */
function isProvable({ kind, at, from, news, smtp, connection }: JudgeInput): boolean {
  const { stream } = connection.client;
  const patience = kind === 'end' ? 0 : recoveryTime(connection.rtt);
  if (stream.missingSince !== undefined && at - stream.missingSince >= patience) return true;
  if (from !== 'client') return smtp.some((event) => event.kind === 'gap' && event.from === 'client');
  return news.some((each) => each.kind === 'filled' && each.waited >= patience);
}

function decide({ packets, suspects }: ResentState, { kind, at, connection }: JudgeInput): Finding[] {
  if (packets.odd) return [];
  const verdicts: Finding[] = [];
  for (const suspect of suspects) {
    const lost = lostOf(suspect.step);
    const age = at - suspect.step.segment.at;
    const ripe = isOver(kind, connection)
      ? age >= REORDERING || kind === 'end'
      : lost > 1 && age >= HOLE_PATIENCE;
    // What does not come to its receiver either is lost beyond this point, its first copies too for all that is known.
    if (connection.client.acked <= suspect.start) continue;
    if (suspect.reported || !ripe || !isCounter(packets, suspect)) continue;
    const waited = waitedOf(suspect, connection);
    if (lost < 1 || waited === undefined || waited < RESENT * 2 ** (lost - 1)) continue;
    if (isWeather(lost, packets, suspects)) continue;
    suspect.reported = true;
    verdicts.push(tell(suspect, lost, waited, connection));
  }
  return verdicts;
}

/** Nothing more comes that could excuse a loss. */
function isOver(kind: JudgeInput['kind'], { client, server }: ConnectionView): boolean {
  const closed = client.finAt !== undefined && server.finAt !== undefined;
  return kind === 'end' || closed || client.rstAt !== undefined || server.rstAt !== undefined;
}

/** The bare ACKs that may be among them do not count. */
function lostOf({ missing, acks }: Step): number {
  return Math.max(0, missing.size - acks);
}

/** Steps of one before and after it, and a stack that counts so. */
function isCounter({ exact }: PacketCounter, { step: { segment }, exact: before }: Suspect): boolean {
  return exact >= COUNTING && exact > before && segment.ttl <= TTL_OF_COUNTERS;
}

/**
 * How long the client may have waited before it sent this copy: by its own clock since the segment before, and here since
 * what the command answers. Where the path holds a command back, its copies are sent meanwhile, and are none of the next.
 */
function waitedOf({ step, answers }: Suspect, { client: { clock } }: ConnectionView): Micros | undefined {
  const { before, segment } = step;
  const [then] = before.options.timestamps ?? [];
  const [now] = segment.options.timestamps ?? [];
  if (then === undefined || now === undefined || clock.rate === undefined) return undefined;
  const ticks = distance(then, now);
  // It may have waited a tick more than the stamps say.
  return ticks < 0 ? undefined : Math.min(((ticks + 1) / clock.rate) * 1e6, segment.at - answers);
}

/** On a road that loses the share p of its packets, n in a row are lost by chance with p to the n. */
function isWeather(lost: number, packets: PacketCounter, suspects: readonly Suspect[]): boolean {
  const here = suspects.reduce((sum, { step }) => sum + (lostOf(step) > 0 ? step.missing.size : 0), 0);
  const elsewhere = packets.gone - here + packets.again;
  if (elsewhere <= 0) return false;
  const share = (elsewhere + 1) / (packets.came + elsewhere);
  return share ** lost >= CHANCE;
}

function tell(suspect: Suspect, lost: number, waited: Micros, connection: ConnectionView): Finding {
  const { step, first, verb } = suspect;
  const { before, segment } = step;
  const subject = first ? `The first command (${verb})` : `The command ${verb}`;
  const copies = lost === 1 ? 'one copy' : `${lost} copies`;
  const milliseconds = Math.round(waited / 1000);
  const evidence: Evidence[] = [
    evidenceOf(connection, 'client', before, `IP identification ${before.ipId}: the segment before`),
    evidenceOf(
      connection,
      'client',
      segment,
      `IP identification ${segment.ipId}: ${step.missing.size} left out, ${milliseconds} ms later on the client's clock`,
    ),
  ];
  return {
    at: segment.at,
    verdict: first ? 'ehlo-dropped' : 'segment-dropped',
    worth: 'suspected',
    premises: PREMISES,
    proof: 'header',
    where: 'before',
    about: { from: 'client', start: connection.client.stream.offsetOf(segment.seq) ?? 0 },
    missingBytes: segment.length,
    came: 'late',
    held: waited,
    summary:
      `${subject} came as a retransmission, ${copies} of it lost before this point: the client's packet counter (IP ` +
      `identification) left out ${step.missing.size} before it, and up to ${milliseconds} ms went by, as TCP waits ` +
      `before it sends again${lost === 1 ? '; once may be chance' : ''}.`,
    evidence,
  };
}

function isCommand(event: JudgeInput['smtp'][number]): event is CommandEvent {
  return event.kind === 'command';
}

/** Numbers that are left out are packets that were not observed, wherever they got lost. */
const PREMISES: Premises = { toSay: ['handshake', 'nothing-missed', 'losses-counted'] };
/** Commands of a connection that are suspected at a time. */
const SUSPECTS = 16;
const NOTHING: Finding[] = [];

/** The client's packet counter: segments that were sent and did not arrive here. */
export const PACKETS_COUNTED: Ground = {
  suspect: 'client',
  recheck:
    'Add the column `ip.id`. The client’s stack counts its packets there, by one each; right before the commented ' +
    'frame numbers are left out, and the time before it is as long as TCP waits before it sends again.',
  ruledOut: [],
  open: [
    'Chance: any road loses a packet now and then.',
    'Packets of the same counter that were something else than copies of this one.',
  ],
};
