// The judges, by the table: faults have their verdict, healthy connections have none.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Direction, VerdictEvent } from '../../../inspect/events';
import { createInspector } from '../../../inspect/tracker/inspector';
import { withVerdict } from '../../../inspect/verdict/standing';
import type { Segment } from '../../../inspect/tcp/segment';
import { advance } from '../../../inspect/tcp/seq';
import { SECOND, START } from '../smtp/transcript';
import { packetise, type Sent } from '../tcp/packetise';
import { BEYOND_ROWS } from './beyond.table';
import { INSIDE_ROWS } from './inside.table';
import { verdictsOf } from './judging';
import { UNCOUNTED, UNCOUNTED_ROWS } from './uncounted.table';
import { DIALOGUE, ROWS, twice } from './verdicts.table';

const ALL = [...ROWS, ...INSIDE_ROWS, ...BEYOND_ROWS, ...UNCOUNTED_ROWS];

/** Each once, in order. */
function wordsOf(verdicts: readonly VerdictEvent[]): string[] {
  const told = verdicts.map(
    ({ verdict, certainty, proof, where }) =>
      `${verdict} ${certainty} ${proof}${where === 'before' ? '' : ` ${where}`}`,
  );
  return [...new Set(told)];
}

for (const row of ALL) {
  test(row.name, () => {
    const verdicts = verdictsOf(row);
    assert.equal(wordsOf(verdicts), row.want);
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

for (const row of ALL) {
  test(`losses not counted: ${row.name}`, () => {
    const verdicts = verdictsOf(row, true);
    assert.equal(wordsOf(verdicts), UNCOUNTED[row.name] ?? row.want);
    const last = verdicts[verdicts.length - 1];
    const proved = last?.certainty === 'proved' && !(row.name in UNCOUNTED);
    if (proved && row.missing !== undefined) assert.is(last.missingBytes, row.missing);
  });
}

test('what is less where losses are not counted is of rows that there are', () => {
  const names = new Set(ALL.map(({ name }) => name));
  assert.equal(
    Object.keys(UNCOUNTED).filter((name) => !names.has(name)),
    [],
  );
});

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
    return inspector.elided(from, {
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
