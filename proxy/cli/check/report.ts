// The report of `ehlowire check`: for a person, and as one JSON object.

import { createColors } from 'picocolors';
import { splitLines } from '../../../inspect/grammar/lines';
import { escapeText } from '../../../inspect/text';
import { clip, formatDuration } from '../../sinks/wording';
import { ADVICE } from './advice';
import { certaintyOf, type Finding } from './finding';
import type { Interview } from './interview';

type Colors = ReturnType<typeof createColors>;

/** Field names as in the event log. */
export function toObject(target: string, interview: Interview, finding: Finding): Record<string, unknown> {
  const { server, judgement, hello } = interview;
  return {
    target,
    'server.address': server.address,
    'server.port': server.port,
    greeting: finding.greeting,
    certainty: certaintyOf(finding) ?? null,
    because: finding.because,
    refused: finding.refused,
    code: judgement.code ?? null,
    octets: escapeText(interview.greeting, SHOWN),
    defects: finding.defects.map(({ defect, certainty }) => ({ defect, certainty, ...ADVICE[defect] })),
    'hello.verb': interview.verb,
    'hello.code': hello?.code ?? null,
    extensions: extensionsOf(interview),
    starttls: isRefused(interview) ? null : offersTls(interview),
    phases: interview.phases.map(({ phase, sinceConnect, duration, reply }) => [
      phase,
      Math.round(sinceConnect) / 1000,
      Math.round(duration) / 1000,
      reply?.code ?? null,
    ]),
  };
}

/** Some dozen lines, the judgement first. */
export function toText(
  target: string,
  interview: Interview,
  finding: Finding,
  { color, patienceMs }: { readonly color: boolean; readonly patienceMs: number },
): string {
  const colors = createColors(color);
  const { address, port } = interview.server;
  const { bold, dim } = colors;
  const lines = [
    `${bold(target)}${target.startsWith(address) ? '' : dim(`  ${address} port ${port}`)}`,
    '',
    row('Greeting', greetingLines(interview)),
    row('Judgement', [judgementLine(finding, colors), finding.because]),
    ...finding.defects.flatMap(({ defect, certainty }) => {
      const { means, suffers, fix, relay } = ADVICE[defect];
      const until = relay === undefined ? '' : `; until then \`ehlowire relay\` ${relay} it`;
      const title = `${colors.yellow(defect)} ${dim(certainty)}`;
      return [
        '',
        row('Defect', [
          title,
          means,
          `${dim('who suffers:')} ${suffers}`,
          `${dim('what to do:')} ${fix}${until}`,
        ]),
      ];
    }),
    ...(finding.refused
      ? ['', row('Refused', [ADVICE.refusal.means, `${dim('what to do:')} ${ADVICE.refusal.fix}`])]
      : []),
    '',
    row('EHLO', helloLines(target, interview, patienceMs)),
    row('STARTTLS', [tlsLine(interview, colors)]),
    row('Times', [
      interview.phases.map(({ phase, duration }) => `${phase} ${formatDuration(duration)}`).join(dim(', ')),
    ]),
    ...nextLines(target, finding, colors),
  ];
  return `${lines.join('\n')}\n`;
}

function row(name: string, texts: readonly string[]): string {
  return texts.map((text, index) => `  ${(index === 0 ? name : '').padEnd(11)}${text}`).join('\n');
}

function greetingLines({ greeting }: Interview): string[] {
  const lines = splitLines(greeting);
  const shown = lines
    .slice(0, LINES)
    .map(({ bytes, terminator }) => `${escapeText(bytes, LINE)}${ENDS[terminator]}`);
  return lines.length > LINES ? [...shown, `… ${lines.length - LINES} lines more`] : shown;
}

function judgementLine(finding: Finding, { bold, green, red, yellow, cyan }: Colors): string {
  const certainty = certaintyOf(finding);
  if (finding.refused) return bold(red('refused'));
  if (certainty !== undefined) {
    const paint = certainty === 'proved' ? red : yellow;
    return `${bold(paint(finding.greeting))}, ${certainty}`;
  }
  return finding.greeting === 'teaser' ? bold(cyan('teaser, an honest one')) : bold(green('well formed'));
}

function helloLines(target: string, interview: Interview, patienceMs: number): string[] {
  const { hello, verb, closedEarly } = interview;
  if (hello === undefined) {
    if (interview.judgement.defects.includes('refusal')) return ['not said'];
    if (closedEarly) return ['no answer, the server closed'];
    return [
      `no answer within ${patienceMs / 1000} s`,
      'the server hangs, or something between swallowed it, as a firewall with SMTP inspection does:',
      `\`ehlowire trace ${target}\` says between which two hops; or run this check from inside of the firewall`,
    ];
  }
  const code = `${hello.code} ${clip(hello.texts[0] ?? '')}`;
  const extensions = extensionsOf(interview);
  const masked = extensions.filter((keyword) => /^X{3,}/.test(keyword));
  const answer = verb === 'EHLO' ? code : `refused; HELO: ${code}`;
  if (isRefused(interview)) {
    return [answer, 'perhaps for the name that was said: try the full name of a mail server, --name NAME'];
  }
  return [
    answer,
    extensions.length === 0 ? 'no extensions' : extensions.map((text) => clip(text)).join(', '),
    ...(masked.length === 0
      ? []
      : [`${masked.join(', ')}: a middlebox masked it, as Cisco's \`inspect esmtp\` does`]),
  ];
}

function tlsLine(interview: Interview, { green, yellow }: Colors): string {
  if (interview.hello === undefined || isRefused(interview)) return 'unknown';
  if (interview.verb === 'HELO') return 'not offered: that takes EHLO, which it refused';
  return offersTls(interview)
    ? green('offered')
    : yellow('not offered (if the server should, something stripped it)');
}

/** EHLO keywords with their parameters, escaped. */
function extensionsOf({ hello, verb }: Interview): readonly string[] {
  return verb === 'EHLO' && hello !== undefined && hello.code < 300 ? hello.texts.slice(1) : [];
}

/** EHLO, and HELO where that was said: what the server offers is not known. */
function isRefused({ hello }: Interview): boolean {
  return hello !== undefined && hello.code >= 400;
}

function offersTls(interview: Interview): boolean {
  return extensionsOf(interview).some((text) => /^STARTTLS\b/i.test(text));
}

function nextLines(target: string, { defects }: Finding, { dim, bold }: Colors): string[] {
  if (defects.every(({ defect }) => ADVICE[defect].relay === undefined)) return [];
  return ['', `  ${dim('Next:')} ${bold(`ehlowire relay --listen :2525 --upstream ${target}`)}`];
}

const ENDS = { crlf: '\\r\\n', lf: '\\n', cr: '\\r', none: '' } as const;

const LINES = 8;
const LINE = 200;
const SHOWN = 4_096;
