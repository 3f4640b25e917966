// The rules of policy that keep servers on the relay, what that costs, and where it does not work.

import type { PolicyConfig } from '../../proxy/config/policy';
import { rulesThatRelay, serversWithout, settingsOf } from '../../proxy/config/relayed-rules';
import { printable } from '../../proxy/sinks/wording';

export interface RelayedRule {
  readonly rule: string;
  /** What was configured, as `policy.smuggling = "enforce"`. */
  readonly settings: readonly string[];
  /** Servers that are exempt. */
  readonly except: readonly string[];
}

/** `policy` is that of the process; undefined: there is none, or it has not said. */
export function rulesOf(policy: PolicyConfig | undefined): readonly RelayedRule[] {
  if (policy === undefined) return [];
  return rulesThatRelay(policy).map((rule) => ({
    rule,
    settings: settingsOf(policy, rule),
    except: serversWithout(policy, rule),
  }));
}

export function linesOfRules(rules: readonly RelayedRule[]): readonly string[] {
  return [
    ...rules.map(({ rule, settings, except }) => {
      const whom = except.length === 0 ? 'all servers' : `all servers but ${except.join(', ')}`;
      return printable(`${rule} keeps ${whom} on the relay (${settings.join(', ')})`);
    }),
    COST,
  ];
}

/** `notRelayed`: why some or all connections cannot be relayed. */
export function problemsOfRules(
  rules: readonly RelayedRule[],
  notRelayed: readonly string[],
): readonly string[] {
  if (rules.length === 0 || notRelayed.length === 0) return [];
  const names = rules.map(({ rule }) => rule).join(', ');
  return [`rules are not enforced where nothing is relayed (${names}): ${notRelayed.join('; ')}`];
}

const COST =
  'cost: each of their connections is two TCP connections by way of the process: not at line rate, and it ends when the process ends';
