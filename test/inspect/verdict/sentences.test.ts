// Each cause has its sentence, and no other row makes a cause without one.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { VerdictEvent } from '../../../inspect/events';
import { BEYOND_ROWS } from './beyond.table';
import { INSIDE_ROWS } from './inside.table';
import { verdictsOf } from './judging';
import { SENTENCES } from './sentences.table';
import { ROWS } from './verdicts.table';

const ALL = [...ROWS, ...INSIDE_ROWS, ...BEYOND_ROWS];

function causeName({ verdict, where, proof, certainty, came }: VerdictEvent): string {
  return `${verdict} ${where} ${proof} ${certainty} ${came ?? '-'}`;
}

for (const { cause, row, sentence } of SENTENCES) {
  test(cause, () => {
    const played = ALL.find(({ name }) => name === row);
    assert.ok(played, `no row "${row}"`);
    const said = verdictsOf(played).filter((verdict) => causeName(verdict) === cause);
    assert.is(said[0]?.summary, sentence);
  });
}

test('every cause that a row makes has a sentence here', () => {
  const causes = new Set(ALL.flatMap((row) => verdictsOf(row).map(causeName)));
  assert.equal([...causes].sort(), SENTENCES.map(({ cause }) => cause).sort());
});

test.run();
