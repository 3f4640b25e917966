// Ladders: a connection's segments between client and server, one a row, kept until it is known whether to show them.

import { createColors } from 'picocolors';
import type { Evidence, VerdictEvent } from '../../../inspect/events';
import type { Observer, Tracked, TrackerNews } from '../../../inspect/tracker/tracker';
import { formatTime } from '../../system/clock';
import { formatClose, formatDuration, printable } from '../../sinks/wording';
import type { Analysis } from './report';
import { beginBefore, quietText, rowOf, rowOfEvidence, type Before, type Row } from './row';

interface LadderOptions {
  readonly color: boolean;
  /** Connections to follow, before it is known what becomes of them. */
  readonly follow: (connection: Tracked) => boolean;
  /** Show those without a verdict too. */
  readonly all: boolean;
  readonly write: (text: string) => void;
}

/** Writes the ladder of each connection when it ends. */
export function createLadders(options: LadderOptions): Observer {
  const open = new Map<number, Ladder>();
  const end = ({ connection, verdicts }: TrackerNews): string => {
    const ladder = open.get(connection.id);
    open.delete(connection.id);
    return ladder && (verdicts.length > 0 || options.all)
      ? draw(connection, ladder, verdicts, options.color)
      : '';
  };
  return {
    observe(news) {
      let text = '';
      for (const each of news) {
        const { connection } = each;
        if (options.follow(connection)) add(open, each);
        if (each.ended) text += end(each);
      }
      if (text !== '') options.write(text);
    },
  };
}

/** As `--ladder` says; `only`: those that a first pass found, by `Tracked.id`. */
export function laddersFor(
  { request, text, color }: Analysis,
  only: ReadonlySet<number> | undefined,
): Observer | undefined {
  if (!text || request.ladder === 'none') return undefined;
  return createLadders({
    color,
    follow: ({ id }) => only === undefined || only.has(id),
    all: request.ladder === 'all',
    write: (ladders) => text.write(ladders),
  });
}

interface Ladder {
  readonly before: Before;
  readonly head: Row[];
  /** The last rows; what is pushed out of it is left out. */
  readonly tail: Row[];
  left: number;
  closing: string;
}

function add(open: Map<number, Ladder>, { connection, segment, events }: TrackerNews): void {
  const ladder = open.get(connection.id) ?? begin();
  open.set(connection.id, ladder);
  if (segment) place(ladder, rowOf(connection, segment, events, ladder.before));
  for (const event of events) {
    if (event.kind === 'session') {
      const took = formatDuration(event.at - event.started);
      ladder.closing = `${took}, ${formatClose(event.close)}`;
    }
  }
}

function begin(): Ladder {
  return { before: beginBefore(), head: [], tail: [], left: 0, closing: '' };
}

/** Segments in a row that say nothing become one. */
function place(ladder: Ladder, row: Row): void {
  const last = ladder.tail[ladder.tail.length - 1] ?? ladder.head[ladder.head.length - 1];
  if (row.quiet && last?.quiet) {
    last.quiet.client += row.quiet.client;
    last.quiet.server += row.quiet.server;
    if (row.from === last.from) last.length += row.length;
    return;
  }
  if (ladder.head.length < HEAD) ladder.head.push(row);
  else if (ladder.tail.push(row) > TAIL) {
    ladder.tail.shift();
    ladder.left += 1;
  }
}

function draw(tracked: Tracked, ladder: Ladder, verdicts: readonly VerdictEvent[], color: boolean): string {
  const colors = createColors(color);
  const { id, client, server, inspector } = tracked;
  const { started } = inspector.view;
  annotate(ladder, verdicts);
  const peers = `${printable(client.address)} port ${client.port} -> ${printable(server.address)} port ${server.port}`;
  const line = (row: Row): string => rowText(row, started, colors);
  return [
    colors.bold(`#${id}  ${peers}`) +
      colors.dim(`  ${formatTime(started).replace('T', ' ')}  ${ladder.closing}`),
    ...ladder.head.map(line),
    ...(ladder.left > 0 ? [colors.dim(`${' '.repeat(16)}… ${ladder.left} rows left out …`)] : []),
    ...ladder.tail.map(line),
    ...verdicts.map((verdict) => verdictText(verdict, colors)),
    '',
    '',
  ].join('\n');
}

/** Marks the rows that verdicts rest on; a segment that was drawn together with others gets its row back. */
function annotate(ladder: Ladder, verdicts: readonly VerdictEvent[]): void {
  for (const evidence of verdicts.flatMap((verdict) => verdict.evidence)) {
    const row = find(ladder.head, evidence) ?? find(ladder.tail, evidence);
    if (!row) insert(ladder, rowOfEvidence(evidence));
    else if (!row.marks.includes(evidence.note)) row.marks.push(evidence.note);
  }
}

function find(rows: readonly Row[], { at, from, flags }: Evidence): Row | undefined {
  const row = rows.find((each) => each.at === at && each.from === from && each.flags === flags);
  return row?.quiet && row.quiet.client + row.quiet.server > 1 ? undefined : row;
}

function insert(ladder: Ladder, row: Row): void {
  const early = ladder.tail.length === 0 || row.at < (ladder.tail[0]?.at ?? 0);
  const rows = early ? ladder.head : ladder.tail;
  const behind = rows.findIndex(({ at }) => at > row.at);
  rows.splice(behind < 0 ? rows.length : behind, 0, row);
}

type Colors = ReturnType<typeof createColors>;

/** `> 3.006 s  client --> server  ACK  20 +0  hole: 20 octets…`: plain ASCII, so that it survives any ticket. */
function rowText(row: Row, started: number, colors: Colors): string {
  const odd = row.marks.length > 0;
  const arrow = row.from === 'client' ? 'client --> server' : 'client <-- server';
  const paint = odd ? colors.yellow : row.from === 'client' ? colors.cyan : colors.green;
  const place = row.seq < 0 ? '' : `${row.seq}${row.length > 0 ? ` +${row.length}` : ''}`;
  const several = quietText(row);
  const words = [...row.words, several].filter((text) => text !== '').join('  ');
  const marks = row.marks.join('; ');
  return [
    odd ? '>' : ' ',
    colors.dim(formatDuration(row.at - started).padStart(11)),
    paint(arrow),
    (several === '' ? row.flags : '').padEnd(FLAGS_WIDTH),
    (several === '' ? place : '').padEnd(PLACE_WIDTH),
    [words, odd ? colors.yellow(marks) : ''].filter((text) => text !== '').join('  '),
  ]
    .join('  ')
    .trimEnd();
}

export function verdictText({ verdict, certainty, proof, summary }: VerdictEvent, colors: Colors): string {
  const paint = certainty === 'proved' ? colors.red : colors.yellow;
  return `  ${colors.bold(paint(verdict))} ${certainty}, by ${proof}: ${printable(summary)}`;
}

/** Rows at the beginning and at the end: the dialogue, and how it ended. */
const HEAD = 120;
const TAIL = 60;
const FLAGS_WIDTH = 11;
const PLACE_WIDTH = 12;
