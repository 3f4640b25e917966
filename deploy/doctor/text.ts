// The doctor's report: what each path can do here, then one line for each finding, what is missing first.

import { createColors } from 'picocolors';
import { isFit, obstacles, type Finding } from './findings';

export function toObject(findings: readonly Finding[]): Record<string, unknown> {
  return { wire: isFit(findings), relay: true, findings };
}

export function toText(findings: readonly Finding[], color: boolean): string {
  const { green, red, cyan, yellow, bold } = createColors(color);
  const mark = { ok: green('ok'), note: cyan('note'), unknown: yellow('unknown'), missing: red('missing') };
  const lines = inOrder(findings).flatMap((finding) => [
    `  ${mark[finding.state]}${' '.repeat(9 - finding.state.length)}${finding.what.padEnd(24)}${finding.found}`,
    ...(finding.state === 'ok' ? [] : [`${INDENT}${costsOf(finding)}`, `${INDENT}-> ${bold(finding.fix)}`]),
  ]);
  const lacks = obstacles(findings).map(({ what }) => what);
  const wire =
    lacks.length === 0
      ? `${green('yes')}: \`ehlowire bridge\`, \`ehlowire host\``
      : `${red('no')}: ${lacks.join(', ')}`;
  return [
    `Wire path   ${wire}`,
    `Relay path  ${green('yes')}: \`ehlowire relay --upstream\` needs none of this`,
    '',
    ...lines,
    '',
  ].join('\n');
}

function costsOf({ costs, needed, state }: Exclude<Finding, { state: 'ok' }>): string {
  return needed || state === 'note' ? costs : `not needed, but: ${costs}`;
}

function inOrder(findings: readonly Finding[]): readonly Finding[] {
  return [...findings].sort((a, b) => rank(a) - rank(b));
}

function rank({ state, needed }: Finding): number {
  return RANK[state] + (needed ? 0 : 2);
}

const RANK = { missing: 0, unknown: 1, note: 4, ok: 8 } as const;
const INDENT = ' '.repeat(11);
