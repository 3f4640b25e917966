// `ehlowire analyze`: captures, or a live interface, shown as events, ladders, verdicts and a summary.

import { analyzeFiles } from '../report/analyze/files';
import { analyzeLive } from '../report/analyze/live';
import { openAnalysis } from '../report/analyze/report';
import { readRequest, type AnalyzeFlags } from '../report/analyze/request';
import { loadConfig } from '../config/config';
import { isFault, isFaults, type Outcome } from '../system/fault';
import { analyzeTwoPoints } from '../report/two-point/two-point';
import { toOverrides } from '../config/flags';

/** Prints on standard output and tells the exit code: 3 where `--fail-on` found it. */
export async function runAnalyze(files: readonly string[], flags: AnalyzeFlags): Promise<Outcome> {
  const request = readRequest(files, flags);
  const config = loadConfig(toOverrides(flags));
  if (isFaults(request)) return isFaults(config) ? [...request, ...config] : request;
  if (isFaults(config)) return config;
  const analysis = openAnalysis(request, config);
  if (isFault(analysis)) return analysis;
  if (request.points) {
    const { text, json, color, redact } = analysis;
    return analyzeTwoPoints({ ...request, ...request.points, redact }, { text, json: json?.printer, color });
  }
  return request.live === undefined ? analyzeFiles(analysis) : analyzeLive(analysis, request.live);
}
