// When the ring is looked at again, and beside whom the reader runs: the table in pace.ts, line by line.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createPace, createSteadyPace, type Look } from '../../../proxy/wire/pace';

const SECOND = 1_000_000;

/** What followed each look: milliseconds, and where the priority was moved to. */
function follow(looks: readonly (Look & { readonly busy?: boolean })[]): (string | number)[] {
  const told: (string | number)[] = [];
  const run = { ran: 0, waited: 0 };
  const priority = { back: () => void told.push('back'), up: () => void told.push('up') };
  const pace = createPace(priority, () => ({ ...run }));
  for (const { busy = false, ...look } of looks) {
    run.ran += 10;
    run.waited += busy ? 11 : 9;
    told.push(pace.next(look));
  }
  return told;
}

const empty: Look = { found: false, more: false, fill: 0, behind: 0 };
const some: Look = { found: true, more: false, fill: 0, behind: 0 };
const many: Look = { found: true, more: true, fill: 0.1, behind: 0 };

test('it begins behind all others, goes on while there is something, and looks less often while there is nothing', () => {
  assert.equal(follow([many, many, some, empty, empty, some]), ['back', 0, 0, 50, 100, 100, 50]);
});

test('on a busy machine it waits, whatever is there', () => {
  assert.equal(follow([{ ...many, busy: true }, { ...empty, busy: true }, many]), ['back', 250, 250, 0]);
});

test('but not where the ring is a quarter full, or what comes next is old', () => {
  const full = { ...many, fill: 0.25, busy: true };
  const old = { ...many, behind: 2 * SECOND, busy: true };
  assert.equal(follow([full, old]), ['back', 0, 0]);
});

test('half full it runs beside the others until it is a quarter full', () => {
  const fills = [0.4, 0.5, 0.6, 0.3, 0.25, 0.24, 0.4];
  const looks = fills.map((fill) => ({ ...many, fill }));
  assert.equal(follow(looks), ['back', 0, 'up', 0, 0, 0, 0, 'back', 0, 0]);
});

test('beside a relay nothing is put off', () => {
  const pace = createSteadyPace();
  assert.equal(
    [many, some, empty].map((look) => pace.next(look)),
    [0, 50, 100],
  );
});

test.run();
