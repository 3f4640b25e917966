// Which server is observed, repaired or relayed: what is known of it in, the kernel's table out.

import type { Policy } from '../../inspect/events';
import type { GreetingKnowledge } from '../../inspect/smtp/greeting-knowledge';
import { formatAddress } from '../address';
import type { Repair } from '../config';
import type { Complaints } from '../relay/complaints';
import type { Endpoint } from '../sinks/record';
import type { Tables, WirePolicy } from './tables';

/** What the operator asked for. */
export interface Asked {
  readonly path: 'auto' | 'wire' | 'relay';
  readonly repair: Repair;
  /** Connections can be handed to a relay. */
  readonly canRelay: boolean;
}

export interface Policies {
  /** Of servers that are not in the kernel's table. */
  readonly unknown: WirePolicy;
  /** `knowledge` is what is known now; `undefined`: nothing, or nothing any more. */
  apply(server: Endpoint, knowledge: GreetingKnowledge | undefined): void;
}

/** Servers that need what `unknown` says have no entry: the kernel's table is for those that differ. */
export function createPolicies(tables: Tables, asked: Asked, complaints?: Complaints): Policies {
  const unknown = unknownOf(asked);
  return {
    unknown,
    apply(server, knowledge) {
      if (asked.path === 'relay') return;
      const policy = knowledge ? policyOf(knowledge, asked) : unknown;
      const held =
        policy === unknown && linesOf(policy, knowledge, asked) === 0
          ? tables.deleteServer(server)
          : tables.setServer(server, { policy, lines: linesOf(policy, knowledge, asked) });
      if (held === 'ok') return;
      const on = formatAddress({ host: server.address, port: server.port });
      const because =
        held === 'full' ? "the kernel's table of servers is full" : 'the kernel refused the entry';
      complaints?.tell('server-not-held', 'table', {
        server: on,
        policy,
        because,
        instead: `it is treated as ${unknown}`,
      });
    },
  };
}

/** A server not met yet is relayed until it is understood, where that can be done. */
function unknownOf({ path, repair, canRelay }: Asked): WirePolicy {
  if (path !== 'wire' && canRelay) return 'relay';
  return repair === 'now' ? 'repair' : 'observe';
}

/** What it needs, as far as the path and the operator allow; `now` is the operator's word on all servers. */
function policyOf({ policy }: GreetingKnowledge, { path, repair, canRelay }: Asked): Policy {
  if (policy === 'relay') return path !== 'wire' && canRelay && repair !== 'never' ? 'relay' : 'observe';
  if (repair === 'now') return 'repair';
  return policy === 'repair' && repair !== 'never' ? 'repair' : 'observe';
}

/** Of a truncated greeting: whole lines after which it stalls. What the operator ordered goes for any line. */
function linesOf(policy: WirePolicy, knowledge: GreetingKnowledge | undefined, { repair }: Asked): number {
  if (policy !== 'repair' || repair === 'now' || knowledge?.greeting !== 'truncated') return 0;
  return knowledge.lines;
}
