// Names of interfaces in a journal as they are now: an interface that was renamed is known by its number.

import type { Link } from '../network/links';
import type { Change, Journal, Attachment, Step } from './change';
import { relabel } from './make';

/** The journal with the names of today. One that has another's old name by now is meant by its own number. */
export function renamed(journal: Journal, links: readonly Pick<Link, 'name' | 'index'>[]): Journal {
  const names = new Map<string, string>();
  for (const [name, index] of Object.entries(journal.links ?? {})) {
    const now = links.find((link) => link.index === index)?.name;
    if (now !== undefined && now !== name) names.set(name, now);
  }
  if (names.size === 0) return journal;
  const today = (name: string): string => names.get(name) ?? name;
  const numbers = Object.entries(journal.links ?? {}).map(([name, index]) => [today(name), index] as const);
  return {
    ...journal,
    place: renamePlace(journal.place, today),
    links: Object.fromEntries(numbers),
    steps: renameSteps(journal.steps, today),
  };
}

type Today = (name: string) => string;

function renamePlace(place: Attachment, today: Today): Attachment {
  return place.kind === 'host'
    ? { ...place, device: today(place.device) }
    : { ...place, wan: today(place.wan), lan: today(place.lan), bridge: today(place.bridge) };
}

function renameSteps(steps: readonly Step[], today: Today): readonly Step[] {
  return steps.map((step) => ({
    ...step,
    changes: step.changes.map((change) => renameChange(change, today)),
  }));
}

function renameChange(change: Change, today: Today): Change {
  switch (change.kind) {
    case 'bridge':
      return { ...change, name: today(change.name) };
    case 'up':
    case 'lro':
    case 'filter':
      return { ...change, device: today(change.device) };
    case 'port':
      return { ...change, device: today(change.device), bridge: today(change.bridge) };
    case 'calls':
      return { ...change, bridge: today(change.bridge) };
    case 'moved':
      return {
        ...change,
        to: today(change.to),
        addresses: change.addresses.map(({ from, words }) => ({
          from: today(from),
          words: relabel(words, from, today(from)),
        })),
        routes: change.routes.map(({ before, after }) => ({
          before: renameWords(before, today),
          after: renameWords(after, today),
        })),
      };
    case 'route':
      return { ...change, words: renameWords(change.words, today) };
    case 'sysctl':
      return { ...change, key: renameKey(change.key, today) };
    case 'rule':
      return change;
  }
}

function renameWords(words: readonly string[], today: Today): readonly string[] {
  return words.map((word, index) => (words[index - 1] === 'dev' ? today(word) : word));
}

/** `net/ipv6/conf/NAME/disable_ipv6` */
function renameKey(key: string, today: Today): string {
  const parts = key.split('/');
  return parts.map((part, index) => (parts[index - 1] === 'conf' ? today(part) : part)).join('/');
}
