// The judges, by the table: faults have their verdict, healthy connections have none.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Direction, VerdictEvent } from '../../../inspect/events';
import { createInspector, type Inspector, type InspectorEvent } from '../../../inspect/inspector';
import { withVerdict } from '../../../inspect/verdict/standing';
import type { Segment } from '../../../inspect/tcp/segment';
import { advance } from '../../../inspect/tcp/seq';
import { SECOND, START } from '../smtp/transcript';
import { packetise, type Sent } from '../tcp/packetise';
import { BEYOND_ROWS } from './beyond.table';
import { INSIDE_ROWS } from './inside.table';
import { DIALOGUE, type Row, ROWS, twice } from './verdicts.table';

/** Time as a tracker lets it pass: whoever has a deadline is asked at it, and once a second when it is over. */
function pass(inspector: Inspector, from: number, to: number): InspectorEvent[] {
  const events: InspectorEvent[] = [];
  for (let at = from; at <= to;) {
    const due = inspector.deadline();
    if (due === undefined) break;
    at = due > at ? due : at + SECOND;
    if (at <= to) events.push(...inspector.idle(at));
  }
  return events;
}

function verdictsOf({ sent, until, probes = [] }: Row): VerdictEvent[] {
  const [first] = sent;
  if (!first) return [];
  const inspector = createInspector(first.segment);
  const steps: { at: number; run: () => readonly InspectorEvent[] }[] = [
    ...sent.map(({ from, segment: each }) => ({
      at: each.at,
      run: () => (inspector.isCopy(from, each) ? [] : inspector.segment(from, each)),
    })),
    ...probes.map((second) => ({
      at: START + second * SECOND,
      run: () => inspector.probed('client', START + second * SECOND),
    })),
  ].sort((a, b) => a.at - b.at);
  const events = steps.flatMap(({ at, run }, i) => [
    ...pass(inspector, steps[i - 1]?.at ?? at, at),
    ...run(),
  ]);
  const last = Math.max(sent[sent.length - 1]?.segment.at ?? 0, START + (until ?? 0) * SECOND);
  events.push(...pass(inspector, steps[steps.length - 1]?.at ?? last, last), ...inspector.end(last));
  return events.filter((event): event is VerdictEvent => event.kind === 'verdict');
}

for (const row of [...ROWS, ...INSIDE_ROWS, ...BEYOND_ROWS]) {
  test(row.name, () => {
    const verdicts = verdictsOf(row);
    const told = verdicts.map(
      ({ verdict, certainty, proof, where }) =>
        `${verdict} ${certainty} ${proof}${where === 'before' ? '' : ` ${where}`}`,
    );
    assert.equal([...new Set(told)], row.want);
    const standing = verdicts.reduce<readonly VerdictEvent[]>(withVerdict, []);
    const named = standing.map(({ verdict, certainty }) => `${verdict} ${certainty}`);
    if (row.standing) assert.equal(named, row.standing);
    const last = verdicts[verdicts.length - 1];
    if (row.missing !== undefined) assert.is(last?.missingBytes, row.missing);
    assert.is(last?.withdraws, row.withdraws);
    if (row.held)
      assert.ok((last?.held ?? 0) >= row.held[0] && (last?.held ?? 0) <= row.held[1], `${last?.held}`);
    for (const { summary, evidence } of verdicts) {
      assert.match(summary, /^[A-Z].*\.$/);
      assert.ok(evidence.length > 0, 'a verdict lists its segments');
      assert.not.match(JSON.stringify(evidence), /EHLO vm/);
    }
  });
}

/** The message took 200 packets. */
function laterBy({ at, ipId = 0 }: Segment, from: Direction): number {
  return from === 'client' && at > START + 8.5 * SECOND ? (ipId + 200) & 0xffff : ipId;
}

test('several copies lost in a row are told while the connection goes on', () => {
  const row = INSIDE_ROWS.find(({ name }) => name.startsWith('EHLO lost three times, by'));
  const [first, ...rest] = row?.sent ?? [];
  const inspector = createInspector((first as Sent).segment);
  const hello = rest.findIndex(({ segment: { length }, from }) => from === 'client' && length > 0);
  const events = [first as Sent, ...rest.slice(0, hello + 5)].flatMap(({ from, segment }) =>
    inspector.segment(from, segment),
  );
  const due = inspector.deadline() ?? 0;
  const told = [...events, ...inspector.idle(due)].filter(({ kind }) => kind === 'verdict');
  assert.is(told.length, 1);
  assert.ok(due <= START + 4 * SECOND, `${due - START}`);
});

test('a message that the kernel leaves out leaves its packets out too: what was counted before it stands', () => {
  const row = INSIDE_ROWS.find(({ name }) => name.startsWith('segments put together'));
  const [first] = row?.sent ?? [];
  const inspector = createInspector((first as Sent).segment);
  const events = (row?.sent ?? []).flatMap(({ from, segment }) => {
    if (segment.length < 2_000) return inspector.segment(from, { ...segment, ipId: laterBy(segment, from) });
    return inspector.stretch(from, {
      at: segment.at,
      seq: segment.seq,
      length: segment.length,
      end: segment.payload.slice(-5),
    });
  });
  events.push(...inspector.end(START + 60 * SECOND));
  const told = events.filter((event) => event.kind === 'verdict');
  assert.equal(
    told.map(({ verdict }) => verdict),
    ['ehlo-dropped'],
  );
});

test('a mid-stream retransmission across the wrap is still one', () => {
  const isn = { client: 0xffff_fffa, server: 5 };
  const sent = twice(packetise(DIALOGUE, { isn }), 'EHLO', 'EHLO vm\r\n');
  const inspector = createInspector((sent[0] as Sent).segment);
  for (const { from, segment: each } of sent) inspector.segment(from, each);
  assert.is(inspector.view.client.retransmits, 1);
  assert.is(inspector.view.client.stream.seqOf(0), advance(isn.client, 1));
});

test.run();
