// Octets of a connection that were read and of which a copy is not held: another copy cannot be compared with it.

import type { Direction, Span } from '../../../inspect/events';
import { FLAG } from '../../../inspect/tcp/segment';
import type { RecordedFrame } from './recording';

export interface NotHeld {
  readonly spans: Readonly<Record<Direction, readonly Span[]>>;
  /** Of this frame's payload only the first `held` octets are here. */
  leave(frame: RecordedFrame, held: number): void;
}

export function createNotHeld(): NotHeld {
  const spans: Record<Direction, Span[]> = { client: [], server: [] };
  return {
    spans,
    leave({ from, start, captured, segment }, held) {
      // A reset's octets are a text, and no part of the stream (RFC 9293 section 3.5.3).
      if (segment.flags & FLAG.rst) return;
      addSpan(spans[from], { start: start + held, end: start + captured });
    },
  };
}

/** Content comes in order: its spans touch, and become one. Too many become one as well, which hides more, not less. */
function addSpan(spans: Span[], { start, end }: Span): void {
  if (end <= start) return;
  const last = spans[spans.length - 1];
  if (last && start >= last.start && start <= last.end) {
    spans[spans.length - 1] = { start: last.start, end: Math.max(last.end, end) };
    return;
  }
  spans.push({ start, end });
  if (spans.length <= SPANS) return;
  const from = Math.min(...spans.map((span) => span.start));
  const to = Math.max(...spans.map((span) => span.end));
  spans.splice(0, spans.length, { start: from, end: to });
}

const SPANS = 256;
