// What ehlowire says of a row, read from its event log, and how that compares with what the row expects.

import type { Certainty, VerdictName, Where } from '../../../inspect/events';
import type { LogLine } from '../../kit/ehlowire';

export interface Expected {
  readonly verdict: VerdictName;
  readonly certainty: Certainty;
  readonly missing?: number;
  /** Milliseconds, from and to. */
  readonly held?: readonly [number, number];
  readonly where?: Where;
  /** Said at the latest so many milliseconds after the greeting. */
  readonly within?: number;
}

export interface Found {
  readonly verdict: VerdictName;
  readonly certainty: Certainty;
  readonly proof: string;
  readonly where: Where;
  readonly missing?: number;
  readonly heldMs?: number;
  /** Milliseconds from the greeting's end, or, where it had none, from the connection's beginning. */
  readonly afterMs: number;
  readonly summary: string;
}

export interface Evaluation {
  readonly connections: number;
  /** One for each name: the last word. */
  readonly verdicts: readonly Found[];
}

/** The event log of `analyze --json`, or of a relay; only what it says of one client. */
export function evaluate(log: readonly LogLine[], client: string): Evaluation {
  const lines = log.filter((line) => line['client.address'] === client);
  const greetedAt = new Map<unknown, number>();
  const verdicts = new Map<string, Found>();
  for (const line of lines) {
    const at = Date.parse(String(line['time']));
    if (line.event === 'phase' && (line['phase'] === 'connect' || line['phase'] === 'greeting')) {
      greetedAt.set(line['session'], at);
    }
    if (line.event !== 'verdict') continue;
    // What the log takes back does not count.
    verdicts.delete(`${line['session']} ${line['withdraws']}`);
    verdicts.set(
      `${line['session']} ${line['verdict']}`,
      foundOf(line, at - (greetedAt.get(line['session']) ?? at)),
    );
  }
  const sessions = new Set(lines.map((line) => line['session']).filter((session) => session !== undefined));
  return { connections: sessions.size, verdicts: [...verdicts.values()] };
}

function foundOf(line: LogLine, afterMs: number): Found {
  return {
    verdict: line['verdict'] as VerdictName,
    certainty: line['certainty'] as Certainty,
    proof: String(line['proof']),
    where: line['where'] as Where,
    ...(line['missing_bytes'] !== undefined && { missing: Number(line['missing_bytes']) }),
    ...(line['held_ms'] !== undefined && { heldMs: Math.round(Number(line['held_ms'])) }),
    afterMs,
    summary: String(line['summary']),
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

function fits({ verdict, certainty, missing, held, where, within }: Expected, found: Found): boolean {
  if (found.verdict !== verdict || found.certainty !== certainty) return false;
  if (where !== undefined && found.where !== where) return false;
  if (missing !== undefined && found.missing !== missing) return false;
  if (within !== undefined && found.afterMs > within) return false;
  return (
    held === undefined || (found.heldMs !== undefined && found.heldMs >= held[0] && found.heldMs <= held[1])
  );
}

export function expectedText({ verdict, certainty, missing, held, where, within }: Expected): string {
  const facts = [
    ...(where === undefined ? [] : [where]),
    ...(missing === undefined ? [] : [`${missing} B`]),
    ...(held === undefined ? [] : [`${held[0]}-${held[1]} ms`]),
    ...(within === undefined ? [] : [`within ${within / 1000} s`]),
  ];
  return [verdict, certainty, ...facts].join(' ');
}

export function foundText({ verdict, certainty, proof, where, missing, heldMs }: Found): string {
  const facts = [
    ...(where === 'before' ? [] : [where]),
    ...(missing === undefined ? [] : [`${missing} B`]),
    ...(heldMs === undefined ? [] : [`${heldMs} ms`]),
  ];
  return [verdict, certainty, ...facts, `by ${proof}`].join(' ');
}
