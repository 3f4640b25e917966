// What the rules would have done, counted by rule and client network, beside the mail that came from each network.

import type { Endpoint } from '../../../inspect/address';
import type { Micros } from '../../../inspect/events';
import { modeOf } from '../../../inspect/policy/state';
import { RULES, type RuleName, type Rules } from '../../../inspect/policy/rules';
import { networkOf } from '../../system/address';

/** `was-refused`: in fact, as the log says. The others are what the rules would have done as they are configured. */
export type Effect = 'was-refused' | 'refused' | 'changed' | 'reported';

export interface Example {
  readonly client: Endpoint;
  readonly at: Micros;
  readonly what: string;
}

/** Of one connection: what rules met on it. */
export interface Met {
  add(rule: string, effect: Effect, example: Example): void;
  /** What must not be said of it after all. */
  forget(rule: string): void;
}

/** Clients of one network. */
export interface Mail {
  connections: number;
  /** That servers accepted, as far as they were seen. */
  messages: number;
  /** Connections that went on in TLS. */
  tls: number;
}

export interface Row {
  readonly rule: string;
  readonly effect: Effect;
  readonly network: string;
  connections: number;
  /** On these connections. */
  times: number;
  /** The first. */
  readonly example: Example;
}

export interface Tally {
  readonly rows: readonly Row[];
  mailOf(network: string): Readonly<Mail>;
  /** A connection has ended. */
  count(
    client: string,
    met: Met | undefined,
    mail: { readonly messages: number; readonly tls: boolean },
  ): void;
}

export function createTally(): Tally {
  const rows = new Map<string, Row>();
  const mail = new Map<string, Mail>();
  /** A flood may come from as many networks as there are: those beyond the cap are one. */
  const nameOf = (client: string): string => {
    const network = networkOf(client);
    return mail.has(network) || mail.size < NETWORKS ? network : OTHERS;
  };
  return {
    get rows() {
      return [...rows.values()];
    },
    mailOf: (network) => mail.get(network) ?? { connections: 0, messages: 0, tls: 0 },
    count(client, met, { messages, tls }) {
      const network = nameOf(client);
      const all = mail.get(network) ?? { connections: 0, messages: 0, tls: 0 };
      mail.set(network, all);
      all.connections += 1;
      all.messages += messages;
      if (tls) all.tls += 1;
      for (const { rule, effect, times, example } of findingsOf(met)) {
        const key = `${effect} ${rule} ${network}`;
        const row = rows.get(key) ?? { rule, effect, network, connections: 0, times: 0, example };
        rows.set(key, row);
        row.connections += 1;
        row.times += times;
      }
    },
  };
}

interface Finding {
  readonly rule: string;
  readonly effect: Effect;
  times: number;
  readonly example: Example;
}

interface Found extends Met {
  readonly found: Map<string, Finding>;
}

export function createMet(): Met {
  const found = new Map<string, Finding>();
  const met: Found = {
    found,
    add(rule, effect, example) {
      const key = `${effect} ${rule}`;
      const known = found.get(key);
      if (known) known.times += 1;
      else found.set(key, { rule, effect, times: 1, example });
    },
    forget(rule) {
      for (const [key, finding] of found) if (finding.rule === rule) found.delete(key);
    },
  };
  return met;
}

function findingsOf(met: Met | undefined): Iterable<Finding> {
  return met === undefined ? [] : (met as Found).found.values();
}

/** What a rule would have done, as it is configured; undefined: nothing, and nothing would have been said. */
export function effectOf(rules: Rules, rule: RuleName): Effect | undefined {
  return EFFECTS[modeOf(rules, rule)];
}

export function isRule(name: string): name is RuleName {
  return (RULES as readonly string[]).includes(name);
}

const EFFECTS = { off: undefined, observe: 'reported', normalize: 'changed', enforce: 'refused' } as const;
const NETWORKS = 65_536;
const OTHERS = 'other networks';
