// The summary for a person: counts, phases, verdicts by client network, and what it all means.

import { createColors } from 'picocolors';
import type { VerdictName } from '../../../inspect/events';
import { PHASES } from '../../../inspect/phases';
import { formatTime } from '../../system/clock';
import { formatBytes, formatDuration, plural, printable } from '../../sinks/wording';
import { shareOf } from '../../../inspect/verdict/conclusion';
import { conclusionLines } from './conclusion';
import { outcomeRows } from './outcome';
import { framesText, seenText } from './observed';
import type { CaptureFacts } from './pass';
import type { Summary, VerdictSummary } from './summary';

type Colors = ReturnType<typeof createColors>;

export function summaryText(
  summary: Summary,
  facts: CaptureFacts,
  { ports, color }: { readonly ports: readonly number[]; readonly color: boolean },
): string {
  const colors = createColors(color);
  const lines = [
    ...general(summary, facts, colors),
    ...phaseTable(summary, colors),
    ...verdictTable(summary, colors),
    '',
    ...conclusionLines(summary, facts, ports).map((line) => colors.bold(line)),
  ];
  return `${lines.join('\n')}\n`;
}

function general(summary: Summary, facts: CaptureFacts, colors: Colors): string[] {
  const { counts } = facts;
  const { sessions, observed, bytes, retransmits, firstAt, lastAt } = summary;
  const rows = (name: string, texts: readonly string[]): string[] =>
    texts.map((text, i) => `  ${(i === 0 ? name : '').padEnd(10)}${text}`);
  const again = retransmits.client + retransmits.server;
  const whole = facts.lost === 0 && observed.whole === sessions;
  const seen = sessions === 0 ? [] : seenText(observed, sessions, facts);
  return [
    ...(firstAt === undefined
      ? []
      : rows('Time', [`${stamp(firstAt)} to ${stamp(lastAt)} UTC, ${formatDuration(lastAt - firstAt)}`])),
    ...rows('Frames', [framesText(counts)]),
    ...rows('Seen', seen).map((row) => (whole ? row : colors.yellow(row))),
    ...rows('Sessions', [`${number(sessions + counts.unreported)}, ${messagesText(summary)}`]),
    ...rows('', outcomeRows(summary.outcomes, summary.refusals, counts.unreported)),
    ...rows('Octets', [
      `${formatBytes(bytes.client)} from clients, ${formatBytes(bytes.server)} from servers; ` +
        `${plural(again, 'segment')} sent again`,
    ]),
  ];
}

/** How many messages sessions in TLS carried is not known. */
function messagesText({ messages, hidden }: Summary): string {
  if (hidden === 0) return plural(messages, 'message');
  const inTls = `${plural(hidden, 'session')} in TLS, of whose messages nothing is known`;
  return messages === 0 ? inTls : `${plural(messages, 'message')}; ${inTls}`;
}

function phaseTable({ phases }: Summary, colors: Colors): string[] {
  const rows = PHASES.flatMap((phase) => {
    const of = phases.get(phase);
    if (!of) return [];
    const times = [of.quantile(0.5), of.quantile(0.95), of.max].map((micros) =>
      formatDuration(micros).padStart(11),
    );
    return [`  ${phase.padEnd(10)}${number(of.count).padStart(9)}${times.join('')}`];
  });
  if (rows.length === 0) return [];
  const heads = ['p50', 'p95', 'max'].map((text) => text.padStart(11)).join('');
  return ['', colors.dim(`  ${'Phase'.padEnd(10)}${'count'.padStart(9)}${heads}`), ...rows];
}

function verdictTable({ verdicts, sessions, networks }: Summary, colors: Colors): string[] {
  if (verdicts.size === 0) return [];
  const rows = [...verdicts].sort(([, a], [, b]) => b.sessions - a.sessions);
  const head = `  ${'Verdict'.padEnd(20)}${'sessions'.padStart(9)}${'share'.padStart(9)}${'proved'.padStart(9)}  first and last seen`;
  return [
    '',
    colors.dim(head),
    ...rows.flatMap(([name, of]) => [
      verdictRow(name, of, sessions, colors),
      ...networkRows(of, networks, colors),
    ]),
  ];
}

function verdictRow(
  name: VerdictName,
  of: VerdictSummary,
  sessions: number,
  { red, yellow }: Colors,
): string {
  const paint = of.proved > 0 ? red : yellow;
  const counts = [number(of.sessions), shareOf(of.sessions, sessions), number(of.proved)].map((text) =>
    text.padStart(9),
  );
  return `  ${paint(name.padEnd(20))}${counts.join('')}  ${stamp(of.firstAt)}  ${stamp(of.lastAt)}`;
}

function networkRows({ networks }: VerdictSummary, all: Summary['networks'], { dim }: Colors): string[] {
  const sorted = [...networks].sort(([, a], [, b]) => b - a);
  const rows = sorted
    .slice(0, NETWORKS)
    .map(([network, count]) => `    ${printable(network)}  ${count} of ${all.get(network) ?? count}`);
  const rest = sorted.length - rows.length;
  return [...rows, ...(rest > 0 ? [`    and ${plural(rest, 'network')} more`] : [])].map((row) => dim(row));
}

function stamp(at: number): string {
  return formatTime(at).slice(0, 23).replace('T', ' ');
}

function number(value: number): string {
  return value.toLocaleString('en');
}

/** Shown of each verdict. */
const NETWORKS = 8;
