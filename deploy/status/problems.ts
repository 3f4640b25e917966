// What is wrong with an attachment: one sentence each, of what, on what, and what to do.

import { isFault, type Fault } from '../../proxy/system/fault';
import type { Divert } from '../attach/divert';
import type { Change, Journal, Attachment } from '../journal/change';
import type { Family, Link, Route, Rule } from '../network/links';
import type { ControlProcess } from '../journal/control-process';
import type { WireReading } from './wire-state';

/** The network as it is now, as far as a journal names it. */
export interface Seen {
  readonly links: ReadonlyMap<string, Pick<Link, 'up' | 'carrier' | 'master'>>;
  readonly routes: readonly Pick<Route, 'family' | 'table' | 'destination'>[];
  /** Whether the program is there. */
  attached(device: string, hook: 'ingress' | 'egress'): boolean | Fault;
  rules(family: Family): readonly Rule[] | Fault;
  sysctl(key: string): string | undefined;
  /** What could be relayed now; undefined on a host. */
  readonly divert: Pick<Divert, 'families' | 'because'> | undefined;
  readonly wire: WireReading;
}

export function findProblems(
  journal: Journal,
  seen: Seen,
  running: ControlProcess | undefined,
): readonly string[] {
  const { place } = journal;
  if (running?.does === 'leave') return [`process ${running.pid} is detaching it now: ask again in a moment`];
  if (!journal.entered) {
    return running === undefined
      ? [`attaching was interrupted and is incomplete: \`ehlowire leave\`, then \`${commandOf(place)}\``]
      : [`process ${running.pid} is attaching it now: ask again in a moment`];
  }
  const again = howToRestart(place, running);
  return [
    ...problemsOfLinks(place, seen, again),
    ...changesOf(journal).flatMap((change) => problemsOfChange(change, seen, again) ?? []),
    ...problemsOfWayBack(journal, seen, again),
    ...(seen.wire.kind === 'nothing'
      ? [
          `the pinned tables in ${journal.pins} are gone; the program can be neither read nor controlled: ` +
            `\`ehlowire leave\`, then \`${commandOf(place)}\``,
        ]
      : []),
  ];
}

export function changesOf(journal: Journal): readonly Change[] {
  return journal.steps.flatMap(({ changes }) => changes);
}

/** The command that attaches, as far as the journal knows it. */
export function commandOf(place: Attachment): string {
  return place.kind === 'host'
    ? `ehlowire host --dev ${place.device}`
    : `ehlowire bridge --wan ${place.wan} --lan ${place.lan}`;
}

/** What is missing is made again when the process starts. */
export function howToRestart(place: Attachment, running: ControlProcess | undefined): string {
  const unit = place.kind === 'host' ? `ehlowire-host@${place.device}` : 'ehlowire-bridge';
  const first = running === undefined ? '' : `end process ${running.pid} and start `;
  return `\`systemctl restart ${unit}\`, or ${first}\`${commandOf(place)}\``;
}

function problemsOfLinks(place: Attachment, { links }: Seen, again: string): string[] {
  if (place.kind === 'host') return problemsOfPort(place.device, links, '', again);
  const { bridge, made } = place;
  const lost = ', and no frame is forwarded';
  if (!links.has(bridge)) {
    const make = made ? '' : ', make it as it was';
    return [`the bridge ${bridge} is gone${lost}: \`ehlowire leave\`${make}, then \`${commandOf(place)}\``];
  }
  const down =
    links.get(bridge)?.up === false ? [`${bridge} is down${lost}: \`ip link set ${bridge} up\``] : [];
  const ports = [place.wan, place.lan].flatMap((name) => {
    const found = problemsOfPort(name, links, lost, again);
    if (found.length > 0 || links.get(name)?.master === bridge) return found;
    const back = made ? again : `\`ip link set ${name} master ${bridge}\``;
    return [`${name} is no port of ${bridge} any more${lost}: ${back}`];
  });
  return [...down, ...ports];
}

function problemsOfPort(name: string, links: Seen['links'], lost: string, again: string): string[] {
  const link = links.get(name);
  if (link === undefined) return [`${name} is gone${lost}: when \`ip link\` shows it again, ${again}`];
  if (!link.up) return [`${name} is down${lost}: \`ip link set ${name} up\``];
  return link.carrier ? [] : [`${name} has no carrier${lost}: is its cable in, is the other end up?`];
}

function problemsOfChange(change: Change, seen: Seen, again: string): string | undefined {
  switch (change.kind) {
    case 'filter': {
      // The interface itself is missed elsewhere.
      if (!seen.links.has(change.device) || seen.attached(change.device, change.hook) !== false)
        return undefined;
      return `no program at ${change.device} ${change.hook}, and frames there are neither recorded nor repaired: ${again}`;
    }
    case 'rule': {
      const rules = seen.rules(change.family);
      if (isFault(rules) || rules.some(({ mark }) => mark === change.mark)) return undefined;
      return `the IPv${change.family} rule for relayed connections is gone, and they are lost: ${again}`;
    }
    case 'route': {
      const [, to] = change.words;
      const table = change.words.at(-1);
      const is = (each: Seen['routes'][number]): boolean =>
        each.family === change.family && each.table === table && each.destination === to;
      if (seen.routes.some(is)) return undefined;
      return `the IPv${change.family} route for relayed connections is gone from table ${table ?? ''}, and they are lost: ${again}`;
    }
    case 'sysctl': {
      const now = seen.sysctl(change.key);
      if (!change.key.startsWith('net/bridge/') || now === undefined || now === change.after)
        return undefined;
      const name = change.key.replaceAll('/', '.');
      return `${name} was set to ${now} by another process, and frames pass iptables: \`sysctl ${name}=${change.after}\``;
    }
    default:
      return undefined;
  }
}

/** Rules hand connections to the relay, and the relay could not answer their clients. */
function problemsOfWayBack(journal: Journal, { divert }: Seen, again: string): string[] {
  const relays = changesOf(journal).some(({ kind }) => kind === 'rule');
  if (!relays || divert === undefined || divert.families.length > 0) return [];
  return [`relayed connections are lost, as ${divert.because.join('; ')}: fix that, then ${again}`];
}
