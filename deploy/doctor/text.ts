// The doctor's report: what each path can do here, then one line for each check, what is missing first.

import { createColors } from 'picocolors';
import { isFit, obstacles, type Check } from './checks';

export function toObject(checks: readonly Check[]): Record<string, unknown> {
  return { wire: isFit(checks), relay: true, checks };
}

export function toText(checks: readonly Check[], color: boolean): string {
  const { green, red, cyan, yellow, bold } = createColors(color);
  const mark = { ok: green('ok'), note: cyan('note'), unknown: yellow('unknown'), missing: red('missing') };
  const lines = inOrder(checks).flatMap((check) => [
    `  ${mark[check.state]}${' '.repeat(9 - check.state.length)}${check.what.padEnd(24)}${check.found}`,
    ...(check.state === 'ok' ? [] : [`${INDENT}${costsOf(check)}`, `${INDENT}-> ${bold(check.fix)}`]),
  ]);
  const lacks = obstacles(checks).map(({ what }) => what);
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

function costsOf({ costs, needed, state }: Exclude<Check, { state: 'ok' }>): string {
  return needed || state === 'note' ? costs : `not needed, but: ${costs}`;
}

function inOrder(checks: readonly Check[]): readonly Check[] {
  return [...checks].sort((a, b) => rank(a) - rank(b));
}

function rank({ state, needed }: Check): number {
  return RANK[state] + (needed ? 0 : 2);
}

const RANK = { missing: 0, unknown: 1, note: 4, ok: 8 } as const;
const INDENT = ' '.repeat(11);
