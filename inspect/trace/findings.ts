// All judges of a trace, what was not seen, and the one sentence at the end.

import { judgeAltered, judgeTranslated } from './altered';
import { judgeEaten } from './eaten';
import { judgeHeld } from './held';
import { comparedTests, hopsOf, lastAnswering, type Hop, type Tried } from './hops';
import { judgeReset, judgeTerminated } from './terminated';
import type { Test, Trace, TraceVerdict } from './sent';
import { many } from '../verdict/words';
import { listText, TEST_TEXTS } from './texts';

/** Faults first, then what is no fault of the path; in each proved before suspected. */
export function judgeTrace(trace: Trace): readonly TraceVerdict[] {
  const tests = comparedTests(trace);
  const resets = judgeReset(trace);
  const altered = judgeAltered(trace);
  const changed = altered.filter(({ verdict }) => verdict === 'nat');
  const nat = changed.length > 0 ? changed : judgeTranslated(trace);
  const verdicts = [
    // A reset ends what is compared.
    ...(resets.length > 0 ? [] : tests.flatMap(({ test, stage }) => judgeEaten(trace, test, stage))),
    ...withoutCopies(
      trace,
      tests.map(({ test }) => test),
    ),
    ...tests.flatMap(({ test, stage }) => judgeHeld(trace, test, stage)),
    ...resets,
    ...judgeTerminated(trace, nat.length > 0),
    ...altered,
    ...nat.filter((each) => !altered.includes(each)),
  ];
  return verdicts.map((each) => weaken(trace, each)).sort((a, b) => rank(a) - rank(b));
}

/** What rests on answers that are not there is not proved where our own capture lost frames. */
function weaken({ lost }: Trace, found: TraceVerdict): TraceVerdict {
  return lost > 0 && OF_ABSENCE.has(found.verdict) ? { ...found, certainty: 'suspected' } : found;
}

/** No copy of EHLO could be sent: the EHLO itself still shows something. */
function withoutCopies(trace: Trace, tests: readonly Test[]): readonly TraceVerdict[] {
  return tests.includes('ehlo') ? [] : [...judgeEaten(trace, 'ehlo', 0), ...judgeHeld(trace, 'ehlo', 0)];
}

function rank({ certainty, harmless }: TraceVerdict): number {
  return (harmless === true ? 2 : 0) + (certainty === 'proved' ? 0 : 1);
}

/** What was not seen, each a sentence; empty where all hops answered all. */
export function limitsOf(trace: Trace): readonly string[] {
  const hops = hopsOf(trace);
  const before = hops.filter(({ ttl }) => ttl !== trace.distance);
  const silent = before.filter(({ addresses }) => addresses.length === 0);
  const none = before.length > 0 && silent.length === before.length;
  return [
    ...(none ? [NO_ICMP] : about(silent, SILENT)),
    ...(trace.distance === undefined ? [unreached(trace)] : []),
    ...about(before.filter(isLimited), LIMITED),
    ...about(
      hops.filter(({ addresses, ttl }) => addresses.length > 1 && ttl !== trace.distance),
      SEVERAL,
    ),
    ...about(
      hops.filter(({ tunnel }) => tunnel),
      TUNNEL,
    ),
    ...about(before.filter(isShort), SHORT),
    ...tooBig(trace),
    ...(trace.lost > 0
      ? [`This machine's own capture lost ${many(trace.lost, 'frame')}: answers may be missing.`]
      : []),
    ...helloLimits(trace),
    ...trace.untried,
  ];
}

/** For a ticket: what was found, or what all-clear there is. */
export function closingSentence(trace: Trace, verdicts: readonly TraceVerdict[]): string {
  const faults = verdicts.filter(({ harmless }) => harmless !== true);
  if (faults.length > 0) return faults.map(({ message }) => message).join(' ');
  const last = lastAnswering(trace, ({ test }) => test === 'ehlo');
  if (trace.hello.result === 'replied' && last > 0) {
    return `Nothing on the path dropped, held or changed EHLO: hops up to ${last} answered it like the control segment, and the server replied ${trace.hello.code ?? ''}.`;
  }
  if (trace.hello.result === 'replied') {
    return `EHLO reached the server, which replied ${trace.hello.code ?? ''}. No hop on the path could be watched.`;
  }
  return 'The trace found nothing, and it did not see enough for an all-clear.';
}

type Texts = (hops: string, plural: boolean) => string;

function about(hops: readonly Hop[], text: Texts): readonly string[] {
  if (hops.length === 0) return [];
  const several = hops.length > 1;
  return [text(`${several ? 'Hops' : 'Hop'} ${listText(hops.map(({ ttl }) => ttl))}`, several)];
}

/** It answered, and not each time; where another segment is answered each time that is no limit. */
function isLimited({ tried }: Hop): boolean {
  const controls = tried.filter(({ test }) => test === 'control');
  return controls.some((each) => each.answers.length > 0 && each.answers.length < each.sent);
}

/** No whole TCP header is in any of its quotes. */
function isShort({ tried }: Hop): boolean {
  const longest = Math.max(0, ...tried.map(quotedOctets));
  return longest > 0 && longest < WHOLE_HEADERS;
}

/** The longest quote of its answers, from the IP header on. */
export function quotedOctets({ answers }: Tried): number {
  return Math.max(0, ...answers.map((answer) => ('quote' in answer ? answer.quote.length : 0)));
}

function unreached(trace: Trace): string {
  const last = lastAnswering(trace, ({ test }) => test === 'control');
  return (
    `The server answered no control segment, so its distance is not known: ` +
    `copies were sent only as far as hop ${last}, the last that answered.`
  );
}

function tooBig({ answers }: Trace): readonly string[] {
  // Without a size it is this machine's own kernel, which has learned it.
  const answer = answers.find((each) => each.kind === 'too-big' && (each.mtu ?? 0) > 0);
  if (answer?.kind !== 'too-big') return [];
  return [
    `${answer.from} takes packets of ${answer.mtu} octets at the most and says so, as it should (path MTU).`,
  ];
}

function helloLimits({ hello }: Trace): readonly string[] {
  if (hello.result === 'acknowledged') {
    return [
      'EHLO arrived, and no reply came: that is the server, or a proxy that speaks for it, not the path.',
    ];
  }
  if (hello.result === 'replied' && (hello.code ?? 0) >= 500) {
    return [
      `The server refused ${TEST_TEXTS.ehlo} (${hello.code}): it is no ESMTP server, or what it received was no EHLO any more.`,
    ];
  }
  return [];
}

const OF_ABSENCE: ReadonlySet<TraceVerdict['verdict']> = new Set([
  'ehlo-dropped',
  'segment-dropped',
  'black-hole',
]);
const NO_ICMP =
  'No hop answered: ICMP "time exceeded" is filtered near this machine, or towards it. What happens can only be placed between this machine and the server.';
const SILENT: Texts = (hops, several) =>
  `${hops} ${several ? 'do' : 'does'} not answer; what happens there shows at the next hop that does.`;
const LIMITED: Texts = (hops, several) =>
  `${hops} ${several ? 'limit their' : 'limits its'} answers, or packets got lost: not every control segment was answered. More time between them: --pace.`;
const SEVERAL: Texts = (hops, several) =>
  `${hops} answered from several addresses: packets of one connection take several ways there, or ${several ? 'each is a router' : 'it is a router'} that answers from each interface.`;
const TUNNEL: Texts = (hops, several) =>
  `${hops} ${several ? 'are' : 'is'} in an MPLS tunnel: other routers of the tunnel may not show.`;
const SHORT: Texts = (hops, several) =>
  `${hops} ${several ? 'quote' : 'quotes'} only the first octets of what came: changed options and octets do not show there.`;
/** IPv4 and TCP, without options. */
const WHOLE_HEADERS = 40;
