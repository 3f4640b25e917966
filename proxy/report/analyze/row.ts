// One row of a ladder: a segment, what it said, and what is odd about it. Never content, never a credential.

import type { Direction, Evidence, Micros, SmtpEvent } from '../../../inspect/events';
import type { InspectorEvent } from '../../../inspect/tracker/inspector';
import { describeProxy } from '../../../inspect/grammar/proxy-header';
import { FLAG } from '../../../inspect/tcp/segment';
import { flagNames } from '../../../inspect/tcp/view';
import type { Tracked, TrackerNews } from '../../../inspect/tracker/tracker';
import { clip, formatBytes, formatDuration, plural } from '../../sinks/wording';

export interface Row {
  readonly at: Micros;
  readonly from: Direction;
  readonly flags: string;
  /** Offset of its first octet in the sender's stream; -1 of a SYN. */
  readonly seq: number;
  length: number;
  /** What it said: phases that ended with it, commands, replies. */
  readonly words: readonly string[];
  /** What is odd: it stands out. */
  readonly marks: string[];
  /** Segments that say nothing, drawn as one row: how many, of either side. */
  readonly quiet: Record<Direction, number> | undefined;
}

/** What a connection's streams were like before a segment. */
export interface Before {
  readonly retransmits: Record<Direction, number>;
  readonly missing: Record<Direction, number>;
  /** The offset of the octet that was to come next. */
  readonly next: Record<Direction, number>;
}

export function beginBefore(): Before {
  return {
    retransmits: { client: 0, server: 0 },
    missing: { client: 0, server: 0 },
    next: { client: 0, server: 0 },
  };
}

/** The row of a segment; `before` is brought up to date. */
export function rowOf(
  tracked: Tracked,
  { from, segment }: NonNullable<TrackerNews['segment']>,
  events: readonly InspectorEvent[],
  before: Before,
): Row {
  const side = tracked.inspector.view[from];
  const seq = segment.flags & FLAG.syn ? -1 : (side.stream.offsetOf(segment.seq) ?? 0);
  const { flags, length, window, at } = segment;
  const marks: string[] = [];
  const control = flags & (FLAG.syn | FLAG.fin | FLAG.rst);
  const again = side.retransmits > before.retransmits[from];
  const missing = Math.max(0, side.stream.holeEnd() - side.stream.next);
  if (again) marks.push('sent again');
  if (missing > 0 && missing !== before.missing[from]) {
    marks.push(`hole: ${plural(missing, 'octet')} of the ${from} not seen`);
  }
  if (missing === 0 && before.missing[from] > 0) marks.push('closes the hole');
  if (length <= 1 && !control && seq === before.next[from] - 1) marks.push('probe (keep-alive)');
  if (window === 0 && !(flags & (FLAG.rst | FLAG.fin))) marks.push('zero window');
  before.retransmits[from] = side.retransmits;
  before.missing[from] = missing;
  before.next[from] = side.stream.next;
  const words = events.flatMap(wordsOf);
  const quiet = words.length === 0 && marks.length === 0 && !control;
  const counts = { client: 0, server: 0, [from]: 1 };
  return { at, from, flags: flagNames(flags), seq, length, words, marks, quiet: quiet ? counts : undefined };
}

/** A segment that a verdict rests on and that has no row yet. */
export function rowOfEvidence({ at, from, flags, seq, length, note }: Evidence): Row {
  return { at, from, flags, seq, length, words: [], marks: [note], quiet: undefined };
}

function wordsOf(event: InspectorEvent): string[] {
  switch (event.kind) {
    case 'phase':
      return [`[${event.phase} ${formatDuration(event.duration)}]`];
    case 'anomaly':
      return [`(${event.anomaly}: ${clip(event.detail)})`];
    case 'verdict':
      return [`<< ${event.verdict}`];
    default:
      return dialogueWords(event as SmtpEvent);
  }
}

function dialogueWords(event: SmtpEvent): string[] {
  switch (event.kind) {
    case 'command':
      return [clip(`${event.verb} ${event.argument}`.trim(), SHORT)];
    case 'reply': {
      const more = event.lines > 1 ? ` (${event.lines} lines)` : '';
      return [clip(`${event.code} ${event.text ?? ''}`.trim(), SHORT) + more];
    }
    case 'content':
      return event.last ? ['end of the message'] : [];
    case 'proxy':
      return [describeProxy(event)];
    case 'secret':
      return ['(credential)'];
    case 'tls':
      return [clip([event.version, event.sni].filter(Boolean).join(' ') || 'TLS hello')];
    case 'gap':
      return [`(${plural(event.span.end - event.span.start, 'octet')} never seen)`];
    default:
      return [];
  }
}

/** `412 segments, 591.2 kB; 203 of the other side`. */
export function quietText({ quiet, from, length }: Row): string {
  if (!quiet) return '';
  const other = quiet[from === 'client' ? 'server' : 'client'];
  const own = quiet[from];
  if (own + other < 2) return '';
  const back = other > 0 ? `; ${other} of the other side` : '';
  return `${plural(own, 'segment')}, ${formatBytes(length)}${back}`;
}

const SHORT = 72;
