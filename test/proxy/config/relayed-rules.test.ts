// Which servers of a bridge a configuration keeps on the relay, and for which rules.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { RULES } from '../../../inspect/policy/rules';
import { policyOf } from '../../../proxy/config/reload';
import { modeOf } from '../../../inspect/policy/state';
import {
  rulesThatRelay,
  serversWithout,
  settingsOf,
  withoutDefaults,
} from '../../../proxy/config/relayed-rules';
import { POLICY_SETTINGS } from '../../../proxy/config/policy-schema';

const A = { address: '192.0.2.25', port: 25 };
const B = { address: '2001:db8::25', port: 587 };
const TO_A = '192.0.2.25:25';

interface Row {
  readonly name: string;
  readonly given: Readonly<Record<string, unknown>>;
  /** Of both servers, or of each. */
  readonly rules: readonly string[];
  readonly ofB?: readonly string[];
}

const smuggling = { 'policy.smuggling': 'enforce' };
const ROWS: readonly Row[] = [
  { name: 'what the rules are by default keeps no server on the relay', given: {}, rules: [] },
  { name: 'a rule that is enforced does', given: smuggling, rules: ['smuggling'] },
  {
    name: 'a rule that is normalized does, also where that is the default: somebody wants it',
    given: { 'policy.smuggling': 'normalize' },
    rules: ['smuggling'],
  },
  {
    name: 'a rule that is observed or off does not',
    given: { 'policy.smuggling': 'observe', 'policy.nul': 'off', 'policy.lines': 'observe' },
    rules: [],
  },
  {
    name: 'a list that a rule enforces by default was configured: the rule is wanted',
    given: { 'policy.refusedCommands': ['VRFY'] },
    rules: ['commands'],
  },
  {
    name: 'a list of a rule that is only observed',
    given: { 'policy.commands': 'observe', 'policy.refusedCommands': ['VRFY'] },
    rules: [],
  },
  {
    name: 'a list that only takes something out of a rule',
    given: { 'policy.trustedClients': ['192.0.2.1'], 'policy.exempt': [{ server: TO_A }] },
    rules: [],
  },
  {
    name: 'TLS that some clients must use, a banner, AUTH before TLS',
    given: {
      'policy.requireTls': ['192.0.2.0/24'],
      'policy.banner': 'mx.example ESMTP',
      'policy.authBeforeTls': 'enforce',
    },
    rules: ['auth-before-tls', 'require-tls', 'banner'],
  },
  {
    name: 'a list of no clients, no banner, as by default',
    given: { 'policy.requireTls': [], 'policy.banner': null, 'policy.authBeforeTls': 'observe' },
    rules: [],
  },
  {
    name: 'a server that is exempt from all rules',
    given: { ...smuggling, 'policy.exempt': [{ server: TO_A }] },
    rules: [],
    ofB: ['smuggling'],
  },
  {
    name: 'a server that is exempt from one of two',
    given: { ...smuggling, 'policy.nul': 'enforce', 'policy.exempt': [{ server: TO_A, rules: ['nul'] }] },
    rules: ['smuggling'],
    ofB: ['smuggling', 'nul'],
  },
  {
    name: 'a server that is exempt for some clients: the others need the rule',
    given: { ...smuggling, 'policy.exempt': [{ server: TO_A, client: '192.0.2.0/24' }] },
    rules: ['smuggling'],
  },
  {
    name: 'clients that are exempt, to any server',
    given: { ...smuggling, 'policy.exempt': [{ client: '192.0.2.0/24' }] },
    rules: ['smuggling'],
  },
  {
    name: 'an address in another way of writing',
    given: { ...smuggling, 'policy.exempt': [{ server: '[2001:0db8:0:0::25]:587' }] },
    rules: ['smuggling'],
    ofB: [],
  },
];

for (const { name, given, rules, ofB = rules } of ROWS)
  test(name, () => {
    const policy = policyOf(given);
    assert.equal([...rulesThatRelay(policy, A)], rules, 'of A');
    assert.equal([...rulesThatRelay(policy, B)], ofB, 'of B');
  });

test('a rule is shown with what was configured of it, and where it does not hold', () => {
  const policy = policyOf({
    'policy.refusedCommands': ['VRFY'],
    'policy.hiddenKeywords': ['DSN'],
    'policy.exempt': [{ server: TO_A, rules: ['commands'] }],
  });
  assert.equal(settingsOf(policy, 'commands'), [
    'policy.refusedCommands = ["VRFY"]',
    'policy.hiddenKeywords = ["DSN"]',
  ]);
  assert.equal(settingsOf(policy, 'nul'), []);
  assert.equal(serversWithout(policy, 'commands'), [TO_A]);
});

test('in auto no rule acts by default: what is configured is as it is, all else observes, and no more than before', () => {
  const policy = policyOf({ 'policy.nul': 'enforce', 'policy.starttls': 'off' });
  const { rules } = withoutDefaults(policy);
  assert.equal(
    { ...policy.rules },
    { ...rules, smuggling: 'normalize', commands: 'enforce' },
    'nothing else is different',
  );
  assert.equal([rules.smuggling, rules.commands], ['observe', 'observe']);
  for (const given of [{}, { 'policy.smuggling': 'normalize' }, { 'policy.hiddenKeywords': ['DSN'] }]) {
    const left = withoutDefaults(policyOf(given));
    const acting = RULES.filter(
      (rule) => rule !== 'load' && ['normalize', 'enforce'].includes(modeOf(left.rules, rule)),
    );
    assert.equal(acting, [...rulesThatRelay(policyOf(given))]);
  }
});

test('every key is one of a rule, or takes something out of rules', () => {
  const given = Object.fromEntries(POLICY_SETTINGS.map(({ key, default: value }) => [key, value]));
  const shown = RULES.flatMap((rule) => settingsOf(policyOf(given), rule)).map((text) => text.split(' ')[0]);
  const rest = POLICY_SETTINGS.map(({ key }) => key).filter((key) => !shown.includes(key));
  assert.equal(rest, ['policy.trustedClients', 'policy.exempt']);
});

test.run();
