// Who may come in: what one client is, and that no place is counted for ever.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as fc from 'fast-check';
import { createAdmission, type Admission, type NoPlace, type Place } from '../../../proxy/relay/caps';
import { clientKey } from '../../../proxy/relay/origin';
import { defaultPolicy } from './stage';

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

const admit = (load: 'enforce' | 'observe' | 'off' = 'enforce'): Asks => {
  const limits = { ...defaultPolicy().limits, connectionsPerClient: { most: 2, chosen: true } };
  const admission = createAdmission({ total: 3, limits: () => limits, onHidden: () => undefined });
  return { admission, load };
};

interface Asks {
  readonly admission: Admission;
  readonly load: 'enforce' | 'observe' | 'off';
}

function enter({ admission, load }: Asks, client?: string): Place | NoPlace {
  let answered: Place | NoPlace | undefined;
  admission.enter(
    client === undefined ? undefined : { address: client, load },
    (answer) => (answered = answer),
  );
  assert.ok(answered, 'it answers at once');
  return answered as Place | NoPlace;
}

const reasonOf = (answer: Place | NoPlace | undefined): string =>
  answer?.kind === 'no-place' ? answer.reason : 'in';

const ENTERING: readonly (readonly [name: string, clients: readonly string[], want: readonly string[]])[] = [
  ['one client, one too many', ['a', 'a', 'a', 'b'], ['in', 'in', 'load', 'in']],
  ['all together, one too many', ['a', 'b', 'c', 'd'], ['in', 'in', 'in', 'connections']],
  ['a refused one takes no place', ['a', 'a', 'a', 'a', 'b'], ['in', 'in', 'load', 'load', 'in']],
];

for (const [name, clients, want] of ENTERING) {
  test(`places: ${name}`, () => {
    const asks = admit();
    assert.equal(
      clients.map((client) => reasonOf(enter(asks, client))),
      want,
    );
  });
  test(`places: ${name}, each named by a PROXY header`, () => {
    const asks = admit();
    const got = clients.map((client) => {
      const answer = enter(asks);
      if (answer.kind === 'no-place') return answer.reason;
      let no: NoPlace | undefined;
      answer.introduce({ address: client, load: 'enforce' }, (refusal) => (no = refusal));
      return reasonOf(no);
    });
    assert.equal(got, want);
  });
}

test('places: whoever comes and goes in whatever order, none is lost and none is given twice', () => {
  const step = fc.record({ client: fc.constantFrom('a', 'b', undefined), leaves: fc.nat(3) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const asks = admit();
      const inside: Place[] = [];
      for (const { client, leaves } of steps) {
        const answer = enter(asks, client);
        if (answer.kind === 'place') inside.push(answer);
        if (leaves < inside.length) {
          const [place] = inside.splice(leaves, 1);
          place?.leave();
          place?.leave();
        }
        assert.is(asks.admission.held, inside.length);
      }
      inside.forEach((place) => place.leave());
      assert.equal(
        [asks.admission.held, reasonOf(enter(asks, 'a')), reasonOf(enter(asks, 'a'))],
        [0, 'in', 'in'],
      );
    }),
  );
});

test.run();
