// The rules that keep servers on the relay, as a status shows them.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { linesOfRules, problemsOfRules, rulesOf } from '../../../deploy/status/rules';
import { policyOf } from '../../../proxy/config/reload';

test('which rule keeps which servers there, by which setting, and what that costs', () => {
  const rules = rulesOf(
    policyOf({
      'policy.smuggling': 'enforce',
      'policy.hiddenKeywords': ['DSN'],
      'policy.exempt': [{ server: '192.0.2.25:25', rules: ['smuggling'] }],
    }),
  );
  assert.equal(rules, [
    { rule: 'smuggling', settings: ['policy.smuggling = "enforce"'], except: ['192.0.2.25:25'] },
    { rule: 'commands', settings: ['policy.hiddenKeywords = ["DSN"]'], except: [] },
  ]);
  assert.equal(linesOfRules(rules), [
    'smuggling keeps all servers but 192.0.2.25:25 on the relay (policy.smuggling = "enforce")',
    'commands keeps all servers on the relay (policy.hiddenKeywords = ["DSN"])',
    'cost: each of their connections is two TCP connections by way of the process: not at line rate, and it ends when the process ends',
  ]);
});

const NO_ADDRESS = 'ehlowire0 has no IPv6 address';
const STRICT = rulesOf(policyOf({ 'policy.smuggling': 'enforce', 'policy.nul': 'enforce' }));
for (const [name, rules, notRelayed, problems] of [
  ['rules that are enforced everywhere', STRICT, [], []],
  ['no rules that need the relay', rulesOf(policyOf({})), [NO_ADDRESS], []],
  ['no process, or one that has not said its rules', rulesOf(undefined), [NO_ADDRESS], []],
  [
    'rules that are not enforced somewhere',
    STRICT,
    [NO_ADDRESS],
    [`rules are not enforced where nothing is relayed (smuggling, nul): ${NO_ADDRESS}`],
  ],
] as const)
  test(`a problem, or none: ${name}`, () => assert.equal(problemsOfRules(rules, notRelayed), problems));

test.run();
