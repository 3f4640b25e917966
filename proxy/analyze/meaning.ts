// The last line of an analysis: what it means, in one plain sentence, and what to do next.

import type { VerdictName, Where } from '../../inspect/events';
import type { TrackerCounts } from '../../inspect/tracker';
import { plural } from '../sinks/wording';
import { allClear, doubtsOf } from './all-clear';
import type { Summary, VerdictSummary } from './summary';

export interface MeaningFacts {
  readonly counts: TrackerCounts;
  readonly lost: number;
  readonly ports: readonly number[];
}

/** The gravest thing that was found; without any what can be said of the path. The last line concludes. */
export function meaningOf(summary: Summary, facts: MeaningFacts): readonly string[] {
  const { sessions, verdicts } = summary;
  if (sessions + facts.counts.untold === 0) {
    return [`No SMTP connection on port ${facts.ports.join(', ')} is in it: another capture, or --port?`];
  }
  const gravest = gravestOf(verdicts);
  if (!gravest) return allClear(summary, facts);
  const [name, of] = gravest;
  const doubts = MEANINGS[name].rank === 3 ? doubtsOf(summary, facts) : [];
  return [...doubts.map((text) => `- ${text}`), sentenceOf(name, of, sessions)];
}

/** What a verdict on so many of `sessions` means. */
export function sentenceOf(name: VerdictName, of: VerdictSummary, sessions: number): string {
  const { what, next } = MEANINGS[name];
  const how = of.proved === 0 ? ' (suspected, not proved)' : '';
  const many = `${of.sessions.toLocaleString('en')} of ${plural(sessions, 'session')}`;
  const place = what.replace('WHERE', placeOf(of));
  return `${place} in ${many} (${share(of.sessions, sessions)}), ${origin(of)}${how}: ${reach(name, of)}${next}.`;
}

/** The gravest of them; of two equally grave ones the more frequent. */
export function gravestOf(
  verdicts: ReadonlyMap<VerdictName, VerdictSummary>,
): readonly [VerdictName, VerdictSummary] | undefined {
  return [...verdicts].sort(
    ([a, x], [b, y]) => MEANINGS[a].rank - MEANINGS[b].rank || y.sessions - x.sessions,
  )[0];
}

/** `3.5 %`; never 0 for something that was there. */
export function share(part: number, whole: number): string {
  const percent = whole === 0 ? 0 : (part / whole) * 100;
  if (percent > 0 && percent < 0.1) return '< 0.1 %';
  return `${percent.toFixed(1)} %`;
}

/** Where most of them happened. */
function placeOf({ where }: VerdictSummary): string {
  const [[most] = ['before' as const]] = [...where].sort(([, a], [, b]) => b - a);
  return PLACES[most];
}

const PLACES: Readonly<Record<Where, string>> = {
  before: 'before this point',
  beyond: 'beyond this point',
  here: 'between the two points',
};

/** From how many clients of how many networks: that number decides how far a conclusion goes. */
function origin({ networks, clients }: VerdictSummary): string {
  const of = plural(clients.size, 'client');
  const [only] = networks.keys();
  if (networks.size === 1) return `${of} of one network (${only ?? ''})`;
  return `${of} of ${plural(networks.size, 'network')}`;
}

function reach(name: VerdictName, { networks }: VerdictSummary): string {
  if (MEANINGS[name].of !== 'path') return '';
  return networks.size === 1
    ? 'of one network only, so the client or its own path may explain it too; see whether others show it, and '
    : 'only what these networks share explains it; ';
}

interface Meaning {
  /** 1: somebody on the path; 2: the path or the server, less surely; 3: a peer. */
  readonly rank: 1 | 2 | 3;
  /** `where` becomes `before this point` and so on. */
  readonly what: string;
  readonly next: string;
  /** Whose doing it is: what clients of one network alone show may be their own. */
  readonly of: 'path' | 'server' | 'client';
}

const FIREWALL = "show the firewall's vendor the report (--evidence DIR)";

const MEANINGS: Readonly<Record<VerdictName, Meaning>> = {
  'ehlo-dropped': { of: 'path', rank: 1, what: 'EHLO dropped WHERE', next: FIREWALL },
  'ehlo-held': { of: 'path', rank: 1, what: 'EHLO held back WHERE', next: FIREWALL },
  'ehlo-altered': {
    of: 'path',
    rank: 1,
    what: 'EHLO or its reply altered on the path',
    next: 'a middlebox inspects SMTP; switch that off, and if it is off, show its vendor the report (--evidence DIR)',
  },
  'starttls-stripped': {
    of: 'path',
    rank: 1,
    what: 'STARTTLS taken away on the path',
    next: 'a middlebox inspects SMTP; switch that off: mail goes in the clear',
  },
  'path-terminated': {
    of: 'path',
    rank: 2,
    what: 'Somebody else speaks TCP for a peer',
    next: 'a proxy or SYN proxy is on the path; capture on its other side too and compare',
  },
  'reset-injected': { of: 'path', rank: 1, what: "A reset that is not the peer's own", next: FIREWALL },
  'greeting-lost': {
    of: 'path',
    rank: 1,
    what: 'The greeting lost WHERE',
    next: 'look there, with a capture nearer to the server',
  },
  'segment-dropped': {
    of: 'path',
    rank: 2,
    what: 'Segments dropped WHERE',
    next: 'see the ladders for which; large ones only may be a black hole for full-size packets (MTU)',
  },
  'greeting-truncated': {
    of: 'server',
    rank: 2,
    what: 'The greeting never ended, and it was the server that did not send more',
    next: "mend the mail server's banner; until then `ehlowire relay` completes it",
  },
  'greeting-malformed': {
    of: 'server',
    rank: 2,
    what: 'The greeting is malformed',
    next: "mend the mail server's banner (`ehlowire check HOST:PORT` says what is wrong)",
  },
  'greeting-slow': {
    of: 'server',
    rank: 2,
    what: 'The greeting came too late for common clients',
    next: 'look at the mail server: DNS lookups, postscreen, load',
  },
  'early-talker': {
    of: 'client',
    rank: 3,
    what: 'Clients spoke before the greeting',
    next: 'these are mostly spam engines; nothing on the path is to blame',
  },
  'client-silent': {
    of: 'client',
    rank: 3,
    what: 'The client was alive and never spoke',
    next: 'nothing was dropped; look at the client',
  },
  'client-gone': {
    of: 'client',
    rank: 3,
    what: 'The client answered nothing any more',
    next: 'it is gone, or nothing of it comes through; capture nearer to it',
  },
};
