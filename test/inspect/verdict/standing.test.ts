// What stands: in order, without what was taken back, and no more than is kept.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Certainty, VerdictEvent, VerdictName } from '../../../inspect/events';
import { VERDICTS } from '../../../inspect/limits';
import { type FindingKey, withVerdict } from '../../../inspect/verdict/standing';

type Said = FindingKey & Pick<VerdictEvent, 'withdraws' | 'certainty'>;

function say(
  verdict: VerdictName,
  start: number,
  certainty: Certainty = 'proved',
  more: Partial<Said> = {},
): Said {
  return { verdict, where: 'before', about: { from: 'client', start }, certainty, ...more };
}

const DROPPED = say('ehlo-dropped', 0);
const SUSPECTED = say('ehlo-dropped', 0, 'suspected');
const BEYOND = say('ehlo-dropped', 0, 'proved', { where: 'beyond' });
const HELD = say('ehlo-held', 0, 'proved', { withdraws: 'ehlo-dropped' });
const LOST = say('segment-dropped', 30);
const LATER = say('segment-dropped', 60);
const OF_SERVER = say('segment-dropped', 30, 'proved', { about: { from: 'server', start: 30 } });
const TRUNCATED: Said = { verdict: 'greeting-truncated', where: 'before', certainty: 'proved' };
const FULL = Array.from({ length: VERDICTS - 1 }, (_, i) => say('segment-dropped', i));

const TABLE: readonly {
  readonly name: string;
  readonly said: readonly Said[];
  readonly want: readonly Said[];
}[] = [
  { name: 'in the order in which they were said', said: [LOST, DROPPED], want: [LOST, DROPPED] },
  { name: 'suspected, then proved', said: [SUSPECTED, LOST, DROPPED], want: [DROPPED, LOST] },
  { name: 'the later word counts, also where it is weaker', said: [DROPPED, SUSPECTED], want: [SUSPECTED] },
  { name: 'about nothing but the connection', said: [TRUNCATED, TRUNCATED], want: [TRUNCATED] },
  { name: 'about other octets', said: [LOST, LATER], want: [LOST, LATER] },
  { name: 'about the other side', said: [LOST, OF_SERVER], want: [LOST, OF_SERVER] },
  { name: 'somewhere else', said: [DROPPED, BEYOND], want: [DROPPED, BEYOND] },
  {
    name: 'taken back, however often it was said',
    said: [SUSPECTED, LOST, DROPPED, HELD],
    want: [LOST, HELD],
  },
  { name: 'nothing there to take back', said: [LOST, HELD], want: [LOST, HELD] },
  { name: 'said once more behind that, it stands', said: [DROPPED, HELD, DROPPED], want: [HELD, DROPPED] },
  { name: 'no more than are kept', said: [...FULL, DROPPED, LATER], want: [...FULL, DROPPED] },
  { name: 'taking back makes room', said: [...FULL, DROPPED, HELD], want: [...FULL, HELD] },
];

for (const { name, said, want } of TABLE) {
  test(name, () => {
    const standing = said.reduce<readonly Said[]>((before, each) => withVerdict(before, each), []);
    assert.equal(standing, want);
  });
}

test.run();
