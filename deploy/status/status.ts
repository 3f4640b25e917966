// The state of things: what the journal says, and what of it is still so.

import type { Config } from '../../proxy/config/config';
import { isFault, type Fault } from '../../proxy/system/fault';
import { planDivert, type Divert } from '../attach/divert';
import { readFacts } from '../attach/network-facts';
import { isOfThisBoot, isOfThisNamespace, readJournal, type Journal, type Place } from '../journal/journal';
import { isAttached } from '../journal/filters';
import { readRules } from '../network/links';
import { readSysctl } from '../network/sysctl';
import { stateFile } from '../../proxy/wire/state';
import { findRunning, runningFile, type Running } from '../journal/control-process';
import { changesOf, findBroken, type Seen } from './problems';
import { readWire, type WireReading } from './wire-state';

export type Status =
  /** `before`: where it was until the machine was started anew; nothing of that is left. */
  | {
      readonly kind: 'nowhere';
      readonly before: Place | undefined;
      /** Who is on the way in, and has changed nothing yet. */
      readonly running?: Running | undefined;
    }
  /** In another network namespace, of which nothing can be seen from here but what is pinned. */
  | {
      readonly kind: 'elsewhere';
      readonly journal: Journal;
      readonly running: Running | undefined;
      readonly wire: WireReading;
    }
  /** The program was taken out; the bridge stays. */
  | { readonly kind: 'plain'; readonly journal: Journal }
  | InPlace;

export interface InPlace {
  readonly kind: 'in-place';
  readonly journal: Journal;
  readonly running: Running | undefined;
  /** What should be so and is not, one sentence each, with what to do. */
  readonly broken: readonly string[];
  /** Why some or all connections cannot be relayed; empty where they can, or need not. */
  readonly notRelayed: readonly string[];
  /** New servers are relayed until they are known. */
  readonly relays: boolean;
  readonly wire: WireReading;
}

/** Faults: an unreadable journal; `tool-missing`. */
export function readStatus(config: Config): Status | Fault {
  const file = config.deploy.journal;
  const journal = readJournal(file);
  if (isFault(journal)) return journal;
  const running = findRunning(runningFile(file));
  if (journal === undefined) return { kind: 'nowhere', before: undefined, running };
  if (!isOfThisBoot(journal)) return { kind: 'nowhere', before: journal.place, running };
  const wire = readWire(journal.pins, stateFile(config));
  if (!isOfThisNamespace(journal)) return { kind: 'elsewhere', journal, running, wire };
  const changes = changesOf(journal);
  if (journal.entered && !changes.some(({ kind }) => kind === 'filter')) return { kind: 'plain', journal };
  const { place } = journal;
  const facts = readFacts(place.kind === 'bridge' ? [place.bridge, place.wan, place.lan] : [place.device]);
  if (isFault(facts)) return facts;
  const divert = place.kind === 'bridge' ? planDivert(facts, place.bridge, config.deploy) : undefined;
  const attached: Seen['attached'] = (device, hook) => isAttached(journal.pins, device, hook);
  const seen = { ...facts, attached, rules: readRules, sysctl: readSysctl, divert, wire };
  const relays = changes.some(({ kind }) => kind === 'rule');
  return {
    kind: 'in-place',
    journal,
    running,
    broken: findBroken(journal, seen, running),
    notRelayed: whyNotRelayed(divert, relays),
    relays,
    wire,
  };
}

function whyNotRelayed(divert: Divert | undefined, relays: boolean): readonly string[] {
  if (divert === undefined) return ['on a host nothing is relayed'];
  return relays || divert.because.length > 0 ? divert.because : ['--path wire was asked for'];
}
