// What a relay that runs is doing, in a file for `ehlowire status`: a relay changes nothing that could be looked at.

import { existsSync, lstatSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatAddress } from '../system/address';
import type { Config } from '../config/config';
import { createFault, errno, isFault, type Fault } from '../system/fault';
import { makeFolder, readPlainFile, systemSaid } from '../system/files';
import { isAlive, ownIdentity, type Identity } from '../system/process';
import { readVersion } from '../system/version';
import { NOTHING_SAVED, readSaved, toSaved, type KnownServer, type Suspect } from '../servers/saved';
import type { ClientsSeen } from '../../inspect/policy/clients';
import type { Relay } from './relay';

export interface RelayStatus {
  readonly pid: number;
  /** RFC 3339. */
  readonly since: string;
  readonly version: string;
  /** Without `upstream`: transparent. */
  readonly listeners: readonly { readonly listen: string; readonly upstream?: string }[];
  readonly counters: Relay['counters'];
  /** Absent: an earlier version wrote it. */
  readonly clients?: ClientsSeen;
  readonly servers: readonly KnownServer[];
  readonly suspects: readonly Suspect[];
}

/**
 * Writes it now and, where it changed, every second. The answer ends that and takes the file away. `failing` is called
 * once, where it cannot be written: the relay does not need it.
 */
export function keepStatus(config: Config, relay: Relay, failing: (fault: Fault) => void): () => void {
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
    const { counters, servers, clients } = relay;
    const learned = toSaved({ ...NOTHING_SAVED, servers: servers.known(), suspects: servers.suspects() });
    const text = JSON.stringify({ ...identity, listeners, counters, clients, ...learned });
    if (text === written) return;
    written = text;
    const fault = writeWhole(folder, file, text);
    if (fault === undefined) return;
    clearInterval(timer);
    failing(fault);
  };
  const timer = setInterval(write, EVERY_MS).unref();
  write();
  return () => {
    clearInterval(timer);
    remove(file);
  };
}

/** Whole or not at all; it ends with the process, so that it need not be on disk. */
function writeWhole(folder: string, file: string, text: string): Fault | undefined {
  const half = `${file}.new`;
  try {
    makeFolder(folder, 0o700);
    // Another user may have made it first, in a folder that all may write to.
    if (lstatSync(folder).uid !== process.geteuid?.())
      return createFault('file-unwritable', folder, {
        fix: 'it belongs to another user: name another folder, relay.state',
      });
    writeFileSync(half, `${text}\n`, { mode: 0o600 });
    renameSync(half, file);
    return undefined;
  } catch (cause) {
    return createFault('file-unwritable', file, { cause, fix: systemSaid(cause) });
  }
}

function remove(file: string): void {
  try {
    rmSync(file, { force: true });
  } catch {
    // It names a process that has ended, and is not read as one that runs.
  }
}

export interface RelayStatuses {
  /** Of those that run. */
  readonly relays: readonly RelayStatus[];
  /** Folders that this user may not look into. */
  readonly closed: readonly string[];
}

/** Of all relays of this machine whose files this user may read. */
export function readRelayStatuses(config: Config): RelayStatuses {
  const folders = config.relay.state === undefined ? allFolders() : [config.relay.state];
  const relays: RelayStatus[] = [];
  const closed: string[] = [];
  for (const folder of folders) {
    try {
      const names = readdirSync(folder).filter((name) => /^relay-\d+\.json$/.test(name));
      relays.push(...names.flatMap((name) => readStatus(join(folder, name)) ?? []));
    } catch (error) {
      if (errno(error) === 'EACCES') closed.push(folder);
    }
  }
  return { relays, closed };
}

/** The folder may be another user's, and the file may hold anything: only what has the form of a status is one. */
function readStatus(file: string): RelayStatus | undefined {
  try {
    const read = readPlainFile(file, AT_MOST);
    if (read === undefined || isFault(read)) return undefined;
    const saved = JSON.parse(read) as RelayStatus & Identity;
    const { pid, since, version, listeners, counters } = saved;
    const texts = [since, version, ...listeners.flatMap(({ listen, upstream = '' }) => [listen, upstream])];
    const { accepted, blocked, unreachable, active, sockets } = counters;
    const numbers = [accepted, blocked, unreachable, active, sockets];
    if (!texts.every((text) => typeof text === 'string') || !numbers.every(Number.isSafeInteger))
      return undefined;
    if (!isAlive(saved)) return undefined;
    const { servers, suspects } = readSaved(saved).saved;
    const clients = readClients(saved.clients);
    return { pid, since, version, listeners, counters, ...(clients && { clients }), servers, suspects };
  } catch {
    // It ended just now, or the file is not ours.
    return undefined;
  }
}

function readClients(saved: ClientsSeen | undefined): ClientsSeen | undefined {
  if (saved === undefined) return undefined;
  const { connections, networks, hidden } = saved;
  return [connections, networks].every(Number.isSafeInteger)
    ? { connections, networks, hidden: hidden === true }
    : undefined;
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
