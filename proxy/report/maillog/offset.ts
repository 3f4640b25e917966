// How far the log's clock is from the capture's: what most of their common connections agree on.

import type { Micros } from '../../../inspect/events';
import { aheadOf, type LogSession } from './session';
import type { PacketStory } from './story';

export interface Offset {
  /** The log's clock minus the capture's; whole zones are in it where the log has none. */
  readonly micros: Micros;
  /** Between the smallest and the largest difference that it rests on. */
  readonly spread: Micros;
  /** Connections that agree on it. */
  readonly from: number;
  /** Another offset explains as many: this one is the smaller, and may be wrong. */
  readonly ambiguous: boolean;
}

/** `undefined`: no client of the log is in the capture. */
export function estimateOffset(
  sessions: readonly LogSession[],
  stories: readonly PacketStory[],
): Offset | undefined {
  const differences = differencesOf(sessions, stories);
  if (differences.length === 0) return undefined;
  differences.sort((a, b) => a - b);
  let best: Window | undefined;
  let rival = false;
  for (let first = 0, last = 0; first < differences.length; first += 1) {
    while (last + 1 < differences.length && at(differences, last + 1) - at(differences, first) <= WINDOW)
      last += 1;
    const window = { first, last };
    const more = best === undefined ? 1 : size(window) - size(best);
    const apart = best !== undefined && at(differences, first) - at(differences, best.last) > WINDOW;
    if (more > 0) rival = false;
    else if (more === 0 && apart) rival = true;
    if (more > 0 || (more === 0 && best && distance(differences, window) < distance(differences, best)))
      best = window;
  }
  if (!best) return undefined;
  const from = size(best);
  return {
    micros: at(differences, best.first + (from >> 1)),
    spread: at(differences, best.last) - at(differences, best.first),
    from,
    ambiguous: rival,
  };
}

interface Window {
  readonly first: number;
  readonly last: number;
}

/** Every log session against every connection of the same client. Busy clients are sampled. */
function differencesOf(sessions: readonly LogSession[], stories: readonly PacketStory[]): Micros[] {
  const byClient = groupStories(stories);
  const used = new Map<string, number>();
  const differences: Micros[] = [];
  for (const session of sessions) {
    const { client, port, zoned } = session;
    const count = used.get(client) ?? 0;
    if (count >= PER_CLIENT || differences.length >= PAIRS) continue;
    used.set(client, count + 1);
    for (const story of (byClient.get(client) ?? []).slice(0, PER_CLIENT)) {
      if (port !== undefined && story.client.port !== port) continue;
      const difference = aheadOf(session, story);
      if (Math.abs(difference) <= (zoned ? LARGEST_ZONED : LARGEST)) differences.push(difference);
    }
  }
  return differences;
}

export function groupStories(stories: readonly PacketStory[]): Map<string, PacketStory[]> {
  const groups = new Map<string, PacketStory[]>();
  for (const story of stories) {
    const group = groups.get(story.client.address);
    if (group) group.push(story);
    else groups.set(story.client.address, [story]);
  }
  return groups;
}

function at(list: readonly number[], index: number): number {
  return list[index] ?? 0;
}

function size({ first, last }: Window): number {
  return last - first + 1;
}

/** From zero: of two that explain as much, the smaller error of a clock is the likelier. */
function distance(list: readonly number[], { first, last }: Window): number {
  return Math.abs(at(list, (first + last) >> 1));
}

/** Log times are cut to seconds, and a busy smtpd takes a moment to say `connect`. */
const WINDOW: Micros = 1_500_000;
const LARGEST_ZONED: Micros = 3_600e6;
const LARGEST: Micros = 15 * 3_600e6;
const PER_CLIENT = 64;
const PAIRS = 1_000_000;
