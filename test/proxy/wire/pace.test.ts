// When the ring is looked at again, and beside whom the reader runs: the table in pace.ts, line by line.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createPace, createSteadyPace, type Look } from '../../../proxy/wire/pace';

const SECOND = 1_000_000;

/** What followed each look: milliseconds, with nothing to be read then, and where the priority was moved to. */
function follow(looks: readonly (Look & { readonly busy?: boolean })[]): (string | number)[] {
  const told: (string | number)[] = [];
  const load = { all: 0, idle: 0 };
  const priority = {
    back: () => void told.push('back'),
    up: () => void told.push('up'),
    first: () => void told.push('first'),
  };
  const pace = createPace(priority, () => ({ ...load }));
  for (const { busy = false, ...look } of looks) {
    load.all += 20;
    load.idle += busy ? 0 : 5;
    const { pause, read } = pace.next(look);
    told.push(read ? pause : `not for ${pause}`);
  }
  return told;
}

const some: Look = { more: false, fill: 0, behind: 0 };
const many: Look = { more: true, fill: 0.1, behind: 0 };

test('what is little is read at the next look, beside all others', () => {
  assert.equal(follow([some, { ...some, busy: true }, some]), [250, 250, 250]);
});

test('what is more waits until it is seen what others leave, and is read behind them', () => {
  assert.equal(follow([many, many, many, some]), ['back', 'not for 100', 0, 0, 'up', 250]);
});

test('or not yet', () => {
  const busy = { ...many, busy: true };
  assert.equal(follow([many, busy, busy, many, many]), [
    'back',
    'not for 100',
    'not for 500',
    'not for 500',
    0,
    0,
  ]);
});

test('behind them it rests again and again, since what it takes they might have had', () => {
  const told = follow(Array.from({ length: 400 }, () => many));
  const rests = told.flatMap((each, i) => (each === 'not for 100' ? [i] : []));
  assert.equal(rests, [1, 131, 261, 391]);
});

test('but at once where what comes next is old', () => {
  const old = { ...many, behind: 5 * SECOND, busy: true };
  assert.equal(follow([many, old, old, many]), ['back', 'not for 100', 0, 0, 'not for 100']);
});

test('filled by three eighths it is read as others run until it is a quarter full', () => {
  const fills = [0.1, 0.2, 0.375, 0.4, 0.3, 0.25, 0.24, 0.2];
  const looks = fills.map((fill) => ({ ...many, fill, busy: true }));
  assert.equal(follow(looks), [
    ...['back', 'not for 100', 'not for 500'],
    ...['up', 0, 0, 0, 0],
    ...['back', 'not for 100', 'not for 500'],
  ]);
});

test('half full it is read before all others until it is a quarter full', () => {
  const fills = [0.1, 0.2, 0.5, 0.4, 0.3, 0.25, 0.24, 0.2];
  const looks = fills.map((fill) => ({ ...many, fill, busy: true }));
  assert.equal(follow(looks), [
    ...['back', 'not for 100', 'not for 500'],
    ...['first', 0, 0, 0, 0],
    ...['back', 'not for 100', 'not for 500'],
  ]);
});

test('from a quarter on it is looked at more often, so that no half of it comes unseen', () => {
  const looks = [0.1, 0.2, 0.25, 0.3, 0.37].map((fill) => ({ ...many, fill, busy: true }));
  assert.equal(follow(looks), [
    'back',
    'not for 100',
    'not for 500',
    'not for 100',
    'not for 100',
    'not for 100',
  ]);
});

test('beside a relay nothing is put off', () => {
  const pace = createSteadyPace();
  assert.equal(
    [many, some].map((look) => pace.next(look)),
    [0, 250].map((pause) => ({ pause, read: true })),
  );
});

test.run();
