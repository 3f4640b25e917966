// A path as a table test plays it: routers in a row, what each does to a segment, and what a trace of it observes.

import { addressOctets, type Endpoint } from '../../../inspect/address';
import { composeEcho, composeTcp, timestampOption } from '../../../inspect/tcp/compose';
import { parseIp } from '../../../inspect/tcp/packet';
import { FLAG } from '../../../inspect/tcp/segment';
import type { Answer, Hello, IcmpAnswer, Sent, Test, Trace } from '../../../inspect/trace/sent';
import { WINDOW } from '../../../inspect/trace/match';

export const CLIENT: Endpoint = { address: '192.0.2.1', port: 40_000 };
export const SERVER: Endpoint = { address: '198.51.100.25', port: 25 };
const REPLIED: Hello = { result: 'replied', code: 250, acknowledgedAfter: 1_000 };
const SYN_PORT = 40_001;
const NEXT = 5_000;

/** What becomes of one packet at one hop; none of it: the hop answers. */
export interface Treatment {
  /** Neither this hop nor any behind it gets it. */
  readonly drops?: true;
  /** It goes on, and this hop does not answer. */
  readonly mute?: true;
  /** From this hop on answers come so much later. */
  readonly holds?: number;
  /** What this hop and all behind it receive instead. */
  readonly changes?: (packet: Uint8Array) => Uint8Array;
  /** Octets of the quote. */
  readonly quotes?: number;
  readonly from?: string;
  readonly kind?: IcmpAnswer['kind'];
  readonly tunnel?: true;
  /** It answers in the server's name. */
  readonly answers?: 'SYN ACK' | 'RST' | 'ACK';
}

/** `attempt` is 1, 2 or 3. */
export type Device = (test: Test, attempt: number) => Treatment;

export interface Path {
  /** By hop, from 1; a hop without one is a plain router. */
  readonly devices?: Readonly<Record<number, Device>>;
  readonly routers?: number;
  readonly tests?: readonly Test[];
  readonly hello?: Partial<Hello>;
  /** The server answers no control. */
  readonly unreached?: true;
  /** TTL at which another device than the server answers TCP in its name. */
  readonly proxy?: number;
  /** TTLs with which the SYN-ACK, the answers to the control and the echo replies come back. */
  readonly back?: { readonly synAck?: number; readonly control?: number; readonly echo?: number };
  readonly synAckWindow?: number;
  readonly noEcho?: true;
  readonly untried?: readonly string[];
  readonly lost?: number;
}

/** All that a trace of the path observes. */
export function play(path: Path): Trace {
  const {
    routers = 4,
    tests = ['control', 'ehlo', 'syn'],
    hello,
    unreached,
    proxy,
    untried = [],
    lost = 0,
  } = path;
  const distance = proxy ?? routers + 1;
  const sent: Sent[] = [];
  const answers: Answer[] = [];
  const send = (test: Test, ttl: number, attempt: number): void => {
    const number = sent.length + 1;
    const at = number * 1_000_000;
    const each: Sent = { number, test, stage: 0, ttl, at, packet: packetOf(test, ttl, number) };
    sent.push(each);
    const answer = answerTo(path, each, attempt, distance);
    if (answer) answers.push(answer);
  };
  for (let attempt = 1; attempt <= 3; attempt += 1) {
    for (const test of tests) {
      const last = OLD.has(test) ? distance : distance - 1;
      for (let ttl = 1; ttl <= last; ttl += 1) send(test, ttl, attempt);
    }
  }
  if (!path.noEcho) for (let ttl = distance; ttl <= routers + 1; ttl += 1) send('echo', ttl, 1);
  return {
    ...{ server: SERVER.address, port: SERVER.port, client: CLIENT.address, sent, answers, untried, lost },
    distance: unreached ? undefined : distance,
    synAck: segmentOf(FLAG.syn | FLAG.ack, path.back?.synAck ?? backTtl(path), 0, path.synAckWindow),
    hello: hello?.result === 'silent' ? { result: 'silent', ...hello } : { ...REPLIED, ...hello },
  };
}

function answerTo(path: Path, { test, ttl, packet, number, at }: Sent, attempt: number, distance: number) {
  let held = 0;
  let received = packet;
  for (let hop = 1; hop <= ttl; hop += 1) {
    const last = hop === ttl;
    const treatment = path.devices?.[hop]?.(test, attempt) ?? {};
    if (treatment.drops) return undefined;
    held += treatment.holds ?? 0;
    received = treatment.changes?.(received) ?? received;
    const facts = { to: number, at: at + 1_000 * hop + held, ttl: 64 - hop + 1 };
    if (treatment.answers) return reply(facts, treatment.answers, packet);
    const routers = path.routers ?? 4;
    if (test === 'echo' ? hop > routers : hop === distance) {
      if (path.unreached) return undefined;
      const back = test === 'echo' ? path.back?.echo : path.back?.control;
      const own = { ...facts, ttl: back ?? backTtl(path) };
      if (test === 'echo') return { kind: 'echo', from: SERVER.address, ...own } as const;
      return reply(own, 'ACK', packet);
    }
    if (!last && treatment.kind === undefined) continue;
    if (treatment.mute) return undefined;
    const { kind = 'expired', from = `10.0.${hop}.1`, quotes, tunnel = false } = treatment;
    return {
      ...facts,
      kind,
      from,
      code: 0,
      quote: received.slice(0, quotes),
      tunnel,
      ...(kind === 'too-big' && { mtu: 1_400 }),
    } as const;
  }
  return undefined;
}

function reply(
  facts: { readonly to: number; readonly at: number; readonly ttl: number },
  flags: 'SYN ACK' | 'RST' | 'ACK',
  packet: Uint8Array,
): Answer {
  const own = parseIp(packet, 0);
  const ack = own.kind === 'segment' ? own.segment.seq + 1 : 0;
  const segment = segmentOf(FLAGS[flags], facts.ttl, ack);
  if (segment === undefined) throw new Error('no segment');
  return { ...facts, kind: 'segment', from: SERVER.address, segment };
}

const FLAGS = { 'SYN ACK': FLAG.syn | FLAG.ack, RST: FLAG.rst, ACK: FLAG.ack };

function backTtl({ routers = 4 }: Path): number {
  return 64 - routers;
}

function segmentOf(flags: number, ttl: number, ack: number, window = 500) {
  const ip = { source: octets(SERVER), destination: octets(CLIENT), ttl };
  const ports = { sourcePort: SERVER.port, destinationPort: CLIENT.port };
  const payload = new Uint8Array(0);
  const parsed = parseIp(composeTcp(ip, { ...ports, seq: 900, ack, flags, window, options: [], payload }), 0);
  return parsed.kind === 'segment' ? parsed.segment : undefined;
}

export function packetOf(test: Test, ttl: number, number: number): Uint8Array {
  const ip = { source: octets(CLIENT), destination: octets(SERVER), ttl, ipId: number };
  if (test === 'echo') return composeEcho(ip, 77, number);
  const payload = PAYLOADS[test] ?? new Uint8Array(1);
  const old = OLD.has(test);
  return composeTcp(ip, {
    sourcePort: test === 'syn' ? SYN_PORT : CLIENT.port,
    destinationPort: SERVER.port,
    seq: test === 'syn' ? 70_000 + number : old ? NEXT - payload.length : NEXT,
    ack: test === 'syn' ? 0 : 900,
    flags: test === 'syn' ? FLAG.syn : FLAG.ack,
    window: WINDOW + number,
    options: test === 'syn' ? SYN_OPTIONS : timestampOption(1, 2),
    payload,
  });
}

function octets({ address }: Endpoint): Uint8Array {
  return addressOctets(address) ?? new Uint8Array(4);
}

const text = (line: string): Uint8Array => Uint8Array.from(line, (char) => char.charCodeAt(0));
const PAYLOADS: Partial<Record<Test, Uint8Array>> = {
  syn: new Uint8Array(0),
  ehlo: text('EHLO vm.example\r\n'),
  helo: text('HELO vm.example\r\n'),
  'half-size': new Uint8Array(512),
  'full-size': new Uint8Array(1_448),
};
/** MSS 1460, SACK permitted, timestamps, window scale 7. */
const SYN_OPTIONS = [2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7];
const OLD: ReadonlySet<Test> = new Set<Test>(['control', 'half-size', 'full-size']);
