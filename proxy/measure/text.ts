// The report of `ehlowire measure` for a person: rates, failures, a table of the phases, bars.

import { createColors } from 'picocolors';
import { barsOf } from '../../inspect/measure/statistics';
import { clip, formatBytes, formatDuration, plural } from '../sinks/wording';
import { COMPARED, compare, PERCENTILES, ROWS, type LoadFacts } from './report';
import type { Measured } from './rounds';
import { perSecond, valueAt, type Failures, type Tally } from './tally';

type Colors = ReturnType<typeof createColors>;

export function toText(measured: Measured, load: LoadFacts, color: boolean): string {
  const colors = createColors(color);
  const lines = [
    ...measured.ways.flatMap(({ way, rounds, all }) => [
      `${colors.bold(way.target)}  ${colors.dim(loadText(load, rounds.length))}`,
      '',
      ...countLines(all),
      ...failureLines(all, colors),
      ...tableLines(all, colors),
      ...barLines(all, colors),
      '',
    ]),
    ...ratioLines(measured, colors),
    ...noteLines(measured, load).map((note) => `  ${colors.yellow('!')} ${note}`),
  ];
  return `${lines.join('\n').trimEnd()}\n`;
}

function loadText(
  { rate, concurrency, messages, size, starttls, pipelining }: LoadFacts,
  rounds: number,
): string {
  return [
    rate === undefined ? 'as fast as the server takes them' : `${count(rate)} sessions a second on schedule`,
    `at most ${count(concurrency)} at a time`,
    messages === 0 ? 'no mail' : `${plural(messages, 'message')} of ${formatBytes(size)} in each`,
    ...(starttls ? ['STARTTLS'] : []),
    ...(pipelining ? ['PIPELINING'] : []),
    ...(rounds > 1 ? [`${rounds} rounds`] : []),
  ].join(', ');
}

function countLines(tally: Tally): string[] {
  const { sessions, failed, messages, octets, seconds, open, unbegun } = tally;
  const rate = (value: number): string => `${rateText(perSecond(tally, value))} a second`;
  return [
    row('Sessions', `${count(sessions)} in ${formatDuration(seconds * 1e6)}, ${rate(sessions)}`),
    ...(messages > 0
      ? [
          row(
            'Messages',
            `${count(messages)}, ${rate(messages)}, ${formatBytes(Math.round(perSecond(tally, octets)))}/s`,
          ),
        ]
      : []),
    row('Failed', failed === 0 ? 'none' : `${count(failed)} sessions`),
    ...(open > 0
      ? [row('Cut off', `${count(open)} sessions were open at the end, and are not counted`)]
      : []),
    ...(unbegun > 0
      ? [row('No place', `${count(unbegun)} sessions were due and did not begin: --concurrency was reached`)]
      : []),
  ];
}

function failureLines({ failures }: Tally, { red, dim }: Colors): string[] {
  const all = [...failures.values()].sort((a, b) => b.count - a.count);
  const rows = all
    .slice(0, SHOWN)
    .map(
      (failure) =>
        `  ${red(count(failure.count).padStart(9))}  ${failure.phase.padEnd(9)} ${causeText(failure)}`,
    );
  const rest = all.length - rows.length;
  const more = rest > 0 ? [dim(`             and ${plural(rest, 'kind')} more`)] : [];
  return rows.length === 0 ? [] : ['', dim('  Failures   phase     cause'), ...rows, ...more];
}

function causeText({ cause, text }: Failures): string {
  const said = text === '' ? '' : ` ${clip(text)}`;
  return `${CAUSES[cause] ?? cause}${said}`;
}

function tableLines({ rows }: Tally, { dim }: Colors): string[] {
  const heads = PERCENTILES.map(([name]) => name.padStart(WIDTH)).join('');
  const lines = ROWS.flatMap((name) => {
    const histogram = rows.get(name);
    if (!histogram) return [];
    const values = PERCENTILES.map(([, percent]) =>
      formatDuration(valueAt(histogram, percent) * 1000).padStart(WIDTH),
    );
    return [`  ${name.padEnd(10)}${count(histogram.count).padStart(9)}${values.join('')}`];
  });
  const late = rows.has('late')
    ? [
        dim(
          '  late: how much later than scheduled a session began. session: from when it was due to its end.',
        ),
      ]
    : [];
  return ['', dim(`  ${'Phase'.padEnd(10)}${'count'.padStart(9)}${heads}`), ...lines, ...late];
}

function barLines({ rows }: Tally, { dim, cyan }: Colors): string[] {
  const histogram = rows.get('session');
  if (!histogram || histogram.count < FEW) return [];
  const bars = barsOf((percent) => valueAt(histogram, percent) * 1000, histogram.count);
  const most = Math.max(...bars.map((bar) => bar.count));
  return [
    '',
    dim('  Sessions by their whole time'),
    ...bars.map((bar) => {
      const length = Math.ceil((bar.count / most) * BAR);
      const label = `below ${edgeText(bar.below)}`.padEnd(14);
      return `  ${label}${cyan('#'.repeat(length).padEnd(BAR))} ${count(bar.count)}`;
    }),
  ];
}

function ratioLines(measured: Measured, { bold, dim }: Colors): string[] {
  const [first, second] = measured.ways;
  if (!first || !second) return [];
  const rows = COMPARED.flatMap(([key, name]) => {
    const ratio = compare(measured, key);
    if (!ratio || Number.isNaN(ratio.median)) return [];
    const spread = dim(`(${ratio.least.toFixed(3)} … ${ratio.most.toFixed(3)})`);
    return [row(name, `${bold(ratio.median.toFixed(3))} ${spread}`, 20)];
  });
  const head = `  ${first.way.target} over ${second.way.target}, median (least … most) of the rounds`;
  return [dim(head), ...rows, ''];
}

/** What the reader must know before the figures are believed. */
function noteLines({ busy, ways, stopped }: Measured, { engine }: LoadFacts): string[] {
  const percent = (share: number): string => `${Math.round(share * 100)} %`;
  const notes: string[] = [];
  for (const { way, all } of ways) {
    if (all.sessions > 0 && all.sessions === all.failed) {
      notes.push(`No session with ${way.target} was as planned: its times are those of failures.`);
    }
  }
  if (stopped) notes.push('It was stopped before its end: the figures are those until then.');
  if (busy.thread > FULL) {
    notes.push(
      `ehlowire itself was busy for ${percent(busy.thread)} of the time, and has one thread for all sessions: the figures are` +
        ' in part its own. Start it on more machines, or lower --concurrency or --rate.',
    );
  } else if (busy.machine > FULL) {
    notes.push(
      `All processors of this machine were busy (${percent(busy.machine)}): the figures are in part its own.`,
    );
  }
  if (engine === 'sockets') {
    notes.push('Without koffi each session costs more processor time here: npm install koffi.');
  }
  const ports = ways.some(({ all }) =>
    [...all.failures.values()].some(({ cause }) => cause === 'EADDRNOTAVAIL'),
  );
  if (ports) {
    notes.push(
      'This machine had no free port for a new connection: lower --rate, or measure from more machines.',
    );
  }
  return notes;
}

function row(name: string, text: string, width = 11): string {
  return `  ${name.padEnd(width)}${text}`;
}

function count(value: number): string {
  return value.toLocaleString('en');
}

function rateText(value: number): string {
  return value < 100 ? value.toFixed(1) : count(Math.round(value));
}

/** `500 µs`, `2 ms`, `10 s`. */
function edgeText(micros: number): string {
  if (micros < 1_000) return `${micros} µs`;
  return micros < 1_000_000 ? `${micros / 1_000} ms` : `${micros / 1_000_000} s`;
}

const CAUSES: Readonly<Record<string, string>> = {
  closed: 'the server closed the connection',
  'timed-out': 'no answer: timed out',
  'malformed-reply': 'no SMTP reply:',
  'unsolicited-reply': 'a reply to no command:',
  'not-offered': 'the server does not offer STARTTLS',
  'starttls-injection': 'octets in the clear behind the reply to STARTTLS',
  ECONNREFUSED: 'connection refused: nothing listens there',
  ECONNRESET: 'connection reset',
  EPIPE: 'connection reset',
  ETIMEDOUT: 'no answer: timed out',
  EHOSTUNREACH: 'no route to the host',
  ENETUNREACH: 'no route to the network',
  EADDRNOTAVAIL: 'no free port on this machine',
  EMFILE: 'no file descriptors left: raise `ulimit -n`',
};
/** Failures shown, by phase and cause. */
const SHOWN = 12;
/** Fewer sessions make no picture. */
const FEW = 20;
const WIDTH = 12;
const BAR = 40;
/** From here on the generator's own time cannot be told from the server's. */
const FULL = 0.9;
