// The summary: first how whole the capture is, then what became of each connection, and only then what that means.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createTracker } from '../../../../inspect/tracker/tracker';
import { createSummarizer, type Summary } from '../../../../proxy/report/analyze/summary';
import { summaryText } from '../../../../proxy/report/analyze/summary-text';
import { eaten, ROWS, START, UNANSWERED, type Captured } from './summary.table';

function summarize(
  frames: readonly Captured[],
  lost = 0,
  counted = true,
): { readonly text: string; readonly summary: Summary } {
  const tracker = createTracker({ ports: [25], implicitTlsPorts: [465], uncounted: !counted });
  const summarizer = createSummarizer();
  const sorted = [...frames].sort((a, b) => a.at - b.at);
  for (const { at, frame, length } of sorted) summarizer.observe(tracker.frame(1, frame, at, length));
  summarizer.observe(tracker.end(sorted.at(-1)?.at ?? START));
  const { summary } = summarizer;
  const text = summaryText(summary, { counts: tracker.counts, lost, counted }, { ports: [25], color: false });
  return { text, summary };
}

for (const { name, frames, lost, uncounted = false, says, not = [] } of ROWS) {
  test(name, () => {
    const { text, summary } = summarize(frames, lost, !uncounted);
    for (const each of says) assert.match(text, each);
    for (const each of not) assert.not.match(text, each);
    const fates = [...summary.outcomes.values()].reduce((sum, count) => sum + count, 0);
    assert.is(fates, summary.sessions, 'each session has one fate');
  });
}

test('a phase that was not answered is in no percentile', () => {
  const { summary } = summarize(UNANSWERED);
  assert.equal([...summary.phases.keys()], []);
});

const REACH: readonly (readonly [name: string, clients: readonly string[], says: RegExp])[] = [
  [
    'one client: it may be its own doing',
    ['198.51.100.7'],
    /^1 client of one network: EHLO dropped before this point in 1 of 1 session .* The client itself or its own path may/,
  ],
  [
    'three clients of one network: still one path',
    ['198.51.100.7', '198.51.100.8', '198.51.100.9'],
    /^3 clients of one network: /,
  ],
  [
    'of several networks: only what they share',
    ['198.51.100.7', '192.0.2.8', '203.0.113.77'],
    /^3 clients of 3 networks: .* Only what these networks share explains it/,
  ],
];

for (const [name, clients, says] of REACH) {
  test(`whose word it is: ${name}`, () => {
    const { text } = summarize(clients.flatMap(eaten));
    assert.match(text.trimEnd().split('\n').at(-1) ?? '', says);
  });
}

test.run();
