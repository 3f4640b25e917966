// What stands: in order, without what was taken back, and no more than is kept.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { VerdictName } from '../../../inspect/events';
import { VERDICTS } from '../../../inspect/limits';
import { withVerdict } from '../../../inspect/verdict/standing';

interface Said {
  readonly verdict: VerdictName;
  readonly withdraws?: VerdictName;
}

const DROPPED: Said = { verdict: 'ehlo-dropped' };
const HELD: Said = { verdict: 'ehlo-held', withdraws: 'ehlo-dropped' };
const LOST: Said = { verdict: 'segment-dropped' };
const FULL = Array.from({ length: VERDICTS - 1 }, () => LOST);

const TABLE: readonly {
  readonly name: string;
  readonly said: readonly Said[];
  readonly want: readonly Said[];
}[] = [
  { name: 'in the order in which they were said', said: [LOST, DROPPED], want: [LOST, DROPPED] },
  { name: 'a verdict said again stands twice', said: [LOST, LOST], want: [LOST, LOST] },
  { name: 'taken back, however often it was said', said: [DROPPED, LOST, DROPPED, HELD], want: [LOST, HELD] },
  { name: 'nothing there to take back', said: [LOST, HELD], want: [LOST, HELD] },
  { name: 'said once more behind that, it stands', said: [DROPPED, HELD, DROPPED], want: [HELD, DROPPED] },
  { name: 'no more than are kept', said: [...FULL, DROPPED, LOST], want: [...FULL, DROPPED] },
  { name: 'taking back makes room', said: [...FULL, DROPPED, HELD], want: [...FULL, HELD] },
];

for (const { name, said, want } of TABLE) {
  test(name, () => {
    const standing = said.reduce<readonly Said[]>((before, each) => withVerdict(before, each, each), []);
    assert.equal(standing, want);
  });
}

test.run();
