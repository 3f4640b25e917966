// Evidence proves again what it is evidence of: written, read back, judged, and the same is said of it.

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { VerdictEvent } from '../../../../inspect/events';
import { FLAG } from '../../../../inspect/tcp/segment';
import { advance } from '../../../../inspect/tcp/seq';
import type { Observer } from '../../../../inspect/tracker/tracker';
import { VERDICT_NAMES } from '../../../../inspect/verdict/causes';
import { runPass } from '../../../../proxy/report/analyze/pass';
import { scratch } from '../../../kit/process';
import { SECOND, START } from '../../../inspect/smtp/transcript';
import type { Sent } from '../../../inspect/tcp/packetise';
import { INSIDE_ROWS } from '../../../inspect/verdict/inside.table';
import { UNCOUNTED_ROWS } from '../../../inspect/verdict/uncounted.table';
import { ROWS, type Row } from '../../../inspect/verdict/verdicts.table';
import { record } from './frames';

/** What is said of one connection, as it stands at the end. */
function createWitness(): Observer & { readonly said: readonly string[] } {
  let standing: readonly VerdictEvent[] = [];
  return {
    observe(news) {
      for (const { verdicts } of news) standing = verdicts;
    },
    get said() {
      return standing.map(
        ({ verdict, certainty, proof, missingBytes, held }) =>
          `${verdict} ${certainty} ${proof} ${missingBytes ?? '-'} ${held ?? '-'}`,
      );
    },
  };
}

/** A probe is a segment like any other: the server's keep-alive (RFC 9293 section 3.8.4). */
function withProbes({ sent, probes = [] }: Row): Sent[] {
  const server = sent.find(({ from }) => from === 'server')?.segment;
  if (!server) return [...sent];
  const asked = probes.map((second): Sent => {
    const at = START + second * SECOND;
    const before = sent.filter(({ from, segment }) => from === 'server' && segment.at < at).at(-1)?.segment;
    const { seq, length, flags, ack } = before ?? server;
    const next = advance(seq, length + (flags & FLAG.syn ? 1 : 0));
    const { payload } = { payload: new Uint8Array(0) };
    const probe = { ...server, at, seq: advance(next, -1), ack, flags: FLAG.ack, payload, length: 0 };
    return { from: 'server', segment: { ...probe, options: { ...server.options, kinds: [8] } } };
  });
  return [...sent, ...asked].sort((a, b) => a.segment.at - b.segment.at);
}

/** What the capture said of itself: nothing was dropped, or nothing at all. */
const SAID = [0, undefined];
const PLAYS = [...ROWS, ...INSIDE_ROWS, ...UNCOUNTED_ROWS].filter(({ want }) => want.length > 0);

for (const [dropped, row] of SAID.flatMap((each) => PLAYS.map((row) => [each, row] as const))) {
  test(`${dropped === 0 ? '' : 'losses not counted: '}${row.name}`, async () => {
    const sent = withProbes(row);
    const folder = scratch('evidence');
    const first = createWitness();
    const to = Math.max(sent.at(-1)?.segment.at ?? 0, START + (row.until ?? 0) * SECOND);
    record(sent, { folder, ran: { from: START, to, dropped } }, undefined, (news) => first.observe(news));
    if (first.said.length === 0) return;
    const [capture = ''] = readdirSync(folder).filter((file) => file.endsWith('.pcapng'));
    const again = createWitness();
    const { faults } = await runPass([join(folder, capture)], {
      ports: [25],
      observer: again,
      turn: () => Promise.resolve(true),
    });
    assert.equal(faults, []);
    assert.equal(again.said, first.said);
  });
}

test('every verdict of one point has a row here', () => {
  const names = new Set(
    [...ROWS, ...INSIDE_ROWS].flatMap(({ want }) => want.map((each) => each.split(' ')[0])),
  );
  assert.equal(
    VERDICT_NAMES.filter((name) => !names.has(name)),
    ['starttls-stripped'],
  );
});

test.run();
