// The file in which what is known of servers outlives the process. Processes that have the same file share it: what one
// learns, of either path, the others know a second later.

import { renameSync, statSync } from 'node:fs';
import { createFault, formatFault, isFault, type Fault } from '../system/fault';
import { readPlainFile, writeDurably } from '../system/files';
import type { Sink } from '../sinks/record';
import { keyOf } from './own-connections';
import { NOTHING_SAVED, readSaved, toSaved, type Reported, type Saved, type SavedReading } from './saved';
import type { Servers } from './servers';

export interface ServersReading {
  readonly saved: Saved;
  /** What could not be used, and what to do: `servers-unread`. */
  readonly fault?: Fault;
}

/** Of no file, or one that cannot be used, nothing is known. */
export function readServers(file: string | undefined): ServersReading {
  const text = file === undefined ? undefined : readPlainFile(file, AT_MOST);
  if (file === undefined || text === undefined) return { saved: NOTHING_SAVED };
  if (isFault(text)) {
    const fix = text.code === 'file-unreadable' ? text.fix : againOf(file);
    return { saved: NOTHING_SAVED, fault: createFault('servers-unread', text.on, { cause: text, fix }) };
  }
  const owner = statSync(file, { throwIfNoEntry: false })?.uid ?? 0;
  const isForeign = owner !== 0 && owner !== process.geteuid?.();
  const { saved, wrong } = isForeign
    ? { saved: NOTHING_SAVED, wrong: `it belongs to user ${owner}, and is not believed` }
    : parse(text);
  if (wrong === undefined) return { saved };
  return { saved, fault: createFault('servers-unread', `${file}: ${wrong}`, { fix: againOf(file) }) };
}

function againOf(file: string): string {
  return `it is learned again, and this file is kept as ${file}${UNREAD}`;
}

function parse(text: string): SavedReading {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return { saved: NOTHING_SAVED, wrong: 'it is not JSON' };
  }
  return readSaved(json);
}

interface Store {
  /** As it was when it was opened. */
  readonly saved: Saved;
  /** From now on what these servers teach is written, and what other processes wrote is taken over. */
  share(servers: Shared): void;
  /** What the log has reported by now of the kernel's counts. Suspects are written by the process that counts. */
  report(reported: Reported): void;
  /** Writes what is new. */
  close(): Promise<void>;
}

type Shared = Pick<Servers, 'known' | 'suspects' | 'lessons' | 'adopt'>;

/** A file that cannot be read is reported, set aside when there is something to write, and begun anew. */
export function openStore(file: string | undefined, sink: Sink): Store {
  const { saved, fault } = readServers(file);
  if (fault) sink.note('warn', 'servers-unread', { message: formatFault(fault) });
  if (file === undefined) return { saved, share: () => {}, report: () => {}, close: async () => {} };
  const state: State = {
    file,
    sink,
    servers: undefined,
    saved,
    stamp: stampOf(file),
    lessons: 0,
    reported: undefined,
    damaged: fault !== undefined,
    failed: false,
    writing: undefined,
  };
  let timer: NodeJS.Timeout | undefined;
  return {
    saved,
    share(servers) {
      state.servers = servers;
      state.lessons = servers.lessons;
      timer = setInterval(() => void exchange(state), EVERY_MS).unref();
    },
    report(reported) {
      const before = state.reported;
      state.reported = reported;
      // At once: a process that is killed later must not report it again.
      if (reported.lost !== before?.lost || reported.unwatched !== before.unwatched) void exchange(state);
    },
    async close() {
      clearInterval(timer);
      await state.writing;
      await exchange(state);
    },
  };
}

interface State {
  readonly file: string;
  readonly sink: Sink;
  servers: Shared | undefined;
  /** The file's content, and by what one sees that another process has written it. */
  saved: Saved;
  stamp: string;
  /** Of `servers`, when it was written last. */
  lessons: number;
  reported: Reported | undefined;
  /** The file has something that this version cannot read. */
  damaged: boolean;
  failed: boolean;
  writing: Promise<void> | undefined;
}

/** What others wrote first, so that it is in what is written. Two that write at one moment lose no more than one lesson. */
async function exchange(state: State): Promise<void> {
  const { servers } = state;
  if (servers === undefined || state.writing !== undefined) return;
  adopt(state, servers);
  const { lost, unwatched } = state.reported ?? state.saved.reported;
  const { reported } = state.saved;
  const isNew =
    servers.lessons !== state.lessons || lost !== reported.lost || unwatched !== reported.unwatched;
  if (!isNew) return;
  state.writing = write(state, servers);
  await state.writing;
  state.writing = undefined;
}

function adopt(state: State, servers: Shared): void {
  const stamp = stampOf(state.file);
  if (stamp === state.stamp) return;
  const { saved, fault } = readServers(state.file);
  const before = new Map(state.saved.servers.map(({ server, learned }) => [keyOf(server), learned]));
  servers.adopt(saved.servers.filter(({ server, learned }) => before.get(keyOf(server)) !== learned));
  Object.assign(state, { saved, stamp, damaged: fault !== undefined });
}

async function write(state: State, servers: Shared): Promise<void> {
  const { file, sink, reported, saved: others } = state;
  const { lessons } = servers;
  const suspects = reported === undefined ? others.suspects : servers.suspects();
  const saved = { servers: servers.known(), suspects, reported: reported ?? others.reported };
  if (state.damaged) setAside(file);
  const fault = await writeDurably(file, `${JSON.stringify(toSaved(saved))}\n`);
  // Also where it failed: it is tried again with the next lesson.
  state.lessons = lessons;
  if (fault === undefined) {
    Object.assign(state, { saved, stamp: stampOf(file), damaged: false, failed: false });
  } else if (!state.failed) {
    state.failed = true;
    sink.note('warn', 'servers-unsaved', { message: formatFault(fault) });
  }
}

/** For a person to look at, or for the version that wrote it. */
function setAside(file: string): void {
  try {
    renameSync(file, `${file}${UNREAD}`);
  } catch {
    // Then it is overwritten, if it can be.
  }
}

function stampOf(file: string): string {
  try {
    const { ino, size, mtimeMs } = statSync(file);
    return `${ino} ${size} ${mtimeMs}`;
  } catch {
    return '';
  }
}

const UNREAD = '.unread';
const EVERY_MS = 1_000;
/** Octets: some ten thousand servers are 3 MB. */
const AT_MOST = 16 << 20;
