// The summary of two points: clocks, matches, what the firewall does to all, what it did to some.

import type { ClockOffset } from '../../../inspect/two-point/match';
import type { Survey } from '../../../inspect/two-point/survey';
import { formatTime } from '../../system/clock';
import { formatDuration, plural } from '../../sinks/wording';
import { adviceText } from './advice';
import { closingSentence, foundIn, longIn, openIn, type Found } from './found';
import type { PointFile } from './point';

export function surveyText(survey: Survey, wan: PointFile, dmz: PointFile): string[] {
  const { matched, wanOnly, dmzOnly, judgements } = survey;
  const flagged = judgements.filter(({ verdicts }) => verdicts.length > 0).length;
  const found = foundIn(survey);
  const advice = adviceText(survey, wan, dmz);
  return [
    pointText('outside', wan),
    pointText('inside', dmz),
    `  clocks   ${clockText(survey)}`,
    `  matched  ${plural(matched, 'connection')}${waysText(survey)}; only outside ${wanOnly.length}, only inside ${dmzOnly.length}`,
    ...firewallText(survey),
    `  usually  ${formatDuration(survey.points.usual.client)} inward, ${formatDuration(survey.points.usual.server)} outward (median)`,
    edgeText(survey),
    '',
    ...verdictLines(found),
    ...(advice.length > 0
      ? advice
      : [`${plural(flagged, 'connection')} of ${matched} with a verdict.`, conclusion(found, survey)]),
    '',
  ];
}

/** The closing sentence: what it means for both points together. */
function conclusion(found: Found, survey: Survey): string {
  const { matched, wanOnly, dmzOnly, points } = survey;
  const sentence = closingSentence(found, matched);
  if (sentence !== undefined) return sentence;
  const open = openIn(survey);
  if (open > 0) {
    const doubt = `In ${open} of ${plural(matched, 'session')} segments are at one point only, and nothing shows whether they were dropped between the points or the other capture has them not.`;
    return points.together
      ? doubt
      : `${doubt} Let both captures run until some seconds after the trouble; where both did run all the time, say so: --together.`;
  }
  const { connections, longest } = longIn(survey);
  if (connections > 0)
    return `In ${connections} of ${plural(matched, 'session')} a segment took long from one point to the other, by the clocks of both (the longest ${formatDuration(longest)}): it was held between them, or a clock was set meanwhile. --ladder all shows the segments.`;
  const alone = wanOnly.length + dmzOnly.length;
  const rest = alone === 0 ? '' : `; of ${plural(alone, 'connection')} at one point only nothing is said`;
  return `In ${plural(matched, 'session')} at both points nothing was dropped, held or altered between them${rest}.`;
}

function pointText(name: string, { file, connections, segments, omitted, lost, ran }: PointFile): string {
  const rest = [
    omitted > 0 ? `${omitted} left out: too many` : '',
    lost > 0 ? `${plural(lost, 'frame')} missed by the capturing program` : '',
  ].filter((text) => text !== '');
  const span = `${formatTime(ran.from)} to ${formatTime(ran.to)}`;
  return `  ${name.padEnd(7)}  ${file}: ${plural(connections, 'connection')}, ${plural(segments, 'segment')}, ${span}${rest.map((text) => `; ${text}`).join('')}`;
}

function clockText({ offset }: Survey): string {
  if (!offset) return 'no handshake is at both points: taken as equal';
  const { spread, from, drift, steps, bounded } = offset;
  const runs =
    drift === undefined
      ? ''
      : `, and ${drift > 0 ? 'gains' : 'loses'} ${Math.abs(drift).toFixed(1)} ms in 1,000 s (drift)`;
  const set = steps === 0 ? '' : `; one of the clocks was set ${plural(steps, 'time')} meanwhile`;
  const sure = bounded
    ? ''
    : '; no bound is known: no segment is seen to have passed both points in both directions';
  return `${aheadText(offset)} when the first connection began${runs} (from ${plural(from, 'connection')}, spread ${formatDuration(spread)})${set}${sure}`;
}

/** How the clock inside stands to the one outside. */
export function aheadText({ micros, spread }: Pick<ClockOffset, 'micros' | 'spread'>): string {
  if (Math.abs(micros) <= spread) return 'equal';
  return `inside is ${formatDuration(Math.abs(micros))} ${micros > 0 ? 'ahead' : 'behind'}`;
}

function waysText({ pairs, unchanged }: Survey): string {
  const counts = new Map<string, number>(unchanged.by);
  for (const { by } of pairs) counts.set(by, (counts.get(by) ?? 0) + 1);
  return counts.size === 0 ? '' : ` (${[...counts].map(([by, count]) => `${count} by ${by}`).join(', ')})`;
}

/** What it does to every connection: no trouble, but good to know when numbers are compared by hand. */
function firewallText({ judgements, unchanged: { translated } }: Survey): string[] {
  const has = (test: (each: Survey['judgements'][number]) => boolean): number =>
    judgements.filter(test).length;
  const dnat =
    translated.server +
    has(
      ({ pair: { wan, dmz } }) =>
        wan.server.address !== dmz.server.address || wan.server.port !== dmz.server.port,
    );
  const snat =
    translated.client +
    has(
      ({ pair: { wan, dmz } }) =>
        wan.client.address !== dmz.client.address || wan.client.port !== dmz.client.port,
    );
  const random =
    translated.numbers +
    has(
      ({ aligned: { shift }, terminated }) => !terminated && (Boolean(shift.client) || Boolean(shift.server)),
    );
  const parts = [
    dnat > 0 ? `translates the server's address (${dnat})` : '',
    snat > 0 ? `translates the client's address (${snat})` : '',
    random > 0 ? `changes sequence numbers (${random})` : '',
  ].filter((text) => text !== '');
  return parts.length === 0 ? [] : [`  between  ${parts.join(', ')}`];
}

function edgeText({ points }: Survey): string {
  return points.together
    ? '  edges    both captures ran all the time, as --together says'
    : '  edges    a segment counts as dropped only where the other capture has frames before it and 2 s behind it\n           (--together, where you know that both ran all the time)';
}

function verdictLines(found: Found): string[] {
  if (found.size === 0) return [];
  const rows = [...found].map(
    ([name, { sessions, proved, clients }]) =>
      `  ${name.padEnd(18)} ${plural(sessions, 'connection')}, proved in ${proved}; ${plural(clients.size, 'client')}`,
  );
  return ['Between the two points:', ...rows, ''];
}
