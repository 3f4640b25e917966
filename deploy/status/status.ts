// The state of things: what the journal says, and what of it is still so.

import type { Config } from '../../proxy/config';
import { isFault, type Fault } from '../../proxy/fault';
import { readWire, type WireState } from './wire-state';
import { planDivert } from '../bridge/divert';
import { readFacts, type Facts } from '../bridge/facts';
import type { Change } from '../journal/change';
import { isOfThisBoot, isOfThisNamespace, readJournal, type Journal } from '../journal/journal';
import { ourFilters, readFilters } from '../network/filters';
import { readRules } from '../network/links';
import { readSysctl } from '../network/sysctl';
import { findRunning, runningFile, type Running } from '../running';

export interface Status {
  /** Undefined: it is not in place. */
  readonly journal: Journal | undefined;
  /** In place before a reboot: nothing of that is left. */
  readonly forgotten: boolean;
  readonly running: Running | undefined;
  /** What should be so and is not, one sentence each, with what to do. */
  readonly broken: readonly string[];
  /** Why some or all connections cannot be relayed; empty where they can, or need not. */
  readonly notRelayed: readonly string[];
  /** New servers are relayed until they are known. */
  readonly relays: boolean;
  /** Undefined: it cannot be read here. */
  readonly wire: WireState | undefined;
}

/** Faults: an unreadable journal, `other-namespace`. */
export function readStatus(config: Config): Status | Fault {
  const file = config.deploy.journal;
  const journal = readJournal(file);
  if (isFault(journal)) return journal;
  const running = findRunning(runningFile(file));
  const nothing = { journal: undefined, running, broken: [], notRelayed: [], relays: false, wire: undefined };
  if (journal === undefined) return { ...nothing, forgotten: false };
  if (!isOfThisBoot(journal)) return { ...nothing, forgotten: true };
  const wire = readWire(journal.pins);
  if (!isOfThisNamespace(journal)) {
    return {
      ...nothing,
      journal,
      forgotten: false,
      wire,
      broken: ['it is in place in another network namespace'],
    };
  }
  const { place } = journal;
  const facts = readFacts(place.kind === 'bridge' ? [place.bridge, place.wan, place.lan] : [place.device]);
  if (isFault(facts)) return facts;
  const relays = changesOf(journal).some(({ kind }) => kind === 'rule');
  const broken = [
    ...(journal.entered ? [] : ['entering was cut short: `ehlowire leave`, then begin anew']),
    ...brokenLinks(journal, facts),
    ...changesOf(journal).flatMap((change) => brokenChange(change) ?? []),
    ...(wire === undefined
      ? [`what is pinned in ${journal.pins} cannot be read: root and libbpf are needed`]
      : []),
  ];
  return {
    journal,
    forgotten: false,
    running,
    broken,
    notRelayed: whyNotRelayed(config, journal, facts),
    relays,
    wire,
  };
}

function changesOf(journal: Journal): readonly Change[] {
  return journal.steps.flatMap(({ changes }) => changes);
}

function brokenLinks({ place }: Journal, { links }: Facts): string[] {
  const names = place.kind === 'host' ? [place.device] : [place.bridge, place.wan, place.lan];
  return names.flatMap((name) => {
    const link = links.get(name);
    if (link === undefined) return [`${name} is gone`];
    if (!link.up) return [`${name} is down: \`ip link set ${name} up\``];
    if (!link.carrier) return [`${name} has no carrier: is the cable in?`];
    if (place.kind === 'host' || name === place.bridge || link.master === place.bridge) return [];
    return [`${name} is no port of ${place.bridge} any more: start \`ehlowire bridge\` again`];
  });
}

function brokenChange(change: Change): string | undefined {
  if (change.kind === 'filter') {
    const filters = readFilters(change.device, change.hook);
    // The interface itself is missed elsewhere.
    if (isFault(filters) || ourFilters(filters).length > 0) return undefined;
    return `no program at ${change.device} ${change.hook}: start ehlowire again`;
  }
  if (change.kind === 'rule') {
    const rules = readRules(change.family);
    if (isFault(rules) || rules.some(({ mark }) => mark === change.mark)) return undefined;
    return `the IPv${change.family} rule for relayed connections is gone: start ehlowire again`;
  }
  if (change.kind !== 'sysctl' || !change.key.startsWith('net/bridge/')) return undefined;
  const now = readSysctl(change.key);
  if (now === undefined || now === change.after) return undefined;
  return `somebody set ${change.key.replaceAll('/', '.')} to ${now}: frames pass iptables; \`sysctl ${change.key.replaceAll('/', '.')}=${change.after}\``;
}

function whyNotRelayed({ deploy }: Config, { place, steps }: Journal, facts: Facts): readonly string[] {
  if (place.kind === 'host') return ['on a host nothing is relayed'];
  const asked = steps.some(({ changes }) => changes.some(({ kind }) => kind === 'rule'));
  const { because } = planDivert(facts, place.bridge, deploy);
  return asked || because.length > 0 ? because : ['--path wire was asked for'];
}
