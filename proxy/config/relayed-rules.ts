// Which rules of policy keep a server on the relay: those that are configured, and that refuse or change something.

import type { Endpoint } from '../../inspect/address';
import { RULES, type RuleName } from '../../inspect/policy/rules';
import { quote } from './layers';
import { LIMITS } from './policy-schema';
import type { PolicyConfig } from './policy';
import { keyOf } from './servers';

/**
 * The rules for which this server must be relayed, since they hold for some of its clients at least. Without a server:
 * for one that no list names. What a rule does by default keeps no server on the relay.
 */
export function rulesThatRelay(policy: PolicyConfig, server?: Endpoint): readonly RuleName[] {
  const key = server && keyOf(server.address, server.port);
  return RULES.filter(
    (rule) =>
      keysOf(policy, rule).length > 0 &&
      acts(policy, rule) &&
      (key === undefined || !serversWithout(policy, rule).includes(key)),
  );
}

/** What was configured of a rule, as `policy.smuggling = "enforce"`. */
export function settingsOf(policy: PolicyConfig, rule: RuleName): readonly string[] {
  return keysOf(policy, rule).map((key) => `${key} = ${quote(policy.given[key])}`);
}

/** Servers for which a rule does not hold for any client. */
export function serversWithout({ exemptions }: PolicyConfig, rule: RuleName): readonly string[] {
  return exemptions.flatMap(({ client, server, rules }) =>
    client === undefined && server !== undefined && rules.includes(rule) ? server : [],
  );
}

/** Those that are configured. */
function keysOf({ given }: PolicyConfig, rule: RuleName): readonly string[] {
  return KEYS[rule].map((key) => `policy.${key}`).filter((key) => key in given);
}

/**
 * The same policy for servers that are relayed only until they are understood: a rule that is not configured would act on the
 * first connection and on no other one, so it only observes. What a client may cost the process holds.
 */
export function withoutDefaults(policy: PolicyConfig): PolicyConfig {
  const observed = (rule: RuleName): boolean =>
    rule !== 'load' && keysOf(policy, rule).length === 0 && acts(policy, rule);
  const { rules } = policy;
  return {
    ...policy,
    rules: {
      ...rules,
      smuggling: observed('smuggling') ? 'observe' : rules.smuggling,
      starttls: observed('starttls') ? 'observe' : rules.starttls,
      nul: observed('nul') ? 'observe' : rules.nul,
      commands: observed('commands') ? 'observe' : rules.commands,
    },
  };
}

/** Whether what is configured there may keep servers of a bridge on the relay. */
export function mayRelay(key: string): boolean {
  return Object.values(KEYS).some((keys) => keys.some((each) => `policy.${each}` === key));
}

/** Whether a rule refuses or changes something, for some clients at least. */
function acts({ rules, requireTls }: PolicyConfig, rule: RuleName): boolean {
  switch (rule) {
    case 'auth-before-tls':
      return rules.authBeforeTls === 'enforce';
    case 'require-tls':
      return requireTls.length > 0;
    case 'banner':
      return rules.banner !== undefined;
    default:
      return rules[rule] === 'normalize' || rules[rule] === 'enforce';
  }
}

/** What configures each rule; not what only takes something out of it. */
const KEYS: Readonly<Record<RuleName, readonly string[]>> = {
  smuggling: ['smuggling'],
  starttls: ['starttls'],
  synchronization: ['synchronization'],
  lines: ['lines'],
  nul: ['nul'],
  commands: ['commands', 'refusedCommands', 'allowedCommands', 'hiddenKeywords'],
  'auth-before-tls': ['authBeforeTls'],
  'require-tls': ['requireTls'],
  banner: ['banner'],
  load: ['load', ...LIMITS.map(({ key }) => key.replace(/^policy\./, ''))],
};
