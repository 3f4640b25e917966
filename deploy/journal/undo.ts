// Taking changes back, newest first, whatever of them is still there: what is gone needs no undoing.

import { createFault, isFault, type Fault } from '../../proxy/system/fault';
import { removeLinks } from '../../proxy/wire/attachment';
import { removeFilters } from './filters';
import {
  readAddresses,
  readLinks,
  readRoutes,
  readRules,
  type Address,
  type Link,
  type Route,
} from '../network/links';
import { readSysctl, writeSysctl } from '../network/sysctl';
import { runBatch, runTool } from '../network/tools';
import type { Change, LinkChange, Step } from './change';
import { callsLine, familyOf, isBatch, pieces, ruleWords } from './make';

/** What could not be taken back, in the order in which it was made, and why. */
interface Left {
  readonly changes: readonly Change[];
  readonly faults: readonly Fault[];
}

/** `pins`: where the program is kept. */
export function undoStep(step: Step, pins: string): Left {
  const changes: Change[] = [];
  const faults: Fault[] = [];
  for (const piece of [...pieces(step.changes)].reverse()) {
    const fault = isBatch(piece) ? undoLinks(piece) : undoOne(piece, pins);
    if (fault === undefined) continue;
    faults.push(fault);
    changes.unshift(...(isBatch(piece) ? piece : [piece]));
  }
  return { changes, faults };
}

function undoOne(change: Change, pins: string): Fault | undefined {
  switch (change.kind) {
    case 'sysctl': {
      // Another value was set by another process, and stays.
      if (change.before === undefined || readSysctl(change.key) !== change.after) return undefined;
      return writeSysctl(change.key, change.before);
    }
    case 'calls':
      return withLink(change.bridge, () => callsLine(change.bridge, change.option, change.before));
    case 'lro':
      return withLink(change.device, () => {
        const answer = runTool('ethtool', ['-K', change.device, 'lro', 'on']);
        return isFault(answer) ? answer : undefined;
      });
    case 'filter':
      removeLinks(pins, change);
      return withLink(change.device, () =>
        removeFilters(change.device, change.hook, change.by !== 'tcx' && change.madeQdisc),
      );
    default:
      return undefined;
  }
}

function withLink(name: string, act: () => Fault | undefined): Fault | undefined {
  const links = readLinks();
  if (isFault(links)) return links;
  return links.some((link) => link.name === name) ? act() : undefined;
}

function undoLinks(changes: readonly LinkChange[]): Fault | undefined {
  const state = readState();
  if (isFault(state)) return state;
  const lines: string[] = [];
  for (const change of [...changes].reverse()) {
    const more = undoLines(change, state);
    if (isFault(more)) return more;
    lines.push(...more);
  }
  const family = familyOf(changes);
  return runBatch(lines, { force: true, ...(family === undefined ? {} : { family }) });
}

interface State {
  readonly links: ReadonlyMap<string, Link>;
  readonly routes: readonly Route[];
}

function readState(): State | Fault {
  const links = readLinks();
  if (isFault(links)) return links;
  const routes: Route[] = [];
  for (const family of [4, 6] as const) {
    const some = readRoutes(family);
    if (isFault(some)) return some;
    routes.push(...some);
  }
  return { links: new Map(links.map((link) => [link.name, link])), routes };
}

function undoLines(change: LinkChange, state: State): string[] | Fault {
  const { links, routes } = state;
  switch (change.kind) {
    case 'bridge':
      return undoBridge(change.name, state);
    case 'up':
      return links.get(change.device)?.up === true ? [`link set dev ${change.device} down`] : [];
    case 'port':
      return links.get(change.device)?.master === change.bridge
        ? [`link set dev ${change.device} nomaster`]
        : [];
    case 'rule': {
      const rules = readRules(change.family);
      if (isFault(rules)) return rules;
      const { priority, mark, table } = change;
      const there = rules.some(
        (r) => r.priority === priority && r.mark === mark && r.table === String(table),
      );
      return there ? [`rule delete ${ruleWords(change)}`] : [];
    }
    case 'route':
      return routes.some((route) => covers(route.words, change.words))
        ? [`route delete ${change.words.join(' ')}`]
        : [];
    case 'moved':
      return undoMove(change, state);
  }
}

/** Our ports left it in a step before; of others it was looked for before (see `findObstacles`). */
function undoBridge(name: string, { links }: State): string[] | Fault {
  if (links.get(name)?.kind !== 'bridge') return [];
  const ports = [...links.values()].filter(({ master }) => master === name).map((link) => link.name);
  if (ports.length > 0) {
    const fix = `it still has ports (${ports.join(', ')}): take them out, then leave again`;
    return createFault('network-refused', `ip link delete ${name}`, { fix });
  }
  return [`link delete dev ${name}`];
}

/** Addresses first, so that connections and routes that use them outlive the move. What a port that is gone had, is gone. */
function undoMove(
  { to, addresses, routes }: Extract<LinkChange, { kind: 'moved' }>,
  state: State,
): string[] | Fault {
  const there = state.links.has(to) ? readAddresses(to) : [];
  if (isFault(there)) return there;
  const lines: string[] = [];
  for (const { from, words } of addresses) {
    if (!state.links.has(from)) continue;
    const here = readAddresses(from);
    if (isFault(here)) return here;
    if (!has(here, words)) lines.push(`address add ${words.join(' ')} dev ${from}`);
  }
  const exists = (words: readonly string[]): boolean =>
    state.routes.some((route) => covers(route.words, words));
  const whole = routes.filter(({ before }) => devicesOf(before).every((device) => state.links.has(device)));
  // There are no routes by an interface that is down, as one that was pulled and put back: when these were found it was up.
  const down = new Set(
    whole
      .flatMap(({ before }) => devicesOf(before))
      .filter((device) => state.links.get(device)?.up === false),
  );
  return [
    ...[...down].map((device) => `link set dev ${device} up`),
    ...lines,
    ...[...routes]
      .reverse()
      .filter(({ after }) => exists(after))
      .map(({ after }) => `route delete ${after.join(' ')}`),
    ...whole.filter(({ before }) => !exists(before)).map(({ before }) => `route add ${before.join(' ')}`),
    ...[...addresses]
      .reverse()
      .filter(({ words }) => has(there, words))
      .map(({ words }) => `address delete ${words[0] ?? ''} dev ${to}`),
  ];
}

function has(addresses: readonly Address[], [first]: readonly string[]): boolean {
  return addresses.some(({ words }) => words[0] === first);
}

function devicesOf(words: readonly string[]): readonly string[] {
  return words.filter((_, index) => words[index - 1] === 'dev');
}

/** Whether a listed route is the one of these words: a listing adds words that the kernel filled in. */
function covers(listed: readonly string[], words: readonly string[]): boolean {
  const pairs = new Set(listed.map((word, index) => `${listed[index - 1] ?? ''} ${word}`));
  return (
    IDENTITY.every((name) => {
      const at = words.indexOf(name);
      return at < 0 || pairs.has(`${name} ${words[at + 1] ?? ''}`);
    }) &&
    listed[0] === words[0] &&
    listed[1] === words[1]
  );
}

/** With type and destination, what tells a route from others. */
const IDENTITY = ['via', 'dev', 'table', 'metric'];
