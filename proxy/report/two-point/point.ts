// Two capture points read into traces: of each connection that may matter, bounded.

import { statSync } from 'node:fs';
import type { Micros, Point } from '../../../inspect/events';
import type { Redaction } from '../../../inspect/grammar/argument';
import type { Observer, TrackerNews } from '../../../inspect/tracker/tracker';
import { createPairing, type Pairing, type Unchanged } from '../../../inspect/two-point/pairing';
import { USUAL_OF, type PointCapture } from '../../../inspect/two-point/survey';
import { createTracer, type Trace, type Tracer } from '../../../inspect/two-point/trace';
import { runPass, type PassResult } from '../analyze/pass';
import { createProgress } from '../analyze/progress';
import type { Fault } from '../../system/fault';
import { createPace } from './pace';
import { addNews, type Case, createCase, frameOf } from '../evidence/case';
import { MEMORY } from '../evidence/evidence';

export interface PointFile extends PointCapture {
  readonly file: string;
  /** Also those of which nothing is kept. */
  readonly connections: number;
  /** Connections for which there was no room. */
  readonly omitted: number;
  /** Frames that the capturing program missed. */
  readonly lost: number;
  /** It says how many. */
  readonly counted: boolean;
  readonly segments: number;
  readonly faults: readonly Fault[];
  /** Nothing of it could be read. */
  readonly empty: boolean;
}

interface PointFiles extends Readonly<Record<Point, PointFile>> {
  readonly unchanged: Unchanged;
}

/** How both captures are read. */
export interface Reading {
  readonly ports: readonly number[];
  readonly redact?: Redaction | undefined;
  /** Evidence is written: it begins with the handshake. */
  readonly keepFrames?: boolean;
  /** `PassOptions.noDrops` */
  readonly noDrops?: boolean;
}

interface Wishes {
  /** Observe each point too. */
  readonly observers?: Readonly<Record<Point, Observer | undefined>>;
  /** Which clients outside. */
  readonly wants?: (client: string) => boolean;
  /** Connections are kept also where they passed unchanged. */
  readonly all?: boolean;
}

/** Reads both capture files side by side, once. */
export async function readPoints(
  files: Readonly<Record<Point, string>>,
  reading: Reading,
  { observers, wants, all = false }: Wishes = {},
): Promise<PointFiles> {
  const pairing = createPairing(all ? Infinity : USUAL_OF, MOST);
  const pace = createPace(() => pairing.apart);
  const progress = createProgress(sizeOf([files.wan, files.dmz]));
  const reached: Record<Point, Progressed> = { wan: NOTHING, dmz: NOTHING };
  const readOne = async (point: Point): Promise<PassResult> => {
    const collector = createCollector(point, (trace) => {
      if (point === 'dmz' || wants === undefined || wants(trace.client.address)) pairing.take(point, trace);
    });
    try {
      return await runPass([files[point]], {
        ...reading,
        observer: {
          observe(news, frame) {
            collector.observe(news);
            observers?.[point]?.observe(news, frame);
          },
        },
        async turn(position, { segments, connections }, firstAt, lastAt) {
          reached[point] = { position, segments, connections };
          const sum = (key: keyof Progressed): number => reached.wan[key] + reached.dmz[key];
          progress.update(sum('position'), sum('segments'), sum('connections'));
          await new Promise(setImmediate);
          await pace.turn(point, { position, firstAt, lastAt });
          return true;
        },
      });
    } finally {
      pace.over(point);
    }
  };
  try {
    const [wan, dmz] = await Promise.all([readOne('wan'), readOne('dmz')]);
    return {
      wan: pointFile(files.wan, wan, pairing, 'wan'),
      dmz: pointFile(files.dmz, dmz, pairing, 'dmz'),
      unchanged: pairing.unchanged,
    };
  } finally {
    progress.end();
  }
}

function pointFile(file: string, result: PassResult, pairing: Pairing, point: Point): PointFile {
  const { ended, omitted } = pairing.counts[point];
  return {
    file,
    traces: pairing.rest(point),
    connections: ended - omitted,
    omitted,
    ran: { from: result.firstAt, to: result.lastAt },
    lost: result.lost,
    counted: result.counted,
    segments: result.counts.segments,
    faults: result.faults,
    empty: result.used === 0,
  };
}

/** Reads one from its beginning, as long as `goOn` says so. */
export async function passOver(
  file: string,
  reading: Reading,
  observer: Observer,
  goOn = (): boolean => true,
): Promise<PassResult> {
  const progress = createProgress(sizeOf([file]));
  try {
    return await runPass([file], {
      ...reading,
      observer,
      async turn(position, counts) {
        progress.update(position, counts.segments, counts.connections);
        await new Promise(setImmediate);
        return goOn();
      },
    });
  } finally {
    progress.end();
  }
}

/** Hands over the trace of each connection that ends. */
export function createCollector(point: Point, take: (trace: Trace) => void): Observer {
  const open = new Map<number, Tracer>();
  const begin = ({ connection }: TrackerNews): Tracer => {
    const { id, client, server, inspector } = connection;
    const started: Micros = inspector.view.started;
    const tracer = createTracer({ id, client, server }, started, point);
    open.set(id, tracer);
    return tracer;
  };
  return {
    observe(news) {
      for (const each of news) {
        const tracer = open.get(each.connection.id) ?? begin(each);
        if (each.segment) tracer.segment(each.segment.from, each.segment.segment);
        for (const event of each.events) tracer.event(event);
        if (!each.ended) continue;
        open.delete(each.connection.id);
        take(tracer.trace(each.connection.inspector));
      }
    },
  };
}

/** Of all of them; absent where one is no plain file. */
function sizeOf(files: readonly string[]): number | undefined {
  const sizes = files.map((file) => statSync(file, { throwIfNoEntry: false }));
  return sizes.every((size) => size?.isFile())
    ? sizes.reduce((sum, size) => sum + (size?.size ?? 0), 0)
    : undefined;
}

interface Progressed {
  readonly position: number;
  readonly segments: number;
  readonly connections: number;
}

const NOTHING: Progressed = { position: 0, segments: 0, connections: 0 };
/** Segments of connections that are kept of a point, some 400 octets each. */
const MOST = 400_000;

export interface PointRecorder extends Observer {
  /** Some of those that are requested are not over yet. */
  readonly waiting: boolean;
  /** A connection by its id (`Trace.id`); absent where it was not seen. */
  of(id: number): Case | undefined;
}

/** `only`: the connections that a first pass over the file found; absent, where it can be read only once: all. */
export function createPointRecorder(only?: ReadonlySet<number>, memory = MEMORY / 2): PointRecorder {
  const cases = new Map<number, Case>();
  const waiting = new Set(only);
  let held = 0;
  return {
    observe(news, frame) {
      for (const each of news) {
        const { connection, ended } = each;
        if (only && !only.has(connection.id)) continue;
        const own = cases.get(connection.id) ?? createCase(connection, BOUNDS);
        cases.set(connection.id, own);
        held += addNews(own, each, frameOf(each, frame), memory - held);
        if (ended) waiting.delete(connection.id);
      }
    },
    get waiting() {
      return waiting.size > 0;
    },
    of: (id) => cases.get(id),
  };
}

/**
 * The beginning, and farther than segments are compared (`TRACE_PASSAGES`, each with an ACK or two). No end behind a gap:
 * what is missing in one file and not in the other would look as if it had been dropped between the points.
 */
const BOUNDS = { head: 1_500, tail: 0 };
