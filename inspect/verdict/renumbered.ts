// Renumbered: SACK blocks that lie outside of all that was sent, so a device translates sequence numbers and leaves SACK as it was.

import type { Finding, Premises } from '../coverage/finding';
import type { Direction } from '../events';
import type { Segment } from '../tcp/segment';
import { evidenceOf, type JudgeInput } from '../tcp/view';

/**
 * A firewall that gives each leg numbers of its own (Cisco "randomises" them) changes SEQ and ACK, and on some of them
 * not the blocks of RFC 2018. Their sender cannot use such an ACK, and recovers from loss the slow way.
 */
export function createRenumbered(): RenumberedState {
  return { said: false };
}

export interface RenumberedState {
  said: boolean;
}

export function judgeRenumbered(state: RenumberedState, input: JudgeInput): readonly Finding[] {
  const { segment, from } = input;
  if (state.said || !segment || !from || segment.options.sack.length === 0) return NOTHING;
  const strange = strangeBlock(input, from, segment);
  if (!strange) return NOTHING;
  state.said = true;
  return [tell(input, from, segment, strange)];
}

type Block = readonly [start: number, end: number];

/**
 * A block that no numbering explains. RFC 2018 §3: it tells of octets that came, and its sender takes none beyond its
 * window; RFC 2883 §4: a first block below the ACK tells of octets that came twice. Both lie behind the SYN.
 */
function strangeBlock({ connection }: JudgeInput, from: Direction, segment: Segment): Block | undefined {
  const sender = connection[OTHER[from]];
  const { syn } = connection[from];
  // Without both SYNs neither the beginning nor the window is known.
  if (!sender.syn || !syn || segment.checksum === 'bad') return undefined;
  const { stream } = sender;
  const furthest = Math.max(stream.sent, stream.offsetOf(segment.ack) ?? 0) + window(syn);
  const blocks = segment.options.sack.map(([left, right]): Block => [
    stream.offsetOf(left) ?? 0,
    stream.offsetOf(right) ?? 0,
  ]);
  return blocks.find(([start, end]) => start < 0 || end > furthest);
}

/** The largest that it can offer (RFC 7323 §2.3). */
function window({ options }: Segment): number {
  return 0xffff * 2 ** (options.windowScale ?? 0);
}

function tell(
  { connection, at }: JudgeInput,
  from: Direction,
  segment: Segment,
  [start, end]: Block,
): Finding {
  const other = OTHER[from];
  const { sent } = connection[other].stream;
  const where = start < 0 ? `${-start} octets before the first` : `${end - sent} octets behind the last`;
  return {
    at,
    verdict: 'path-terminated',
    worth: 'proved',
    premises: PREMISES,
    proof: 'header',
    where: 'before',
    about: { from: other, start },
    summary:
      `A device on the path rewrites the ${other}'s sequence numbers and leaves SACK blocks as they were: one of the ` +
      `${from}'s lies ${where} that the ${other} has sent, and no TCP can use that.`,
    evidence: [
      evidenceOf(connection, from, segment, `SACK block of ${end - start} octets, ${where} that was sent`),
    ],
  };
}

/** What the window may be stands in the options of both SYNs. */
const PREMISES: Premises = { toSay: ['options', 'nothing-missed'] };
const OTHER = { client: 'server', server: 'client' } as const;
const NOTHING: readonly Finding[] = [];
