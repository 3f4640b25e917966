// The rules of a dry run: whatever is configured is judged, and what it would have come to is said by its configured mode.

import type { Endpoint } from '../../../inspect/address';
import { NO_RULES, type Rules, type Strictness } from '../../../inspect/policy/rules';
import { rulesFor, type PolicyConfig } from '../../config/policy';

/** As they are configured for these two, and with `all` every rule as if it were enforced; exemptions hold in any case. */
export function configuredRules(
  policy: PolicyConfig,
  all: boolean,
  client: Endpoint,
  server: Endpoint,
): Rules {
  return rulesFor(all ? { ...policy, rules: enforced(policy.rules, true) } : policy, client, server);
}

/** A rule finds all that it can find where it is enforced. */
export function judgedRules(rules: Rules): Rules {
  return enforced(rules, false);
}

/** `off`: also those that are off. */
function enforced(rules: Rules, off: boolean): Rules {
  const mode = (configured: Rules['smuggling']): Strictness =>
    configured === 'off' && !off ? 'off' : 'enforce';
  return {
    ...rules,
    smuggling: mode(rules.smuggling),
    starttls: mode(rules.starttls),
    synchronization: mode(rules.synchronization),
    lines: mode(rules.lines),
    nul: mode(rules.nul),
    commands: mode(rules.commands),
    authBeforeTls: mode(rules.authBeforeTls),
    load: mode(rules.load),
    requireTls: rules.requireTls || off,
    // It changes every greeting alike: there is nothing to be found.
    banner: NO_RULES.banner,
  };
}
