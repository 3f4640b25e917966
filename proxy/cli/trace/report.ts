// The report of `ehlowire trace`: a table of hops for a person, and JSON lines.

import { createColors } from 'picocolors';
import { quotedOctets } from '../../../inspect/trace/findings';
import { median, type Hop, type Tried } from '../../../inspect/trace/hops';
import type { Test, Trace, TraceVerdict } from '../../../inspect/trace/sent';
import { clip } from '../../sinks/wording';

type Colors = ReturnType<typeof createColors>;

export interface Report {
  /** As it was given. */
  readonly target: string;
  readonly trace: Trace;
  readonly hops: readonly Hop[];
  readonly verdicts: readonly TraceVerdict[];
  readonly limits: readonly string[];
  readonly closing: string;
  /** By address. */
  readonly names: ReadonlyMap<string, string>;
}

/** One `hop` line for each TTL, one `verdict` line for each finding, and a `trace` line at the end. */
export function toLines({ trace, hops, verdicts, limits, closing, names }: Report): string {
  const { server, port, distance } = trace;
  const lines: readonly Record<string, unknown>[] = [
    ...hops.map((hop) => hopObject(hop, names)),
    ...verdicts.map(verdictObject),
    {
      ...{ event: 'trace', server, port, hops: distance === undefined ? null : distance - 1 },
      reached: distance !== undefined,
      ...{ verdicts: verdicts.length, limits, summary: closing },
    },
  ];
  return lines.map((line) => `${JSON.stringify(line)}\n`).join('');
}

function hopObject({ ttl, addresses, tried, tunnel }: Hop, names: Report['names']): Record<string, unknown> {
  const [address = null] = addresses;
  const name = address === null ? undefined : names.get(address);
  return {
    ...{ event: 'hop', hop: ttl, address },
    ...(addresses.length > 1 && { addresses }),
    ...(name !== undefined && { name }),
    ...(tunnel && { tunnel }),
    tests: tried.map((each) => ({
      ...{ segment: each.test, sent: each.sent, answered: each.answers.length },
      ...(each.stage > 0 && { stage: STAGES[each.stage] }),
      ...(each.roundTrips.length > 0 && { rtt_ms: timesOf(each) }),
      ...(quotedOctets(each) > 0 && { quoted: quotedOctets(each) }),
    })),
  };
}

function timesOf({ roundTrips }: Tried): readonly number[] {
  return [roundTrips[0] ?? 0, median(roundTrips), roundTrips.at(-1) ?? 0].map((micros) => micros / 1_000);
}

function verdictObject(found: TraceVerdict): Record<string, unknown> {
  const { verdict, certainty, test, place, what, held, harmless, message } = found;
  return {
    ...{ event: 'verdict', verdict, certainty },
    ...(!OF_ALL.has(verdict) && { segment: test }),
    ...(place.kind === 'hop' ? { hop: place.hop } : { between: [place.from, place.to ?? null] }),
    ...(what && { what }),
    ...(held !== undefined && { held_ms: held / 1_000 }),
    ...(harmless && { harmless }),
    message,
  };
}

/** Title, table, what was found, what was not seen, and the sentence for a ticket. */
export function toText(report: Report, color: boolean): string {
  const colors = createColors(color);
  const { target, trace, hops, verdicts, limits, closing } = report;
  const { bold, dim } = colors;
  const width = Math.max(16, ...hops.map((hop) => whoText(hop, report.names).length));
  const tests = TESTS.filter((test) => hops.some(({ tried }) => tried.some((each) => each.test === test)));
  const head = ['hop'.padStart(5), '  ', 'address'.padEnd(width), ...tests.map((test) => cell(HEADS[test]))];
  const lines = [
    `${bold(target)}${dim(`  ${trace.server} port ${trace.port}, from ${trace.client}`)}`,
    '',
    dim([...head, cell('quoted')].join('')),
    ...hops.map((hop) => hopLine(hop, report, width, tests)),
    '',
    ...verdicts.flatMap((verdict) => verdictLines(verdict, colors)),
    ...limits.map((limit) => `  ${dim('not seen:')} ${limit}`),
    ...(limits.length > 0 ? [''] : []),
    `  ${dim('For a ticket:')} ${closing}`,
  ];
  return `${lines.join('\n')}\n`;
}

function hopLine(hop: Hop, { names, trace }: Report, width: number, tests: readonly Test[]): string {
  const cells = tests.map((test) => cell(triedText(hop.tried.filter((each) => each.test === test))));
  const quoted = Math.max(0, ...hop.tried.map(quotedOctets));
  const notes = [
    ...(hop.ttl === trace.distance ? ['the server'] : []),
    ...(hop.addresses.length > 1 ? [`also ${hop.addresses.slice(1).join(', ')}`] : []),
    ...(hop.tunnel ? ['MPLS'] : []),
  ];
  const note = notes.length === 0 ? '' : `  ${notes.join('; ')}`;
  const who = whoText(hop, names).padEnd(width);
  return `${String(hop.ttl).padStart(5)}  ${who}${cells.join('')}${cell(quoted > 0 ? `${quoted} B` : '')}${note}`;
}

function whoText({ addresses }: Hop, names: Report['names']): string {
  const [address] = addresses;
  if (address === undefined) return 'no answer';
  const name = names.get(address);
  return name === undefined ? address : `${clip(name, NAME)} (${address})`;
}

/** `0.412 ms`, and before it `2/3` where not all were answered; all stages together. */
function triedText(tried: readonly Tried[]): string {
  const sent = tried.reduce((sum, each) => sum + each.sent, 0);
  const answered = tried.reduce((sum, each) => sum + each.answers.length, 0);
  if (sent === 0) return '';
  if (answered === 0) return `0/${sent}`;
  const times = tried.flatMap(({ roundTrips }) => roundTrips).sort((a, b) => a - b);
  const time = `${(median(times) / 1_000).toFixed(1)} ms`;
  return answered === sent ? time : `${answered}/${sent} ${time}`;
}

function verdictLines({ verdict, certainty, harmless, message }: TraceVerdict, colors: Colors): string[] {
  const paint = harmless ? colors.cyan : certainty === 'proved' ? colors.red : colors.yellow;
  return [`  ${colors.bold(paint(verdict))} ${certainty}`, `    ${message}`, ''];
}

function cell(text: string): string {
  return text.padStart(CELL);
}

/** They are about the connection, not about one segment. */
const OF_ALL: ReadonlySet<TraceVerdict['verdict']> = new Set(['path-terminated', 'headers-altered', 'nat']);

/** The columns. An echo request is no segment: it serves to compare. */
const HEADS: Readonly<Record<Exclude<Test, 'echo'>, string>> = {
  control: 'control',
  ehlo: 'EHLO',
  syn: 'SYN',
  helo: 'HELO',
  'ehlo-lower': 'ehlo',
  'ehlo-split': 'EH|LO',
  'half-size': '512 B',
  'full-size': 'full size',
  starttls: 'STARTTLS',
  'mail-size': 'MAIL',
  'tls-hello': 'TLS',
};
const TESTS = Object.keys(HEADS) as readonly (keyof typeof HEADS)[];
const STAGES = ['greeting', 'hello', 'starttls'] as const;
const CELL = 14;
const NAME = 40;
