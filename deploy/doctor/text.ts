// The doctor's report: what each path can do here, then one line for each finding.

import { createColors } from 'picocolors';
import type { Finding } from './probe';

/** The wire path can be used: nothing that it needs is missing. */
export function isFit(findings: readonly Finding[]): boolean {
  return findings.every(({ needed, state }) => !needed || state === 'ok' || state === 'note');
}

export function toObject(findings: readonly Finding[]): Record<string, unknown> {
  return { wire: isFit(findings), relay: true, findings };
}

export function toText(findings: readonly Finding[], color: boolean): string {
  const colors = createColors(color);
  const mark = {
    ok: colors.green('ok'),
    note: colors.cyan('note'),
    unknown: colors.yellow('unknown'),
    missing: colors.red('missing'),
  };
  const lines = findings.flatMap(({ what, state, found, costs, mend, needed }) => [
    `  ${mark[state]}${' '.repeat(9 - state.length)}${what.padEnd(24)}${found}`,
    ...(costs === undefined || state === 'ok'
      ? []
      : [`${INDENT}${needed ? '' : 'not needed, but: '}${costs}`]),
    ...(mend === undefined || state === 'ok' ? [] : [`${INDENT}${colors.bold(mend)}`]),
  ]);
  const wire = isFit(findings)
    ? `${colors.green('yes')}: \`ehlowire bridge\`, \`ehlowire host\``
    : `${colors.red('no')}: see what is missing below`;
  return [
    `Wire path   ${wire}`,
    `Relay path  ${colors.green('yes')}: \`ehlowire relay\` needs none of this`,
    '',
    ...lines,
    '',
  ].join('\n');
}

const INDENT = ' '.repeat(11);
