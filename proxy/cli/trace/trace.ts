// `ehlowire trace`: the walk, its table, its verdicts, and what it leaves as evidence.

import { reverse } from 'node:dns/promises';
import { closingSentence, judgeTrace, limitsOf } from '../../../inspect/trace/findings';
import { hopsOf } from '../../../inspect/trace/hops';
import type { TraceVerdict } from '../../../inspect/trace/sent';
import { loadConfig, wantsColor } from '../../config/config';
import { toOverrides } from '../../config/flags';
import { isFault, isFaults, type Outcome } from '../../system/fault';
import { writeEvidence } from '../../trace/evidence';
import { runTrace as walk } from '../../trace/trace';
import { toLines, toText, type Report } from './report';
import { readRequest, type Request, type TraceFlags } from './request';

/** Traces, prints the report on standard output, and returns the exit code. */
export async function runTrace(target: string, flags: TraceFlags): Promise<Outcome> {
  const request = readRequest(target, flags);
  if (isFaults(request)) return request;
  const config = loadConfig(toOverrides(flags));
  if (isFaults(config)) return config;
  const traced = await walk({
    ...request,
    name: request.name ?? config.greeting.hostname,
    connectMs: config.relay.timeoutsMs.connect,
    patienceMs: config.greeting.patienceMs,
    onStep: (what) => void (process.stderr.isTTY && process.stderr.write(`${what} …\n`)),
  });
  if (isFault(traced)) return traced;
  const { trace } = traced;
  const verdicts = judgeTrace(trace);
  const hops = hopsOf(trace);
  const addresses = new Set(hops.flatMap((hop) => hop.addresses));
  const report: Report = {
    ...{ target, trace, verdicts, hops },
    limits: limitsOf(trace),
    closing: closingSentence(trace, verdicts),
    names: request.numeric ? new Map() : await namesOf([...addresses]),
  };
  process.stdout.write(flags.json === true ? toLines(report) : toText(report, wantsColor(1)));
  if (request.evidence !== undefined) {
    const written = writeEvidence(request.evidence, traced, report.closing);
    if (isFault(written)) return written;
    if (flags.json !== true) process.stdout.write(`  Evidence is in ${written}.\n`);
  }
  return isFound(verdicts, request) ? FOUND : 0;
}

function isFound(verdicts: readonly TraceVerdict[], { failOn }: Request): boolean {
  if (failOn === undefined) return false;
  return verdicts.some(
    ({ certainty, harmless }) => harmless !== true && (certainty === 'proved' || failOn === 'suspected'),
  );
}

/** Those that have one, and whose name server answers soon. */
async function namesOf(addresses: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const names = new Map<string, string>();
  const all = addresses.map(async (address) => {
    const [name] = await reverse(address).catch(() => []);
    if (name !== undefined) names.set(address, name);
  });
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<void>((resolve) => (timer = setTimeout(resolve, NAMES_MS)));
  await Promise.race([Promise.all(all), over]);
  clearTimeout(timer);
  return new Map(names);
}

const FOUND = 3;
const NAMES_MS = 3_000;
