// Evidence: for every connection with a verdict a capture that may be sent to others, and a page that explains it.

import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Micros, VerdictEvent } from '../../inspect/events';
import type { Frame } from '../../inspect/half-open';
import type { SegmentSessionEvent } from '../../inspect/inspector';
import type { Tracked, TrackerNews } from '../../inspect/tracker';
import { isSameFinding, withVerdict } from '../../inspect/verdict/standing';
import { formatTime } from '../clock';
import { createFault, errno, isFault, type Fault } from '../fault';
import { makeFolder } from '../folder';
import { readVersion } from '../version';
import { cutFrames } from './cut';
import { createKeeper, type KeepBounds, type Keeper } from './keep';
import { pageOf } from './page';
import { pcapngOf, type PcapngFacts } from './pcapng';
import { createRecording, type Recording } from './recording';
import { createVisible, type Visible } from './visible';
import { withoutNames } from './wording';

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
  /** A folder that is filled for as long as the process runs: the oldest go. */
  readonly keep?: KeepBounds;
}

export interface EvidenceCounts {
  /** Connections written: two files each. */
  readonly written: number;
  /** Connections with a verdict that were not: over `most`, out of memory, or a folder that takes nothing. */
  readonly leftOut: number;
}

export interface EvidenceWriter {
  /** What the tracker made of a frame, or of time: call it behind each call of the tracker, with the frame if there was one. */
  take(news: readonly TrackerNews[], frame?: Frame): void;
  /** So many frames were missed by the capture. */
  lost(count: number): void;
  /** The first thing that went wrong with the folder; the analysis goes on without evidence. */
  readonly fault: Fault | undefined;
  readonly counts: EvidenceCounts;
}

/** Makes the folder. Fault: `evidence-unwritable`. */
export function openEvidence(options: EvidenceOptions): EvidenceWriter | Fault {
  const { folder, keep, only, ran } = options;
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
    ran: { from: Infinity, to: 0, dropped: 0 },
    fault: undefined,
    counts: { written: 0, leftOut: 0 },
  };
  return {
    take(news, frame) {
      for (const each of news) {
        noteTime(state, each);
        if (only === undefined || only.has(each.connection.id))
          follow(state, each, each.remembered ? each.remembered.frame : each.segment && frame);
      }
    },
    lost: (count) => void (state.ran.dropped += count),
    get fault() {
      return state.fault;
    },
    counts: state.counts,
  };
}

interface Case {
  readonly recording: Recording;
  readonly visible: Visible;
  /** Those that stand. */
  verdicts: readonly VerdictEvent[];
  session: SegmentSessionEvent | undefined;
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
  readonly ran: { from: Micros; to: Micros; dropped: number };
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
  const { connection, segment, events, ended } = news;
  const own = state.open.get(connection.id) ?? begin(state, connection);
  const before = own.recording.size;
  if (frame && segment && state.held < state.memory) {
    const { view } = connection.inspector;
    const start = view[segment.from].stream.offsetOf(segment.segment.seq);
    own.recording.add({ ...frame, ...segment, start });
  }
  for (const event of events) {
    own.visible.see(event);
    if (event.kind === 'session') own.session = event as SegmentSessionEvent;
    if (event.kind === 'verdict') note(own, event);
  }
  state.held += own.recording.size - before;
  if (!ended) return;
  state.open.delete(connection.id);
  state.held -= own.recording.size;
  if (own.verdicts.length > 0) finish(state, connection, own);
}

function note(own: Case, event: VerdictEvent): void {
  const { verdict, withdraws } = event;
  const before = own.verdicts;
  own.verdicts = withVerdict(before, event);
  if (withdraws) own.recording.unmark(`${withdraws} (`);
  // The earlier word on the same finding has marks of its own.
  const again = before.some((each) => isSameFinding(each, event));
  if (again) own.recording.unmark(`${verdict} (`);
  for (const each of own.verdicts) {
    if (each === event || (again && each.verdict === verdict)) markAll(own.recording, each);
  }
}

function markAll(recording: Recording, { verdict, certainty, evidence }: VerdictEvent): void {
  for (const each of evidence) {
    recording.mark(each, `${verdict} (${certainty}): ${withoutNames(each.note)}`);
  }
}

function begin(state: State, { id, inspector }: Tracked): Case {
  const own: Case = {
    recording: createRecording(),
    visible: createVisible({
      midStream: inspector.view.client.syn === undefined,
      serverFromStart: () => inspector.view.server.syn !== undefined,
    }),
    verdicts: [],
    session: undefined,
  };
  state.open.set(id, own);
  return own;
}

function finish(state: State, connection: Tracked, own: Case): void {
  const { counts, most, folder, keeper, ran } = state;
  const verdict = own.verdicts[0]?.verdict ?? 'connection';
  const refused = keeper !== undefined && !keeper.admit(verdict, ran.to);
  // A service goes on trying: the disk that is full now has room again some day.
  const broken = state.fault !== undefined && keeper === undefined;
  if (broken || refused || counts.written >= most || own.recording.frames.length === 0) {
    counts.leftOut += 1;
    return;
  }
  const name = nameOf(connection, verdict);
  const { capture, page } = filesOf(state, connection, own, name);
  const text = Buffer.from(page);
  const fault = write(join(folder, `${name}.pcapng`), capture) ?? write(join(folder, `${name}.md`), text);
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
  connection: Tracked,
  own: Case,
  name: string,
): { capture: Uint8Array; page: string } {
  const { recording, visible, verdicts, session } = own;
  const { frames, omitted } = recording;
  const version = readVersion();
  const summary = verdicts.map(
    (each) => `${each.verdict} (${each.certainty}): ${withoutNames(each.summary)}`,
  );
  const capture = pcapngOf({
    application: `ehlowire ${version}`,
    comment: summary.join('\n'),
    ran: given ?? ran,
    packets: cutFrames(frames, visible),
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

/** `20260504T030201.000123Z-198.51.100.7-40000-ehlo-dropped`: sorted by time, safe in every shell. */
function nameOf({ client, inspector }: Tracked, verdict: string): string {
  const time = compact(inspector.view.started);
  const address = client.address.replace(/[^0-9a-fA-F.]/g, '-');
  return `${time}-${address}-${client.port}-${verdict}`;
}

function compact(at: Micros): string {
  return formatTime(at).replace(/[-:]/g, '');
}

/** Whole or not at all, and never through somebody's symbolic link. */
function write(path: string, octets: Uint8Array): Fault | undefined {
  const half = `${path}.${process.pid}.part`;
  try {
    writeFileSync(half, octets, { flag: 'wx', mode: 0o640 });
    renameSync(half, path);
    return undefined;
  } catch (cause) {
    rmSync(half, { force: true });
    return unwritable(path, cause);
  }
}

function unwritable(path: string, cause: unknown): Fault {
  const code = errno(cause);
  const full = code === 'ENOSPC' || code === 'EDQUOT';
  return createFault('evidence-unwritable', path, {
    cause,
    ...(full && { mend: 'the disk is full: make room' }),
  });
}

const MOST = 1_000;
const MEMORY = 256 * 1024 * 1024;
/** Beside a relay, or what reads the ring. */
const MEMORY_KEPT = 32 * 1024 * 1024;
