// The capture beside a trace: times of what was sent, answers, and the numbers of the kernel's own connection.

import type { Micros } from '../../inspect/events';
import { packetAt } from '../../inspect/tcp/link';
import { parseIp } from '../../inspect/tcp/packet';
import { FLAG, type Segment } from '../../inspect/tcp/segment';
import { advance, distance as apart, type Seq } from '../../inspect/tcp/seq';
import { readFields } from '../../inspect/trace/fields';
import { matchAnswer } from '../../inspect/trace/match';
import { readReceived } from '../../inspect/trace/received';
import type { Answer, Sent } from '../../inspect/trace/sent';
import { openLive } from '../sources/live';
import type { Fault } from '../system/fault';
import { isFault } from '../system/fault';
import { createWaiters, type Waiters } from '../system/waiters';

/** The kernel's own connection, as its segments show it. */
export interface Own {
  readonly port: number;
  /** The SYN as a packet: its options and its flow label are used again. */
  syn?: Uint8Array;
  synAck?: Segment;
  /** What the kernel sends next, and what the server sends next. */
  next: Seq;
  serverNext: Seq;
  /** The highest number that the server acknowledged, and when it came first. */
  acked: Seq;
  ackedAt: Micros;
  /** When the kernel sent octets last for the first time. */
  saidAt: Micros;
  stamps?: readonly [value: number, echo: number];
  flowLabel: number;
  /** Segments of the server, RST left out. */
  heard: number;
  reset: boolean;
}

/** A packet as it was captured, for the evidence. */
export interface Caught {
  readonly at: Micros;
  readonly packet: Uint8Array;
  readonly note: string;
}

export interface Watch {
  readonly sent: readonly Sent[];
  readonly answers: readonly Answer[];
  readonly caught: readonly Caught[];
  readonly own: Own | undefined;
  /** Frames that the capture lost. */
  readonly lost: number;
  /** The server's TTL, once it is known: no answer to a control of a smaller one is the server's. */
  distance: number | undefined;
  add(sent: Sent): void;
  /** Ours, too, and no test of its own: it is not the kernel's. */
  addPart(packet: Uint8Array): void;
  /** This machine itself did not let it out, since it is too large for the path. */
  tooBig(sent: Sent, from: string): void;
  /** From now on the connection of this port is the kernel's. */
  follow(port: number): void;
  answerTo(number: number): Answer | undefined;
  /** Waits until something holds, at most so long; says whether it does. */
  until(what: () => boolean, ms: number): Promise<boolean>;
  close(): Promise<void>;
}

/** On all interfaces: answers may come by another one than the packets went. Faults: those of a live capture. */
export function openWatch(server: string, port: number): Watch | Fault {
  const source = openLive('any', [filterOf(server, port)]);
  if (isFault(source)) return source;
  const state = createState(server);
  source.start({
    frame: (linkType, octets, at) => {
      const start = packetAt(linkType, octets);
      if (start !== undefined) take(state, octets.slice(start), at);
    },
    idle: () => undefined,
    lost: (count) => void (state.lost += count),
    failed: () => undefined,
  });
  return {
    sent: state.sent,
    answers: state.answers,
    caught: state.caught,
    get own() {
      return state.own;
    },
    get lost() {
      return state.lost;
    },
    get distance() {
      return state.distance;
    },
    set distance(value) {
      state.distance = value;
    },
    add: (sent) => void state.sent.push(sent),
    addPart: (packet) => void state.parts.push(packet),
    tooBig: ({ number: to, at }, from) => {
      const answer = { kind: 'too-big', to, at, from, ttl: 0, code: 0, tunnel: false } as const;
      state.answers.push({ ...answer, quote: new Uint8Array() });
    },
    follow: (local) => follow(state, local),
    answerTo: (number) => state.answers.find(({ to }) => to === number),
    until: state.waiters.until,
    close: () => source.close(),
  };
}

/** ICMP as a whole: an error has its own sender, and quotes may be translated. */
function filterOf(server: string, port: number): string {
  return `icmp or icmp6 or (host ${server} and tcp port ${port})`;
}

interface State {
  readonly server: string;
  readonly sent: Sent[];
  readonly answers: Answer[];
  readonly caught: Caught[];
  /** What we sent beside the tests. */
  readonly parts: Uint8Array[];
  /** Segments of connections that are not followed yet. */
  readonly early: { readonly packet: Uint8Array; readonly at: Micros }[];
  readonly waiters: Waiters;
  own: Own | undefined;
  distance: number | undefined;
  lost: number;
}

function createState(server: string): State {
  return {
    ...{ server, sent: [], answers: [], caught: [], parts: [], early: [] },
    ...{ waiters: createWaiters(), own: undefined, distance: undefined, lost: 0 },
  };
}

function follow(state: State, port: number): void {
  const zero = { next: 0, serverNext: 0, acked: 0, ackedAt: 0, saidAt: 0, flowLabel: 0, heard: 0 };
  state.own = { port, ...zero, reset: false };
  for (const { packet, at } of state.early.splice(0)) take(state, packet, at);
}

function take(state: State, packet: Uint8Array, at: Micros): void {
  // On loopback each packet passes twice; on a bridge, by two interfaces.
  if (state.caught.slice(-COPIES).some((each) => at - each.at < COPY && isSame(each.packet, packet))) return;
  const index = state.sent.findIndex((each) => isSame(each.packet, packet));
  if (index >= 0) return sentNow(state, index, packet, at);
  if (state.parts.some((each) => isSame(each, packet))) {
    return void state.caught.push({ at, packet, note: 'sent beside the tests' });
  }
  const received = readReceived(packet, at);
  if (received.kind === 'other') return;
  if (received.kind === 'segment' && state.own === undefined) {
    if (state.early.length < EARLY) state.early.push({ packet, at });
    return;
  }
  if (received.kind === 'segment') observe(state, received.segment, packet);
  const answer = matchAnswer(received, state.sent, state.server, {
    distance: state.distance,
    saidAt: state.own?.saidAt,
  });
  if (answer !== undefined) state.answers.push(answer);
  if (answer !== undefined || (received.kind === 'segment' && isOwn(state, received.segment))) {
    state.caught.push({ at, packet, note: answer ? noteOf(state, answer) : '' });
  }
  state.waiters.wake();
}

/** What we sent passes the capture, too: then the time is the kernel's. */
function sentNow(state: State, index: number, packet: Uint8Array, at: Micros): void {
  const sent = state.sent[index];
  if (sent === undefined) return;
  state.sent[index] = { ...sent, at };
  state.caught.push({ at, packet, note: `${sent.test}, TTL ${sent.ttl}, number ${sent.number}` });
}

function noteOf({ sent }: State, { to, kind, from }: Answer): string {
  const own = sent.find(({ number }) => number === to);
  return `${from}: ${kind}, answers number ${to} (${own?.test}, TTL ${own?.ttl})`;
}

function isOwn({ own }: State, { sourcePort, destinationPort }: Segment): boolean {
  return own !== undefined && (sourcePort === own.port || destinationPort === own.port);
}

function observe({ own, server }: State, segment: Segment, packet: Uint8Array): void {
  if (own === undefined) return;
  const span = segment.length + (segment.flags & (FLAG.syn | FLAG.fin) ? 1 : 0);
  const end = advance(segment.seq, span);
  if (segment.sourcePort === own.port && segment.destination === server) {
    if (segment.flags & FLAG.syn) own.syn = packet;
    if (segment.flags & FLAG.syn || apart(own.next, end) > 0) {
      own.next = end;
      if (segment.length > 0) own.saidAt = segment.at;
    }
    own.flowLabel = flowLabelOf(packet);
    if (segment.options.timestamps) own.stamps = [segment.options.timestamps[0], own.stamps?.[1] ?? 0];
  } else if (segment.destinationPort === own.port && segment.source === server) {
    if (segment.flags & FLAG.rst) return void (own.reset = true);
    own.heard += 1;
    // A SYN proxy's own comes first; the server's may follow.
    const first = own.synAck === undefined && (segment.flags & FLAG.syn) !== 0;
    if (first) own.synAck = segment;
    if (first || apart(own.serverNext, end) > 0) own.serverNext = end;
    if (first || apart(own.acked, segment.ack) > 0) {
      own.acked = segment.ack;
      own.ackedAt = segment.at;
    }
    if (segment.options.timestamps && own.stamps) own.stamps = [own.stamps[0], segment.options.timestamps[0]];
  }
}

function flowLabelOf(packet: Uint8Array): number {
  if ((packet[0] ?? 0) >> 4 !== 6) return 0;
  return ((packet[1] ?? 0) & 0x0f) * 0x1_0000 + (packet[2] ?? 0) * 0x100 + (packet[3] ?? 0);
}

/** The octets of the SYN's options. */
export function optionsOf(syn: Uint8Array): readonly number[] {
  const parsed = parseIp(syn, 0);
  const start = (readFields(syn)?.headerLength ?? 0) + 20;
  return parsed.kind === 'segment' ? [...syn.subarray(start, parsed.segment.dataAt)] : [];
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0;
}

/** Within so long an equal packet is a copy of it; a retransmission comes later. */
const COPY: Micros = 20_000;
const COPIES = 8;
const EARLY = 256;
