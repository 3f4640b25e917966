// One flagged connection as both points have it, as one Markdown page: what each saw, side by side, and what that proves.

import type { Direction, Evidence, Micros, Point, VerdictEvent } from '../../../inspect/events';
import type { PairJudgement } from '../../../inspect/two-point/judge';
import type { Fate } from '../../../inspect/two-point/fate';
import type { Item } from '../../../inspect/two-point/twins';
import { onCommonClock } from '../../../inspect/two-point/clock';
import type { MatchedBy } from '../../../inspect/two-point/match';
import { evidenceOf, relative, type Points } from '../../../inspect/two-point/evidence';
import {
  aboutLines,
  elapsed,
  evidenceTable,
  filtersOf,
  proofHead,
  readings,
  recheckLines,
  ROWS,
  titlesOf,
} from '../evidence/page-parts';
import { findFrame, type RecordedFrame } from '../evidence/recording';
import { withoutNames } from '../evidence/cut';
import { formatTime } from '../../system/clock';
import { formatDuration, plural } from '../../sinks/wording';
import { fateText, itemsOf, segmentText } from './ladder';
import { aheadText } from './text';

interface PointPage {
  /** The capture beside the page: its name, its frames in order, what was left out. */
  readonly file: string;
  readonly frames: readonly RecordedFrame[];
  readonly omitted: number;
}

export interface PointsPageFacts {
  readonly judgement: PairJudgement;
  readonly points: Points;
  readonly wan: PointPage;
  readonly dmz: PointPage;
  /** Connections by which the clocks were compared. */
  readonly compared: number;
  /** The command that reads the two files again, and what they say by themselves: nothing, where there is none. */
  readonly command: string;
  readonly again: readonly VerdictEvent[];
  /** Whether that is the same: by themselves, or with `--together`. */
  readonly same: 'alone' | 'together' | 'no';
  /** What all connections together mean, in one sentence. */
  readonly closing: string;
  readonly version: string;
}

export function pageOfPoints(facts: PointsPageFacts): string {
  const { judgement, version, closing } = facts;
  const { pair, verdicts } = judgement;
  return [
    `# SMTP from ${pair.wan.client.address} to ${pair.wan.server.address}, captured at two points: ${titlesOf(verdicts)}`,
    '',
    ...whatHappened(facts),
    ...sideBySide(facts),
    ...verdicts.flatMap((verdict, i) => proof(facts, verdict, i + 1)),
    ...howToCheck(facts),
    ...recheckLines(verdicts),
    ...readings(verdicts),
    ...aboutLines(
      version,
      `the segments of one connection at two points; outside it began at ${formatTime(pair.wan.started)} (UTC)`,
    ),
    '## Conclusion',
    '',
    closing,
    '',
  ].join('\n');
}

/** What passed a point, at the time of the point's clock, by the clock outside. */
function commonTime({ clocks }: Points, point: Point, at: Micros): Micros {
  return onCommonClock(point, at, clocks).at;
}

function whatHappened(facts: PointsPageFacts): string[] {
  const { pair, aligned, terminated, verdicts } = facts.judgement;
  const begin = (point: Point): string => {
    const { client, server, started } = pair[point];
    return (
      `- ${WORDS[point]}, in \`${facts[point].file}\`: client ${client.address}, port ${client.port}; server ` +
      `${server.address}, port ${server.port}; first segment at ${formatTime(started)} (UTC, by the clock there).`
    );
  };
  const shifted = DIRECTIONS.filter((from) => !terminated && Boolean(aligned.shift[from]));
  return [
    '## What happened',
    '',
    begin('wan'),
    begin('dmz'),
    `- That the two are the same connection is known by ${BY[pair.by]}.`,
    ...shifted.map((from) => `- ${RENUMBERED(from)}`),
    `- ${clockText(facts)}`,
    ...verdicts.map(({ summary }) => `- ${withoutNames(summary)}`),
    '',
  ];
}

const RENUMBERED = (from: Direction): string =>
  `The ${from}’s sequence numbers are others inside than outside, by the same difference throughout: what stands ` +
  'between renumbers them. Numbers here count from the first octet, and are the same at both points.';

/** By how much the clocks differ for this connection, and how sure that is. */
function clockText({ points, judgement, compared }: PointsPageFacts): string {
  const { micros, slack, bounded } = points.clocks.atWan(judgement.pair.wan.started);
  const how = `The two clocks: ${aheadText({ micros, spread: slack })}`;
  const set =
    points.clocks.steps === 0
      ? ''
      : ` One of them was set ${plural(points.clocks.steps, 'time')} while the captures ran: nothing is concluded from times between the points.`;
  if (!bounded) {
    return `${how}, but no bound of that is known: no segment is seen to have passed both points in both directions. Times between the points may be wrong by ${formatDuration(slack)} or more.${set}`;
  }
  return `${how}, to within ${formatDuration(slack)}, by segments of ${plural(compared, 'connection')} that passed both points. All times below are by the clock outside.${set}`;
}

function sideBySide(facts: PointsPageFacts): string[] {
  const { judgement, points } = facts;
  const { aligned, terminated, signs } = judgement;
  const lines = terminated ? apart(facts) : aligned.fates.map((fate) => lineOf(fate, points));
  const { rows, left } = chosenOf(lines);
  return [
    '## Side by side',
    '',
    ...(terminated
      ? [
          `A device between the points speaks TCP for the endpoints: ${signs.map(({ note }) => note).join('; ')}.`,
          'So the segments of one point are not those of the other. They stand in the order of time.',
          '',
        ]
      : []),
    '| outside | frame | from | segment | inside | frame | between the points |',
    '|---:|---:|---|---|---:|---:|---|',
    ...rows.map((line) => (line ? rowOf(facts, line) : '| … | | | | … | | |')),
    '',
    ...(left > 0 ? [`${plural(left, 'segment')} more in the captures, not in this table.`, ''] : []),
    'Segments without octets that only acknowledge are in the captures and not in this table.',
    '',
    ...POINTS.filter((point) => facts[point].omitted > 0).flatMap((point) => [
      `The last ${plural(facts[point].omitted, 'frame')} of the connection left out of \`${facts[point].file}\`.`,
      '',
    ]),
  ];
}

function rowOf(facts: PointsPageFacts, { outside, inside, text }: Line): string {
  const begin = facts.judgement.pair.wan.started;
  const cells = (item: Item | undefined): string[] =>
    item ? [elapsed(item.at - begin), numberOf(facts[item.point].frames, evidenceOf(item, ''))] : ['', ''];
  const item = outside ?? inside;
  const segment = item ? [item.passage.from, segmentText(item)] : [];
  return `| ${[...cells(outside), ...segment, ...cells(inside), text].join(' | ')} |`;
}

/** The beginning, and what did not simply pass; `undefined` where others were left out. */
function chosenOf(lines: readonly Line[]): { rows: readonly (Line | undefined)[]; left: number } {
  const chosen = lines
    .filter((line, i) => lines.length <= ROWS || i < BEGINNING || line.text !== '')
    .slice(0, ROWS);
  const rows = chosen.flatMap((line, i) => {
    const before = chosen[i - 1];
    return before && lines[lines.indexOf(line) - 1] !== before ? [undefined, line] : [line];
  });
  return { rows, left: lines.length - chosen.length };
}

interface Line {
  readonly outside: Item | undefined;
  readonly inside: Item | undefined;
  readonly text: string;
}

function lineOf(fate: Fate, points: Points): Line {
  const items = itemsOf(fate);
  const [outside, inside] = POINTS.map((point) => items.find((item) => item.point === point));
  const text = fateText(fate, points);
  return { outside, inside, text: fate.kind === 'recut' ? 'came in other pieces' : marked(fate, text) };
}

function marked({ kind }: Fate, text: string): string {
  return kind === 'passed' || kind === 'missed' ? text : `**${text}**`;
}

/** Two TCPs: each point's segments, by the clock outside. */
function apart({ judgement: { pair }, points }: PointsPageFacts): Line[] {
  const items = POINTS.flatMap((point) =>
    pair[point].passages.map((passage): Item => {
      const start = relative(pair, point, passage);
      const moment = onCommonClock(point, passage.at, points.clocks);
      return { point, passage, ...moment, start, end: start + passage.length };
    }),
  );
  return items
    .sort((a, b) => a.at - b.at)
    .map((item) => ({
      outside: item.point === 'wan' ? item : undefined,
      inside: item.point === 'dmz' ? item : undefined,
      text: '',
    }));
}

function proof(facts: PointsPageFacts, verdict: VerdictEvent, number: number): readonly string[] {
  const begin = facts.judgement.pair.wan.started;
  // What one point says by itself has the time of its own clock; what both say, by the clock outside.
  const clock = verdict.where === 'here' ? 'wan' : (verdict.evidence[0]?.point ?? 'wan');
  const rows = verdict.evidence.map((evidence) => {
    const { at, point = 'wan' } = evidence;
    const before = [WORDS[point].toLowerCase(), numberOf(facts[point].frames, evidence)];
    return { evidence, before, since: commonTime(facts.points, point, at) - begin };
  });
  return [
    ...proofHead(verdict, number, (at) => commonTime(facts.points, clock, at) - begin),
    ...evidenceTable(
      [
        ['point', '---'],
        ['frame', '---:'],
      ],
      rows,
    ),
  ];
}

/** The frame's number in its file. */
function numberOf(frames: readonly RecordedFrame[], evidence: Evidence): string {
  const frame = findFrame(frames, evidence);
  return frame ? `${frames.indexOf(frame) + 1}` : '(not kept)';
}

function howToCheck(facts: PointsPageFacts): string[] {
  const { judgement, command, same } = facts;
  return [
    '## How to check it',
    '',
    'Open both captures in Wireshark; comments stand at the frames that matter. What is in one of them and not in the other did not pass.',
    '',
    ...POINTS.flatMap((point) => [
      `${WORDS[point]}, \`${facts[point].file}\`:`,
      '',
      '```',
      ...filtersOf(judgement.pair[point]),
      '```',
      '',
    ]),
    `Or read both again with ehlowire. ${AGAIN[same](facts)}`,
    '',
    '```',
    command,
    '```',
    '',
  ];
}

/** Rows of a long connection that are shown whatever became of them. */
const BEGINNING = 20;
const AGAIN: Readonly<Record<PointsPageFacts['same'], (facts: PointsPageFacts) => string>> = {
  alone: () => 'They say the same by themselves: they were read again when this page was made.',
  together: () =>
    'They were read again when this page was made, and say the same. That both captures ran, and that no clock was set, is ' +
    'known by the other connections in the two whole captures; these are not here, so `--together` says it.',
  no: ({ again }) =>
    `By themselves they say ${again.length === 0 ? 'nothing' : titlesOf(again)}: the rest is in what was cut from them, or ` +
    'in the other connections of the two captures, by which the clocks and the usual delays were measured.',
};
const POINTS = ['wan', 'dmz'] as const;
const DIRECTIONS = ['client', 'server'] as const;
const WORDS: Readonly<Record<Point, string>> = { wan: 'Outside', dmz: 'Inside' };
const BY: Readonly<Record<MatchedBy, string>> = {
  numbers: 'the client’s first sequence number and time stamp',
  timestamps: 'the client’s first time stamp and its options',
  address: 'the client’s address and port',
  time: 'the client’s address and the time',
  words: 'the client’s first words',
};
