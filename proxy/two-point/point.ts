// One capture point read into traces: all connections of a file, each bounded.

import { statSync } from 'node:fs';
import type { Micros, Point } from '../../inspect/events';
import type { Veil } from '../../inspect/smtp/argument';
import type { TrackerNews } from '../../inspect/tracker';
import type { PointCapture } from '../../inspect/verdict/two-point-survey';
import { createTracer, type Trace, type Tracer } from '../../inspect/verdict/two-point-trace';
import { createProgress } from '../analyze/progress';
import { runPass, type Observe, type PassResult } from '../analyze/passes';
import type { Fault } from '../fault';

/** How both captures are read. */
export interface Reading {
  readonly ports: readonly number[];
  readonly veil?: Veil | undefined;
  /** Evidence is written: it begins with the handshake. */
  readonly keepFrames?: boolean;
}

export interface PointFile extends PointCapture {
  readonly file: string;
  /** Connections beyond the cap. */
  readonly omitted: number;
  /** Frames that the capturing program missed. */
  readonly lost: number;
  readonly segments: number;
  readonly faults: readonly Fault[];
  /** Nothing of it could be read. */
  readonly empty: boolean;
}

/** Reads the capture file of one side; `also` sees everything too. */
export async function readPoint(
  file: string,
  point: Point,
  reading: Reading,
  { most = MOST, also }: { readonly most?: number; readonly also?: Observe | undefined } = {},
): Promise<PointFile> {
  const collector = createCollector(point, most);
  const result = await passOver(file, reading, (news, frame) => {
    collector.take(news);
    also?.(news, frame);
  });
  return {
    file,
    traces: collector.traces,
    ran: { from: result.firstAt, to: result.lastAt },
    omitted: collector.omitted,
    lost: result.lost,
    segments: result.counts.segments,
    faults: result.faults,
    empty: result.used === 0,
  };
}

/** Reads it from its beginning, as long as `goOn` says so. */
export async function passOver(
  file: string,
  reading: Reading,
  observe: Observe,
  goOn = (): boolean => true,
): Promise<PassResult> {
  const size = statSync(file, { throwIfNoEntry: false });
  const progress = createProgress(size?.isFile() ? size.size : undefined);
  try {
    return await runPass([file], {
      ...reading,
      observe,
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

interface Collector {
  take(news: readonly TrackerNews[]): void;
  readonly traces: readonly Trace[];
  readonly omitted: number;
}

export function createCollector(point: Point, most = MOST): Collector {
  const open = new Map<number, Tracer>();
  const traces: Trace[] = [];
  let omitted = 0;
  const begin = ({ connection }: TrackerNews): Tracer => {
    const { id, client, server, inspector } = connection;
    const started: Micros = inspector.view.started;
    const tracer = createTracer({ id, client, server }, started, point);
    open.set(id, tracer);
    return tracer;
  };
  return {
    take(news) {
      for (const each of news) {
        const tracer = open.get(each.connection.id) ?? begin(each);
        if (each.segment) tracer.segment(each.segment.from, each.segment.segment);
        for (const event of each.events) tracer.event(event);
        if (!each.ended) continue;
        open.delete(each.connection.id);
        if (traces.length < most) traces.push(tracer.trace(each.connection.inspector));
        else omitted += 1;
      }
    },
    traces,
    get omitted() {
      return omitted;
    },
  };
}

/** Some 10 KiB each for a plain dialogue. */
const MOST = 50_000;
