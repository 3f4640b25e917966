// What the inspector says of a recording, and how that compares with what a row expects.

import type { Certainty, Micros, VerdictEvent, VerdictName } from '../../../inspect/events';
import { createTracker, type TrackerNews } from '../../../inspect/tracker';
import { readRecording } from './pcap';

export interface Expected {
  readonly verdict: VerdictName;
  readonly certainty: Certainty;
  readonly missing?: number;
  /** Milliseconds, from and to. */
  readonly held?: readonly [number, number];
}

export interface Found {
  readonly verdict: VerdictName;
  readonly certainty: Certainty;
  readonly proof: string;
  readonly missing?: number;
  readonly heldMs?: number;
  /** Milliseconds from the greeting's first octet, or from the SYN where there was none. */
  readonly afterMs: number;
  readonly summary: string;
}

export interface Evaluation {
  readonly connections: number;
  /** One for each name: the last word of each judge. */
  readonly verdicts: readonly Found[];
}

/** Time goes on between the frames as it does for a live capture: four times a second. */
const TICK: Micros = 250_000;
/** And after the last one for as long as no recording of the lab is quiet. */
const PORTS = [25];

/** Reads a recording as `analyze` does: frames in order, time between them, an end. */
export function evaluate(file: string): Evaluation {
  const { linkType, frames } = readRecording(file);
  const tracker = createTracker({ ports: PORTS, implicitTlsPorts: [] });
  const news: TrackerNews[] = [];
  let now = frames[0]?.at ?? 0;
  for (const { at, octets } of frames) {
    for (now += TICK; now < at; now += TICK) news.push(...tracker.idle(now));
    now = at;
    news.push(...tracker.frame(linkType, octets, at));
  }
  news.push(...tracker.end(now));
  const greetedAt = new Map<number, Micros>();
  const verdicts = new Map<string, Found>();
  for (const { connection, events, segment } of news) {
    const { id, inspector } = connection;
    if (segment?.from === 'server' && segment.segment.length > 0 && !greetedAt.has(id)) {
      greetedAt.set(id, segment.segment.at);
    }
    for (const event of events) {
      if (event.kind !== 'verdict') continue;
      verdicts.set(`${id} ${event.verdict}`, foundOf(event, greetedAt.get(id) ?? inspector.view.started));
    }
  }
  return { connections: tracker.counts.connections, verdicts: [...verdicts.values()] };
}

function foundOf(event: VerdictEvent, since: Micros): Found {
  const { verdict, certainty, proof, missingBytes, held, summary, at } = event;
  return {
    verdict,
    certainty,
    proof,
    ...(missingBytes !== undefined && { missing: missingBytes }),
    ...(held !== undefined && { heldMs: Math.round(held / 1000) }),
    afterMs: Math.round((at - since) / 1000),
    summary,
  };
}

export interface Comparison {
  readonly right: number;
  /** Said and not expected, or said wrongly. */
  readonly wrong: readonly string[];
  /** Expected and not said, or said wrongly. */
  readonly missed: readonly string[];
}

export function compare(expected: readonly Expected[], found: readonly Found[]): Comparison {
  const open = [...found];
  const missed: string[] = [];
  for (const want of expected) {
    const at = open.findIndex((each) => fits(want, each));
    if (at >= 0) open.splice(at, 1);
    else missed.push(expectedText(want));
  }
  return { right: expected.length - missed.length, wrong: open.map(foundText), missed };
}

function fits({ verdict, certainty, missing, held }: Expected, found: Found): boolean {
  if (found.verdict !== verdict || found.certainty !== certainty) return false;
  if (missing !== undefined && found.missing !== missing) return false;
  return (
    held === undefined || (found.heldMs !== undefined && found.heldMs >= held[0] && found.heldMs <= held[1])
  );
}

export function expectedText({ verdict, certainty, missing, held }: Expected): string {
  const facts = [
    ...(missing === undefined ? [] : [`${missing} B`]),
    ...(held === undefined ? [] : [`${held[0]}-${held[1]} ms`]),
  ];
  return [verdict, certainty, ...facts].join(' ');
}

export function foundText({ verdict, certainty, proof, missing, heldMs }: Found): string {
  const facts = [
    ...(missing === undefined ? [] : [`${missing} B`]),
    ...(heldMs === undefined ? [] : [`${heldMs} ms`]),
  ];
  return [verdict, certainty, ...facts, `by ${proof}`].join(' ');
}
