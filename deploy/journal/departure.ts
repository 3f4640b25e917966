// What leaving takes back, looked at as a whole before the first of it is taken back.

import { accessSync, constants } from 'node:fs';
import { isFault, type Fault } from '../../proxy/system/fault';
import { readAddresses, readLinks, type Address } from '../network/links';
import { readSysctl, sysctlFile } from '../network/sysctl';
import { runTool } from '../network/tools';
import type { Change, Journal, Step } from './change';
import { renamed } from './names';
import { findObstacles, findStrange } from './obstacles';

interface Departure {
  /** With the names that its interfaces have now. */
  readonly journal: Journal;
  /** What stays, and why, one sentence each. */
  readonly stays: readonly string[];
}

/** `which`: the steps that are to be taken back. Faults: why none of them should be, each with what to do. */
export function planDeparture(
  journal: Journal,
  which: (step: Step) => boolean,
): Departure | readonly Fault[] {
  const links = readLinks();
  if (isFault(links)) return [links];
  const today = renamed(journal, links);
  const steps = today.steps.filter(which);
  const changes = steps.flatMap((step) => step.changes);
  const known = new Set(links.map(({ name }) => name));
  const lacking = lackingTools(changes, known);
  if (lacking.length > 0) return lacking;
  const addresses = new Map<string, readonly Address[]>();
  for (const name of bridgesOf(changes).filter((each) => known.has(each))) {
    const found = readAddresses(name);
    if (isFault(found)) return [found];
    addresses.set(name, found);
  }
  const now = {
    links,
    addresses: (device: string) => addresses.get(device) ?? [],
    sysctl: readSysctl,
    isWritable,
  };
  const obstacles = findObstacles(steps, now);
  return obstacles.length > 0 ? obstacles : { journal: today, stays: findStrange(steps, now) };
}

function bridgesOf(changes: readonly Change[]): readonly string[] {
  const names = changes.flatMap((change) =>
    change.kind === 'bridge' ? [change.name] : change.kind === 'moved' ? [change.to] : [],
  );
  return [...new Set(names)];
}

/** Of each tool that is needed, one harmless question. */
function lackingTools(changes: readonly Change[], known: ReadonlySet<string>): readonly Fault[] {
  const needs = (kind: 'filter' | 'lro'): boolean =>
    changes.some((change) => change.kind === kind && known.has(change.device));
  const answers = [
    needs('filter') ? runTool('tc', ['qdisc', 'show', 'dev', 'lo']) : '',
    needs('lro') ? runTool('ethtool', ['--version']) : '',
  ];
  return answers.filter(isFault);
}

function isWritable(key: string): boolean {
  try {
    accessSync(sysctlFile(key), constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
