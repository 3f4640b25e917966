// The program's filters at tc, seen and taken away without the library that put them there.

import { existsSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createFault, errno, isFault, type Fault } from '../../proxy/system/fault';
import { BPFFS, isBpffs, isLinked } from '../../proxy/wire/attachment';
import type { Hook } from './change';
import { askTool, runTool, type Json } from '../network/tools';

interface Filter {
  readonly priority: number;
  /** The program's name, as the kernel knows it. */
  readonly program: string;
}

/** Whether the program is at a hook, by a link or a filter. */
export function isAttached(pins: string, device: string, hook: Hook): boolean | Fault {
  if (isLinked(pins, { device, hook })) return true;
  const filters = readFilters(device, hook);
  return isFault(filters) ? filters : ourFilters(filters).length > 0;
}

/** eBPF filters at a hook, in the order in which frames meet them; none where there is no such qdisc. */
function readFilters(device: string, hook: Hook): readonly Filter[] | Fault {
  const answer = askTool('tc', ['filter', 'show', 'dev', device, hook]);
  if (isFault(answer)) return answer;
  return answer.flatMap((json) => {
    const options = json['options'] as Json | undefined;
    const prog = options?.['prog'] as Json | undefined;
    if (json['kind'] !== 'bpf' || options?.['handle'] === undefined) return [];
    const name = prog?.['name'] ?? options['bpf_name'] ?? '';
    return [{ priority: Number(json['pref']), program: String(name) }];
  });
}

/** Those of this program. */
function ourFilters(filters: readonly Filter[]): readonly Filter[] {
  return filters.filter(({ program }) => program.startsWith(PROGRAM));
}

/** Takes our filters of a hook away, and the qdisc if it is ours and no other filter is there. */
export function removeFilters(device: string, hook: Hook, madeQdisc: boolean): Fault | undefined {
  const filters = readFilters(device, hook);
  if (isFault(filters)) return filters;
  for (const { priority } of ourFilters(filters)) {
    const answer = runTool('tc', ['filter', 'delete', 'dev', device, hook, 'pref', String(priority)]);
    if (isFault(answer)) return answer;
  }
  return madeQdisc ? removeQdisc(device) : undefined;
}

/** Whether filters can be put there already. */
export function hasQdisc(device: string): boolean {
  const qdiscs = askTool('tc', ['qdisc', 'show', 'dev', device]);
  return !isFault(qdiscs) && qdiscs.some(({ kind }) => kind === 'clsact');
}

function removeQdisc(device: string): Fault | undefined {
  const qdiscs = askTool('tc', ['qdisc', 'show', 'dev', device]);
  if (isFault(qdiscs)) return qdiscs;
  if (!qdiscs.some(({ kind }) => kind === 'clsact')) return undefined;
  for (const hook of ['ingress', 'egress'] as const) {
    const others = askTool('tc', ['filter', 'show', 'dev', device, hook]);
    if (isFault(others)) return others;
    if (others.length > 0) return undefined;
  }
  const answer = runTool('tc', ['qdisc', 'delete', 'dev', device, 'clsact']);
  return isFault(answer) ? answer : undefined;
}

/**
 * What is pinned goes when its names go and no filter holds it. Only below a bpffs is anything removed, and only what
 * is ours: folders of versions.
 */
export function removePins(folder: string): Fault | undefined {
  if (!existsSync(folder)) return undefined;
  if (!isBpffs(folder)) return createFault('network-refused', folder, { fix: 'it is not in a bpffs' });
  try {
    const names = readdirSync(folder);
    const own = names.filter((name) => /^v\d+$/.test(name));
    for (const name of own) rmSync(join(folder, name), { recursive: true, force: true });
    if (own.length === names.length && folder !== BPFFS) rmdirSync(folder);
    return undefined;
  } catch (cause) {
    return createFault('network-refused', folder, {
      what: 'cannot unpin',
      fix: `the system said ${errno(cause)}`,
      cause,
    });
  }
}

/** How the names of our programs begin. */
const PROGRAM = 'ehlowire';
