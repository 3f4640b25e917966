// One flagged connection as one Markdown page: for a ticket to the vendor of what stands on the path.

import type { Micros, VerdictEvent } from '../../../inspect/events';
import { FLAG } from '../../../inspect/tcp/segment';
import { flagNames } from '../../../inspect/tcp/view';
import { formatTime } from '../../system/clock';
import { formatDuration } from '../../sinks/wording';
import {
  aboutLines,
  commandOf,
  elapsed,
  evidenceTable,
  filtersOf,
  type Peers,
  proofHead,
  readings,
  recheckLines,
  ROWS,
  titlesOf,
} from './page-parts';
import { findFrame, type RecordedFrame } from './recording';
import { withoutNames } from './cut';

interface PageFacts extends Peers {
  /** The pcapng beside the page: its name, its frames in order, what was left out. */
  readonly file: string;
  readonly frames: readonly RecordedFrame[];
  readonly omitted: number;
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
  const { client, server, verdicts, started, version } = facts;
  return [
    `# SMTP from ${client.address} to ${server.address}: ${titlesOf(verdicts)}`,
    '',
    ...whatHappened(facts),
    ...verdicts.flatMap((verdict, i) => proof(facts, verdict, i + 1)),
    '## How to check it',
    '',
    `Open \`${facts.file}\` in Wireshark; comments stand at the frames that matter.`,
    '',
    '```',
    ...filtersOf(facts),
    '```',
    '',
    'Or read it again with ehlowire:',
    '',
    '```',
    commandOf(facts.file, [server.port]),
    '```',
    '',
    ...recheckLines(verdicts),
    ...readings(verdicts),
    ...timings(facts),
    ...segments(facts),
    ...aboutLines(version, `the segments of one connection that began at ${formatTime(started)} (UTC)`),
  ].join('\n');
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

function proof({ frames, started }: PageFacts, verdict: VerdictEvent, number: number): readonly string[] {
  const rows = verdict.evidence.map((evidence) => {
    const frame = findFrame(frames, evidence);
    const which = frame ? `${frames.indexOf(frame) + 1}` : '(not kept)';
    return { evidence, before: [which], since: evidence.at - started };
  });
  return [...proofHead(verdict, number, (at) => at - started), ...evidenceTable([['frame', '---:']], rows)];
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
