// The relay's capture: the segments of its own connections, judged as on the wire.

import type { Direction, Micros, VerdictEvent, VerdictName } from '../../inspect/events';
import type { InspectorEvent } from '../../inspect/tracker/inspector';
import type { Redaction } from '../../inspect/grammar/argument';
import { ONE_SIDED_LIVE } from '../../inspect/limits';
import {
  createTracker,
  type Frame,
  type Tracked,
  type Tracker,
  type TrackerNews,
} from '../../inspect/tracker/tracker';
import type { Endpoint } from '../../inspect/address';
import type { EvidenceWriter } from '../report/evidence/evidence';
import { now } from '../system/clock';
import { createPause, type Pause } from './capture-pause';
import { formatFault, isFault, type Fault } from '../system/fault';
import type { Connection, Sink } from '../sinks/record';
import { openLive, portFilters, type LiveListener, type LiveSource } from '../sources/live';

/** One of a connection's two legs: who called whom, as their packets say it. */
export interface Leg {
  readonly caller: Endpoint;
  readonly called: Endpoint;
}

export interface Legs {
  readonly client: Leg;
  readonly server: Leg | undefined;
  /** The server's greetings are repaired: their defect is reported once, and then the repairs are counted. */
  readonly repaired: () => boolean;
}

/** What only segments tell of a relayed connection. */
interface SegmentFacts {
  /** Absent where no segment of the connection was seen. */
  readonly retransmits?: Readonly<Record<Direction, number>>;
  readonly rtt?: Micros;
  readonly verdicts: readonly VerdictName[];
}

export interface CapturedCall {
  /** Undefined: another process knows them, and adds them to the session's line. */
  facts(): SegmentFacts | undefined;
}

export interface RelayCapture {
  /**
   * Opens the capture, before the first listener takes connections: what comes from now on is kept until `begin`.
   * Where the machine or our rights do not allow it, says so once, and the relay goes on without: it repairs and
   * records as before, and proves nothing about the path.
   */
  open(options: Pick<RelayCaptureOptions, 'interface' | 'ports'>): void;
  /** The ports are known: a listener on port 0 has been given one. */
  begin(options: Omit<RelayCaptureOptions, 'interface'>): void;
  /** The machine and our rights allow it. */
  isOpen(): boolean;
  /**
   * From here on verdicts on these legs belong to this connection. `undefined` where nothing is watched. Between
   * two transparent sockets both legs have the same addresses: only the client's is followed, on its interface.
   */
  follow(connection: Connection, legs: Legs): CapturedCall | undefined;
  /** Calls back when every segment from before `at` was read, or nothing is watched any more. */
  whenSeen(at: Micros, then: () => void): void;
  close(): Promise<void>;
}

export interface RelayCaptureOptions {
  /** An interface, or `any`. */
  readonly interface: string;
  /** Ports of the listeners and of the upstreams. */
  readonly ports: readonly number[];
  readonly implicitTlsPorts: readonly number[];
  /** How envelope addresses are written down; absent: as they are. */
  readonly redact?: Redaction | undefined;
}

export function createRelayCapture(
  sink: Sink,
  evidence?: EvidenceWriter,
  openSource: (name: string, filters: readonly string[]) => LiveSource | Fault = openLive,
): RelayCapture {
  let source: LiveSource | undefined;
  let state: State | undefined;
  /** The frames of both legs come from one capture, on all interfaces. */
  let everywhere = false;
  return {
    open({ interface: name, ports }) {
      everywhere = name === ANY;
      // It is not known yet which port the kernel will give: all of TCP, for a moment.
      const filters = ports.includes(0) ? ['tcp'] : portFilters(ports);
      const opened = openSource(name, filters);
      if (isFault(opened)) {
        sink.note('warn', 'evidence-off', { message: formatFault(opened), unseen: UNSEEN });
        return;
      }
      source = opened;
    },
    begin(options) {
      if (!source) return;
      const refused = source.narrow(portFilters(options.ports));
      if (refused !== undefined) sink.note('warn', 'evidence-broad', { message: formatFault(refused) });
      state = createState(source, sink, evidence, options);
      source.start(listenerOf(state));
    },
    isOpen: () => source !== undefined,
    follow(connection, legs) {
      if (state === undefined || state.pause.isOn() || (legs.server === undefined && everywhere))
        return undefined;
      return follow(state, connection, legs);
    },
    whenSeen(at, then) {
      if (state === undefined || state.over || state.pause.isOn()) return then();
      state.waiting.push({ at, then });
      if (state.waiting.length > WAITING) state.waiting.shift()?.then();
      return undefined;
    },
    async close() {
      state?.pause.stop();
      await source?.close();
      if (!state) return;
      state.over = true;
      tellSeen(state, Infinity);
    },
  };
}

function createState(
  source: LiveSource,
  sink: Sink,
  evidence: EvidenceWriter | undefined,
  options: Omit<RelayCaptureOptions, 'interface'>,
): State {
  const tracker = createTracker({
    ...{ ...options, halfOpenReported: 0, oneSided: ONE_SIDED_LIVE },
    keepFrames: evidence !== undefined,
  });
  const state: State = {
    ...{ tracker, evidence, sink },
    pause: createPause({
      ...{ source, tracker, evidence, sink, unseen: UNSEEN },
      onFault: (fault) => fail(state, fault),
    }),
    legs: new Map(),
    greetingsReported: new Set(),
    early: new Map(),
    waiting: [],
    over: false,
  };
  return state;
}

function listenerOf(state: State): LiveListener {
  const { tracker, sink } = state;
  const take = (news: readonly TrackerNews[], frame?: Frame): void => {
    const reported = news.map((each) => report(state, each));
    state.evidence?.observe(reported, frame);
  };
  return {
    frame(linkType, octets, at, length) {
      const news = tracker.frame(linkType, octets, at, length);
      if (news.length > 0) take(news, { linkType, octets, length });
      if (state.pause.read(at)) tellSeen(state, Infinity);
    },
    idle(at) {
      state.pause.caughtUp();
      take(tracker.idle(at));
      tellSeen(state, at);
    },
    lost(count, at) {
      tracker.lostUntil(at);
      state.evidence?.lost(count);
      sink.write(undefined, { kind: 'loss', at, source: 'capture', count });
    },
    failed: (fault) => fail(state, fault),
  };
}

function fail(state: State, fault: Fault): void {
  state.sink.note('error', 'evidence-off', { message: formatFault(fault), unseen: UNSEEN });
  state.over = true;
  tellSeen(state, Infinity);
}

/** Connections end in the order in which they are reported here, about. */
function tellSeen({ waiting }: State, at: Micros): void {
  const later = waiting.findIndex((each) => each.at > at);
  for (const { then } of waiting.splice(0, later < 0 ? waiting.length : later)) then();
}

interface State {
  readonly tracker: Tracker;
  readonly evidence: EvidenceWriter | undefined;
  readonly sink: Sink;
  readonly pause: Pause;
  /** By leg: whose it is. An entry goes with the leg's last news. */
  readonly legs: Map<string, Followed>;
  /** Servers whose greeting was the subject of a verdict, with the verdict's name. */
  readonly greetingsReported: Set<string>;
  /** By leg: news of those that are not followed yet. */
  readonly early: Map<string, readonly { readonly at: Micros; readonly news: TrackerNews }[]>;
  readonly waiting: { readonly at: Micros; readonly then: () => void }[];
  over: boolean;
}

interface Followed {
  readonly connection: Connection;
  readonly side: Direction;
  readonly repaired: () => boolean;
  /** Verdicts that the log has of this leg, and those of them that stand. */
  readonly reported: Set<VerdictName>;
  standing: readonly VerdictName[];
  /** As it was at its end, where that was seen before the session's line is written. */
  ended: Tracked | undefined;
}

function follow(state: State, connection: Connection, { client, server, repaired }: Legs): CapturedCall {
  const followed = (side: Direction): Followed => ({
    ...{ connection, side, repaired, reported: new Set(), standing: [], ended: undefined },
  });
  const legs = { client: followed('client'), server: followed('server') };
  begin(state, keyOf(client), legs.client);
  if (server) begin(state, keyOf(server), legs.server);
  return {
    facts() {
      const front = state.tracker.find(client.caller, client.called) ?? legs.client.ended;
      const back = server && (state.tracker.find(server.caller, server.called) ?? legs.server.ended);
      const rtt = front?.inspector.view.rtt;
      // Each leg's far end: what we send again ourselves says nothing of a peer.
      const counts = { client: retransmits(front, 'client'), server: retransmits(back, 'server') };
      return {
        ...((front ?? back) && { retransmits: counts }),
        ...(rtt !== undefined && { rtt }),
        verdicts: [...new Set([...legs.client.standing, ...legs.server.standing])],
      };
    },
  };
}

function begin(state: State, key: string, followed: Followed): void {
  const before = state.early.get(key) ?? [];
  state.early.delete(key);
  state.legs.set(key, followed);
  const since = now() - EARLY_FOR;
  for (const { at, news } of before) if (at > since) report(state, news);
}

/** Its segments may be read before it is followed, where another process has it. */
function keepEarly({ early }: State, key: string, news: TrackerNews): void {
  if (!news.ended && !news.events.some(isVerdict)) return;
  early.set(key, [...(early.get(key) ?? []), { at: now(), news }]);
  for (const oldest of early.keys()) {
    if (early.size <= EARLY) break;
    early.delete(oldest);
  }
}

function retransmits(tracked: Tracked | undefined, side: Direction): number {
  return tracked?.inspector.view[side].retransmits ?? 0;
}

/** The news with those verdicts only that the log has. */
function report(state: State, news: TrackerNews): TrackerNews {
  // Nearly all segments: nothing to say of them.
  const isNews = news.verdicts.length > 0 || (news.events.length > 0 && news.events.some(isVerdict));
  if (!isNews && !news.ended) return news;
  const { client, server } = news.connection;
  const key = keyOf({ caller: client, called: server });
  const followed = state.legs.get(key);
  if (!followed) keepEarly(state, key, news);
  else if (news.ended) {
    state.legs.delete(key);
    followed.ended = news.connection;
  }
  if (!isNews) return news;
  const events = news.events.filter((event) => !isVerdict(event) || reportVerdict(state, followed, event));
  const verdicts = news.verdicts.filter(({ verdict }) => followed?.reported.has(verdict));
  if (followed) followed.standing = verdicts.map(({ verdict }) => verdict);
  return { ...news, events, verdicts };
}

function reportVerdict(
  { sink, greetingsReported }: State,
  followed: Followed | undefined,
  event: VerdictEvent,
): boolean {
  if (!followed || !CONCERNS[followed.side].has(event.verdict)) return false;
  if (OF_GREETING.has(event.verdict) && isKnown(greetingsReported, followed, event.verdict)) return false;
  followed.reported.add(event.verdict);
  sink.write(followed.connection, event);
  return true;
}

/** A server that is repaired on every connection is no news on every connection; the wire does not see it at all. */
function isKnown(
  greetingsReported: Set<string>,
  { connection: { server }, repaired }: Followed,
  verdict: VerdictName,
): boolean {
  const key = `${server.address} ${server.port} ${verdict}`;
  if (greetingsReported.has(key) && repaired()) return true;
  greetingsReported.add(key);
  for (const oldest of greetingsReported) {
    if (greetingsReported.size <= GREETINGS_REPORTED) break;
    greetingsReported.delete(oldest);
  }
  return false;
}

function isVerdict(event: InspectorEvent): event is VerdictEvent {
  return event.kind === 'verdict';
}

function keyOf({ caller, called }: Leg): string {
  return `${caller.address} ${caller.port} ${called.address} ${called.port}`;
}

/** On each leg one end is ours: a verdict counts where the peer or its path is meant. */
const CONCERNS: Readonly<Record<Direction, ReadonlySet<VerdictName>>> = {
  client: new Set<VerdictName>([
    'ehlo-dropped',
    'ehlo-held',
    'ehlo-altered',
    'path-terminated',
    'segment-dropped',
    'greeting-lost',
    'reset-injected',
    'early-talker',
    'client-silent',
    'client-gone',
  ]),
  server: new Set<VerdictName>([
    'path-terminated',
    'segment-dropped',
    'greeting-truncated',
    'greeting-malformed',
    'greeting-lost',
    'greeting-slow',
    'reset-injected',
  ]),
};

const OF_GREETING: ReadonlySet<VerdictName> = new Set(['greeting-truncated', 'greeting-malformed']);
/** Transparent connections may go to any server. */
const GREETINGS_REPORTED = 4_096;

/** Legs, of those of a moment; most are connections of others. */
const EARLY = 256;
/** Later the same addresses and ports are another connection. */
const EARLY_FOR: Micros = 1_000_000;
/** Last lines that wait for segments at a time; a line that waited longest goes without the rest. */
const WAITING = 4_096;

/** libpcap's name for all interfaces at once. */
export const ANY = 'any';

const UNSEEN = 'dropped, held, altered or terminated segments';
