// Policy as configured, and what of it holds for one connection.

import type { Endpoint } from '../../inspect/address';
import { NO_RULES, RULES, type RuleName, type Rules } from '../../inspect/policy/rules';
import { isWithin, type Network, parseAddress, parseNetwork } from '../system/address';
import type { LoadLimits } from '../../inspect/policy/limits-of-load';
import { isFault } from '../system/fault';
import { readLimits } from './limits';
import { keyOf, keyOfText, SERVER_ADDRESS, type Problem } from './servers';

export interface PolicyConfig {
  /** What holds for a client that no list names. */
  readonly rules: Rules;
  readonly trustedClients: readonly Network[];
  readonly requireTls: readonly Network[];
  readonly exemptions: readonly Exemption[];
  /** What is configured, by key, as plain JSON: `policyOf` makes all of this from it. */
  readonly given: Readonly<Record<string, unknown>>;
  /** Of the rule `load`. */
  readonly limits: LoadLimits;
}

interface Exemption {
  /** Undefined: all clients. */
  readonly client: Network | undefined;
  /** As `keyOf` writes it; undefined: all servers. */
  readonly server: string | undefined;
  readonly rules: readonly RuleName[];
}

/** Every network, for `policy.requireTls`. */
export const ALL_CLIENTS = 'all';
const EVERYWHERE = ['0.0.0.0/0', '::/0'];

/** `given`: what is configured, by key; `get` has the defaults, too. */
export function readPolicy(
  get: (key: string) => unknown,
  given: Readonly<Record<string, unknown>>,
): PolicyConfig {
  const words = (key: string): ReadonlySet<string> =>
    new Set((get(`policy.${key}`) as string[]).map((word) => word.toUpperCase()));
  const allowed = words('allowedCommands');
  const rules: Rules = {
    smuggling: get('policy.smuggling') as Rules['smuggling'],
    starttls: get('policy.starttls') as Rules['starttls'],
    synchronization: get('policy.synchronization') as Rules['synchronization'],
    lines: get('policy.lines') as Rules['lines'],
    nul: get('policy.nul') as Rules['nul'],
    commands: get('policy.commands') as Rules['commands'],
    refusedCommands: words('refusedCommands'),
    allowedCommands: allowed.size === 0 ? undefined : new Set([...allowed, ...ALWAYS_ALLOWED]),
    hiddenKeywords: words('hiddenKeywords'),
    authBeforeTls: get('policy.authBeforeTls') as Rules['authBeforeTls'],
    requireTls: false,
    banner: (get('policy.banner') as string | null) ?? undefined,
    load: get('policy.load') as Rules['load'],
  };
  return {
    rules,
    trustedClients: networks(get('policy.trustedClients') as string[]),
    requireTls: networks(
      (get('policy.requireTls') as string[]).flatMap((text) => (text === ALL_CLIENTS ? EVERYWHERE : text)),
    ),
    exemptions: (get('policy.exempt') as RawExemption[]).map(readExemption),
    limits: readLimits(get),
    given,
  };
}

/** What holds between these two; the same value where no list names them. */
export function rulesFor(policy: PolicyConfig, client: Endpoint, server: Endpoint): Rules {
  let { rules } = policy;
  if (isWithin(client.address, policy.requireTls)) rules = { ...rules, requireTls: true };
  if (isWithin(client.address, policy.trustedClients))
    rules = { ...rules, refusedCommands: NO_RULES.refusedCommands, allowedCommands: undefined };
  const exempt = exemptFrom(policy, client, server);
  for (const name of exempt) rules = { ...rules, ...OFF[name] };
  return rules;
}

/** The rules that do not hold between these two. */
export function exemptFrom({ exemptions }: PolicyConfig, client: Endpoint, server: Endpoint): Set<RuleName> {
  const exempt = new Set<RuleName>();
  for (const { client: network, server: key, rules } of exemptions) {
    if (network !== undefined && !isWithin(client.address, [network])) continue;
    if (key !== undefined && key !== keyOf(server.address, server.port)) continue;
    for (const rule of rules) exempt.add(rule);
  }
  return exempt;
}

/** What a rule is where it does not hold. */
const OFF: Readonly<Record<RuleName, Partial<Rules>>> = {
  smuggling: { smuggling: 'off' },
  starttls: { starttls: 'off' },
  synchronization: { synchronization: 'off' },
  lines: { lines: 'off' },
  nul: { nul: 'off' },
  commands: { commands: 'off', hiddenKeywords: NO_RULES.hiddenKeywords },
  'auth-before-tls': { authBeforeTls: 'off' },
  'require-tls': { requireTls: false },
  banner: { banner: undefined },
  load: { load: 'off' },
};

function networks(texts: readonly string[]): Network[] {
  return texts.map(parseNetwork).filter((network) => network !== undefined);
}

interface RawExemption {
  readonly client?: string;
  readonly server?: string;
  readonly rules?: readonly RuleName[];
}

/** Of a list that was judged before. */
function readExemption({ client, server, rules = RULES }: RawExemption): Exemption {
  return {
    client: client === undefined ? undefined : parseNetwork(client),
    server: server === undefined ? undefined : keyOfText(server),
    rules,
  };
}

export function exemptionsProblem(value: unknown): string | Problem | undefined {
  if (!Array.isArray(value)) return '';
  for (const [index, item] of value.entries()) {
    const problem = exemptionProblem(item);
    if (problem !== undefined) return { ...problem, at: `[${index}]${problem.at}` };
  }
  return undefined;
}

function exemptionProblem(item: unknown): Problem | undefined {
  if (typeof item !== 'object' || item === null || Array.isArray(item))
    return { at: '', value: item, must: 'an object with "client" or "server"' };
  const entry = item as Record<string, unknown>;
  const unknown = Object.keys(entry).find((name) => !EXEMPTION_KEYS.includes(name));
  if (unknown !== undefined)
    return { at: `.${unknown}`, value: entry[unknown], must: `one of ${EXEMPTION_KEYS.join(', ')}` };
  const { client, server, rules } = entry;
  if (client === undefined && server === undefined)
    return { at: '', value: item, must: 'an object with "client" or "server"' };
  if (client !== undefined && (typeof client !== 'string' || parseNetwork(client) === undefined))
    return { at: '.client', value: client, must: 'an address or a network, as 10.0.0.0/8' };
  if (server !== undefined && (typeof server !== 'string' || keyOfText(server) === undefined))
    return { at: '.server', value: server, must: SERVER_ADDRESS };
  if (rules === undefined) return undefined;
  const names: readonly unknown[] = RULES;
  const known = Array.isArray(rules) && rules.length > 0 && rules.every((rule) => names.includes(rule));
  return known ? undefined : { at: '.rules', value: rules, must: `a list of ${RULES.join(', ')}` };
}

/** Whether a text names a client or a network, or all of them. */
export function isClients(text: unknown): boolean {
  return typeof text === 'string' && (text === ALL_CLIENTS || parseNetwork(text) !== undefined);
}

/** Whether a text can stand behind `220 `: it begins with a domain (RFC 5321 §4.2), and fits into a reply line. */
export function isBanner(text: unknown): boolean {
  if (typeof text !== 'string' || !/^[\x21-\x7e][\x20-\x7e]*$/.test(text) || text.length > LONGEST_BANNER)
    return false;
  const address = parseAddress(`${text.split(' ')[0] ?? ''}:25`);
  return !isFault(address) && address.host !== '' && !text.startsWith('-');
}

const EXEMPTION_KEYS = ['client', 'server', 'rules'];
/** RFC 5321 §4.5.3.1.5: 512 octets with `220 ` and CRLF. */
const LONGEST_BANNER = 506;
const ALWAYS_ALLOWED = ['EHLO', 'HELO', 'NOOP', 'RSET', 'QUIT'];
