// Reading a journal's text: every word of it is checked, as root acts on it. What no version of ehlowire wrote is
// refused with its place in the file.

import { isAbsolute } from 'node:path';
import { createFault, type Fault } from '../../proxy/system/fault';
import { NF_CALLS } from '../network/links';
import { SCHEMA, type Change, type Journal, type Attachment, type Step } from './change';

/** Fault: `journal-damaged`, which says where `file` is wrong and how. */
export function parseJournal(text: string, file: string): Journal | Fault {
  const damaged = (why: string): Fault => createFault('journal-damaged', `${file}: ${why}`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return damaged('it is not JSON');
  }
  try {
    return toJournal(record(value, 'it'));
  } catch (error) {
    if (error instanceof Wrong) return damaged(error.message);
    throw error;
  }
}

/** Octets of a journal at most: some thousand times what a machine with many addresses needs. */
export const JOURNAL_AT_MOST = 4 << 20;

/** Caught above; a reader of a field has no other way out of the middle of a list. */
class Wrong extends Error {}

type Read<T> = (value: unknown, at: string) => T;

function toJournal(json: Json): Journal {
  if (json['schema'] !== SCHEMA) refuse('schema', String(SCHEMA));
  const links = json['links'];
  return {
    schema: SCHEMA,
    boot: line(json['boot'], 'boot'),
    namespace: line(json['namespace'], 'namespace'),
    since: line(json['since'], 'since'),
    place: toPlace(json['place'], 'place'),
    pins: folder(json['pins'], 'pins'),
    entered: flag(json['entered'], 'entered'),
    ...(links === undefined ? {} : { links: toLinks(links) }),
    steps: list(toStep)(json['steps'], 'steps'),
  };
}

function toLinks(value: unknown): Readonly<Record<string, number>> {
  const pairs = Object.entries(record(value, 'links'));
  return Object.fromEntries(
    pairs.map(([name, index]) => [device(name, 'links'), whole(index, `links.${name}`)]),
  );
}

function toPlace(value: unknown, at: string): Attachment {
  const json = record(value, at);
  const name = (key: string): string => device(json[key], `${at}.${key}`);
  switch (json['kind']) {
    case 'host':
      return { kind: 'host', device: name('device') };
    case 'bridge': {
      const made = flag(json['made'], `${at}.made`);
      return { kind: 'bridge', wan: name('wan'), lan: name('lan'), bridge: name('bridge'), made };
    }
    default:
      return refuse(`${at}.kind`, 'bridge or host');
  }
}

function toStep(value: unknown, at: string): Step {
  const json = record(value, at);
  return {
    name: line(json['name'], `${at}.name`),
    changes: list(toChange)(json['changes'], `${at}.changes`),
  };
}

function toChange(value: unknown, at: string): Change {
  const json = record(value, at);
  const kind = json['kind'];
  if (typeof kind !== 'string' || !Object.hasOwn(CHANGES, kind))
    refuse(`${at}.kind`, 'a kind of change that this version knows');
  return CHANGES[kind as Change['kind']](<T>(key: string, read: Read<T>) => read(json[key], `${at}.${key}`));
}

type Field = <T>(key: string, read: Read<T>) => T;

/** A kind that is added to the vocabulary does not compile until it can be read here. */
const CHANGES: { readonly [K in Change['kind']]: (field: Field) => Extract<Change, { kind: K }> } = {
  bridge: (field) => ({
    kind: 'bridge',
    name: field('name', device),
    address: field('address', word),
  }),
  up: (field) => ({ kind: 'up', device: field('device', device) }),
  port: (field) => ({ kind: 'port', device: field('device', device), bridge: field('bridge', device) }),
  moved: (field) => ({
    kind: 'moved',
    to: field('to', device),
    addresses: field('addresses', list(toMovedAddress)),
    routes: field('routes', list(toMovedRoute)),
  }),
  rule: (field) => ({
    kind: 'rule',
    family: field('family', family),
    priority: field('priority', whole),
    mark: field('mark', whole),
    table: field('table', whole),
  }),
  route: (field) => ({ kind: 'route', family: field('family', family), words: field('words', words) }),
  sysctl: (field) => {
    const before = field('before', optional(setting));
    const rest = { key: field('key', sysctlKey), after: field('after', setting) };
    return { kind: 'sysctl', ...rest, ...(before === undefined ? {} : { before }) };
  },
  calls: (field) => ({
    kind: 'calls',
    bridge: field('bridge', device),
    option: field('option', oneOf(NF_CALLS)),
    before: field('before', oneOf(['0', '1'])),
    after: field('after', oneOf(['0', '1'])),
  }),
  lro: (field) => ({ kind: 'lro', device: field('device', device) }),
  filter: (field) => {
    const at = {
      kind: 'filter',
      device: field('device', device),
      hook: field('hook', oneOf(['ingress', 'egress'])),
      leg: field('leg', oneOf(['wan', 'lan'])),
    } as const;
    const by = field('by', optional(oneOf(['tcx', 'tc'])));
    if (by === 'tcx') return { ...at, by };
    const priority = field('priority', optional(whole));
    const more = { ...(by === undefined ? {} : { by }), ...(priority === undefined ? {} : { priority }) };
    return { ...at, madeQdisc: field('madeQdisc', flag), ...more };
  },
};

function toMovedAddress(value: unknown, at: string): { from: string; words: readonly string[] } {
  const json = record(value, at);
  return { from: device(json['from'], `${at}.from`), words: words(json['words'], `${at}.words`) };
}

function toMovedRoute(value: unknown, at: string): { before: readonly string[]; after: readonly string[] } {
  const json = record(value, at);
  return { before: words(json['before'], `${at}.before`), after: words(json['after'], `${at}.after`) };
}

type Json = Readonly<Record<string, unknown>>;

function record(value: unknown, at: string): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) refuse(at, 'an object');
  return value as Json;
}

function list<T>(read: Read<T>): Read<readonly T[]> {
  return (value, at) => {
    if (!Array.isArray(value)) refuse(at, 'a list');
    return (value as unknown[]).map((each, index) => read(each, `${at}[${index}]`));
  };
}

function optional<T>(read: Read<T>): Read<T | undefined> {
  return (value, at) => (value === undefined ? undefined : read(value, at));
}

function oneOf<const T extends string>(known: readonly T[]): Read<T> {
  return (value, at) => known.find((each) => each === value) ?? refuse(at, known.join(' or '));
}

function matching(form: RegExp, what: string): Read<string> {
  return (value, at) => (typeof value === 'string' && form.test(value) ? value : refuse(at, what));
}

function whole(value: unknown, at: string): number {
  return Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : refuse(at, 'a number');
}

function flag(value: unknown, at: string): boolean {
  return typeof value === 'boolean' ? value : refuse(at, 'true or false');
}

function family(value: unknown, at: string): 4 | 6 {
  return value === 4 || value === 6 ? value : refuse(at, '4 or 6');
}

function folder(value: unknown, at: string): string {
  const path = line(value, at);
  const parts = path.split('/');
  return isAbsolute(path) && !parts.includes('..') && !parts.includes('.')
    ? path
    : refuse(at, 'an absolute path without ".."');
}

/** Below /proc/sys, and nowhere else: see `writeSysctl`. */
function sysctlKey(value: unknown, at: string): string {
  const key = line(value, at);
  const parts = key.split('/');
  const isPlain = parts.every((part) => part !== '' && part !== '.' && part !== '..');
  return isPlain && parts.length > 2 && parts[0] === 'net' ? key : refuse(at, 'a setting below net/');
}

function words(value: unknown, at: string): readonly string[] {
  const all = list(word)(value, at);
  return all.length > 0 ? all : refuse(at, 'at least one word');
}

const line = matching(/^[\x20-\x7e]{1,4096}$/, 'a text of one line');
/** IFNAMSIZ, and what the kernel takes for a name. A hyphen first would be an option of `ip`. */
const device = matching(/^(?!-|\.{1,2}$)[^\s"'\\#/:\x00-\x1f\x7f]{1,15}$/, "an interface's name");
/** `ip -batch` reads lines of words: blanks, quotes, comments and line ends would make other words of it. */
const word = matching(/^[^\s"'\\#\x00-\x1f\x7f]{1,256}$/, 'a word without blanks and quotes');
const setting = matching(/^[\x20-\x7e]{0,256}$/, "a setting's text");

function refuse(at: string, wanted: string): never {
  throw new Wrong(`${at} is not ${wanted}`);
}
