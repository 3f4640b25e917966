// Evidence of two points: for every connection with a verdict the captures of both, and one page that tells one story.

import { join } from 'node:path';
import type { Point, VerdictEvent } from '../../../inspect/events';
import type { PairJudgement } from '../../../inspect/two-point/judge';
import { surveyTwoPoints, type Survey } from '../../../inspect/two-point/survey';
import { markEvidence, type Case } from '../evidence/case';
import { commentOf, cutFrames } from '../evidence/cut';
import { MOST, type EvidenceCounts } from '../evidence/evidence';
import { nameOf, unwritable, writeWhole } from '../evidence/files';
import { commandOf } from '../evidence/page-parts';
import { pcapngOf } from '../evidence/pcapng';
import { isFault, type Fault } from '../../system/fault';
import { makeFolder } from '../../system/files';
import { readVersion } from '../../system/version';
import { closingSentence, foundIn, type Found } from './found';
import { pageOfPoints, type PointsPageFacts } from './page';
import {
  createPointRecorder,
  passOver,
  type PointFile,
  type PointRecorder,
  type Reading,
  readPoints,
} from './point';

export interface PointsEvidence {
  readonly counts: EvidenceCounts;
  /** The first thing that went wrong with the folder; what was concluded stands. */
  readonly fault: Fault | undefined;
}

/** What a first pass over a point found, and kept where there can be no second one. */
interface PointSource {
  readonly read: PointFile;
  readonly recorder: PointRecorder | undefined;
}

interface EvidenceRequest {
  readonly folder: string;
  readonly reading: Reading;
  readonly together: boolean;
  readonly most?: number;
}

/** Writes what the survey found; absent where it found nothing. Fault: `evidence-unwritable`. */
export async function writePointsEvidence(
  survey: Survey,
  sources: Readonly<Record<Point, PointSource>>,
  request: EvidenceRequest,
): Promise<PointsEvidence | Fault | undefined> {
  const flagged = survey.judgements.filter(({ verdicts }) => verdicts.length > 0);
  if (flagged.length === 0) return undefined;
  try {
    makeFolder(request.folder, 0o750);
  } catch (cause) {
    return unwritable(request.folder, cause);
  }
  const chosen = flagged.slice(0, request.most ?? MOST);
  const recorders = {
    wan: await recorderOf('wan', sources.wan, chosen, request.reading),
    dmz: await recorderOf('dmz', sources.dmz, chosen, request.reading),
  };
  const writing: Writing = { survey, sources, recorders, request, found: foundIn(survey) };
  const counts = { written: 0, leftOut: flagged.length - chosen.length };
  let fault: Fault | undefined;
  for (const judgement of chosen) {
    const done = fault ?? (await writePair(writing, judgement));
    if (isFault(done)) fault = done;
    if (done === 'written') counts.written += 1;
    else counts.leftOut += 1;
  }
  return { counts, fault };
}

interface Writing {
  readonly survey: Survey;
  readonly sources: Readonly<Record<Point, PointSource>>;
  readonly recorders: Readonly<Record<Point, PointRecorder>>;
  readonly request: EvidenceRequest;
  readonly found: Found;
}

/** Frames of the connections that were chosen: kept by the first pass, or read once more. */
async function recorderOf(
  point: Point,
  { read, recorder: kept }: PointSource,
  chosen: readonly PairJudgement[],
  reading: Reading,
): Promise<PointRecorder> {
  if (kept) return kept;
  const recorder = createPointRecorder(new Set(chosen.map(({ pair }) => pair[point].id)));
  await passOver(read.file, reading, recorder, () => recorder.waiting);
  return recorder;
}

async function writePair(
  writing: Writing,
  judgement: PairJudgement,
): Promise<'written' | 'left out' | Fault> {
  const { pair, verdicts } = judgement;
  const [first] = verdicts;
  const cases = { wan: writing.recorders.wan.of(pair.wan.id), dmz: writing.recorders.dmz.of(pair.dmz.id) };
  const { wan, dmz } = cases;
  if (!first || !wan || !dmz || isEmpty(wan) || isEmpty(dmz)) return 'left out';
  const name = nameOf(pair.wan.started, pair.wan.client, first.verdict);
  for (const verdict of verdicts) markAll({ wan, dmz }, verdict);
  const fault =
    writeCapture(writing, 'wan', wan, { name, verdicts }) ??
    writeCapture(writing, 'dmz', dmz, { name, verdicts });
  if (fault) return fault;
  const page = await pageFor(writing, judgement, { wan, dmz }, name);
  return writeWhole(join(writing.request.folder, `${name}.md`), Buffer.from(page)) ?? 'written';
}

function isEmpty({ recording }: Case): boolean {
  return recording.frames.length === 0;
}

function markAll(cases: Readonly<Record<Point, Case>>, verdict: VerdictEvent): void {
  for (const evidence of verdict.evidence) {
    markEvidence(cases[evidence.point ?? 'wan'].recording, verdict, evidence);
  }
}

function writeCapture(
  { request: { folder }, sources }: Writing,
  point: Point,
  { recording, visible }: Case,
  { name, verdicts }: { readonly name: string; readonly verdicts: readonly VerdictEvent[] },
): Fault | undefined {
  const { ran, lost, counted } = sources[point].read;
  const capture = pcapngOf({
    application: `ehlowire ${readVersion()}`,
    comment: `${commentOf(verdicts)}\n${ABOUT[point]} ${fileOf(name, point === 'wan' ? 'dmz' : 'wan')}.`,
    ran: { ...ran, dropped: counted || lost > 0 ? lost : undefined },
    packets: cutFrames(recording, visible),
  });
  return writeWhole(join(folder, fileOf(name, point)), capture);
}

function fileOf(name: string, point: Point): string {
  return `${name}-${point}.pcapng`;
}

async function pageFor(
  { survey, request, found }: Writing,
  judgement: PairJudgement,
  { wan, dmz }: Readonly<Record<Point, Case>>,
  name: string,
): Promise<string> {
  const { pair, verdicts } = judgement;
  const { again, same, together } = await readAgain(request, verdicts, name);
  const names = new Set(verdicts.map(({ verdict }) => verdict));
  const pageOf = (point: Point, { recording: { frames, omitted } }: Case) => ({
    ...{ file: fileOf(name, point), frames, omitted },
  });
  return pageOfPoints({
    ...{ judgement, again, same, points: survey.points, version: readVersion() },
    wan: pageOf('wan', wan),
    dmz: pageOf('dmz', dmz),
    compared: survey.offset?.from ?? 0,
    command: commandOf(
      `--wan ${fileOf(name, 'wan')} --dmz ${fileOf(name, 'dmz')}`,
      [pair.wan.server.port, pair.dmz.server.port],
      { together },
    ),
    closing: closingSentence(found, survey.matched, names) ?? '',
  });
}

/**
 * The two captures are read again: the page says what they prove by themselves. That a capture ran, and that no clock was
 * set, may be known by other connections only, which are not in them: then `--together` says it.
 */
async function readAgain(
  { folder, reading, together }: EvidenceRequest,
  verdicts: readonly VerdictEvent[],
  name: string,
): Promise<Pick<PointsPageFacts, 'again' | 'same'> & { readonly together: boolean }> {
  const files = { wan: join(folder, fileOf(name, 'wan')), dmz: join(folder, fileOf(name, 'dmz')) };
  const { wan, dmz, unchanged } = await readPoints(files, reading);
  const said = (vouched: boolean): VerdictEvent[] =>
    surveyTwoPoints(wan, dmz, vouched, unchanged).judgements.flatMap((each) => each.verdicts);
  const again = said(together);
  if (isSame(verdicts, again)) return { again, same: 'alone', together };
  if (!together && isSame(verdicts, said(true))) return { again, same: 'together', together: true };
  return { again, same: 'no', together };
}

/** The same verdicts, as certain, with the same numbers; times within what other connections know of the clocks. */
function isSame(verdicts: readonly VerdictEvent[], again: readonly VerdictEvent[]): boolean {
  const facts = ({ verdict, certainty, where, proof, missingBytes }: VerdictEvent): string =>
    `${verdict} ${certainty} ${where} ${proof} ${missingBytes}`;
  return (
    verdicts.length === again.length &&
    verdicts.every((each, i) => {
      const other = again[i];
      return (
        other !== undefined &&
        facts(each) === facts(other) &&
        Math.abs((each.held ?? 0) - (other.held ?? 0)) <= CLOCKS
      );
    })
  );
}

const ABOUT: Readonly<Record<Point, string>> = {
  wan: 'Captured outside; the same connection inside:',
  dmz: 'Captured inside; the same connection outside:',
};
/** Microseconds: two clocks that more segments compare are known a little better. */
const CLOCKS = 5_000;
