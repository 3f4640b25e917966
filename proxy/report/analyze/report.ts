// What both ways to analyze, files and live, have in common: the observers, the outputs, how it ends.

import type { Redaction } from '../../../inspect/grammar/argument';
import { redactionOf } from '../../sinks/envelope-address';
import type { VerdictName } from '../../../inspect/events';
import type { Observer } from '../../../inspect/tracker/tracker';
import { wantsColor, type Config } from '../../config/config';
import {
  openEvidence,
  type EvidenceCounts,
  type EvidenceOptions,
  type EvidenceWriter,
} from '../evidence/evidence';
import { type Fault, formatFault, isFault, type Outcome } from '../../system/fault';
import { createJsonRenderer } from '../../sinks/json';
import { plural } from '../../sinks/wording';
import { createLines, type Lines } from './lines';
import { createStdoutPrinter, openFilePrinter, type Printer } from './printer';
import type { CaptureFacts } from './pass';
import type { Request } from './request';
import { createSummarizer, type Summarizer } from './summary';
import { summaryText } from './summary-text';

/** Where things go. */
export interface Analysis {
  readonly request: Request;
  readonly redact: Redaction | undefined;
  readonly color: boolean;
  /** Text for a person; absent where JSON lines are printed. */
  readonly text: Printer | undefined;
  /** JSON lines: to `--log`, or with `--json` to standard output. */
  readonly json: { readonly printer: Printer; readonly lines: Lines } | undefined;
  readonly summarizer: Summarizer;
  readonly faults: Fault[];
}

export function openAnalysis(request: Request, config: Config): Analysis | Fault {
  const { file, format, level, addresses } = config.log;
  const wantsJson = format === 'json';
  const log = file === undefined ? undefined : openFilePrinter(file);
  if (isFault(log)) return log;
  const stdout = createStdoutPrinter();
  const printer = log ?? (wantsJson ? stdout : undefined);
  return {
    request,
    redact: redactionOf(addresses),
    color: wantsColor(1),
    text: wantsJson ? undefined : stdout,
    json: printer && {
      printer,
      lines: createLines({ renderer: createJsonRenderer(), level, write: (text) => printer.write(text) }),
    },
    summarizer: createSummarizer(),
    faults: [],
  };
}

/** All of them, of the connections of the clients that were requested (`--only`). */
export function observeAll({ wants }: Request, observers: readonly (Observer | undefined)[]): Observer {
  const all = observers.filter((each) => each !== undefined);
  return {
    observe(news, frame) {
      const wanted = news.every(({ connection }) => wants(connection.client.address))
        ? news
        : news.filter(({ connection }) => wants(connection.client.address));
      if (wanted.length > 0) for (const each of all) each.observe(wanted, frame);
    },
  };
}

/** Room for more on all outputs; false where what is printed has no reader any more. */
export async function settle({ text, json }: Analysis): Promise<boolean> {
  const settled = await Promise.all([text?.settle() ?? true, json?.printer.settle() ?? true]);
  return settled.every((each) => each);
}

/** Opens `--evidence`; a folder that cannot be made is a fault, and the analysis goes on. */
export function evidenceFor(
  analysis: Analysis,
  options: Pick<EvidenceOptions, 'only' | 'ran' | 'uncounted'> = {},
): EvidenceWriter | undefined {
  const { evidence } = analysis.request;
  if (evidence === undefined) return undefined;
  const writer = openEvidence({ folder: evidence, ...options });
  if (!isFault(writer)) return writer;
  analysis.faults.push(writer);
  return undefined;
}

/** The summary, and how the command ends. `remarks`: lines of text in front of the summary. */
export function conclude(analysis: Analysis, facts: CaptureFacts, remarks: readonly string[]): Outcome {
  const { text, json, request, summarizer, color, faults } = analysis;
  for (const remark of remarks) text?.write(`${remark}\n`);
  const { ports } = request;
  text?.write(summaryText(summarizer.summary, facts, { ports, color }));
  text?.close();
  json?.printer.close();
  if (json?.printer.fault) faults.push(json.printer.fault);
  if (!isFound(analysis)) return faults.length > 0 ? faults : 0;
  for (const fault of faults) process.stderr.write(`ehlowire: ${formatFault(fault)}\n`);
  return FOUND;
}

export function evidenceRemark(analysis: Analysis, writer: EvidenceWriter | undefined): string[] {
  if (!writer) return [];
  if (writer.fault) analysis.faults.push(writer.fault);
  return [evidenceText(writer.counts, analysis.request.evidence), ''];
}

export function evidenceText({ written, leftOut }: EvidenceCounts, folder = ''): string {
  const left = leftOut === 0 ? '' : `; ${leftOut} more were left out`;
  return `Evidence of ${plural(written, 'connection')} is in ${folder}${left}.`;
}

function isFound({ request: { failOn }, summarizer }: Analysis): boolean {
  if (failOn === undefined) return false;
  return [...summarizer.summary.verdicts].some(
    ([name, { proved }]) => !CLEARING.has(name) && (proved > 0 || failOn === 'suspected'),
  );
}

/** They do not blame the path: no reason to fail. */
const CLEARING: ReadonlySet<VerdictName> = new Set(['client-silent', 'client-gone', 'early-talker']);
const FOUND = 3;
