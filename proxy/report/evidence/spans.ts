// Spans of a stream's octets: joined where they touch or overlap, and asked what of another span is in them.

import type { Span } from '../../../inspect/events';

/** Most come in the order of the stream. */
export function addSpan(spans: Span[], { start, end }: Span): void {
  if (end <= start) return;
  const last = spans[spans.length - 1];
  if (last && start >= last.start && start <= last.end) {
    spans[spans.length - 1] = { start: last.start, end: Math.max(last.end, end) };
  } else spans.push({ start, end });
}

/** One span over all of them. */
export function joinSpans(spans: Span[]): void {
  const start = Math.min(...spans.map((span) => span.start));
  const end = Math.max(...spans.map((span) => span.end));
  spans.splice(0, spans.length, { start, end });
}

/** How many octets from `start` on are in one of the spans. */
export function octetsWithin(spans: readonly Span[], { start, end }: Span): number {
  const within = spans.find((span) => span.start <= start && start < span.end);
  return within ? Math.min(end, within.end) - start : 0;
}

/** The first octet from `start` on that is in one of the spans; `Infinity`: none is. */
export function firstWithin(spans: readonly Span[], start: number): number {
  return spans.reduce(
    (first, span) => (span.end > start ? Math.min(first, Math.max(span.start, start)) : first),
    Infinity,
  );
}
