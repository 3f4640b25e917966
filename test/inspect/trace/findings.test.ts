import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { closingSentence, judgeTrace, limitsOf } from '../../../inspect/trace/findings';
import { ROWS, short } from './findings.table';
import { play, type Device } from './path';

for (const { name, path, want, limits = [], message } of ROWS)
  test(name, () => {
    const trace = play(path);
    const verdicts = judgeTrace(trace);
    assert.equal(verdicts.map(short), want);
    const said = limitsOf(trace);
    for (const limit of limits)
      assert.ok(
        said.some((each) => limit.test(each)),
        said.join('\n'),
      );
    if (message) assert.match(verdicts.map((each) => each.message).join(' '), message);
    assert.match(closingSentence(trace, verdicts), /^[A-Z].*\.$/);
  });

test('a device anywhere, beside silent hops, lies between the two hops that are named', () => {
  const paths = fc.record({
    routers: fc.integer({ min: 1, max: 8 }),
    at: fc.integer({ min: 1, max: 9 }),
    silent: fc.uniqueArray(fc.integer({ min: 1, max: 8 }), { maxLength: 6 }),
  });
  fc.assert(
    fc.property(paths, ({ routers, at, silent }) => {
      const device = Math.min(at, routers + 1);
      const devices: Record<number, Device> = {};
      for (const hop of silent) devices[hop] = () => ({ mute: true });
      const before = devices[device];
      devices[device] = (name, attempt) =>
        name === 'ehlo' ? { drops: true } : (before?.(name, attempt) ?? {});
      const verdicts = judgeTrace(play({ routers, devices, hello: { result: 'silent', alive: true } }));
      const [{ verdict, certainty, place } = { place: undefined }] = verdicts;
      assert.is(verdicts.length, 1);
      assert.equal([verdict, certainty], ['ehlo-dropped', 'proved']);
      assert.ok(place?.kind === 'between' && place.from < device && device <= (place.to ?? 0));
    }),
  );
});

test('where every segment fares alike, nothing is found', () => {
  const fates = fc.array(
    fc.array(fc.constantFrom('answers', 'mute', 'late'), { minLength: 3, maxLength: 3 }),
    {
      minLength: 1,
      maxLength: 8,
    },
  );
  fc.assert(
    fc.property(fates, (hops) => {
      const devices = Object.fromEntries(
        hops.map((fate, i): [number, Device] => [
          i + 1,
          (_name, attempt) =>
            fate[attempt - 1] === 'mute'
              ? { mute: true }
              : { holds: fate[attempt - 1] === 'late' ? 900_000 : 0 },
        ]),
      );
      assert.equal(judgeTrace(play({ routers: hops.length, devices })).map(short), []);
    }),
  );
});

test.run();
