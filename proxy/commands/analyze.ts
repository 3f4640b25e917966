// `ehlowire analyze`: captures, or a live interface, told as events, ladders, verdicts and a summary.

import { analyzeFiles } from '../analyze/files';
import { analyzeLive } from '../analyze/live';
import { openDesk } from '../analyze/report';
import { readRequest, type AnalyzeFlags } from '../analyze/request';
import { loadConfig } from '../config';
import { isFault } from '../fault';
import { analyzeTwoPoints } from '../two-point/two-point';
import { toOverrides } from './flags';
import type { Outcome } from './outcome';

/** Prints on standard output and tells the exit code: 3 where `--fail-on` found it. */
export async function runAnalyze(files: readonly string[], flags: AnalyzeFlags): Promise<Outcome> {
  const request = readRequest(files, flags);
  const config = loadConfig(toOverrides(flags));
  if (!('files' in request)) return 'relay' in config ? request : [...request, ...config];
  if (!('relay' in config)) return config;
  const desk = openDesk(request, config);
  if (isFault(desk)) return desk;
  if (request.points) {
    const { text, json, color, veil } = desk;
    return analyzeTwoPoints({ ...request, ...request.points, veil }, { text, json: json?.printer, color });
  }
  return request.live === undefined ? analyzeFiles(desk) : analyzeLive(desk, request.live);
}
