// Making a step's changes, in the order in which it names them.

import { createFault, isFault, type Fault } from '../../proxy/system/fault';
import type { Attached, WirePlace } from '../../proxy/wire/attachment';
import { writeSysctl } from '../network/sysctl';
import { runBatch, runTool } from '../network/tools';
import { isLinkChange, type Change, type FilterChange, type LinkChange, type Step } from './change';

/** Puts the program at a hook; the wire's own. */
export type Attach = (at: WirePlace) => Attached | Fault;

/** The step as it was made (a filter's priority is known only then), or what was refused. */
export function makeStep(step: Step, attach: Attach): Step | Fault {
  const made: Change[] = [];
  for (const piece of pieces(step.changes)) {
    const result = isBatch(piece) ? makeLinks(piece) : makeOne(piece, attach);
    if (isFault(result)) return result;
    made.push(...(isBatch(piece) ? piece : [result ?? piece]));
  }
  return { ...step, changes: made };
}

/** Neighbours that one `ip -batch` can make, else single changes: the fewer processes, the shorter the gap. */
export function pieces(changes: readonly Change[]): readonly (Change | readonly LinkChange[])[] {
  const result: (Change | LinkChange[])[] = [];
  for (const change of changes) {
    const last = result.at(-1);
    if (!isLinkChange(change)) result.push(change);
    else if (Array.isArray(last) && familyOf(last) === familyOf([change])) last.push(change);
    else result.push([change]);
  }
  return result;
}

export function isBatch(piece: Change | readonly LinkChange[]): piece is readonly LinkChange[] {
  return Array.isArray(piece);
}

/** `ip rule` takes IPv4 for granted. */
export function familyOf(changes: readonly LinkChange[]): 6 | undefined {
  return changes.some((change) => change.kind === 'rule' && change.family === 6) ? 6 : undefined;
}

function makeLinks(changes: readonly LinkChange[]): Fault | undefined {
  const family = familyOf(changes);
  return runBatch(changes.flatMap(linesOf), family === undefined ? {} : { family });
}

function linesOf(change: LinkChange): string[] {
  switch (change.kind) {
    case 'bridge':
      return [`link add name ${change.name} address ${change.address} type bridge ${BRIDGE}`];
    case 'up':
      return [`link set dev ${change.device} up`];
    case 'port':
      return [`link set dev ${change.device} master ${change.bridge}`];
    case 'rule':
      return [`rule add ${ruleWords(change)}`];
    case 'route':
      return [`route add ${change.words.join(' ')}`];
    case 'moved':
      return moveLines(change);
  }
}

export function ruleWords({
  priority,
  mark,
  table,
}: {
  priority: number;
  mark: number;
  table: number;
}): string {
  return `priority ${priority} fwmark ${mark} lookup ${table}`;
}

// First there, then gone here: an address that exists keeps the connections and the routes that use it.
function moveLines({ to, addresses, routes }: Extract<Change, { kind: 'moved' }>): string[] {
  return [
    ...addresses.map(({ from, words }) => `address add ${relabel(words, from, to).join(' ')} dev ${to}`),
    ...[...routes].reverse().map(({ before }) => `route delete ${before.join(' ')}`),
    ...routes.map(({ after }) => `route add ${after.join(' ')}`),
    ...[...addresses].reverse().map(({ from, words }) => `address delete ${words[0] ?? ''} dev ${from}`),
  ];
}

/** The label of an address begins with its interface's name. */
export function relabel(words: readonly string[], from: string, to: string): readonly string[] {
  return words.map((word, index) =>
    words[index - 1] === 'label' ? `${to}${word.slice(from.length)}`.slice(0, LABEL) : word,
  );
}

function makeOne(change: Change, attach: Attach): Change | Fault | undefined {
  switch (change.kind) {
    case 'sysctl':
      return writeSysctl(change.key, change.after);
    case 'calls':
      return callsLine(change.bridge, change.option, change.after);
    case 'filter': {
      const { device, hook, leg } = change;
      const result = attach({ device, hook, leg });
      return isFault(result) ? result : asMade(change, result);
    }
    case 'lro':
      // The kernel does it by itself when the port joins; here it is only remembered.
      return undefined;
    default:
      return createFault('network-refused', change.kind, { fix: 'not known here' });
  }
}

/** How the program was put there. */
export function asMade(filter: FilterChange, attached: Attached): FilterChange {
  const { device, hook, leg } = filter;
  const at = { kind: 'filter', device, hook, leg } as const;
  return attached.by === 'tcx'
    ? { ...at, by: 'tcx' }
    : { ...at, by: 'tc', madeQdisc: attached.createdQdisc, priority: attached.priority };
}

export function callsLine(bridge: string, option: string, value: string): Fault | undefined {
  const answer = runTool('ip', ['link', 'set', 'dev', bridge, 'type', 'bridge', option, value]);
  return isFault(answer) ? answer : undefined;
}

/**
 * A wire has no protocol of its own: no spanning tree and its delay, no snooping, no VLAN filter. Of the frames that
 * bridges keep for themselves (IEEE 802.1Q table 8-1) it passes those that Linux lets pass: LLDP, 802.1X and others.
 */
const BRIDGE = 'stp_state 0 forward_delay 0 mcast_snooping 0 group_fwd_mask 0xfff8';
/** IFNAMSIZ */
const LABEL = 15;
