// Capture files: once for verdicts, lines and counts, and where ladders or evidence are wanted once more for those.

import { statSync } from 'node:fs';
import type { VerdictName } from '../../../inspect/events';
import type { Observer, TrackerNews } from '../../../inspect/tracker/tracker';
import type { Outcome } from '../../system/fault';
import { formatDuration, plural } from '../../sinks/wording';
import type { Disorder } from '../../sources/order';
import { isPlainFile } from '../../sources/input';
import { laddersFor } from './ladder';
import { openMaillog } from './maillog';
import { runPass, type PassResult } from './pass';
import { createProgress } from './progress';
import { conclude, evidenceFor, evidenceRemark, observeAll, settle, type Analysis } from './report';

export async function analyzeFiles(analysis: Analysis): Promise<Outcome> {
  const { request, json, faults, summarizer } = analysis;
  const { files } = request;
  const sizes = files.map(sizeOf);
  const twice = sizes.every((size) => size !== undefined);
  const flagged = createFlagged();
  // What cannot be read twice is followed at once, as a live capture is.
  const once = twice && request.ladder !== 'all' ? undefined : laddersFor(analysis, undefined);
  const evidence = twice ? undefined : evidenceFor(analysis, { uncounted: !request.noDrops });
  const maillog = openMaillog(analysis);
  const total = twice ? sizes.reduce((sum, size) => sum + size, 0) : undefined;
  const observers = [evidence, maillog, summarizer, flagged, json?.lines, once];
  const result = await pass(analysis, files, total, observers);
  faults.push(...result.faults);
  if (result.used === 0) return faults;
  if (result.lost > 0) json?.lines.lost(result.lost, result.lastAt);
  const remarks = [
    ...disorderRemark(result.disorder),
    ...(twice
      ? await secondPass(analysis, files, total, flagged, result)
      : evidenceRemark(analysis, evidence)),
    ...((await maillog?.conclude()) ?? []),
  ];
  return conclude(analysis, result, remarks);
}

/** Ladders and evidence of the connections that the first pass found. It ends with the last of them. */
async function secondPass(
  analysis: Analysis,
  files: readonly string[],
  total: number | undefined,
  flagged: Flagged,
  { firstAt: from, lastAt: to, lost, counted }: PassResult,
): Promise<string[]> {
  const { request, text } = analysis;
  const draw = text && (request.ladder === 'some' || request.ladder === 'flagged');
  const shown = request.ladder === 'some' ? flagged.some : flagged.all;
  const ran = { from, to, dropped: counted || lost > 0 ? lost : undefined };
  const evidence = flagged.all.size > 0 ? evidenceFor(analysis, { only: flagged.all, ran }) : undefined;
  const ladders = draw ? laddersFor(analysis, shown) : undefined;
  let left = evidence ? flagged.all : ladders ? shown : new Set<number>();
  if (left.size === 0) return evidenceRemark(analysis, evidence);
  left = new Set(left);
  const waiting = left as Set<number>;
  await pass(
    analysis,
    files,
    total,
    [evidence, ladders, { observe: (news) => removeEnded(waiting, news) }],
    () => waiting.size > 0,
  );
  return [...evidenceRemark(analysis, evidence), ...omittedRemark(draw ? flagged.all.size - shown.size : 0)];
}

/** A pipe has no end that is known: Ctrl-C is one, and the summary comes then; a second one ends it all. */
function createInterrupt(watched: boolean): { readonly came: boolean; end(): void } {
  let came = false;
  const note = (): void => void (came = true);
  if (watched) process.once('SIGINT', note);
  return {
    get came() {
      return came;
    },
    end: () => void process.off('SIGINT', note),
  };
}

async function pass(
  analysis: Analysis,
  files: readonly string[],
  total: number | undefined,
  observers: readonly (Observer | undefined)[],
  goOn = (): boolean => true,
): Promise<PassResult> {
  const progress = createProgress(total);
  const interrupt = createInterrupt(total === undefined);
  const { request, summarizer } = analysis;
  try {
    return await runPass(files, {
      ports: request.ports,
      redact: analysis.redact,
      keepFrames: request.evidence !== undefined,
      noDrops: request.noDrops,
      observer: observeAll(request, observers),
      async turn(position, counts) {
        progress.update(position, counts.segments, summarizer.summary.sessions);
        // Signals and timers have their turn.
        await new Promise(setImmediate);
        return (await settle(analysis)) && goOn() && !interrupt.came;
      },
    });
  } finally {
    interrupt.end();
    progress.end();
  }
}

function removeEnded(waiting: Set<number>, news: readonly TrackerNews[]): void {
  for (const { connection, ended } of news) if (ended) waiting.delete(connection.id);
}

interface Flagged extends Observer {
  /** Connections with a verdict that stands at their end. */
  readonly all: ReadonlySet<number>;
  /** The first few of each verdict. */
  readonly some: ReadonlySet<number>;
}

function createFlagged(): Flagged {
  const all = new Set<number>();
  const some = new Set<number>();
  const counts = new Map<VerdictName, number>();
  return {
    all,
    some,
    observe(news) {
      for (const { connection, verdicts, ended } of news) {
        if (!ended) continue;
        for (const { verdict } of verdicts) {
          all.add(connection.id);
          const before = counts.get(verdict) ?? 0;
          counts.set(verdict, before + 1);
          if (before < SOME) some.add(connection.id);
        }
      }
    },
  };
}

function sizeOf(file: string): number | undefined {
  if (!isPlainFile(file)) return undefined;
  // What is not there has no size, and its fault is reported when it is opened.
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

function disorderRemark({ frames, worst, steps, worstStep }: Disorder): string[] {
  const late = `${plural(frames, 'frame')} written late, by up to ${formatDuration(worst)}, and put in order.`;
  const back = `The time goes back ${plural(steps, 'time')}, by up to ${formatDuration(worstStep)}: a clock was set, or files overlap in one. Those frames are read as they come.`;
  const lines = [...(frames > 0 ? [late] : []), ...(steps > 0 ? [back] : [])];
  return lines.length > 0 ? [...lines, ''] : [];
}

function omittedRemark(omitted: number): string[] {
  if (omitted <= 0) return [];
  const how = '--ladder flagged shows all, --only CLIENT those of one client or network';
  return [`${plural(omitted, 'more connection')} with a verdict not shown: ${how}.`, ''];
}

/** Ladders of each verdict that are shown unasked. */
const SOME = 5;
