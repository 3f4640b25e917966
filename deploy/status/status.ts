// The state of the attachment: what the journal says, and what of it is still true.

import type { Config } from '../../proxy/config/config';
import { isFault, type Fault } from '../../proxy/system/fault';
import { planDivert, type Divert } from '../attach/divert';
import { readFacts } from '../attach/network-facts';
import { isOfThisBoot, isOfThisNamespace, readJournal } from '../journal/journal';
import type { Journal, Attachment } from '../journal/change';
import { isAttached } from '../journal/filters';
import { readRules } from '../network/links';
import { readSysctl } from '../network/sysctl';
import { findControlProcess, controlFile, type ControlProcess } from '../journal/control-process';
import { readRulesInForce } from '../journal/rules-file';
import { changesOf, findProblems, type Seen } from './problems';
import { problemsOfRules, rulesOf, type RelayedRule } from './rules';
import { readWire, type WireReading } from './wire-state';

export type Status =
  /** `before`: where it was attached until this machine was restarted; nothing of that is left. */
  | {
      readonly kind: 'detached';
      readonly before: Attachment | undefined;
      /** A process that is attaching, and has changed nothing yet. */
      readonly running?: ControlProcess | undefined;
    }
  /** In another network namespace: only what is pinned can be seen from here. */
  | {
      readonly kind: 'other-namespace';
      readonly journal: Journal;
      readonly running: ControlProcess | undefined;
      readonly wire: WireReading;
    }
  /** The program was detached; the bridge stays. */
  | { readonly kind: 'bridge-only'; readonly journal: Journal }
  | Attached;

export interface Attached {
  readonly kind: 'attached';
  readonly journal: Journal;
  readonly running: ControlProcess | undefined;
  /** What is wrong, one sentence each, with what to do. */
  readonly problems: readonly string[];
  /** Why some or all connections cannot be relayed; empty where they can, or need not. */
  readonly notRelayed: readonly string[];
  /** The rules of policy that keep servers on the relay. */
  readonly rules: readonly RelayedRule[];
  /** New servers are relayed until they are known. */
  readonly relays: boolean;
  readonly wire: WireReading;
}

/** Faults: an unreadable journal; `tool-missing`. */
export function readStatus(config: Config): Status | Fault {
  const file = config.deploy.journal;
  const journal = readJournal(file);
  if (isFault(journal)) return journal;
  const running = findControlProcess(controlFile(file));
  if (journal === undefined) return { kind: 'detached', before: undefined, running };
  if (!isOfThisBoot(journal)) return { kind: 'detached', before: journal.place, running };
  const wire = readWire(journal.pins, config.servers.file);
  if (!isOfThisNamespace(journal)) return { kind: 'other-namespace', journal, running, wire };
  const changes = changesOf(journal);
  if (journal.entered && !changes.some(({ kind }) => kind === 'filter'))
    return { kind: 'bridge-only', journal };
  const { place } = journal;
  const facts = readFacts(place.kind === 'bridge' ? [place.bridge, place.wan, place.lan] : [place.device]);
  if (isFault(facts)) return facts;
  const divert = place.kind === 'bridge' ? planDivert(facts, place.bridge, config.deploy) : undefined;
  const attached: Seen['attached'] = (device, hook) => isAttached(journal.pins, device, hook);
  const seen = { ...facts, attached, rules: readRules, sysctl: readSysctl, divert, wire };
  const relays = changes.some(({ kind }) => kind === 'rule');
  const notRelayed = whyNotRelayed(divert, relays);
  const rules = rulesOf(readRulesInForce(file, running));
  return {
    kind: 'attached',
    journal,
    running,
    problems: [...findProblems(journal, seen, running), ...problemsOfRules(rules, notRelayed)],
    notRelayed,
    rules,
    relays,
    wire,
  };
}

function whyNotRelayed(divert: Divert | undefined, relays: boolean): readonly string[] {
  if (divert === undefined) return ['`ehlowire host` relays nothing'];
  return relays || divert.because.length > 0 ? divert.because : ['--path wire was given'];
}
