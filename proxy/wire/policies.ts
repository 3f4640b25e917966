// Which server is observed, repaired or relayed: knowledge in, the kernel's table out.

import type { LearnedEvent, Micros } from '../../inspect/events';
import { findHonest, type GreetingKnowledge } from '../../inspect/smtp/greeting-knowledge';
import type { Repair } from '../config';
import type { ServerKnowledge } from '../relay/knowledge';
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
  /** Of servers that nothing is known of. */
  readonly unknown: WirePolicy;
  knownOf(server: Endpoint): GreetingKnowledge | undefined;
  learn(server: Endpoint, knowledge: GreetingKnowledge): void;
  /** The kernel took a repair back: what was truncated was only slow. */
  contradict(server: Endpoint, at: Micros): LearnedEvent;
  known(): readonly ServerKnowledge[];
  /** How often something was learned: whether there is news to be saved. */
  readonly lessons: number;
}

export function createPolicies(tables: Tables, asked: Asked, before: readonly ServerKnowledge[]): Policies {
  const known = new Map<string, ServerKnowledge>();
  let lessons = 0;
  const learn = (server: Endpoint, knowledge: GreetingKnowledge): void => {
    const key = `${server.address} ${server.port}`;
    lessons += 1;
    known.delete(key);
    known.set(key, { server, knowledge });
    for (const oldest of known.keys()) {
      if (known.size <= SERVERS) break;
      known.delete(oldest);
    }
    if (asked.path === 'relay') return;
    const policy = policyOf(knowledge, asked);
    tables.setServer(server, { policy, lines: policy === 'repair' ? knowledge.lines : 0 });
  };
  for (const each of before) learn(each.server, each.knowledge);
  return {
    unknown: unknownOf(asked),
    knownOf: ({ address, port }) => known.get(`${address} ${port}`)?.knowledge,
    learn,
    contradict(server, at) {
      const { knowledge, because } = findHonest(0, false);
      const delay = known.get(`${server.address} ${server.port}`)?.knowledge.delay ?? 0;
      learn(server, { ...knowledge, delay });
      const { greeting, policy } = knowledge;
      return { kind: 'learned', at, greeting, policy, because };
    },
    known: () => [...known.values()],
    get lessons() {
      return lessons;
    },
  };
}

/** A server not met yet is relayed until it is understood, where that can be done. */
function unknownOf({ path, repair, canRelay }: Asked): WirePolicy {
  if (path !== 'wire' && canRelay) return 'relay';
  return repair === 'now' ? 'repair' : 'observe';
}

/** What it needs, as far as the path and the operator allow. */
function policyOf({ policy }: GreetingKnowledge, { path, repair, canRelay }: Asked): WirePolicy {
  if (policy === 'relay') return path !== 'wire' && canRelay && repair !== 'never' ? 'relay' : 'observe';
  return policy === 'repair' && repair !== 'never' ? 'repair' : 'observe';
}

const SERVERS = 16_384;
