// Two captures of a play, through the survey and into an evidence folder.

import { join } from 'node:path';
import type { Point } from '../../../../inspect/events';
import { surveyTwoPoints, type Survey } from '../../../../inspect/two-point/survey';
import { isFault } from '../../../../proxy/system/fault';
import { writePointsEvidence, type PointsEvidence } from '../../../../proxy/report/two-point/evidence';
import { createPointRecorder, readPoints } from '../../../../proxy/report/two-point/point';
import { writeFrames } from '../../../lab/degraded/files';
import type { Frame } from '../../../lab/degraded/frame';
import { scratch } from '../../../kit/process';

export interface Play {
  readonly name: string;
  readonly wan: readonly Frame[];
  readonly dmz: readonly Frame[];
  readonly together?: boolean;
}

export interface Told {
  readonly folder: string;
  readonly survey: Survey;
  readonly written: PointsEvidence | undefined;
}

export interface Ways {
  readonly folder?: string;
  readonly most?: number;
  /** The captures can be read only once. */
  readonly once?: boolean;
}

export async function tell({ name, wan, dmz, together = false }: Play, ways: Ways = {}): Promise<Told> {
  const { folder = scratch('points'), once = false } = ways;
  const captures = scratch('captures');
  const reading = { ports: [25], keepFrames: true };
  const fileOf = (point: Point, frames: readonly Frame[]): string => {
    const file = join(captures, `${point}.pcapng`);
    writeFrames(file, frames, name, true);
    return file;
  };
  const recorderOf = () => (once ? createPointRecorder() : undefined);
  const recorders = { wan: recorderOf(), dmz: recorderOf() };
  const read = await readPoints({ wan: fileOf('wan', wan), dmz: fileOf('dmz', dmz) }, reading, {
    observers: recorders,
  });
  const sources = {
    wan: { read: read.wan, recorder: recorders.wan },
    dmz: { read: read.dmz, recorder: recorders.dmz },
  };
  const survey = surveyTwoPoints(read.wan, read.dmz, together, read.unchanged);
  const written = await writePointsEvidence(survey, sources, { reading, together, ...ways, folder });
  if (isFault(written)) throw new Error(written.on);
  return { folder, survey, written };
}
