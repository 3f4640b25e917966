// Who may come in: what one client is, and that no place is counted for ever.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as fc from 'fast-check';
import { clientKey, createAdmission, type NoPlace, type Place } from '../../../proxy/relay/caps';

const SAME: readonly (readonly [name: string, a: string, b: string, same: boolean])[] = [
  ['one IPv4 address', '198.18.0.1', '198.18.0.1', true],
  ['neighbours on IPv4', '198.18.0.1', '198.18.0.2', false],
  ['IPv4 and the same mapped', '198.18.0.1', '::ffff:198.18.0.1', true],
  ['one /64', '2001:db8:0:1::1', '2001:db8:0:1:ffff::2', true],
  ['neighbouring /64', '2001:db8:0:1::1', '2001:db8:0:2::1', false],
  ['no address at all', 'unix', 'unix', true],
];

for (const [name, a, b, same] of SAME) {
  test(`${name}: ${same ? 'one client' : 'two clients'}`, () => {
    assert.is(clientKey(a) === clientKey(b), same);
  });
}

const LIMITS = { total: 3, perClient: 2 };

function enter(admission: ReturnType<typeof createAdmission>, client?: string): Place | NoPlace {
  let answered: Place | NoPlace | undefined;
  admission.enter(client, (answer) => (answered = answer));
  assert.ok(answered, 'it answers at once');
  return answered as Place | NoPlace;
}

const reasonOf = (answer: Place | NoPlace | undefined): string =>
  answer?.kind === 'no-place' ? answer.reason : 'in';

const ENTERING: readonly (readonly [name: string, clients: readonly string[], want: readonly string[]])[] = [
  ['one client, one too many', ['a', 'a', 'a', 'b'], ['in', 'in', 'connections-per-client', 'in']],
  ['all together, one too many', ['a', 'b', 'c', 'd'], ['in', 'in', 'in', 'connections']],
  [
    'a refused one takes no place',
    ['a', 'a', 'a', 'a', 'b'],
    ['in', 'in', 'connections-per-client', 'connections-per-client', 'in'],
  ],
];

for (const [name, clients, want] of ENTERING) {
  test(`places: ${name}`, () => {
    const admission = createAdmission(LIMITS);
    assert.equal(
      clients.map((client) => reasonOf(enter(admission, client))),
      want,
    );
  });
  test(`places: ${name}, each named by a PROXY header`, () => {
    const admission = createAdmission(LIMITS);
    const got = clients.map((client) => {
      const answer = enter(admission);
      if (answer.kind === 'no-place') return answer.reason;
      let no: NoPlace | undefined;
      answer.introduce(client, (refusal) => (no = refusal));
      return reasonOf(no);
    });
    assert.equal(got, want);
  });
}

test('places: whoever comes and goes in whatever order, none is lost and none is given twice', () => {
  const step = fc.record({ client: fc.constantFrom('a', 'b', undefined), leaves: fc.nat(3) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const admission = createAdmission(LIMITS);
      const inside: Place[] = [];
      for (const { client, leaves } of steps) {
        const answer = enter(admission, client);
        if (answer.kind === 'place') inside.push(answer);
        if (leaves < inside.length) {
          const [place] = inside.splice(leaves, 1);
          place?.leave();
          place?.leave();
        }
        assert.is(admission.held, inside.length);
      }
      inside.forEach((place) => place.leave());
      assert.equal(
        [admission.held, reasonOf(enter(admission, 'a')), reasonOf(enter(admission, 'a'))],
        [0, 'in', 'in'],
      );
    }),
  );
});

test.run();
