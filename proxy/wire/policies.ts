// Which server is observed, repaired or relayed: what is known of it in, the kernel's table out.

import type { Policy } from '../../inspect/events';
import type { GreetingKnowledge } from '../../inspect/greeting/known';
import { formatEndpoint } from '../system/address';
import type { Endpoint } from '../../inspect/address';
import { repairOf, serversOf, type Repair, type ServerRepairs } from '../config/servers';
import type { Sink } from '../sinks/record';
import type { Held, Tables, WirePolicy, WireServer } from './tables';

/** What the operator configured. */
export interface Asked {
  readonly path: 'auto' | 'wire' | 'relay';
  readonly repair: Repair;
  /** Of single servers. */
  readonly servers: ServerRepairs;
  /** Connections can be handed to a relay. */
  readonly canRelay: boolean;
  /** A configured rule needs the relay for this server. */
  readonly mustRelay: (server: Endpoint) => boolean;
}

export interface Policies {
  /** Of servers that are not in the kernel's table. */
  readonly unknown: WirePolicy;
  /** `knowledge` is what is known now; `undefined`: nothing, or nothing any more. */
  apply(server: Endpoint, knowledge: GreetingKnowledge | undefined): void;
  /** Brings in what the operator decided for single servers, and takes out what was decided before. */
  decide(knownOf: (server: Endpoint) => GreetingKnowledge | undefined): void;
}

/** Servers that need what `unknown` says have no entry: the kernel's table is for those that differ. */
export function createPolicies(tables: Tables, asked: Asked, sink?: Pick<Sink, 'note'>): Policies {
  const unknown = unknownOf(asked);
  const spare = createSpare(tables);
  const tell = (server: Endpoint, policy: WirePolicy, held: Held): void => {
    if (held === 'ok') return;
    const on = formatEndpoint(server);
    const because =
      held === 'full' ? "the kernel's table of servers is full" : 'the kernel refused the entry';
    const fields = { server: on, policy, because, instead: `it is treated as ${unknown}` };
    sink?.note('warn', 'server-not-held', fields, { on: 'table' });
  };
  /** Who is only observed loses least by having no entry: where places are short, others take theirs. */
  const set = (server: Endpoint, value: Omit<WireServer, 'contradicted'>): Held => {
    const held = tables.setServer(server, value);
    const other = held === 'full' && value.policy !== 'observe' ? spare.take() : undefined;
    if (other === undefined) return held;
    const again = tables.setServer(server, value);
    // Reported, and counted as one that found no room.
    tell(other, 'observe', tables.setServer(other, { policy: 'observe', lines: 0 }));
    return again;
  };
  const apply: Policies['apply'] = (server, knowledge) => {
    if (asked.path === 'relay') return;
    const word: Asked = { ...asked, repair: repairOf(asked.servers, server) ?? asked.repair };
    const policy = knowledge ? policyOf(server, knowledge, word) : unknownOf(word);
    const lines = linesOf(policy, knowledge, word);
    const needless = policy === unknown && lines === 0;
    tell(server, policy, needless ? tables.deleteServer(server) : set(server, { policy, lines }));
  };
  return {
    unknown,
    apply,
    decide(knownOf) {
      // Of an earlier process, whose operator had decided otherwise: nothing is known that would need the entry.
      for (const { server, contradicted } of tables.servers())
        if (!contradicted && knownOf(server) === undefined) apply(server, undefined);
      for (const server of serversOf(asked.servers)) apply(server, knownOf(server));
    },
  };
}

/** Servers that are only observed, to be deleted from a table that is full. */
function createSpare(tables: Tables): { take(): Endpoint | undefined } {
  /** Of the last look into the table: one of 16,384 servers takes some 50 ms. */
  let known: Endpoint[] = [];
  const next = (): Endpoint | undefined => {
    for (let server = known.pop(); server; server = known.pop()) {
      if (tables.server(server)?.policy === 'observe' && tables.deleteServer(server) === 'ok') return server;
    }
    return undefined;
  };
  return {
    take() {
      const server = next();
      if (server) return server;
      known = tables.servers().flatMap((each) => (each.policy === 'observe' ? [each.server] : []));
      return next();
    },
  };
}

/** A server not met yet is relayed until it is understood, where that can be done. */
function unknownOf({ path, repair, canRelay }: Asked): WirePolicy {
  if (path !== 'wire' && canRelay) return 'relay';
  return repair === 'now' ? 'repair' : 'observe';
}

/** What it needs, as far as the path and the operator's word on it allow. */
function policyOf(server: Endpoint, { policy }: GreetingKnowledge, asked: Asked): Policy {
  const { path, repair, canRelay, mustRelay } = asked;
  const relays = path !== 'wire' && canRelay;
  if (relays && mustRelay(server)) return 'relay';
  if (policy === 'relay') return relays && repair !== 'never' ? 'relay' : 'observe';
  if (repair === 'now') return 'repair';
  return policy === 'repair' && repair !== 'never' ? 'repair' : 'observe';
}

/** Of a truncated greeting: whole lines after which it stalls. What the operator ordered goes for any line. */
function linesOf(policy: WirePolicy, knowledge: GreetingKnowledge | undefined, { repair }: Asked): number {
  if (policy !== 'repair' || repair === 'now' || knowledge?.greeting !== 'truncated') return 0;
  return knowledge.lines;
}
