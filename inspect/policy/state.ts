// What the filter knows of one connection, and the few ways to act on it that both directions share.

import type { BlockedEvent, Micros, ReplyEvent, SmtpEvent } from '../events';
import { ANOMALIES_OF_A_KIND } from '../limits';
import { joinQuotable, NOTHING_SAID, type Quotable, sayFrom } from '../quotable';
import { NO_OCTETS } from '../octets';
import { fromLatin1 } from '../text';
import { createProxyReader, type ProxyReader } from '../grammar/proxy-header';
import type { Session } from '../smtp/session';
import { LOGINS } from './commands';
import { type FindingName, findingOf, FINDINGS } from './findings';
import { keywordsOf } from './keywords';
import type { MessageNormalizer } from './message';
import type { Mode, RuleName, Rules } from './rules';

/** What comes of octets: events, and octets that go on. */
export type Step =
  | SmtpEvent
  | BlockedEvent
  | { readonly kind: 'to-server'; readonly bytes: Uint8Array }
  | { readonly kind: 'to-client'; readonly bytes: Uint8Array }
  /** The connection is to be closed; what was said last goes out. */
  | { readonly kind: 'end' };

export interface State {
  readonly rules: Rules;
  /** What is refused is only reported, and passes. */
  readonly dryRun: boolean;
  readonly session: Session;
  out: Step[];
  /** Keywords that are removed from the reply to EHLO. */
  readonly hidden: ReadonlySet<string>;
  /** The client's first octets, while they may become a PROXY header. */
  leading: ProxyReader | undefined;
  /** Of its octets those that wait, at the beginning of what the client sent. */
  leadingHeld: number;
  /** The client has sent octets that are no PROXY header. */
  spoke: boolean;
  /** The server has. */
  greeted: boolean;
  /** The last command that the server was given. */
  verb: string;
  /** The transaction uses SMTPUTF8. */
  utf8: boolean;
  /** Keywords of the last reply to EHLO, as the client got them. */
  offered: ReadonlySet<string>;
  /**
   * The client sent its first EHLO before the greeting, or went on behind it before its reply: what that is unless the server
   * has agreed to it (PIPECONNECT), which the reply says.
   */
  early: FindingName | undefined;
  /** An EHLO was answered. */
  introduced: boolean;
  /** The next command came before its time; it is refused once those before it are answered. */
  untimely: FindingName | undefined;
  /** The server has a BDAT whose chunk may be any length to it: nothing more, until it has answered. */
  unclear: boolean;
  /** The next line was judged, and waits for a reply. */
  waits: boolean;
  /** What is left of a line whose beginning is with the server, or is refused. */
  rest: 'none' | 'pass' | FindingName;
  /** A refused chunk or message is read to its end, and then answered. */
  refused: FindingName | undefined;
  normalizer: MessageNormalizer | undefined;
  /** It was reported that octets are held. */
  remarked: boolean;
  /** First octets of each side that were seen to begin TLS, since STARTTLS was agreed. */
  readonly tls: Record<'client' | 'server', number>;
  /** The client began with TLS: the line that a server without TLS would be reading. */
  tlsLine: Uint8Array | undefined;
  /** Of the server: a reply to EHLO, or a greeting, that is not whole yet. */
  reply: Uint8Array;
  /** Octets of the server's line that is not whole yet. */
  replyLine: number;
  /** How often each finding was reported; healthy sessions have none. */
  reported: Map<FindingName, number> | undefined;
  over: boolean;
}

/** What holds for a rule of the dialogue. */
export function modeOf(rules: Rules, rule: RuleName): Mode {
  return MODES[rule](rules);
}

const MODES: Readonly<Record<RuleName, (rules: Rules) => Mode>> = {
  smuggling: ({ smuggling }) => smuggling,
  starttls: ({ starttls }) => starttls,
  synchronization: ({ synchronization }) => synchronization,
  lines: ({ lines }) => lines,
  nul: ({ nul }) => nul,
  commands: ({ commands }) => commands,
  'auth-before-tls': ({ authBeforeTls }) => authBeforeTls,
  'require-tls': ({ requireTls }) => (requireTls ? 'enforce' : 'off'),
  banner: ({ banner }) => (banner === undefined ? 'off' : 'normalize'),
  load: ({ load }) => load,
};

export function createState(rules: Rules, session: Session, dryRun: boolean): State {
  return {
    rules,
    dryRun,
    session,
    out: [],
    hidden: hiddenBy(rules),
    leading: createProxyReader(),
    leadingHeld: 0,
    spoke: false,
    greeted: false,
    verb: '',
    utf8: false,
    offered: NO_KEYWORDS,
    early: undefined,
    introduced: false,
    untimely: undefined,
    unclear: false,
    waits: false,
    rest: 'none',
    refused: undefined,
    normalizer: undefined,
    remarked: false,
    // Until STARTTLS is agreed what is TLS has begun as TLS.
    tls: { client: TLS_CONFIRMED, server: TLS_CONFIRMED },
    tlsLine: undefined,
    reply: NO_OCTETS,
    replyLine: 0,
    reported: undefined,
    over: false,
  };
}

function hiddenBy({ commands, hiddenKeywords, authBeforeTls }: Rules): ReadonlySet<string> {
  const keywords = commands === 'enforce' ? hiddenKeywords : NO_KEYWORDS;
  return authBeforeTls === 'enforce' ? new Set([...keywords, ...LOGINS]) : keywords;
}

/** Whether a finding of this name is refused. */
export function acts({ rules, dryRun }: State, name: FindingName): boolean {
  return !dryRun && modeOf(rules, findingOf(name).rule) === 'enforce';
}

/** Reports a finding as its rule wants it. True: the caller has to refuse it. */
export function isEnforced(
  state: State,
  name: FindingName,
  at: Micros,
  about: Quotable = NOTHING_SAID,
): boolean {
  const { rule, from, action, anomaly, seen } = findingOf(name);
  const mode = modeOf(state.rules, rule);
  const detail = joinQuotable([sayFrom(NAMES, name) ?? NOTHING_SAID, about], ' ');
  if (mode === 'enforce') {
    state.out.push({ kind: 'blocked', at, rule, action, direction: from, detail });
    return acts(state, name);
  }
  const times = state.reported?.get(name) ?? 0;
  if (mode === 'off' || seen === true || times >= ANOMALIES_OF_A_KIND) return false;
  state.reported ??= new Map();
  state.reported.set(name, times + 1);
  state.out.push({ kind: 'anomaly', anomaly, direction: from, at, detail });
  return false;
}

/** The client's octets go to the session, and to the server. How many: see `Session.feedUnit`. */
export function forwardUnit(state: State, bytes: Uint8Array, at: Micros): number {
  const taken = feedClient(state, bytes, at);
  if (taken > 0) state.out.push({ kind: 'to-server', bytes: bytes.subarray(0, taken) });
  return taken;
}

/** They go to the session alone. */
export function feedClient(state: State, bytes: Uint8Array, at: Micros): number {
  const { events, taken } = state.session.feedUnit('client', bytes, at);
  state.out.push(...events);
  return taken;
}

/** What the client gets, from the server or from ehlowire; one reply at the most. */
export function sendClient(state: State, bytes: Uint8Array, at: Micros): void {
  passReply(state, state.session.feed('server', bytes, at), bytes, at);
}

/** What the client gets, and the events of it: the reply to EHLO says what is offered. */
export function passReply(state: State, events: readonly SmtpEvent[], bytes: Uint8Array, at: Micros): void {
  let unasked = false;
  for (const event of events) {
    state.out.push(event);
    if (event.kind !== 'reply') continue;
    unasked ||= asksUnasked(state, event);
    if (event.answers !== 'hello') continue;
    state.introduced = true;
    state.offered = event.code === HELLO_DONE ? keywordsOf(event.texts) : NO_KEYWORDS;
  }
  if (bytes.length > 0) state.out.push({ kind: 'to-client', bytes });
  if (unasked && isEnforced(state, 'message of another command', at)) end(state);
}

/** It asks for a message, or for one's recipients (PRDR), and no command has offered one. */
function asksUnasked({ verb }: State, { code, answers }: ReplyEvent): boolean {
  if (code !== START_MAIL_INPUT && code !== RECIPIENTS_FOLLOW) return false;
  return answers !== 'data' && answers !== 'message' && verb !== 'XEXCH50';
}

/** The reply of a finding, in place of the server's; where the finding closes the connection, that too. */
export function answer(state: State, name: FindingName, at: Micros): void {
  const { reply, action } = findingOf(name);
  // Where nothing waits for a reply the server has answered already.
  if (reply !== undefined && (state.session.pending() > 0 || action === 'close'))
    sendClient(state, fromLatin1(`${reply}\r\n`), at);
  if (action === 'close') end(state);
}

/** The record has what was refused; the server has not. */
export function refuse(state: State, name: FindingName, bytes: Uint8Array, at: Micros): number {
  for (let from = 0; from < bytes.length;) from += feedClient(state, bytes.subarray(from), at);
  answer(state, name, at);
  if (!state.over) end(state);
  return bytes.length;
}

export function end(state: State): void {
  state.over = true;
  state.out.push({ kind: 'end' });
}

const NAMES: Readonly<Record<string, string>> = Object.fromEntries(
  Object.keys(FINDINGS).map((name) => [name, name]),
);
const NO_KEYWORDS: ReadonlySet<string> = new Set();
const HELLO_DONE = 250;
const START_MAIL_INPUT = 354;
const RECIPIENTS_FOLLOW = 353;
/** First octets of a TLS record that are looked at. */
export const TLS_CONFIRMED = 2;
