// What became of each connection: one word for each, so that their sum is all of them.

import type { Micros, Phase } from '../../../inspect/events';
import type { SegmentSessionEvent } from '../../../inspect/tracker/inspector';
import { FLAG } from '../../../inspect/tcp/segment';
import type { Tracked } from '../../../inspect/tracker/tracker';
import { plural } from '../../sinks/wording';

export type Outcome =
  /** The server took a message. */
  | 'delivered'
  /** Ended with QUIT and its answer, without a message. */
  | 'finished'
  /** Went on in TLS: what was said there is not known. */
  | 'tls'
  /** The server answered 4xx or 5xx, and took no message. */
  | 'refused'
  /** The client read the greeting and closed: health checks do. */
  | 'left'
  /** Greeted, and then nothing came from the client. */
  | 'silent'
  /** Connected, and no whole greeting came. */
  | 'ungreeted'
  /** SYN answered by RST. */
  | 'rejected'
  /** SYN never answered. */
  | 'unanswered'
  /** SYN answered, and the client did not go on: a scan. */
  | 'half-open'
  /** Ended by RST in the midst of the dialogue. */
  | 'reset'
  /** The client spoke, and was not answered any more. */
  | 'stalled'
  /** Closed without QUIT. */
  | 'broken'
  /** Still open when the capture ended. */
  | 'open'
  /** Begun before the capture, or seen in one direction only. */
  | 'partial';

interface Fate {
  readonly outcome: Outcome;
  /** What was refused, and how. */
  readonly refusal?: { readonly phase: Phase; readonly code: number };
}

/** `now`: how far the capture has come. The first rule that knows something decides. */
export function fateOf(event: SegmentSessionEvent, connection: Tracked, now: Micros): Fate {
  const session: Session = { event, connection, now };
  for (const rule of RULES) {
    const fate = rule(session);
    if (fate) return hasHoles(event) && ABSENCES.has(fate.outcome) ? PARTIAL : fate;
  }
  return hasHoles(event) ? PARTIAL : { outcome: 'broken' };
}

/** What is not there may be what the capture has not. */
function hasHoles({ coverage }: SegmentSessionEvent): boolean {
  if (!coverage) return false;
  const { client, server, blind } = coverage;
  return blind || client.cut + client.missed + server.cut + server.missed > 0;
}

interface Session {
  readonly event: SegmentSessionEvent;
  readonly connection: Tracked;
  readonly now: Micros;
}

type Rule = (session: Session) => Fate | undefined;

function byMessages({ event }: Session): Fate | undefined {
  return event.messages > 0 ? { outcome: 'delivered' } : undefined;
}

function byHandshake({ connection: { inspector } }: Session): Fate | undefined {
  const { client, server, connectedAt } = inspector.view;
  const said = client.stream.sent > 0 || server.stream.sent > 0;
  const onlySyn = client.last !== undefined && (client.last.flags & FLAG.syn) !== 0;
  if (client.syn && server.segments === 0 && onlySyn) return { outcome: 'unanswered' };
  if (client.syn && !server.syn && server.rstAt !== undefined && !said) return { outcome: 'rejected' };
  if (!client.syn || !server.syn) return { outcome: 'partial' };
  return connectedAt === undefined && !said ? { outcome: 'half-open' } : undefined;
}

function byGreeting({ event, connection: { inspector }, now }: Session): Fate | undefined {
  const { phases, started } = event;
  const [, since = 0, took = 0, code] = phases.find(([phase]) => phase === 'greeting') ?? [];
  const young = inspector.closedAt === undefined && now - (started + since + took) < SILENT_AFTER;
  const { client } = inspector.view;
  if (code === undefined) return { outcome: young ? 'open' : 'ungreeted' };
  if (code >= REFUSED) return { outcome: 'refused', refusal: { phase: 'greeting', code } };
  if (client.stream.next > 0) return undefined;
  if (client.finAt !== undefined && client.stream.sent === 0) return { outcome: 'left' };
  return { outcome: young ? 'open' : 'silent' };
}

function byTls({ event }: Session): Fate | undefined {
  const agreed = event.phases.some(([phase, , , code]) => phase === 'starttls' && code === READY);
  return event.tls || agreed ? { outcome: 'tls' } : undefined;
}

function byReplies({ event: { phases } }: Session): Fate | undefined {
  const refused = phases.filter(([phase, , , code = 0]) => code >= REFUSED && phase !== 'quit');
  const [phase, , , code = 0] = refused.at(-1) ?? [];
  return phase === undefined ? undefined : { outcome: 'refused', refusal: { phase, code } };
}

function byEnd({ event, connection: { inspector }, now }: Session): Fate | undefined {
  const { phases, started, close } = event;
  const open = inspector.closedAt === undefined;
  const [, since = 0, , answer = 0] = phases.filter(([phase]) => phase !== 'close').at(-1) ?? [];
  if (phases.some(([phase, , , code]) => phase === 'quit' && code !== undefined))
    return { outcome: 'finished' };
  const waits = (open ? now : inspector.closedAt) - (started + since) >= SILENT_AFTER;
  if (answer === 0 && waits) return { outcome: 'stalled' };
  if (open) return { outcome: 'open' };
  return close.how === 'rst' ? { outcome: 'reset' } : undefined;
}

const RULES: readonly Rule[] = [byMessages, byTls, byHandshake, byGreeting, byReplies, byEnd];
const PARTIAL: Fate = { outcome: 'partial' };
/** They say that something did not come. */
const ABSENCES: ReadonlySet<Outcome> = new Set(['silent', 'ungreeted', 'stalled', 'left', 'broken']);
/** A reply from here on is a refusal (RFC 5321 section 4.2.1). */
const REFUSED = 400;
/** To STARTTLS (RFC 3207 section 4). */
const READY = 220;
/** An honest client answers a greeting within a round trip, or when it has looked something up. */
const SILENT_AFTER: Micros = 5_000_000;

/** `unreported`: half-open connections that were only counted. */
export function outcomeRows(
  outcomes: ReadonlyMap<Outcome, number>,
  refusals: ReadonlyMap<string, number>,
  unreported: number,
): readonly string[] {
  return ORDER.flatMap((outcome) => {
    const count = (outcomes.get(outcome) ?? 0) + (outcome === 'half-open' ? unreported : 0);
    if (count === 0) return [];
    const codes = outcome === 'refused' ? `: ${refusalText(refusals)}` : '';
    return [`${count.toLocaleString('en').padStart(7)}  ${WORDS[outcome]}${codes}`];
  });
}

/** `554 in place of a greeting (3), 550 to rcpt (1)` */
export function refusalText(refusals: ReadonlyMap<string, number>): string {
  const sorted = [...refusals].sort(([, a], [, b]) => b - a);
  const shown = sorted.slice(0, REFUSALS).map(([key, count]) => {
    const [code = '', phase = ''] = key.split(' ');
    return `${code} ${phase === 'greeting' ? 'in place of a greeting' : `to ${phase}`} (${count})`;
  });
  const rest = sorted.length - shown.length;
  return [...shown, ...(rest > 0 ? [`and ${plural(rest, 'kind')} more`] : [])].join(', ');
}

const WORDS: Readonly<Record<Outcome, string>> = {
  delivered: 'delivered a message',
  finished: 'ended with QUIT, without a message',
  tls: 'went on in TLS: what was said there is not known',
  refused: 'refused by the server',
  left: 'greeted, and left by the client at once: health checks do that',
  silent: 'greeted, and then nothing came from the client',
  ungreeted: 'connected, and no whole greeting came',
  rejected: 'refused by a reset: SYN answered by RST',
  unanswered: 'SYN never answered',
  'half-open': 'SYN answered, and the client did not go on: a scan, most likely',
  stalled: 'the client spoke, and was not answered any more',
  reset: 'reset in the midst of the dialogue',
  broken: 'closed without QUIT',
  open: 'still open when the capture ended',
  partial: 'seen in part: how they went is not known',
};

const ORDER: readonly Outcome[] = [
  ...(['delivered', 'finished', 'tls', 'refused', 'left', 'silent', 'ungreeted'] as const),
  ...(['rejected', 'unanswered', 'half-open', 'stalled', 'reset', 'broken', 'open', 'partial'] as const),
];
const REFUSALS = 4;
