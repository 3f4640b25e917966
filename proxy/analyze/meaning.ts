// The last line of an analysis: what it means, in one plain sentence, and what to do next.

import type { VerdictName } from '../../inspect/events';
import { plural } from '../sinks/wording';
import type { Summary, VerdictSummary } from './summary';

/** The gravest thing that was found; of two equally grave ones the more frequent. */
export function meaningOf(summary: Summary, ports: readonly number[]): string {
  const { sessions, verdicts } = summary;
  if (sessions === 0) {
    return `No SMTP connection on port ${ports.join(', ')} is in it: another capture, or --port?`;
  }
  const [gravest] = [...verdicts].sort(
    ([a, x], [b, y]) => MEANINGS[a].rank - MEANINGS[b].rank || y.sessions - x.sessions,
  );
  if (!gravest) {
    return `In ${plural(sessions, 'session')} nothing shows that the path dropped, held, altered or ended anything.`;
  }
  const [name, of] = gravest;
  const { what, next } = MEANINGS[name];
  const how = of.proved === 0 ? ' (suspected, not proved)' : '';
  const many = `${of.sessions.toLocaleString('en')} of ${plural(sessions, 'session')}`;
  return `${what} in ${many} (${share(of.sessions, sessions)}), ${origin(of)}${how}: ${next}.`;
}

/** `3.5 %`; never 0 for something that was there. */
export function share(part: number, whole: number): string {
  const percent = whole === 0 ? 0 : (part / whole) * 100;
  if (percent > 0 && percent < 0.1) return '< 0.1 %';
  return `${percent.toFixed(1)} %`;
}

function origin({ networks, sessions }: VerdictSummary): string {
  const [top] = [...networks].sort(([, a], [, b]) => b - a);
  if (!top) return 'from unknown clients';
  if (networks.size === 1) return sessions === 1 ? `from ${top[0]}` : `all from ${top[0]}`;
  if (top[1] * 2 > sessions) return `most of them (${top[1]}) from ${top[0]}`;
  return `from ${plural(networks.size, 'client network')}`;
}

interface Meaning {
  /** 1: somebody on the path; 2: the path or the server, less surely; 3: a peer. */
  readonly rank: 1 | 2 | 3;
  readonly what: string;
  readonly next: string;
}

const FIREWALL = "show the firewall's vendor the report (--evidence DIR)";

const MEANINGS: Readonly<Record<VerdictName, Meaning>> = {
  'ehlo-dropped': { rank: 1, what: 'EHLO dropped before this point', next: FIREWALL },
  'ehlo-held': { rank: 1, what: 'EHLO held back before this point', next: FIREWALL },
  'ehlo-altered': {
    rank: 1,
    what: 'EHLO or its reply altered on the path',
    next: 'a middlebox inspects SMTP; switch that off, and if it is off, show its vendor the report (--evidence DIR)',
  },
  'starttls-stripped': {
    rank: 1,
    what: 'STARTTLS taken away on the path',
    next: 'a middlebox inspects SMTP; switch that off: mail goes in the clear',
  },
  'path-terminated': {
    rank: 2,
    what: 'Somebody else speaks TCP for a peer',
    next: 'a proxy or SYN proxy is on the path; capture on its other side too and compare',
  },
  'reset-injected': { rank: 1, what: "A reset that is not the peer's own", next: FIREWALL },
  'greeting-lost': {
    rank: 1,
    what: 'The greeting lost before this point',
    next: 'look between the server and this point',
  },
  'segment-dropped': {
    rank: 2,
    what: 'Segments dropped before this point',
    next: 'see the ladders for which; large ones only may be a black hole for full-size packets (MTU)',
  },
  'greeting-truncated': {
    rank: 2,
    what: 'The greeting never ended, and it was the server that did not send more',
    next: "mend the mail server's banner; until then `ehlowire relay` completes it",
  },
  'greeting-malformed': {
    rank: 2,
    what: 'The greeting is malformed',
    next: "mend the mail server's banner (`ehlowire check HOST:PORT` says what is wrong)",
  },
  'greeting-slow': {
    rank: 2,
    what: 'The greeting came too late for common clients',
    next: 'look at the mail server: DNS lookups, postscreen, load',
  },
  'early-talker': {
    rank: 3,
    what: 'Clients spoke before the greeting',
    next: 'these are mostly spam engines; nothing on the path is to blame',
  },
  'client-silent': {
    rank: 3,
    what: 'The client was alive and never spoke',
    next: 'nothing was dropped; look at the client',
  },
  'client-gone': {
    rank: 3,
    what: 'The client answered nothing any more',
    next: 'it is gone, or nothing of it comes through; capture nearer to it',
  },
};
