// A log of ehlowire, read for what was refused and for the oddities that a rule would have refused.

import { createInterface } from 'node:readline';
import type { Anomaly, Direction } from '../../../inspect/events';
import { ruleOfAnomaly } from '../../../inspect/policy/findings';
import type { PolicyConfig } from '../../config/policy';
import { createFault, isFault, type Fault } from '../../system/fault';
import { nameOf, openText, readFault } from '../../sources/input';
import { configuredRules } from './strictness';
import { createMet, effectOf, type Effect, type Met, type Tally } from './tally';

export interface LogCounts {
  lines: number;
  /** Sessions that ended. */
  sessions: number;
  /** Cut, or of another program. */
  odd: number;
  /** Lines that ehlowire itself left out. */
  omitted: number;
}

interface LogOptions {
  readonly policy: PolicyConfig;
  readonly all: boolean;
  readonly tally: Tally;
}

/** Faults: `file-unreadable`, `log-unknown`. */
export async function readLog(
  files: readonly string[],
  options: LogOptions,
): Promise<{ readonly counts: LogCounts; readonly faults: readonly Fault[] }> {
  const counts: LogCounts = { lines: 0, sessions: 0, odd: 0, omitted: 0 };
  const state: State = { ...options, counts, open: new Map() };
  const faults: Fault[] = [];
  for (const file of files) {
    const before = { ...counts };
    const fault = await readOne(file, state);
    const lines = counts.lines - before.lines;
    if (fault) faults.push(fault);
    else if (lines > 0 && counts.odd - before.odd === lines)
      faults.push(createFault('log-unknown', nameOf(file)));
  }
  for (const session of state.open.keys()) end(state, session, 0, false);
  return { counts, faults };
}

interface State extends LogOptions {
  readonly counts: LogCounts;
  /** By session, until its last line. */
  readonly open: Map<string, { readonly client: string; readonly met: Met }>;
}

async function readOne(file: string, state: State): Promise<Fault | undefined> {
  const input = await openText(file);
  if (isFault(input)) return input;
  try {
    for await (const text of createInterface({ input, crlfDelay: Infinity })) takeLine(state, text);
    return undefined;
  } catch (cause) {
    return readFault(file, cause);
  }
}

type Line = Readonly<Record<string, unknown>>;

function takeLine(state: State, text: string): void {
  if (text.trim() === '') return;
  state.counts.lines += 1;
  const name = NAME.exec(text)?.[1];
  if (name === undefined || !text.endsWith('}')) state.counts.odd += 1;
  else if (READ.has(name)) {
    const line = parse(text);
    if (line) take(state, name, line);
    else state.counts.odd += 1;
  }
}

function parse(text: string): Line | undefined {
  try {
    return JSON.parse(text) as Line;
  } catch {
    return undefined;
  }
}

function take(state: State, name: string, line: Line): void {
  if (name === 'omitted' || name === 'loss') {
    if (name === 'omitted' || line['source'] === 'log') state.counts.omitted += numberOf(line, 'lines');
    return;
  }
  const session = textOf(line, 'session');
  const client = { address: textOf(line, 'client.address'), port: numberOf(line, 'client.port') };
  if (name === 'session') {
    state.counts.sessions += 1;
    if (!state.open.has(session)) state.open.set(session, { client: client.address, met: createMet() });
    return end(state, session, numberOf(line, 'messages'), line['tls'] !== undefined);
  }
  const server = { address: textOf(line, 'server.address'), port: numberOf(line, 'server.port') };
  const rules = (): ReturnType<typeof configuredRules> =>
    configuredRules(state.policy, state.all, client, server);
  const found = name === 'blocked' ? blockedOf(line) : anomalyOf(line, rules);
  if (!found) return;
  const open = state.open.get(session) ?? { client: client.address, met: createMet() };
  state.open.set(session, open);
  const what = textOf(line, 'detail') || textOf(line, 'anomaly');
  open.met.add(found.rule, found.effect, { client, at: Date.parse(textOf(line, 'time')) * 1_000, what });
  const [oldest] = state.open.keys();
  // Its end was not logged, or is in a file that is not read.
  if (state.open.size > OPEN && oldest !== undefined) end(state, oldest, 0, false);
}

function end(state: State, session: string, messages: number, tls: boolean): void {
  const open = state.open.get(session);
  state.open.delete(session);
  if (open) state.tally.count(open.client, open.met, { messages, tls });
}

function blockedOf(line: Line): { readonly rule: string; readonly effect: Effect } {
  return { rule: textOf(line, 'rule'), effect: 'was-refused' };
}

function anomalyOf(
  line: Line,
  rules: () => ReturnType<typeof configuredRules>,
): { readonly rule: string; readonly effect: Effect } | undefined {
  const rule = ruleOfAnomaly(textOf(line, 'anomaly') as Anomaly, textOf(line, 'direction') as Direction);
  const effect = rule && effectOf(rules(), rule);
  return rule && effect && { rule, effect };
}

function textOf(line: Line, field: string): string {
  const value = line[field];
  return typeof value === 'string' ? value : '';
}

function numberOf(line: Line, field: string): number {
  const value = line[field];
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}

/** Every line of ehlowire begins so. */
const NAME = /^\{"level":"\w{1,8}","time":"[^"]{1,40}","event":"([\w-]{1,64})"/;
const READ: ReadonlySet<string> = new Set(['blocked', 'anomaly', 'session', 'omitted', 'loss']);
const OPEN = 100_000;
