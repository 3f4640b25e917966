// The connections of captures, played through the filter that the relay has: less seen is less said.

import { isWhole } from '../../../inspect/coverage/coverage';
import type { Micros } from '../../../inspect/events';
import type { Redaction } from '../../../inspect/grammar/argument';
import { createFilter, type Filter } from '../../../inspect/policy/filter';
import type { Rules } from '../../../inspect/policy/rules';
import { createSession } from '../../../inspect/smtp/session';
import type { Observer, Tracked, TrackerNews } from '../../../inspect/tracker/tracker';
import type { PolicyConfig } from '../../config/policy';
import { SUBMISSIONS } from '../../system/address';
import { configuredRules, judgedRules } from './strictness';
import { createMet, effectOf, isRule, type Met, type Tally } from './tally';

interface DryRunOptions {
  readonly policy: PolicyConfig;
  /** Every rule as if it were enforced. */
  readonly all: boolean;
  readonly tally: Tally;
  readonly redact: Redaction | undefined;
}

export interface DryRun extends Observer {
  readonly counts: Readonly<Counts>;
}

interface Counts {
  connections: number;
  /** Judged to their end. */
  judged: number;
  /** Judged up to TLS. */
  tls: number;
  /** Judged as far as they were seen, if at all. */
  partly: number;
}

export function createDryRun(options: DryRunOptions): DryRun {
  const counts: Counts = { connections: 0, judged: 0, tls: 0, partly: 0 };
  const plays = new Map<number, Play>();
  const observe = (news: TrackerNews): void => {
    const { connection, ended } = news;
    const play = plays.get(connection.id) ?? createPlay();
    plays.set(connection.id, play);
    for (const flow of news.flow) take(play, connection, flow, options);
    for (const event of news.events) {
      if (event.kind !== 'session') continue;
      play.messages = event.messages;
      play.tls ||= event.phases.some(([phase, , , code]) => phase === 'starttls' && code === READY);
    }
    if (!ended) return;
    plays.delete(connection.id);
    finish(play, connection, options.tally, counts);
  };
  return { observe: (news) => news.forEach(observe), counts };
}

interface Play {
  /** From its first octet on, while it can be judged. */
  filter: Filter | undefined;
  rules: Rules | undefined;
  met: Met | undefined;
  /** Not all of it can be judged. */
  partly: boolean;
  tls: boolean;
  messages: number;
}

function createPlay(): Play {
  return { filter: undefined, rules: undefined, met: undefined, partly: false, tls: false, messages: 0 };
}

function take(
  play: Play,
  connection: Tracked,
  flow: TrackerNews['flow'][number],
  options: DryRunOptions,
): void {
  if (play.partly || play.tls) return;
  if (!play.filter) begin(play, connection, flow.at, options);
  const { filter } = play;
  if (!filter) return;
  switch (flow.kind) {
    case 'octets':
      say(play, connection, filter[flow.from](flow.bytes, flow.at));
      if (filter.held() > HELD) stop(play);
      break;
    case 'close':
      say(play, connection, flow.by === 'client' ? filter.clientEnd(flow.at) : filter.serverEnd(flow.at));
      break;
    default:
      // What the octets behind it are is not known.
      stop(play);
  }
}

function begin(play: Play, { client, server, inspector }: Tracked, at: Micros, options: DryRunOptions): void {
  const { view, coverage } = inspector;
  if (server.port === SUBMISSIONS) play.tls = true;
  else if (coverage.client.begin === 'unseen' || coverage.server.begin === 'unseen') play.partly = true;
  if (play.tls || play.partly) return;
  const { policy, all, redact } = options;
  const session = createSession({ started: view.started, connected: view.connectedAt ?? at, redact });
  play.rules = configuredRules(policy, all, client, server);
  play.filter = createFilter({ rules: judgedRules(play.rules), session, dryRun: true });
}

function stop(play: Play): void {
  play.partly = true;
  play.filter = undefined;
}

type Steps = ReturnType<Filter['client']>;

function say(play: Play, { client, inspector }: Tracked, steps: Steps): void {
  for (const step of steps) {
    if (step.kind !== 'blocked' || !isRule(step.rule) || !play.rules) continue;
    const effect = effectOf(play.rules, step.rule);
    // A hole that is still open may be what is odd here.
    if (effect === undefined || !isWhole(inspector.coverage)) continue;
    play.met ??= createMet();
    play.met.add(step.rule, effect, { client, at: step.at, what: step.detail ?? '' });
  }
}

function finish(play: Play, { client, inspector }: Tracked, tally: Tally, counts: Counts): void {
  const { coverage } = inspector;
  // Whether the client waited for a reply is not known where segments are in the wrong order.
  if (coverage.client.disordered + coverage.server.disordered > 0) play.met?.forget('synchronization');
  counts.connections += 1;
  if (play.partly || !isWhole(coverage)) counts.partly += 1;
  else if (play.tls) counts.tls += 1;
  else counts.judged += 1;
  tally.count(client.address, play.met, play);
}

/** To STARTTLS (RFC 3207 §4). */
const READY = 220;
/** Octets that wait for a reply: a client that is honest has far fewer. */
const HELD = 1 << 20;
