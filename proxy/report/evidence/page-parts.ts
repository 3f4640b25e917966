// What the pages of one point and of two have in common: tables of evidence, what was ruled out, how to check it.

import type { Evidence, Micros, VerdictEvent } from '../../../inspect/events';
import { causeOf } from '../../../inspect/verdict/causes';
import { PLACES } from '../../../inspect/verdict/judge';
import { happenedAt } from '../../../inspect/verdict/standing';
import { SMTP_PORTS } from '../../system/address';
import { formatDuration } from '../../sinks/wording';
import { withoutNames } from './cut';

export interface Peers {
  readonly client: { readonly address: string; readonly port: number };
  readonly server: { readonly address: string; readonly port: number };
}

/** Rows of a table that is no capture. */
export const ROWS = 60;

/** `ehlo-dropped (proved), early-talker (suspected)`. */
export function titlesOf(verdicts: readonly VerdictEvent[]): string {
  return [...new Set(verdicts.map(({ verdict, certainty }) => `${verdict} (${certainty})`))].join(', ');
}

/** The head of a verdict's proof: how sure, by what, where and when. `sinceStart`: from the first segment to a time. */
export function proofHead(
  verdict: VerdictEvent,
  number: number,
  sinceStart: (at: Micros) => Micros,
): readonly string[] {
  const { certainty, proof, where, missingBytes, came, held, at } = verdict;
  const since = happenedAt(verdict);
  const reported = since < at ? `, and known ${formatDuration(sinceStart(at))} after it` : '';
  const facts = [
    `Certainty: **${certainty}**, by ${proof}. It happened ${PLACES[where]}, ` +
      `${formatDuration(sinceStart(since))} after the first segment${reported}.`,
    ...(missingBytes === undefined
      ? []
      : [`Octets ${came === 'late' ? 'that came late' : 'sent and not arrived'}: **${missingBytes}**.`]),
    ...(held === undefined ? [] : [`Late by: **${formatDuration(held)}**.`]),
  ];
  return [`## Proof ${number}: ${verdict.verdict}`, '', facts.join(' '), ''];
}

/** `before`: cells in front of the others; each with its head and how it is aligned. */
export function evidenceTable(
  before: readonly (readonly [head: string, rule: string])[],
  rows: readonly {
    readonly evidence: Evidence;
    readonly before: readonly string[];
    readonly since: Micros;
  }[],
): readonly string[] {
  const heads = before.map(([head]) => ` ${head} |`).join('');
  const rules = before.map(([, rule]) => `${rule}|`).join('');
  return [
    `|${heads} after start | from | flags | seq | ack | octets | TTL | TSval | what it shows |`,
    `|${rules}---:|---|---|---:|---:|---:|---:|---:|---|`,
    ...rows.map(({ evidence, before: cells, since }) => {
      const { from, flags, seq, ack, length, ttl, tsval, note } = evidence;
      const facts = [elapsed(since), from, flags, seq, ack ?? '', length, ttl, tsval ?? '', cell(note)];
      return `| ${[...cells, ...facts].join(' | ')} |`;
    }),
    '',
  ];
}

/** Display filters: the frames with a comment, and all frames of the connection. */
export function filtersOf({ client: { address, port } }: Pick<Peers, 'client'>): readonly string[] {
  const field = address.includes(':') ? 'ipv6.addr' : 'ip.addr';
  return ['frame.comment', `${field} == ${address} && tcp.port == ${port}`];
}

/** The command that reads evidence again. */
export function commandOf(
  what: string,
  ports: readonly number[],
  { together = false }: { readonly together?: boolean } = {},
): string {
  const unusual = [...new Set(ports)].filter((port) => !SMTP_PORTS.includes(port));
  return `ehlowire analyze ${what}${unusual.length > 0 ? ` --port ${unusual.join(',')}` : ''}${together ? ' --together' : ''}`;
}

/** What to look at, for each cause once, and how the numbers are counted. */
export function recheckLines(verdicts: readonly VerdictEvent[]): readonly string[] {
  return [
    ...[...new Set(verdicts.map((verdict) => causeOf(verdict).recheck))].map((text) => `- ${text}`),
    '- Numbers here count from each side’s first octet, 0. Wireshark’s relative numbers are higher by one, as they count the SYN.',
    '',
  ];
}

/** What else might explain it: ruled out, or left open. */
export function readings(verdicts: readonly VerdictEvent[]): readonly string[] {
  const proved = verdicts.filter(({ certainty }) => certainty === 'proved');
  const closed = [...new Set(proved.flatMap((verdict) => causeOf(verdict).ruledOut))];
  const open = verdicts.flatMap((verdict) => {
    if (verdict.certainty === 'proved') return [];
    return [
      `${verdict.verdict} is only suspected. What else may explain it:`,
      '',
      ...causeOf(verdict).open.map((reading) => `- ${reading}`),
      '',
    ];
  });
  return [
    ...(closed.length > 0 ? ['## What was ruled out', '', ...closed.map((line) => `- ${line}`), ''] : []),
    ...(open.length > 0 ? ['## What is left open', '', ...open] : []),
  ];
}

/** `made`: what it was made of. */
export function aboutLines(version: string, made: string): readonly string[] {
  return [
    '## About this page',
    '',
    `Made by ehlowire ${version} from ${made}.`,
    'Message bodies, credentials and TLS were cut from the capture: frames end early there, and their length on the',
    'wire is kept. Envelope addresses may still be in its dialogue; they are not on this page.',
    '',
  ];
}

export function elapsed(micros: Micros): string {
  return `${(micros / 1e6).toFixed(6)} s`;
}

/** A note in a table's cell. */
function cell(text: string): string {
  return withoutNames(text).replace(/\|/g, '\\|');
}
