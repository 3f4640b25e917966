// A live capture: verdicts as they are spoken, sessions as they end, and the summary when it is stopped.

import { ONE_SIDED_LIVE } from '../../../inspect/limits';
import { createTracker, type TrackerNews } from '../../../inspect/tracker/tracker';
import { now } from '../../system/clock';
import { type Fault, isFault, type Outcome } from '../../system/fault';
import { createTerminalRenderer } from '../../sinks/terminal';
import { openLive, portFilters, type LiveSource } from '../../sources/live';
import { openAsking } from './probes';
import { createLadders, type Ladders } from './ladder';
import { createLines, type Lines } from './lines';
import { openMaillogDesk } from './maillog';
import { IMPLICIT_TLS, type SeenFrame } from './pass';
import { conclude, evidenceFor, evidenceRemark, settle, wanted, type Desk } from './report';

/** Captures until SIGINT or SIGTERM, or until nobody reads what it prints. */
export async function analyzeLive(desk: Desk, name: string): Promise<Outcome> {
  const { request, faults } = desk;
  const source = openLive(name, portFilters(request.ports));
  if (isFault(source)) return source;
  const keepFrames = request.evidence !== undefined;
  const tracker = createTracker({
    ports: request.ports,
    veil: desk.veil,
    implicitTlsPorts: IMPLICIT_TLS,
    keepFrames,
    oneSided: ONE_SIDED_LIVE,
  });
  const asking = request.probe ? openAsking(name, source, tracker, request.ports) : undefined;
  if (isFault(asking)) {
    await source.close();
    return asking;
  }
  const evidence = evidenceFor(desk);
  const maillog = openMaillogDesk(desk);
  const show = createShow(desk);
  const observe = (all: readonly TrackerNews[], frame?: SeenFrame): void => {
    const news = wanted(request, all);
    if (news.length === 0) return;
    asking?.see(news);
    evidence?.take(news, frame);
    maillog?.take(news);
    desk.summarizer.see(news);
    show.news(news);
  };
  let lost = 0;
  await untilStopped(desk, source, {
    frame: (linkType, octets, at, length) =>
      observe(tracker.frame(linkType, octets, at, length), { linkType, octets, length }),
    idle(at) {
      observe(tracker.idle(at));
      const asked = asking?.ask(at);
      observe(asked?.news ?? []);
      if (asked?.fault) faults.push(asked.fault);
    },
    lost(count, at) {
      lost += count;
      tracker.lostUntil(at);
      show.lost(count, at);
    },
    failed: (fault) => void faults.push(fault),
  });
  observe(tracker.end(now()));
  asking?.close();
  const remarks = [
    ...(asking?.remarks() ?? []),
    ...evidenceRemark(desk, evidence),
    ...((await maillog?.conclude()) ?? []),
  ];
  return conclude(desk, { counts: tracker.counts, lost, counted: true, remarks });
}

type Listener = Parameters<LiveSource['start']>[0];

function untilStopped(desk: Desk, source: LiveSource, listener: Listener): Promise<void> {
  return new Promise((resolve) => {
    const stop = (): void => {
      process.off('SIGINT', stop).off('SIGTERM', stop);
      void source.close().then(resolve);
    };
    process.on('SIGINT', stop).on('SIGTERM', stop);
    source.start({
      ...listener,
      idle(at) {
        listener.idle(at);
        void settle(desk).then((open) => (open ? undefined : stop()));
      },
      failed(fault: Fault) {
        listener.failed(fault);
        stop();
      },
    });
    process.stderr.write('ehlowire: capturing; Ctrl-C ends it with the summary\n');
  });
}

interface Show {
  news(news: readonly TrackerNews[]): void;
  lost(count: number, at: number): void;
}

function createShow({ text, json, color, request }: Desk): Show {
  const lines: Lines = createLines(createTerminalRenderer({ color }), 'info', ['session', 'verdict']);
  const ladders: Ladders | undefined =
    text && request.ladder !== 'none'
      ? createLadders({
          color,
          follow: () => true,
          all: request.ladder === 'all',
          most: Number.POSITIVE_INFINITY,
        })
      : undefined;
  return {
    news(news) {
      json?.printer.write(json.lines.of(news));
      if (!text) return;
      text.write(lines.of(news));
      if (ladders) text.write(ladders.see(news));
    },
    lost(count, at) {
      json?.printer.write(json.lines.lost(count, at));
      text?.write(lines.lost(count, at));
    },
  };
}
