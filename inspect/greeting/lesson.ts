// What a connection may teach: how greetings on clients' connections, and on ehlowire's, change what is known of a server.

import type { Micros, PhaseEvent } from '../events';
import { REPAIR_NETWORKS } from '../limits';
import { waitFor, type Finding, type GreetingKnowledge } from './known';

/** What one connection shows of its server's greeting. */
export type Lesson =
  /** The server ended its greeting by itself, before the client had spoken. */
  | { readonly kind: 'ended'; readonly finding: Finding }
  /** The greeting was seen whole, the client had all of it and said nothing, and then nothing came for the patience. */
  | { readonly kind: 'stalled'; readonly finding: Finding }
  /** Something that a repaired honest server would show, and that a client can provoke. */
  | { readonly kind: 'doubt'; readonly because: string; readonly delay?: Micros };

/** What our own connection to the server showed. */
export type Verification =
  | { readonly kind: 'greeted'; readonly finding: Finding }
  /** No connection, no greeting, or a refusal: nothing can be said of what others are greeted with. */
  | { readonly kind: 'unreachable'; readonly why: string };

/**
 * How what is known was learned. `seen`: on clients' connections, which may only say that nothing is to be done.
 * `verified`: on ehlowire's own connection. `networks`: on clients' connections from several networks, where ehlowire
 * cannot connect itself.
 */
export type Way = 'seen' | 'verified' | 'networks';

/** Clients were greeted in a way that would need a repair. */
interface Suspicion {
  readonly finding: Finding;
  /** Networks of the clients that it was seen with, each once, at most REPAIR_NETWORKS. */
  readonly networks: readonly string[];
  readonly clients: number;
}

/** All that is known of one server. A value: every step makes a new one. */
export interface Standing {
  /** What greetings are treated by. A policy other than `observe` is never learned from a client alone. */
  readonly known: GreetingKnowledge | undefined;
  readonly way: Way;
  readonly suspicion: Suspicion | undefined;
  /** Our own connections: how many were greeted honestly, and how many in a way that needs a repair. */
  readonly own: {
    readonly honest: number;
    readonly defective: number;
    readonly unreachable: string | undefined;
  };
  /** Networks of the clients whose connections cast doubt on the repair in force. */
  readonly doubts: readonly string[];
  /** The longest delay of a line that may have been the server's last line. */
  readonly delay: Micros;
}

export const UNKNOWN: Standing = {
  known: undefined,
  way: 'seen',
  suspicion: undefined,
  own: { honest: 0, defective: 0, unreachable: undefined },
  doubts: [],
  delay: 0,
};

/** What a step changes. */
export interface Taught {
  readonly standing: Standing;
  /** Why `standing.known` is another class or policy than before; absent where it is not. */
  readonly because?: string;
  /** ehlowire is to connect to the server itself now. */
  readonly verify: boolean;
}

/** Whether greetings are changed for all clients. */
export function isRepair(known: GreetingKnowledge | undefined): known is GreetingKnowledge {
  return known !== undefined && known.policy !== 'observe';
}

/** Clients and we are greeted differently: nothing is repaired for all, and the operator has to decide. */
export function isContested({ known, suspicion, own }: Standing): boolean {
  return suspicion !== undefined && own.honest > 0 && !isRepair(known);
}

/** How long our own connection waits for the rest of a greeting. */
export function verifyingWait({ known, delay }: Standing, patience: Micros): Micros {
  const longest = Math.max(known?.delay ?? 0, delay);
  return waitFor({ greeting: 'teaser', policy: 'observe', lines: 0, delay: longest }, patience);
}

/** A client's connection to the server; `network` is what its address shares with its neighbours'. */
export function teach(standing: Standing, lesson: Lesson, network: string): Taught {
  switch (lesson.kind) {
    case 'ended':
      return lesson.finding.knowledge.policy === 'observe'
        ? honest({ ...standing, suspicion: undefined }, lesson.finding, 'seen')
        : suspect(standing, lesson.finding, network);
    case 'stalled':
      return suspect(standing, lesson.finding, network);
    case 'doubt':
      return doubt(standing, lesson, network);
  }
}

/** ehlowire's own connection to the server. */
export function teachVerified(standing: Standing, verification: Verification): Taught {
  const { own, suspicion, known } = standing;
  if (verification.kind === 'unreachable') {
    return byNetworks({ ...standing, own: { ...own, unreachable: verification.why } }, false);
  }
  const { finding } = verification;
  if (finding.knowledge.policy === 'observe') {
    const counted = { ...own, honest: own.honest + 1, unreachable: undefined };
    return honest({ ...standing, own: counted, doubts: [] }, finding, 'verified');
  }
  const counted = { ...own, defective: own.defective + 1, unreachable: undefined };
  const agrees = isRepair(known) || suspicion?.finding.knowledge.greeting === finding.knowledge.greeting;
  if (!agrees) return { standing: { ...standing, own: counted }, verify: false };
  const because = `verified by a connection of ehlowire's own: ${finding.because}`;
  return repair({ ...standing, own: counted }, { ...finding, because }, 'verified');
}

/**
 * What a refusal on a connection with a repaired greeting says: an honest server whose greeting was repaired too early
 * takes its client for an early talker, and answers so (postscreen: 521, or 550 to RCPT).
 */
export function doubtOf({ phase, reply }: PhaseEvent): Lesson | undefined {
  if (reply === undefined || !DOUBTFUL.has(phase) || !isRefusal(reply.code)) return undefined;
  return { kind: 'doubt', because: `it answered ${reply.code} in ${phase} behind a repaired greeting` };
}

/** RFC 5321 §4.2.1: a permanent refusal, or 421, by which a server ends the connection (§3.8). */
function isRefusal(code: number): boolean {
  return code === 421 || code >= 500;
}

/** What is known is set to what was found, which asks for no repair. */
function honest(standing: Standing, { knowledge, because }: Finding, way: Way): Taught {
  const { known } = standing;
  const delay = Math.max(known?.delay ?? 0, knowledge.delay);
  // postscreen delays strangers only: a greeting without a pause takes nothing back.
  const calm = known?.greeting === 'teaser' && knowledge.greeting === 'wellformed';
  const next = calm ? { ...known, delay } : { ...knowledge, delay };
  const changed = known === undefined || next.greeting !== known.greeting || next.policy !== known.policy;
  const after: Standing = { ...standing, known: next, way, doubts: [] };
  return { standing: after, verify: false, ...(changed && { because }) };
}

function suspect(standing: Standing, finding: Finding, network: string): Taught {
  const { known, suspicion } = standing;
  if (isRepair(known) && isSame(known, finding.knowledge)) return { standing, verify: false };
  const before = suspicion && isSame(suspicion.finding.knowledge, finding.knowledge) ? suspicion : undefined;
  const next: Suspicion = {
    finding,
    networks: addNetwork(before?.networks ?? [], network),
    clients: (before?.clients ?? 0) + 1,
  };
  return byNetworks({ ...standing, suspicion: next }, true);
}

/** Where we cannot connect ourselves, clients of several networks that all saw the same may stand for us. */
function byNetworks(standing: Standing, verify: boolean): Taught {
  const { own, suspicion } = standing;
  const enough = suspicion !== undefined && suspicion.networks.length >= REPAIR_NETWORKS;
  if (!enough || own.unreachable === undefined) return { standing, verify };
  const because =
    `${suspicion.finding.because}, with clients of ${suspicion.networks.length} networks; ` +
    `a connection of ehlowire's own is not possible (${own.unreachable})`;
  return { ...repair(standing, { ...suspicion.finding, because }, 'networks'), verify };
}

function repair(standing: Standing, { knowledge, because }: Finding, way: Way): Taught {
  const { known } = standing;
  const delay = Math.max(known?.delay ?? 0, knowledge.delay);
  const changed = known === undefined || !isSame(known, knowledge);
  const after: Standing = {
    ...standing,
    known: { ...knowledge, delay },
    way,
    suspicion: undefined,
    doubts: [],
  };
  return { standing: after, verify: false, ...(changed && { because }) };
}

/** Any client can provoke it: it is a reason to look again, and changes nothing by itself. */
function doubt(standing: Standing, { delay = 0 }: Lesson & { kind: 'doubt' }, network: string): Taught {
  const longer: Standing = { ...standing, delay: Math.max(standing.delay, delay) };
  if (!isRepair(standing.known))
    return { standing: longer, verify: standing.suspicion !== undefined && delay > 0 };
  const doubts = addNetwork(standing.doubts, network);
  const after: Standing = { ...longer, doubts };
  if (standing.own.unreachable === undefined || doubts.length < REPAIR_NETWORKS) {
    return { standing: after, verify: true };
  }
  const knowledge: GreetingKnowledge = {
    greeting: 'teaser',
    policy: 'observe',
    lines: 0,
    delay: after.delay,
  };
  const because = `clients of ${doubts.length} networks were refused behind a repaired greeting`;
  return { ...honest({ ...after, suspicion: undefined }, { knowledge, because }, 'seen'), verify: true };
}

function isSame(a: GreetingKnowledge, b: GreetingKnowledge): boolean {
  return a.greeting === b.greeting && a.policy === b.policy && a.lines === b.lines;
}

function addNetwork(networks: readonly string[], network: string): readonly string[] {
  if (networks.includes(network) || networks.length >= REPAIR_NETWORKS) return networks;
  return [...networks, network];
}

/** Up to the first recipient: what comes later is said of the message. */
const DOUBTFUL: ReadonlySet<string> = new Set(['hello', 'mail', 'rcpt']);
