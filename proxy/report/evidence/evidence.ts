// Evidence: for every connection with a verdict a capture that may be sent to others, and a page that explains it.

import { join } from 'node:path';
import type { Micros } from '../../../inspect/events';
import type { Frame, Observer, Tracked, TrackerNews } from '../../../inspect/tracker/tracker';
import { type Fault, formatFault, isFault } from '../../system/fault';
import { makeFolder } from '../../system/files';
import { readVersion } from '../../system/version';
import { addNews, createCase, frameOf, markVerdicts, type Case } from './case';
import { commentOf, cutFrames } from './cut';
import { nameOf, unwritable, writeWhole } from './files';
import { createKeeper, type KeepBounds, type Keeper } from './keep';
import { pageOf } from './page';
import { pcapngOf, type PcapngFacts } from './pcapng';
import type { Config } from '../../config/config';
import type { Sink } from '../../sinks/record';

export interface EvidenceOptions {
  readonly folder: string;
  /** Connections that are written at the most; default 1000. */
  readonly most?: number;
  /** Octets of frames held for all connections together; default 256 MiB. */
  readonly memory?: number;
  /** Record only these (`Tracked.id`): the second pass over a file whose first found them. Default: all. */
  readonly only?: ReadonlySet<number>;
  /** How long the capture ran, where a first pass has found it; default: from the first segment to the last so far. */
  readonly ran?: NonNullable<PcapngFacts['ran']>;
  /** The capture does not say how many frames it missed. */
  readonly uncounted?: boolean;
  /** A folder that is filled for as long as the process runs: the oldest go. */
  readonly keep?: KeepBounds;
}

export interface EvidenceCounts {
  /** Connections written: two files each. */
  readonly written: number;
  /** Connections with a verdict that were not: over `most`, out of memory, or a folder that takes nothing. */
  readonly leftOut: number;
}

export interface EvidenceWriter extends Observer {
  /** So many frames were missed by the capture. */
  lost(count: number): void;
  /** The first thing that went wrong with the folder; the analysis goes on without evidence. */
  readonly fault: Fault | undefined;
  readonly counts: EvidenceCounts;
}

/** Makes the folder. Fault: `evidence-unwritable`. */
export function openEvidence(options: EvidenceOptions): EvidenceWriter | Fault {
  const { folder, keep, only, ran, uncounted = false } = options;
  const { most = keep ? Infinity : MOST, memory = keep ? MEMORY_KEPT : MEMORY } = options;
  let keeper: Keeper | undefined;
  try {
    makeFolder(folder, 0o750);
    keeper = keep && createKeeper(folder, keep);
  } catch (cause) {
    return unwritable(folder, cause);
  }
  const state: State = {
    folder,
    most,
    memory,
    keeper,
    open: new Map(),
    held: 0,
    given: ran,
    ran: { from: Infinity, to: 0, dropped: uncounted ? undefined : 0 },
    fault: undefined,
    counts: { written: 0, leftOut: 0 },
  };
  return {
    observe(news, frame) {
      for (const each of news) {
        noteTime(state, each);
        if (only === undefined || only.has(each.connection.id)) follow(state, each, frameOf(each, frame));
      }
    },
    lost: (count) => void (state.ran.dropped = (state.ran.dropped ?? 0) + count),
    get fault() {
      return state.fault;
    },
    counts: state.counts,
  };
}

interface State {
  readonly folder: string;
  readonly most: number;
  readonly memory: number;
  readonly keeper: Keeper | undefined;
  readonly open: Map<number, Case>;
  /** Octets in all recordings. */
  held: number;
  readonly given: PcapngFacts['ran'];
  /** As far as it was observed here. */
  readonly ran: { from: Micros; to: Micros; dropped: number | undefined };
  fault: Fault | undefined;
  readonly counts: { written: number; leftOut: number };
}

function noteTime({ ran }: State, { segment, events }: TrackerNews): void {
  const at = segment?.segment.at ?? events[0]?.at;
  if (at === undefined) return;
  ran.from = Math.min(ran.from, at);
  ran.to = Math.max(ran.to, at);
}

function follow(state: State, news: TrackerNews, frame: Frame | undefined): void {
  const { connection, events, verdicts, ended } = news;
  const own = state.open.get(connection.id) ?? begin(state, connection);
  state.held += addNews(own, news, frame, state.memory - state.held);
  if (events.some(({ kind }) => kind === 'verdict')) markVerdicts(own.recording, verdicts);
  if (!ended) return;
  state.open.delete(connection.id);
  state.held -= own.recording.size;
  finish(state, news, own);
}

function begin(state: State, connection: Tracked): Case {
  const own = createCase(connection);
  state.open.set(connection.id, own);
  return own;
}

function finish(state: State, news: TrackerNews, own: Case): void {
  const { connection, verdicts } = news;
  const { counts, most, folder, keeper, ran } = state;
  const [first] = verdicts;
  if (!first) return;
  const { verdict } = first;
  const refused = keeper !== undefined && !keeper.admit(verdict, ran.to);
  // A service goes on trying: the disk that is full now has room again some day.
  const broken = state.fault !== undefined && keeper === undefined;
  if (broken || refused || counts.written >= most || own.recording.frames.length === 0) {
    counts.leftOut += 1;
    return;
  }
  const name = nameOf(connection.inspector.view.started, connection.client, verdict);
  const { capture, page } = filesOf(state, news, own, name);
  const text = Buffer.from(page);
  const fault =
    writeWhole(join(folder, `${name}.pcapng`), capture) ?? writeWhole(join(folder, `${name}.md`), text);
  if (isFault(fault)) {
    state.fault = fault;
    counts.leftOut += 1;
    return;
  }
  counts.written += 1;
  keeper?.wrote(name, verdict, capture.length + text.length);
}

function filesOf(
  { given, ran }: State,
  { connection, verdicts }: TrackerNews,
  own: Case,
  name: string,
): { capture: Uint8Array; page: string } {
  const { recording, visible, session } = own;
  const { frames, omitted } = recording;
  const version = readVersion();
  const capture = pcapngOf({
    application: `ehlowire ${version}`,
    comment: commentOf(verdicts),
    ran: given ?? ran,
    packets: cutFrames(recording, visible),
  });
  const { client, server, inspector } = connection;
  const { started, rtt } = inspector.view;
  const page = pageOf({
    file: `${name}.pcapng`,
    ...{ frames, omitted, client, server, started, rtt, verdicts, version },
    phases: (session?.phases ?? []).map(([phase, since, took, code]) =>
      code === undefined ? [phase, since, took] : [phase, since, took, code],
    ),
    retransmits: session?.retransmits ?? { client: 0, server: 0 },
  });
  return { capture, page };
}

/** Connections of one run, and octets of their frames. */
export const MOST = 1_000;
export const MEMORY = 256 * 1024 * 1024;
/** Beside a relay, or what reads the ring. */
const MEMORY_KEPT = 32 * 1024 * 1024;

/** `undefined` where none is requested, or the folder takes none: then a note says so, and mail goes on. */
export function openKeptEvidence({ evidence }: Config, sink: Sink): EvidenceWriter | undefined {
  const { folder, connections, octets } = evidence;
  if (folder === undefined) return undefined;
  const writer = openEvidence({ folder, keep: { connections, octets } });
  if (!isFault(writer)) return reported(writer, sink);
  sink.note('warn', 'evidence-unwritten', { message: formatFault(writer) });
  return undefined;
}

/** Says once what went wrong with the folder. */
function reported(writer: EvidenceWriter, sink: Sink): EvidenceWriter {
  let reported = false;
  return {
    observe(news, frame) {
      writer.observe(news, frame);
      if (reported || !writer.fault) return;
      reported = true;
      sink.note('warn', 'evidence-unwritten', { message: formatFault(writer.fault) });
    },
    lost: (count) => writer.lost(count),
    get fault() {
      return writer.fault;
    },
    counts: writer.counts,
  };
}
