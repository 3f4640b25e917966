// One flagged connection as one Markdown page: for a ticket to the vendor of what stands on the path.

import type { Evidence, Micros, VerdictEvent } from '../../inspect/events';
import { FLAG } from '../../inspect/tcp/segment';
import { flagNames } from '../../inspect/tcp/view';
import { causeOf, PLACES } from '../../inspect/verdict/causes';
import { happenedAt } from '../../inspect/verdict/standing';
import { formatTime } from '../clock';
import { formatDuration } from '../sinks/wording';
import { findFrame, type RecordedFrame } from './recording';
import { withoutNames } from './wording';

export interface PageFacts {
  /** The pcapng beside the page: its name, its frames in order, what was left out. */
  readonly file: string;
  readonly frames: readonly RecordedFrame[];
  readonly omitted: number;
  readonly client: { readonly address: string; readonly port: number };
  readonly server: { readonly address: string; readonly port: number };
  readonly started: Micros;
  readonly rtt: Micros | undefined;
  readonly verdicts: readonly VerdictEvent[];
  /** Phases with their time: names and durations, nothing that was said. */
  readonly phases: readonly (readonly [
    phase: string,
    sinceConnect: Micros,
    duration: Micros,
    code?: number,
  ])[];
  readonly retransmits: { readonly client: number; readonly server: number };
  readonly version: string;
}

export function pageOf(facts: PageFacts): string {
  const { client, server, verdicts, started } = facts;
  return [
    `# SMTP from ${client.address} to ${server.address}: ${titles(verdicts)}`,
    '',
    ...whatHappened(facts),
    ...verdicts.flatMap((verdict, i) => proof(facts, verdict, i + 1)),
    '## How to check it',
    '',
    `Open \`${facts.file}\` in Wireshark; comments stand at the frames that matter.`,
    '',
    '```',
    'frame.comment',
    `ip.addr == ${client.address} && tcp.port == ${client.port}`.replace(
      'ip.addr',
      client.address.includes(':') ? 'ipv6.addr' : 'ip.addr',
    ),
    '```',
    '',
    ...[...new Set(verdicts.map((verdict) => causeOf(verdict).recheck))].flatMap((text) => [`- ${text}`]),
    '- Numbers here count from each side’s first octet, 0. Wireshark’s relative numbers are higher by one, as they count the SYN.',
    '',
    ...ruledOut(verdicts),
    ...timings(facts),
    ...segments(facts),
    '## About this page',
    '',
    `Made by ehlowire ${facts.version} from the segments of one connection that began at ${formatTime(started)} (UTC).`,
    'Message bodies, credentials and TLS were cut from the capture: frames end early there, and their length on the',
    'wire is kept. Envelope addresses may still be in its dialogue; they are not on this page.',
    '',
  ].join('\n');
}

function titles(verdicts: readonly VerdictEvent[]): string {
  return [...new Set(verdicts.map(({ verdict, certainty }) => `${verdict} (${certainty})`))].join(', ');
}

function whatHappened({ client, server, started, verdicts, rtt }: PageFacts): string[] {
  return [
    '## What happened',
    '',
    `- Client ${client.address}, port ${client.port}; server ${server.address}, port ${server.port}.`,
    `- First segment at ${formatTime(started)} (UTC).${rtt === undefined ? '' : ` Round trip of the handshake: ${formatDuration(rtt)}.`}`,
    ...verdicts.map(({ summary }) => `- ${withoutNames(summary)}`),
    '',
  ];
}

function proof({ frames, started }: PageFacts, verdict: VerdictEvent, number: number): string[] {
  const { verdict: name, evidence } = verdict;
  return [
    `## Proof ${number}: ${name}`,
    '',
    factsOf(verdict, started).join(' '),
    '',
    '| frame | after start | from | flags | seq | ack | octets | TTL | TSval | what it shows |',
    '|---:|---:|---|---|---:|---:|---:|---:|---:|---|',
    ...evidence.map((each) => evidenceRow(frames, each, started)),
    '',
  ];
}

function factsOf(verdict: VerdictEvent, started: Micros): string[] {
  const { certainty, proof: kind, where, missingBytes, came, held, at } = verdict;
  const since = happenedAt(verdict);
  const told = since < at ? `, and known ${formatDuration(at - started)} after it` : '';
  const ended = came === 'late' ? 'that came late' : 'sent and not arrived';
  return [
    `Certainty: **${certainty}**, by ${kind}. It happened ${PLACES[where]}, ` +
      `${formatDuration(since - started)} after the first segment${told}.`,
    ...(missingBytes === undefined ? [] : [`Octets ${ended}: **${missingBytes}**.`]),
    ...(held === undefined ? [] : [`Late by: **${formatDuration(held)}**.`]),
  ];
}

function evidenceRow(frames: readonly RecordedFrame[], evidence: Evidence, started: Micros): string {
  const { at, from, flags, seq, ack, length, ttl, tsval, note } = evidence;
  const frame = findFrame(frames, evidence);
  const number = frame ? frames.indexOf(frame) + 1 : '(not kept)';
  const cells = [
    number,
    elapsed(at - started),
    from,
    flags,
    seq,
    ack ?? '',
    length,
    ttl,
    tsval ?? '',
    cell(note),
  ];
  return `| ${cells.join(' | ')} |`;
}

function ruledOut(verdicts: readonly VerdictEvent[]): string[] {
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

function timings({ phases, retransmits }: PageFacts): string[] {
  if (phases.length === 0) return [];
  return [
    '## Times',
    '',
    '| phase | after start | lasted | reply |',
    '|---|---:|---:|---:|',
    ...phases
      .slice(0, ROWS)
      .map(
        ([phase, since, took, code]) =>
          `| ${phase} | ${elapsed(since)} | ${formatDuration(took)} | ${code ?? '-'} |`,
      ),
    '',
    `Segments sent again: ${retransmits.client} by the client, ${retransmits.server} by the server.`,
    '',
  ];
}

/** The frames around the evidence: a page, not a capture. */
function segments({ frames, omitted, started }: PageFacts): string[] {
  const rows = frames.slice(0, ROWS).map((frame, i) => {
    const { at, from, segment, payloadLength, start, comments } = frame;
    const { flags } = segment;
    const mark = comments.length > 0 ? '**←**' : '';
    const seq = flags & FLAG.syn ? -1 : start;
    return `| ${i + 1} | ${elapsed(at - started)} | ${from} | ${flagNames(flags)} | ${seq} | ${payloadLength} | ${segment.ttl} | ${segment.window} | ${mark} |`;
  });
  const rest = frames.length - rows.length;
  return [
    '## Segments',
    '',
    '| frame | after start | from | flags | seq | octets | TTL | window | evidence |',
    '|---:|---:|---|---|---:|---:|---:|---:|---|',
    ...rows,
    '',
    ...(rest > 0 ? [`${rest} more are in the capture.`, ''] : []),
    ...(omitted > 0
      ? [`${omitted} frames in the middle of the connection were left out of the capture.`, '']
      : []),
  ];
}

function elapsed(micros: Micros): string {
  return `${(micros / 1e6).toFixed(6)} s`;
}

/** A note in a table's cell. */
function cell(text: string): string {
  return withoutNames(text).replace(/\|/g, '\\|');
}

const ROWS = 60;
