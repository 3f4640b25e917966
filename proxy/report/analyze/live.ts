// A live capture: verdicts and sessions as they come, and the summary when it is stopped.

import { ONE_SIDED_LIVE } from '../../../inspect/limits';
import { createTracker } from '../../../inspect/tracker/tracker';
import { now } from '../../system/clock';
import { type Fault, isFault, type Outcome } from '../../system/fault';
import { createTerminalRenderer } from '../../sinks/terminal';
import { openLive, portFilters, type LiveSource } from '../../sources/live';
import { openLiveProbes } from '../../sources/probes';
import { laddersFor } from './ladder';
import { createLines, type Lines } from './lines';
import { openMaillog } from './maillog';
import { IMPLICIT_TLS } from './pass';
import { conclude, evidenceFor, evidenceRemark, observeAll, settle, type Analysis } from './report';

/** Captures until SIGINT or SIGTERM, or until its output is closed. */
export async function analyzeLive(analysis: Analysis, name: string): Promise<Outcome> {
  const { request, faults } = analysis;
  const source = openLive(name, portFilters(request.ports));
  if (isFault(source)) return source;
  const keepFrames = request.evidence !== undefined;
  const tracker = createTracker({
    ports: request.ports,
    redact: analysis.redact,
    implicitTlsPorts: IMPLICIT_TLS,
    keepFrames,
    oneSided: ONE_SIDED_LIVE,
  });
  const probes = request.probe ? openLiveProbes(name, source, tracker, request.ports) : undefined;
  if (isFault(probes)) {
    await source.close();
    return probes;
  }
  const evidence = evidenceFor(analysis);
  const maillog = openMaillog(analysis);
  const lines = linesOf(analysis);
  const { observe } = observeAll(request, [
    ...[probes, evidence, maillog, analysis.summarizer],
    ...[...lines, laddersFor(analysis, undefined)],
  ]);
  let lost = 0;
  await untilStopped(analysis, source, {
    frame: (linkType, octets, at, length) =>
      observe(tracker.frame(linkType, octets, at, length), { linkType, octets, length }),
    idle(at) {
      observe(tracker.idle(at));
      const sent = probes?.send(at);
      observe(sent?.news ?? []);
      if (sent?.fault) faults.push(sent.fault);
    },
    lost(count, at) {
      lost += count;
      tracker.lostUntil(at);
      for (const each of lines) each.lost(count, at);
    },
    failed: (fault) => void faults.push(fault),
  });
  observe(tracker.end(now()));
  probes?.close();
  const remarks = [
    ...(probes?.remarks() ?? []),
    ...evidenceRemark(analysis, evidence),
    ...((await maillog?.conclude()) ?? []),
  ];
  return conclude(analysis, { counts: tracker.counts, lost, counted: true }, remarks);
}

type Listener = Parameters<LiveSource['start']>[0];

function untilStopped(analysis: Analysis, source: LiveSource, listener: Listener): Promise<void> {
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
        void settle(analysis).then((open) => (open ? undefined : stop()));
      },
      failed(fault: Fault) {
        listener.failed(fault);
        stop();
      },
    });
    process.stderr.write('ehlowire: capturing; Ctrl-C ends it with the summary\n');
  });
}

/** JSON lines, and for a person the sessions and verdicts. */
function linesOf({ text, json, color }: Analysis): readonly Lines[] {
  const renderer = createTerminalRenderer({ color });
  const write = (lines: string): void => text?.write(lines);
  const shown = text && createLines({ renderer, level: 'info', write, kinds: ['session', 'verdict'] });
  return [json?.lines, shown].filter((each) => each !== undefined);
}
