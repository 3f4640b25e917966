// From the ring to the log: records in, each connection's lines out.

import type { Micros, RepairEvent } from '../../inspect/events';
import type { InspectorEvent } from '../../inspect/tracker/inspector';
import { HALF_OPEN_REPORTED_LIVE, ONE_SIDED_LIVE } from '../../inspect/limits';
import { defectInPlace } from '../../inspect/greeting/in-place';
import { findHonest } from '../../inspect/greeting/known';
import { doubtOf, type Lesson } from '../../inspect/greeting/lesson';
import { codeAt } from '../../inspect/greeting/lines';
import type { Redaction } from '../../inspect/grammar/argument';
import { quoteKnownWords, quoteServer } from '../../inspect/grammar/quote';
import { createTracker, type Tracked, type Tracker, type TrackerNews } from '../../inspect/tracker/tracker';
import type { EvidenceWriter } from '../report/evidence/evidence';
import type { Probes } from '../sources/probes';
import { isRecorded, type Connection, type Sink } from '../sinks/record';
import type { Servers } from '../servers/servers';
import { formatFault } from '../system/fault';
import type { Learner } from './learner';
import { readRecord, trackRecord, type WireRecord } from './records';

export interface Reader {
  /** One record, in the ring's own memory. */
  take(record: Uint8Array): void;
  /** When the last record that was taken had come; 0 before the first. */
  readonly readTo: Micros;
  /** Until `at` records found no room in the ring, of whichever connections: those that had begun teach nothing. */
  lostUntil(at: Micros): void;
  /** Time passed; every record before `at` was taken. `monotonic` is the same moment by the kernel's clock. */
  idle(at: Micros, monotonic: Micros): void;
  /** No more will come: the connections that are open are reported as they are. */
  end(at: Micros): void;
}

interface ReaderOptions {
  readonly sink: Sink;
  readonly ports: readonly number[];
  readonly implicitTlsPorts: readonly number[];
  readonly redact?: Redaction | undefined;
  readonly connections: number;
  readonly servers: Servers;
  readonly learner: Learner;
  readonly probes: Probes | undefined;
  readonly evidence?: EvidenceWriter | undefined;
  /** The time at which the kernel's monotonic clock stood at 0. */
  readonly origin: () => Micros;
  /** A name that no other connection of any run has. */
  readonly nextSession: () => string;
}

export function createReader(options: ReaderOptions): Reader {
  const { ports, implicitTlsPorts, connections, redact } = options;
  const state: State = {
    options,
    tracker: createTracker({
      ports,
      implicitTlsPorts,
      redact,
      capacity: connections,
      halfOpenReported: HALF_OPEN_REPORTED_LIVE,
      oneSided: ONE_SIDED_LIVE,
      keepFrames: options.evidence !== undefined,
      inOrder: true,
    }),
    names: new Map(),
    repaired: new Map(),
    odd: false,
    unreported: { count: 0, at: 0 },
    readTo: 0,
    take(octets) {
      const origin = options.origin();
      takeRecord(state, readRecord(octets, origin), origin);
    },
    lostUntil: (at) => state.tracker.lostUntil(at),
    idle: (at, monotonic) => idle(state, at, monotonic),
    end: (at) => tell(state, state.tracker.end(at), 0),
  };
  return state;
}

interface State extends Reader {
  readonly options: ReaderOptions;
  readonly tracker: Tracker;
  /** By the tracker's number: the connection as its lines name it. */
  readonly names: Map<number, Connection>;
  /** Whose greeting was repaired, and when; `doubted`: its server's answers have thrown doubt on that. */
  readonly repaired: Map<number, { readonly at: Micros; doubted: boolean }>;
  /** A record was not what it should be, and that was said. */
  odd: boolean;
  /** Half-open connections that were only counted: how many the log knows of, and since when. */
  readonly unreported: { count: number; at: Micros };
  readTo: Micros;
}

function takeRecord(state: State, record: WireRecord, origin: Micros): void {
  if (record.kind === 'odd') {
    if (!state.odd) state.options.sink.note('warn', 'record-odd', { message: record.why });
    state.odd = true;
    return;
  }
  state.readTo = record.kind === 'segment' ? record.segment.at : record.elided.at;
  const news = trackRecord(state.tracker, record);
  tell(state, news, state.readTo - origin, record);
  if (!record.repaired && !record.contradicted) return;
  const connection = news.find((each) => each.segment !== undefined)?.connection;
  if (!connection || record.kind !== 'segment') return;
  const { servers } = state.options;
  if (servers.owns(connection.client)) {
    if (record.repaired) servers.spoil(connection.client);
    return;
  }
  if (record.repaired) tellRepair(state, connection, record);
  if (record.contradicted)
    teach(state, connection, contradictionOf(state, connection, record), record.segment.at);
}

/**
 * The server said more behind a repaired greeting. Before the client has spoken, a line with the greeting's code is the
 * server's own last line; anything else may be an answer, or the end of its patience with a silent client.
 */
function contradictionOf(
  { repaired }: State,
  { id, inspector }: Tracked,
  { segment }: WireRecord & { kind: 'segment' },
): Lesson {
  const delay = segment.at - (repaired.get(id)?.at ?? segment.at);
  const code = codeAt(segment.payload, 0);
  const unasked = inspector.view.client.stream.next === 0 && inspector.whole;
  if (code === 220 && unasked) return { kind: 'ended', finding: findHonest(delay) };
  return {
    kind: 'doubt',
    because: `it said ${code} behind a repaired greeting`,
    ...(code === 220 && { delay }),
  };
}

function tell(
  state: State,
  news: readonly TrackerNews[],
  /** Of the kernel's clock. */
  monotonic: Micros,
  record?: WireRecord,
): void {
  const { options } = state;
  const { sink, learner, probes, servers } = options;
  if (news.length === 0) return;
  probes?.observe(news, record?.kind === 'segment' ? record.link : undefined);
  options.evidence?.observe(
    // A connection that ehlowire itself made to look at a server is no evidence.
    news.filter(({ connection }) => !options.servers.owns(connection.client)),
    record?.kind === 'segment' ? record.frame : undefined,
  );
  for (const each of news) {
    const { connection, events, ended } = each;
    // A connection that ehlowire itself made to look at a server is no session of a client.
    if (servers.owns(connection.client)) continue;
    for (const event of events) {
      if (isRecorded(event)) sink.write(nameOf(state, connection), event);
      doubt(state, connection, event);
    }
    // Time may have had news of others in the same breath.
    const repaired =
      each.segment !== undefined && record?.kind === 'segment' && record.repaired !== undefined;
    for (const { lesson } of learner.observe(each, repaired, monotonic))
      teach(state, connection, lesson, state.readTo);
    if (!ended) continue;
    state.names.delete(connection.id);
    state.repaired.delete(connection.id);
  }
}

function teach(state: State, connection: Tracked, lesson: Lesson, at: Micros): void {
  const { servers, sink } = state.options;
  const named = nameOf(state, connection);
  const event = servers.server(connection.server).teach(lesson, named, at);
  if (event) sink.write(named, event);
}

/** An honest server whose greeting was repaired too early answers in its own way. */
function doubt(state: State, connection: Tracked, event: InspectorEvent): void {
  const repair = state.repaired.get(connection.id);
  if (repair === undefined || repair.doubted || event.kind !== 'phase') return;
  const lesson = doubtOf(event);
  if (lesson === undefined) return;
  repair.doubted = true;
  teach(state, connection, lesson, event.at);
}

/** Once per connection; every copy of the greeting is repaired, and only the first is news. */
function tellRepair(state: State, connection: Tracked, record: WireRecord & { kind: 'segment' }): void {
  const { repaired, segment } = record;
  if (!repaired || state.repaired.has(connection.id)) return;
  const { payload, at } = segment;
  state.repaired.set(connection.id, { at, doubted: false });
  const start = payload.lastIndexOf(LF, repaired.at) + 1;
  const end = payload.indexOf(LF, repaired.at) + 1;
  const after = payload.subarray(start, end > 0 ? end : payload.length);
  const before = after.slice();
  before[repaired.at - start] = repaired.was;
  // Who speaks first may find its words in the greeting.
  const spoke = connection.inspector.view.client.stream.sent > 0;
  const quote = spoke ? quoteKnownWords : quoteServer;
  const event: RepairEvent = {
    kind: 'repair',
    at,
    defect: defectInPlace(repaired.was) ?? 'truncated',
    before: quote(before),
    after: quote(after),
    held: 0,
  };
  state.options.sink.write(nameOf(state, connection), event);
}

function idle(state: State, at: Micros, monotonic: Micros): void {
  const { probes, learner, sink } = state.options;
  tell(state, state.tracker.idle(at), monotonic);
  reportUnreported(state, at);
  for (const { connection, lesson } of learner.idle(monotonic)) teach(state, connection, lesson, at);
  const sent = probes?.send(at);
  tell(state, sent?.news ?? [], monotonic);
  if (sent?.refused !== undefined) sink.note('warn', 'probe-refused', { message: formatFault(sent.refused) });
}

/** Of a flood a line a minute. */
function reportUnreported({ unreported, tracker, options }: State, at: Micros): void {
  const count = tracker.counts.unreported - unreported.count;
  if (count === 0 || at - unreported.at < UNREPORTED_EVERY) return;
  unreported.count += count;
  unreported.at = at;
  options.sink.note('warn', 'half-open', { connections: count });
}

function nameOf(state: State, { id, client, server }: Tracked): Connection {
  const known = state.names.get(id);
  if (known) return known;
  const connection: Connection = { session: state.options.nextSession(), path: 'wire', client, server };
  state.names.set(id, connection);
  return connection;
}

const UNREPORTED_EVERY: Micros = 60_000_000;
const LF = 0x0a;
