// The matcher: log sessions and connections lined up by client, port where it is known, and time. Never by a guess.

import type { Micros } from '../../../inspect/events';
import { compareStories, logWords, packetWords } from './difference';
import { estimateOffset, groupStories, type Offset } from './offset';
import { aheadOf, type LogSession } from './session';
import type { PacketStory } from './story';

export type MaillogMatch =
  | {
      readonly kind: 'matched';
      readonly session: LogSession;
      readonly story: PacketStory;
      readonly log: string;
      readonly packets: string;
      readonly difference?: string;
    }
  /** Several connections may be meant, or several log sessions mean the same one. */
  | {
      readonly kind: 'ambiguous';
      readonly session: LogSession;
      readonly candidates: readonly PacketStory[];
      readonly log: string;
    }
  /** In the capture's time, and no packet of it there. */
  | { readonly kind: 'log-only'; readonly session: LogSession; readonly log: string }
  /** In the log's time, to a server that the log is about, and no line of it. */
  | { readonly kind: 'packets-only'; readonly story: PacketStory; readonly packets: string };

export interface Alignment {
  readonly offset: Offset | undefined;
  /** In the order of time. */
  readonly matches: readonly MaillogMatch[];
}

export function alignMaillog(sessions: readonly LogSession[], stories: readonly PacketStory[]): Alignment {
  const offset = estimateOffset(sessions, stories);
  const shift = offset?.micros ?? 0;
  const pairs = pairUp(sessions, stories, shift);
  const matches: MaillogMatch[] = [];
  const captured = spanOf(stories.map(({ started }) => started));
  for (const session of sessions) {
    const candidates = pairs.of.get(session) ?? [];
    const [only] = candidates;
    const log = logWords(session);
    if (only && candidates.length === 1 && pairs.claims.get(only) === 1) {
      matches.push({ kind: 'matched', session, story: only, ...compareStories(session, only) });
    } else if (only) matches.push({ kind: 'ambiguous', session, candidates, log });
    // Near the ends of the capture a connection may have begun outside of it.
    else if (offset && isInside(session.started - shift, captured))
      matches.push({ kind: 'log-only', session, log });
  }
  if (offset) matches.push(...unlogged(sessions, stories, shift, pairs));
  return { offset, matches: matches.sort((a, b) => timeOf(a, shift) - timeOf(b, shift)) };
}

/** When it was, by the capture's clock. */
export function timeOf(match: MaillogMatch, shift: Micros): Micros {
  return 'story' in match ? match.story.started : match.session.started - shift;
}

interface Pairs {
  readonly of: ReadonlyMap<LogSession, readonly PacketStory[]>;
  /** How many log sessions may mean it. */
  readonly claims: ReadonlyMap<PacketStory, number>;
}

function pairUp(sessions: readonly LogSession[], stories: readonly PacketStory[], shift: Micros): Pairs {
  const byClient = groupStories(stories);
  const of = new Map<LogSession, readonly PacketStory[]>();
  const claims = new Map<PacketStory, number>();
  for (const session of sessions) {
    const near = (byClient.get(session.client) ?? []).filter((story) => mayBe(session, story, shift));
    // The end tells apart what began together, where both ends are known.
    const sameEnd = near.filter((story) => endsWith(session, story, shift));
    const candidates = sameEnd.length > 0 ? sameEnd : near;
    if (candidates.length === 0) continue;
    of.set(session, candidates);
    for (const story of candidates) claims.set(story, (claims.get(story) ?? 0) + 1);
  }
  return { of, claims };
}

function mayBe(session: LogSession, story: PacketStory, shift: Micros): boolean {
  if (session.port !== undefined && session.port !== story.client.port) return false;
  return Math.abs(aheadOf(session, story) - shift) <= TOLERANCE;
}

function endsWith({ ended }: LogSession, story: PacketStory, shift: Micros): boolean {
  return ended !== undefined && Math.abs(ended - shift - story.ended) <= TOLERANCE;
}

/** Connections that the server must have accepted and said nothing of. */
function unlogged(
  sessions: readonly LogSession[],
  stories: readonly PacketStory[],
  shift: Micros,
  { claims }: Pairs,
): MaillogMatch[] {
  const logged = spanOf(sessions.map(({ started }) => started - shift));
  // A log is one host's: connections to other servers are not its business.
  const servers = new Set([...claims.keys()].map(({ server }) => `${server.address} ${server.port}`));
  return stories
    .filter(
      (story) =>
        story.whole &&
        !claims.has(story) &&
        servers.has(`${story.server.address} ${story.server.port}`) &&
        isInside(story.started, logged),
    )
    .map((story) => ({ kind: 'packets-only', story, packets: packetWords(story) }));
}

interface Range {
  readonly from: Micros;
  readonly to: Micros;
}

function spanOf(times: readonly Micros[]): Range {
  const range = { from: Infinity, to: -Infinity };
  for (const time of times) {
    range.from = Math.min(range.from, time);
    range.to = Math.max(range.to, time);
  }
  return range;
}

function isInside(time: Micros, { from, to }: Range): boolean {
  return time >= from && time <= to;
}

/** Times cut to seconds, a busy smtpd, and the offset's own error. */
const TOLERANCE: Micros = 2_500_000;
