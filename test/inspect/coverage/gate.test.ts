// The gate: what was not observed makes less of a finding, or nothing; never something else.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as fc from 'fast-check';
import { createCoverage, isPlainSide, isWhole, type CoverageState } from '../../../inspect/coverage/coverage';
import type { Finding, Premise } from '../../../inspect/coverage/finding';
import { admit, isAdmitted } from '../../../inspect/coverage/gate';

const SIDES = ['client', 'server'] as const;

function whole(): CoverageState {
  const coverage = createCoverage();
  for (const side of SIDES) Object.assign(coverage[side], { begin: 'seen', segments: 9 });
  return coverage;
}

const FINDING: Omit<Finding, 'premises'> = {
  at: 0,
  verdict: 'ehlo-dropped',
  worth: 'proved',
  proof: 'sequence',
  where: 'before',
  summary: 'Said.',
  evidence: [],
};

type Break = (coverage: CoverageState) => void;

/** What breaks each premise, and what leaves it alone. */
const BROKEN: Readonly<Record<Premise, { readonly by: readonly Break[]; readonly not: readonly Break[] }>> = {
  'both-sides': {
    by: SIDES.map((side) => (each) => void (each[side].segments = 0)),
    not: [(each) => void (each.client.cut = 1)],
  },
  handshake: {
    by: SIDES.map((side) => (each) => void (each[side].begin = 'unseen')),
    not: [(each) => void (each.client.begin = 'cut')],
  },
  options: {
    by: SIDES.map((side) => (each) => void (each[side].begin = 'cut')),
    not: [(each) => void (each.client.missed = 1)],
  },
  'client-octets': {
    by: [(each) => void (each.client.cut = 1), (each) => void (each.client.missed = 1)],
    not: [(each) => void (each.server.cut = 1), (each) => void (each.client.copies = 1)],
  },
  'server-octets': {
    by: [(each) => void (each.server.cut = 1), (each) => void (each.server.missed = 1)],
    not: [(each) => void (each.client.cut = 1), (each) => void (each.server.disordered = 1)],
  },
  'nothing-missed': {
    by: [
      (each) => void (each.blind = true),
      (each) => void (each.client.missed = 1),
      (each) => void (each.server.missed = 1),
    ],
    not: [(each) => void (each.client.lost = 1), (each) => void (each.client.cut = 1)],
  },
  'losses-counted': {
    by: [(each) => void Object.assign(each, { counted: false })],
    not: [(each) => void (each.blind = true), (each) => void (each.client.missed = 1)],
  },
  'in-order': {
    by: SIDES.map((side) => (each) => void (each[side].disordered = 1)),
    not: [(each) => void (each.client.copies = 1)],
  },
};

for (const [name, { by, not }] of Object.entries(BROKEN)) {
  const premise = name as Premise;
  test(`${name}: without it nothing, or a suspicion`, () => {
    const toSay: Finding = { ...FINDING, premises: { toSay: [premise] } };
    const toProve: Finding = { ...FINDING, premises: { toSay: [], toProve: [premise] } };
    assert.is(admit(toSay, whole())?.certainty, 'proved');
    for (const spoil of by) {
      const coverage = whole();
      spoil(coverage);
      assert.is(admit(toSay, coverage), undefined);
      assert.is(admit(toProve, coverage)?.certainty, 'suspected');
    }
    for (const spoil of not) {
      const coverage = whole();
      spoil(coverage);
      assert.is(admit(toSay, coverage)?.certainty, 'proved');
    }
  });
}

test('a suspicion stays one, whatever was observed', () => {
  assert.is(
    admit({ ...FINDING, worth: 'suspected', premises: { toSay: [] } }, whole())?.certainty,
    'suspected',
  );
});

const side = fc.record({
  begin: fc.constantFrom('seen' as const, 'cut' as const, 'unseen' as const),
  segments: fc.nat(3),
  cut: fc.nat(1),
  missed: fc.nat(1),
  lost: fc.nat(1),
  copies: fc.nat(1),
  disordered: fc.nat(1),
});
const coverages = fc.record({ client: side, server: side, blind: fc.boolean(), counted: fc.boolean() });
const premises = fc.subarray(Object.keys(BROKEN) as Premise[]);

test('less observed is less said: no premise more makes a finding more', () => {
  fc.assert(
    fc.property(coverages, premises, premises, premises, (coverage, toSay, toProve, more) => {
      const rank = (each: Finding): number =>
        ({ proved: 2, suspected: 1, none: 0 })[admit(each, coverage)?.certainty ?? 'none'];
      const few = rank({ ...FINDING, premises: { toSay, toProve } });
      assert.ok(rank({ ...FINDING, premises: { toSay: [...toSay, ...more], toProve } }) <= few);
      assert.ok(rank({ ...FINDING, premises: { toSay, toProve: [...toProve, ...more] } }) <= few);
    }),
  );
});

test('oddities of the dialogue are said of a dialogue that was seen whole; what was not seen, always', () => {
  fc.assert(
    fc.property(coverages, (coverage) => {
      assert.ok(isAdmitted({ anomaly: 'gap' }, coverage));
      assert.is(isAdmitted({ anomaly: 'bare-lf' }, coverage), isWhole(coverage));
      assert.is(isAdmitted({ anomaly: 'silence' }, coverage), isWhole(coverage) && coverage.counted);
      if (SIDES.every((each) => isPlainSide(coverage[each])) && !coverage.blind) assert.ok(isWhole(coverage));
    }),
  );
});

test.run();
