// The layers of the configuration: what the file, the environment and the command line say, key by key.

import { readFileSync } from 'node:fs';
import { createFault, errno, isFault, type Fault } from '../system/fault';
import { FORMATS, type Setting } from './formats';
import { ENV_PREFIX, envName, SETTINGS } from './schema';

/** What the command line gives; `flags` are keys that have a flag of their own, with the flag's name. */
export interface Overrides {
  readonly file?: string | undefined;
  /** `key=value`. */
  readonly set?: readonly string[] | undefined;
  readonly flags?: readonly { readonly flag: string; readonly key: string; readonly value: unknown }[];
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** One place where a value can come from, and how to name it to a person. */
export interface Layer {
  readonly from: (key: string) => string;
  readonly values: ReadonlyMap<string, unknown>;
}

export interface Reading {
  readonly layer: Layer;
  readonly faults: readonly Fault[];
}

const BY_KEY: ReadonlyMap<string, Setting> = new Map(SETTINGS.map((setting) => [setting.key, setting]));

export function readFile(file: string | undefined): Reading {
  const values = new Map<string, unknown>();
  const layer = { from: () => `in ${file ?? ''}`, values };
  if (file === undefined) return { layer, faults: [] };
  const content = parseFile(file);
  if (isFault(content)) return { layer, faults: [content] };
  const faults: Fault[] = [];
  flatten('', content, values, (key, value) => faults.push(unknownKey(key, value, layer)));
  return { layer, faults };
}

function parseFile(file: string): Record<string, unknown> | Fault {
  let text;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    const fix = { ENOENT: 'there is no such file', EISDIR: 'it is a directory' }[errno(cause)];
    return createFault('file-unreadable', file, fix === undefined ? { cause } : { cause, fix });
  }
  try {
    const content: unknown = JSON.parse(text.replace(/^\uFEFF/, ''));
    if (isObject(content)) return content;
  } catch (cause) {
    return createFault('file-not-json', file, { cause, fix: cause instanceof Error ? cause.message : '' });
  }
  return createFault('file-not-json', file, {
    what: 'bad configuration',
    fix: 'must be a JSON object, {…}',
  });
}

/** A file's tree as `section.key` values; whatever is no key, or no section, goes to `stray`. */
function flatten(
  prefix: string,
  tree: Record<string, unknown>,
  values: Map<string, unknown>,
  stray: (key: string, value: unknown) => void,
): void {
  for (const [name, value] of Object.entries(tree)) {
    const key = prefix + name;
    const setting = BY_KEY.get(key);
    const isSection = SETTINGS.some((other) => other.key.startsWith(`${key}.`));
    if (setting !== undefined) values.set(key, typeof value === 'string' ? readText(setting, value) : value);
    else if (isSection && isObject(value)) flatten(`${key}.`, value, values, stray);
    else stray(key, value);
  }
}

export function readEnvironment(env: Environment): Reading {
  const values = new Map<string, unknown>();
  const layer = { from: (key: string) => `in ${envName(key)}`, values };
  const names = new Map(SETTINGS.map((setting) => [envName(setting.key), setting]));
  const faults: Fault[] = [];
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith(ENV_PREFIX) || text === undefined) continue;
    const setting = names.get(name);
    if (setting !== undefined) values.set(setting.key, readText(setting, text));
    else
      faults.push(createFault('bad-config', name, { what: 'unknown variable', fix: nearest(name, names) }));
  }
  return { layer, faults };
}

export function readSets(sets: readonly string[]): Reading {
  const values = new Map<string, unknown>();
  const layer = { from: () => 'in --set', values };
  const faults: Fault[] = [];
  for (const text of sets) {
    const equals = text.indexOf('=');
    const key = text.slice(0, equals).trim();
    const setting = BY_KEY.get(key);
    if (equals < 0) faults.push(createFault('bad-flag', `--set ${text}`, { fix: 'write --set key=value' }));
    else if (setting === undefined) faults.push(unknownKey(key, text.slice(equals + 1), layer));
    else values.set(key, readText(setting, text.slice(equals + 1)));
  }
  return { layer, faults };
}

export function readFlags(flags: NonNullable<Overrides['flags']>): Layer {
  const names = new Map(flags.map(({ key, flag }) => [key, flag]));
  return {
    from: (key) => `in ${names.get(key) ?? 'a flag'}`,
    values: new Map(flags.map(({ key, value }) => [key, value])),
  };
}

function readText({ format }: Setting, text: string): unknown {
  return typeof format === 'string' ? FORMATS[format].read(text) : text;
}

function unknownKey(key: string, value: unknown, { from }: Layer): Fault {
  const section = SETTINGS.some((setting) => setting.key.startsWith(`${key}.`));
  const fix = section ? 'is a section: must be an object of its keys' : nearest(key, BY_KEY);
  const on = section ? `${key} = ${quote(value)} (${from(key)})` : `${key} (${from(key)})`;
  return createFault('bad-config', on, { what: section ? 'bad configuration' : 'unknown key', fix });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A value as a person wrote it, about. */
export function quote(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > QUOTE ? `${text.slice(0, QUOTE)}…` : text;
}

/** "did you mean", where one name is close enough. */
function nearest(name: string, names: ReadonlyMap<string, unknown>): string {
  const ranked = [...names.keys()].map((other) => [distance(name, other), other] as const);
  const [least, other] = ranked.reduce((a, b) => (b[0] < a[0] ? b : a));
  return least <= Math.max(2, name.length / 4) ? `did you mean ${other}?` : 'see CONFIG.md for what there is';
}

/** Levenshtein's distance, letter case aside. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (const [i, left] of [...a.toLowerCase()].entries()) {
    const next = [i + 1];
    for (const [j, right] of [...b.toLowerCase()].entries()) {
      const swap = (row[j] ?? 0) + (left === right ? 0 : 1);
      next.push(Math.min(swap, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

/** Of a value that an error shows. */
const QUOTE = 80;
