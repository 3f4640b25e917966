// What a dry run found, for a person and as one JSON object.

import { createColors } from 'picocolors';
import { modeOf } from '../../../inspect/policy/state';
import type { RuleName, Rules } from '../../../inspect/policy/rules';
import { formatEndpoint } from '../../system/address';
import { formatTime } from '../../system/clock';
import { clip, plural, printable } from '../../sinks/wording';
import type { Effect, Row, Tally } from './tally';

/** What was read, one sentence each; and the same as JSON. */
export interface Reading {
  readonly lines: readonly string[];
  readonly json: Readonly<Record<string, number>>;
  /** There was nothing to judge. */
  readonly empty: boolean;
  /** What of the rules can be judged by it. */
  readonly rules: readonly RuleName[];
}

interface Report {
  readonly reading: Reading;
  readonly tally: Tally;
  /** As configured, for clients that no list names. */
  readonly rules: Rules;
  /** Every rule as if it were enforced. */
  readonly all: boolean;
}

export function toText({ reading, tally, rules, all }: Report, color: boolean): string {
  const { bold } = createColors(color);
  const sections = EFFECTS.flatMap((effect) => {
    const rows = tally.rows.filter((row) => row.effect === effect);
    return rows.length === 0 ? [] : ['', bold(TITLES[effect]), ...ruleLines(rows, tally)];
  });
  const [first = '', ...rest] = reading.lines;
  const lines = [
    `Read    ${first}`,
    ...rest.map((line) => `        ${line}`),
    `Rules   ${all ? 'all, as if enforced; exemptions hold' : modesOf(rules, reading.rules)}`,
    ...sections,
    ...(sections.length === 0 ? ['', reading.empty ? EMPTY : NOTHING] : []),
  ];
  return `${lines.join('\n')}\n`;
}

/** `smuggling normalize, starttls enforce, …`; those that are off are left out, and those that this cannot show. */
function modesOf(rules: Rules, judged: readonly RuleName[]): string {
  const modes = judged.map((rule) => [rule, modeOf(rules, rule)] as const);
  const shown = modes.filter(([, mode]) => mode !== 'off').map((pair) => pair.join(' '));
  return shown.length === 0 ? 'none: all are off' : shown.join(', ');
}

function ruleLines(rows: readonly Row[], tally: Tally): string[] {
  const rules = [...new Set(rows.map(({ rule }) => rule))];
  return rules.flatMap((rule) => {
    const of = sorted(rows.filter((row) => row.rule === rule));
    const total = of.reduce((sum, { connections }) => sum + connections, 0);
    const more = of.length - SHOWN;
    return [
      `  ${printable(rule)}: ${plural(total, 'connection')} of ${plural(of.length, 'network')}`,
      ...of.slice(0, SHOWN).flatMap((row) => networkLines(row, tally)),
      ...(more > 0 ? [`    … ${plural(more, 'network')} more: --json`] : []),
    ];
  });
}

function networkLines({ network, connections, times, example }: Row, tally: Tally): string[] {
  const { connections: all, messages, tls } = tally.mailOf(network);
  const hidden = tls === 0 ? '' : `, and ${plural(tls, 'connection')} in TLS, whose messages are not counted`;
  return [
    `    ${printable(network).padEnd(20)} ${plural(connections, 'connection')} of ${all}, ${plural(times, 'time')}; this network sent ${plural(messages, 'message')}${hidden}`,
    `      first: ${printable(formatEndpoint(example.client))} at ${timeText(example.at)}: ${clip(example.what)}`,
  ];
}

function sorted(rows: readonly Row[]): Row[] {
  return [...rows].sort((a, b) => b.connections - a.connections || (a.network < b.network ? -1 : 1));
}

export function toObject({ reading, tally, rules, all }: Report): Record<string, unknown> {
  const modes = Object.fromEntries(
    reading.rules.map((rule) => [rule, all ? 'enforce' : modeOf(rules, rule)]),
  );
  return {
    read: reading.json,
    rules: modes,
    found: EFFECTS.flatMap((effect) =>
      sorted(tally.rows.filter((row) => row.effect === effect)).map(
        ({ rule, network, connections, times, example }) => ({
          ...{ rule, effect, network, connections, times, of: tally.mailOf(network) },
          example: {
            'client.address': example.client.address,
            'client.port': example.client.port,
            time: timeText(example.at),
            detail: example.what,
          },
        }),
      ),
    ),
  };
}

/** A log may say anything of its times. */
function timeText(at: number): string {
  return Number.isFinite(at) ? formatTime(at) : 'an unknown time';
}

const EFFECTS: readonly Effect[] = ['was-refused', 'refused', 'changed', 'reported'];
const TITLES: Readonly<Record<Effect, string>> = {
  'was-refused': 'Was refused, as the log says',
  refused: 'Would be refused',
  changed: 'Would be changed, and passed on',
  reported: 'Would only be reported (observe); enforce would refuse it',
};
const NOTHING = 'Nothing that was read would be refused, changed or reported by these rules.';
const EMPTY = 'There was nothing to judge.';
const SHOWN = 10;
