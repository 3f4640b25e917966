// One connection side by side: what passed outside, what passed inside, and what became of each segment between.

import { createColors } from 'picocolors';
import type { Micros } from '../../../inspect/events';
import { FLAG } from '../../../inspect/tcp/segment';
import { flagNames } from '../../../inspect/tcp/view';
import type { PairJudgement } from '../../../inspect/two-point/judge';
import { isCovered, type Points } from '../../../inspect/two-point/evidence';
import type { Fate } from '../../../inspect/two-point/fate';
import type { Item } from '../../../inspect/two-point/twins';
import { verdictText } from '../analyze/ladder';
import { formatTime } from '../../system/clock';
import { formatDuration, printable } from '../../sinks/wording';

export function ladderText(judgement: PairJudgement, points: Points, color: boolean): string {
  const { pair, aligned, verdicts, terminated, signs } = judgement;
  const { wan, dmz } = pair;
  const colors = createColors(color);
  const outside = peers(wan);
  const inside = peers(dmz);
  const shown = terminated ? [] : aligned.fates.slice(0, ROWS);
  return [
    colors.bold(`${formatTime(wan.started).replace('T', ' ')}  outside ${outside}`),
    colors.bold(`${' '.repeat(29)}inside  ${inside}`) + colors.dim(`  (the same by its ${pair.by})`),
    ...(terminated
      ? signs.map(({ note }) => `  ${note}`)
      : [colors.dim(`${' '.repeat(14)}${'outside'.padEnd(CELL)}${' '.repeat(9)}inside`)]),
    ...shown.map((fate) => rowText(fate, wan.started, points, colors)),
    ...(aligned.fates.length > shown.length && !terminated
      ? [colors.dim(`  … ${aligned.fates.length - shown.length} segments more`)]
      : []),
    ...verdicts.map((verdict) => verdictText(verdict, colors)),
    '',
    '',
  ].join('\n');
}

type Colors = ReturnType<typeof createColors>;

function peers({ client, server }: PairJudgement['pair']['wan']): string {
  return printable(`${client.address} port ${client.port} -> ${server.address} port ${server.port}`);
}

function rowText(fate: Fate, started: Micros, points: Points, colors: Colors): string {
  const items = itemsOf(fate);
  const at = Math.min(...items.map((item) => item.at));
  const [outside, inside] = (['wan', 'dmz'] as const).map((point) =>
    items.find((item) => item.point === point),
  );
  const from = items[0]?.passage.from ?? 'client';
  const odd = fate.kind !== 'passed' && fate.kind !== 'recut';
  const arrow = arrowOf(fate, from);
  const text = [
    odd ? '>' : ' ',
    formatDuration(at - started).padStart(11),
    cell(outside, fate, 'wan'),
    arrow,
    cell(inside, fate, 'dmz'),
    fateText(fate, points),
  ]
    .join(' ')
    .trimEnd();
  return odd ? colors.yellow(text) : text;
}

/** The segment as it was sent, and as it came, as far as it was seen. */
export function itemsOf(fate: Fate): readonly Item[] {
  if (!('sent' in fate)) return [fate.came];
  return 'came' in fate ? [fate.sent, fate.came] : [fate.sent];
}

function arrowOf(fate: Fate, from: 'client' | 'server'): string {
  const stopped = ['dropped', 'missed', 'absent'].includes(fate.kind);
  if (from === 'client') return stopped ? '--X    ' : fate.kind === 'appeared' ? '    -->' : '------>';
  return stopped ? '    X--' : fate.kind === 'appeared' ? '<--    ' : '<------';
}

function cell(item: Item | undefined, fate: Fate, point: Item['point']): string {
  const other = fate.kind === 'recut' && fate.sent.point !== point;
  const text = item ? segmentText(item) : other ? '(in other pieces)' : '';
  return text.padEnd(CELL);
}

/** `PSH ACK 0 +9`: flags, and which octets of the stream. */
export function segmentText({ passage, start }: Pick<Item, 'passage' | 'start'>): string {
  const { flags, length } = passage;
  const place = flags & (FLAG.syn | FLAG.rst) ? '' : `${start}${length > 0 ? ` +${length}` : ''}`;
  return `${flagNames(flags)} ${place}`.trim();
}

/** What became of a segment between the points; empty where it passed. */
export function fateText(fate: Fate, points: Points): string {
  switch (fate.kind) {
    case 'dropped': {
      const other = fate.sent.point === 'wan' ? 'dmz' : 'wan';
      // Behind the other capture's last frame it is not known whether it still ran.
      if (isCovered(other, fate.sent, points, 0)) return 'dropped between the points';
      return 'not in the other capture, which may have ended';
    }
    case 'missed':
      return 'the other capture missed it: its receiver has it';
    case 'absent':
      return 'not in the other capture';
    case 'changed':
      return 'came changed';
    case 'appeared':
      return "not seen at its sender's point";
    case 'recut':
      return '';
    case 'passed': {
      const late = fate.delay - points.usual[fate.sent.passage.from];
      return late >= LATE ? `${formatDuration(fate.delay)} under way` : '';
    }
  }
}

const CELL = 22;
const ROWS = 80;
/** A delay worth a word in a ladder. */
const LATE: Micros = 100_000;
