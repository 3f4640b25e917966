// `analyze --wan FILE --dmz FILE`: two captures of one firewall, lined up, judged and printed.

import type { Certainty } from '../../../inspect/events';
import type { Redaction } from '../../../inspect/grammar/argument';
import { surveyTwoPoints, type Survey } from '../../../inspect/two-point/survey';
import type { PairJudgement } from '../../../inspect/two-point/judge';
import { formatTime } from '../../system/clock';
import { type Outcome, createFault, formatFault, isFault } from '../../system/fault';
import type { Printer } from '../analyze/printer';
import { evidenceText } from '../analyze/report';
import { createSerializer } from '../../sinks/pino';
import { createJsonRenderer } from '../../sinks/json';
import { levelOf } from '../../sinks/sink';
import { isPlainFile } from '../../sources/input';
import { isSwapped } from './advice';
import { writePointsEvidence } from './evidence';
import { ladderText } from './ladder';
import { createPointRecorder, type PointRecorder, type Reading, readPoints } from './point';
import { surveyText } from './text';

interface TwoPointRequest {
  readonly wan: string;
  readonly dmz: string;
  readonly ports: readonly number[];
  readonly together: boolean;
  /** `PassOptions.noDrops` */
  readonly noDrops: boolean;
  /** `some`: the first few of each verdict. */
  readonly ladder: 'some' | 'flagged' | 'all' | 'none';
  readonly wants: (client: string) => boolean;
  readonly failOn: Certainty | undefined;
  /** The folder to write evidence to. */
  readonly evidence: string | undefined;
  readonly redact: Redaction | undefined;
}

interface TwoPointOutputs {
  readonly text: Printer | undefined;
  readonly json: Printer | undefined;
  readonly color: boolean;
}

export async function analyzeTwoPoints(request: TwoPointRequest, outputs: TwoPointOutputs): Promise<Outcome> {
  const { evidence, ports, redact, noDrops } = request;
  const reading: Reading = { ports, redact, noDrops, keepFrames: evidence !== undefined };
  const recorders = { wan: recorderOf(request.wan, reading), dmz: recorderOf(request.dmz, reading) };
  const { wan, dmz, unchanged } = await readPoints(request, reading, {
    observers: recorders,
    wants: request.wants,
    all: request.ladder === 'all',
  });
  const sources = {
    wan: { read: wan, recorder: recorders.wan },
    dmz: { read: dmz, recorder: recorders.dmz },
  };
  const faults = [...wan.faults, ...dmz.faults];
  if (wan.empty || dmz.empty) return faults;
  const found = surveyTwoPoints(wan, dmz, request.together, unchanged);
  // What would be said of the one point is true of the other.
  const swapped = isSwapped(found.pairs);
  if (swapped) faults.push(createFault('bad-flag', '--wan and --dmz', { fix: SWAPPED }));
  const survey = swapped ? { ...found, judgements: [] } : found;
  const written =
    evidence === undefined
      ? undefined
      : await writePointsEvidence(survey, sources, { ...request, folder: evidence, reading });
  const fault = isFault(written) ? written : written?.fault;
  if (fault) faults.push(fault);
  tellJson(survey, outputs.json);
  tellLadders(request, survey, outputs);
  if (written && !isFault(written)) outputs.text?.write(`${evidenceText(written.counts, evidence)}\n\n`);
  outputs.text?.write(surveyText(survey, wan, dmz).join('\n'));
  outputs.text?.close();
  outputs.json?.close();
  if (outputs.json?.fault) faults.push(outputs.json.fault);
  if (!isFound(request, survey)) return faults.length > 0 ? faults : 0;
  for (const fault of faults) process.stderr.write(`ehlowire: ${formatFault(fault)}\n`);
  return FOUND;
}

/** What can be read only once is kept as it is read. */
function recorderOf(file: string, { keepFrames }: Reading): PointRecorder | undefined {
  return keepFrames === true && !isPlainFile(file) ? createPointRecorder() : undefined;
}

function tellLadders({ ladder }: TwoPointRequest, survey: Survey, { text, color }: TwoPointOutputs): void {
  if (!text) return;
  const shownOf = new Map<string, number>();
  let left = 0;
  for (const judgement of survey.judgements) {
    if (!isShown(judgement, ladder, shownOf))
      left += judgement.verdicts.length > 0 && ladder !== 'none' ? 1 : 0;
    else text.write(ladderText(judgement, survey.points, color));
  }
  if (left > 0) text.write(`${left} more with a verdict not shown: --ladder flagged shows all.\n\n`);
}

function isShown(
  { verdicts }: PairJudgement,
  ladder: TwoPointRequest['ladder'],
  shownOf: Map<string, number>,
): boolean {
  if (ladder === 'none' || ladder === 'all') return ladder === 'all';
  if (verdicts.length === 0) return false;
  if (ladder === 'flagged') return true;
  const fresh = verdicts.some(({ verdict }) => (shownOf.get(verdict) ?? 0) < SOME);
  for (const { verdict } of verdicts) shownOf.set(verdict, (shownOf.get(verdict) ?? 0) + 1);
  return fresh;
}

/** Verdicts as everywhere else, and one `two-point` line that says how the two were lined up. */
function tellJson(survey: Survey, json: Printer | undefined): void {
  if (!json) return;
  const renderer = createJsonRenderer();
  const { matched, offset, wanOnly, dmzOnly, points } = survey;
  for (const { pair, verdicts } of survey.judgements) {
    const { id, client, server } = pair.wan;
    const session = `${Math.floor(points.wan.from / 1000).toString(36)}-${id}`;
    const connection = { session, path: 'capture', client, server } as const;
    for (const verdict of verdicts) json.write(renderer.event(levelOf(verdict), connection, verdict));
  }
  const record = {
    time: formatTime(points.wan.from),
    event: 'two-point',
    path: 'capture',
    matched,
    wan_only: wanOnly.length,
    dmz_only: dmzOnly.length,
    clock_offset_ms: offset && offset.micros / 1000,
    clock_spread_ms: offset && offset.spread / 1000,
    clock_from: offset?.from,
    clock_drift_ppm: offset?.drift,
    clock_steps: offset?.steps,
    usual_inward_ms: points.usual.client / 1000,
    usual_outward_ms: points.usual.server / 1000,
    together: points.together,
  };
  json.write(createSerializer()('info', record));
}

function isFound({ failOn }: TwoPointRequest, { judgements }: Survey): boolean {
  if (failOn === undefined) return false;
  return judgements.some(({ verdicts }) =>
    verdicts.some(({ certainty }) => certainty === 'proved' || failOn === 'suspected'),
  );
}

const SWAPPED = 'they are swapped: give each the file of the other';
const SOME = 5;
const FOUND = 3;
