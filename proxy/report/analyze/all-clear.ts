// Without a verdict: the all-clear where all was seen and went well, else what to capture, and where, to know.

import type { TrackerCounts } from '../../../inspect/tracker/tracker';
import { plural } from '../../sinks/wording';
import { refusalText, type Outcome } from './outcome';
import type { CaptureFacts } from './pass';
import type { Summary } from './summary';

/** Lines; the last one concludes. */
export function allClear(summary: Summary, facts: CaptureFacts): readonly string[] {
  const { counts } = facts;
  const { clear, sessions } = summary;
  const unknowns = unknownsOf(summary, facts);
  const aside = [...refused(summary), ...harmless(summary, counts.unreported)];
  if (unknowns.length > 0) {
    const judged =
      clear === 0
        ? 'No all-clear: what is here does not tell what the path did.'
        : `No all-clear: ${count(clear)} of ${plural(sessions, 'session')} went well, and of the others what is here does not tell what the path did.`;
    return [...aside, judged, ...unknowns.map((text) => `- ${text}`)];
  }
  if (clear === 0) return aside;
  const which =
    clear === sessions ? plural(clear, 'session') : `${count(clear)} of ${plural(sessions, 'session')}`;
  return [...aside, `In ${which} nothing shows that the path dropped, held, altered or ended anything.`];
}

/** What is not known, and where to capture to know it. */
export function unknownsOf(summary: Summary, { counts, lost, counted }: CaptureFacts): readonly string[] {
  const { unsure } = summary.observed;
  const unknowns = [...unseen(summary, counts, lost), ...unclear(summary)];
  // Of sessions that went well every octet is there, whatever else the capture lost.
  const open = unknowns.length > 0 || unsure.count > 0;
  return open && !counted && lost === 0 ? [...unknowns, UNCOUNTED] : unknowns;
}

/** What a better capture would show. */
function unseen({ observed }: Summary, { cut, cutAt }: TrackerCounts, lost: number): string[] {
  const { only, missed, blind } = observed;
  const one = only.client + only.server;
  return [
    ...row(
      lost,
      `the capture missed ${plural(lost, 'frame')}: capture again with a larger buffer (tcpdump -B 65536) and a filter (port 25)`,
    ),
    ...row(
      observed.cut.count,
      `${plural(cut, 'frame')} cut at ${cutAt} octets: capture whole frames (tcpdump -s 0)`,
    ),
    ...row(
      one,
      `${plural(one, 'session')} in one direction only: give the file of the other direction too (analyze ONE OTHER), or capture where both pass`,
    ),
    ...row(
      lost === 0 ? missed.count : 0,
      `${plural(missed.count, 'octet')} passed and are not in it: the capture lost frames and does not say so; capture again with a larger buffer (tcpdump -B 65536)`,
    ),
    ...row(lost === 0 ? blind : 0, `of ${plural(blind, 'session')} frames may be missing`),
  ];
}

/** What a capture at another place would show. */
function unclear({ outcomes }: Summary): string[] {
  return UNCLEAR.flatMap(([outcome, next]) => {
    const many = outcomes.get(outcome) ?? 0;
    return row(many, `${plural(many, 'session')} ${next}`);
  });
}

function refused({ outcomes, refusals }: Summary): string[] {
  const many = outcomes.get('refused') ?? 0;
  return row(
    many,
    `${plural(many, 'session')} refused by the server itself, ${refusalText(refusals)}: its log says why.`,
  );
}

function harmless({ outcomes }: Summary, unreported: number): string[] {
  const scans = (outcomes.get('half-open') ?? 0) + unreported;
  const open = outcomes.get('open') ?? 0;
  const begun = outcomes.get('partial') ?? 0;
  return [
    ...row(
      scans,
      `${plural(scans, 'connection')} half-open: the client asked and did not go on, as scans do; that says nothing of the path.`,
    ),
    ...row(
      open,
      `${plural(open, 'session')} still open when the capture ended: capture until ${open === 1 ? 'it is' : 'they are'} over to know.`,
    ),
    ...row(
      begun,
      `${plural(begun, 'session')} seen in part: of what is not in the capture nothing can be said.`,
    ),
  ];
}

function row(many: number, text: string): string[] {
  return many === 0 ? [] : [text];
}

function count(many: number): string {
  return many.toLocaleString('en');
}

const UNCOUNTED =
  'the capture does not say whether it lost frames, and of one that does more can be reported: add --no-drops if tcpdump ended with "0 packets dropped by kernel", or capture with dumpcap (pcapng) or with analyze --live IF, which count';

/** The likeliest to be the path's doing first. */
const UNCLEAR: readonly (readonly [outcome: Outcome, next: string])[] = [
  [
    'silent',
    'greeted, and then nothing came from the client. A client that says nothing and a path that drops its EHLO look the same from here: capture on the other side of what stands between, towards the clients, at the same time (analyze --wan OUTSIDE --dmz THIS), or ask them in line (analyze --live IF --probe)',
  ],
  [
    'ungreeted',
    'connected, and no whole greeting came: capture at the server at the same time; if it greets there, the path to here drops it',
  ],
  [
    'stalled',
    'in which the client spoke and was not answered any more: capture at the server at the same time; if the words come there, ask the server, and if not, the path drops them',
  ],
  [
    'unanswered',
    'whose SYN was never answered: capture at the server; if the SYN comes there, the answer is lost on its way back, and if not, the path drops it',
  ],
  [
    'rejected',
    'refused by a reset: nothing listens there, or a firewall answers in its name; capture at the server: if the RST does not leave there, it is not the server that refuses',
  ],
  [
    'reset',
    'reset in the midst of the dialogue: capture on the other side of what stands between and see whether the RST comes from the peer',
  ],
  ['broken', "closed without QUIT: the client's and the server's logs say who gave up, and why"],
];
