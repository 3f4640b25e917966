// What a relay that runs is doing, in a file for `ehlowire status`: a relay changes nothing that could be looked at.

import { existsSync, lstatSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatAddress } from '../system/address';
import type { Config } from '../config/config';
import { errno } from '../system/fault';
import { makeFolder, readPlainFile } from '../system/files';
import { isAlive, ownIdentity, type Identity } from '../system/process';
import { readVersion } from '../system/version';
import {
  readKnowledge,
  readSuspects,
  saveKnowledge,
  type ServerKnowledge,
  type Suspect,
} from '../servers/knowledge';
import type { Relay } from './relay';

export interface RelayState {
  readonly pid: number;
  /** RFC 3339. */
  readonly since: string;
  readonly version: string;
  /** Without `upstream`: transparent. */
  readonly listeners: readonly { readonly listen: string; readonly upstream?: string }[];
  readonly counters: Relay['counters'];
  readonly servers: readonly ServerKnowledge[];
  readonly suspects: readonly Suspect[];
}

/**
 * Writes it now and, where it changed, every second. The answer ends that and takes the file away. `failing` is called
 * once, where it cannot be written: the relay does not need it.
 */
export function keepState(config: Config, relay: Relay, failing: (folder: string) => void): () => void {
  const folder = config.relay.state ?? ownFolder();
  const file = join(folder, `relay-${process.pid}.json`);
  const since = new Date().toISOString();
  const identity = { ...ownIdentity(), since, version: readVersion() };
  const listeners = config.relay.listeners.map(({ upstream }, index) => {
    const { address = '', port = 0 } = relay.addresses[index] ?? {};
    const listen = formatAddress({ host: address, port });
    return { listen, ...(upstream === undefined ? {} : { upstream: formatAddress(upstream) }) };
  });
  let written = '';
  const write = (): void => {
    const { counters } = relay;
    const text = JSON.stringify({
      ...identity,
      listeners,
      counters,
      ...saveKnowledge(relay.known(), relay.suspects()),
    });
    if (text === written) return;
    try {
      writeWhole(folder, file, text);
      written = text;
    } catch {
      clearInterval(timer);
      failing(folder);
    }
  };
  const timer = setInterval(write, EVERY_MS).unref();
  write();
  return () => {
    clearInterval(timer);
    remove(file);
  };
}

function writeWhole(folder: string, file: string, text: string): void {
  makeFolder(folder, 0o700);
  // Somebody else may have made it first, in a folder that all may write to.
  if (lstatSync(folder).uid !== process.geteuid?.()) throw new Error(`not ours: ${folder}`);
  const half = `${file}.new`;
  writeFileSync(half, `${text}\n`, { mode: 0o600 });
  renameSync(half, file);
}

function remove(file: string): void {
  try {
    rmSync(file, { force: true });
  } catch {
    // It names a process that has ended, and is not believed.
  }
}

export interface RelayStates {
  /** Of those that run. */
  readonly relays: readonly RelayState[];
  /** Folders that this user may not look into. */
  readonly closed: readonly string[];
}

/** Of all relays of this machine that tell this user what they do. */
export function readStates(config: Config): RelayStates {
  const folders = config.relay.state === undefined ? allFolders() : [config.relay.state];
  const relays: RelayState[] = [];
  const closed: string[] = [];
  for (const folder of folders) {
    try {
      const names = readdirSync(folder).filter((name) => /^relay-\d+\.json$/.test(name));
      relays.push(...names.flatMap((name) => readState(join(folder, name)) ?? []));
    } catch (error) {
      if (errno(error) === 'EACCES') closed.push(folder);
    }
  }
  return { relays, closed };
}

/** The folder may be another user's, who wrote what he liked: only what has the form of a state is one. */
function readState(file: string): RelayState | undefined {
  try {
    const read = readPlainFile(file, AT_MOST);
    if ('problem' in read) return undefined;
    const saved = JSON.parse(read.text) as RelayState & Identity;
    const { pid, since, version, listeners, counters } = saved;
    const texts = [since, version, ...listeners.flatMap(({ listen, upstream = '' }) => [listen, upstream])];
    const { accepted, blocked, unreachable, active, sockets } = counters;
    const numbers = [accepted, blocked, unreachable, active, sockets];
    if (!texts.every((text) => typeof text === 'string') || !numbers.every(Number.isSafeInteger))
      return undefined;
    if (!isAlive(saved)) return undefined;
    const learned = { servers: readKnowledge(saved), suspects: readSuspects(saved) };
    return { pid, since, version, listeners, counters, ...learned };
  } catch {
    // It ended just now, or it is none of ours.
    return undefined;
  }
}

/** Of this user: where its manager keeps such, if there is one. */
function ownFolder(): string {
  const uid = process.geteuid?.() ?? 0;
  if (uid === 0) return OF_ROOT;
  return existsSync(`${OF_USERS}/${uid}`) ? `${OF_USERS}/${uid}/ehlowire` : `${SHARED}/ehlowire-${uid}`;
}

/** Root sees those of others too. */
function allFolders(): readonly string[] {
  const isRoot = process.geteuid?.() === 0;
  const ofUsers = isRoot ? namesIn(OF_USERS).map((uid) => `${OF_USERS}/${uid}/ehlowire`) : [];
  const shared = isRoot ? namesIn(SHARED).filter((name) => /^ehlowire-\d+$/.test(name)) : [];
  const all = [ownFolder(), OF_ROOT, OF_SERVICE, ...ofUsers, ...shared.map((name) => join(SHARED, name))];
  return [...new Set(all)];
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

const EVERY_MS = 1_000;
/** Octets: some thousand servers. */
const AT_MOST = 4 << 20;
const OF_ROOT = '/run/ehlowire';
const OF_USERS = '/run/user';
const SHARED = '/tmp';
/** RuntimeDirectory of ehlowire-relay.service. */
const OF_SERVICE = '/run/ehlowire-relay';
