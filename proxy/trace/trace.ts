// One trace from its connection to its QUIT: the session is the kernel's, the walk goes on beside it.

import { lookup } from 'node:dns/promises';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Hello, Test, Trace } from '../../inspect/trace/sent';
import { distance as apart } from '../../inspect/tcp/seq';
import { openPacketSender, type PacketSender } from '../native/raw-ip';
import { localEndpoint } from '../sockets/endpoint';
import { createTalk, dial, silenceFault, type Talk } from '../sockets/talk';
import { resetOnClose } from '../native/libc';
import { type Address, formatAddress } from '../system/address';
import { now } from '../system/clock';
import { connectFault, createFault, isFault, type Fault } from '../system/fault';
import { makeClientHello, type Script } from './copies';
import { createWalk, type Pace, type Walk } from './walk';
import { openWatch, type Caught, type Watch } from './watch';

export interface Question extends Pace {
  readonly server: Address;
  readonly family: 0 | 4 | 6;
  readonly name: string;
  /** Also what follows EHLO, other forms of it, and full-size segments. */
  readonly deep: boolean;
  readonly connectMs: number;
  readonly patienceMs: number;
  /** Hears what is done now. */
  readonly onStep: (what: string) => void;
}

export interface Traced {
  readonly trace: Trace;
  /** What was sent and what came, in order. */
  readonly caught: readonly Caught[];
}

/** Faults: no connection, no greeting, no rights, no library. */
export async function runTrace(question: Question): Promise<Traced | Fault> {
  const { server, family } = question;
  const found = await resolve(server, family);
  if (isFault(found)) return found;
  const watch = openWatch(found, server.port);
  if (isFault(watch)) return watch;
  const sender = openPacketSender(found);
  if (isFault(sender)) {
    await watch.close();
    return sender;
  }
  try {
    return await traceBeside(question, found, watch, sender);
  } finally {
    sender.close();
    await watch.close();
  }
}

async function resolve({ host }: Address, family: 0 | 4 | 6): Promise<string | Fault> {
  try {
    const { address } = await lookup(host, { family });
    return address;
  } catch (error) {
    return connectFault(host, error);
  }
}

async function traceBeside(
  question: Question,
  address: string,
  watch: Watch,
  sender: PacketSender,
): Promise<Traced | Fault> {
  const { server, patienceMs, connectMs, onStep } = question;
  const started = now();
  onStep(`connecting to ${address} port ${server.port}`);
  const socket = await dial({ server: { host: address, port: server.port }, connectMs });
  if (isFault(socket)) return socket;
  const roundTripMs = Math.max(1, (now() - started) / 1_000);
  const talk = createTalk(socket, started);
  try {
    watch.follow(socket.localPort ?? 0);
    await talk.until(() => talk.octets.length > 0, patienceMs);
    if (talk.octets.length === 0) return silenceFault(formatAddress(server), talk, patienceMs);
    await talk.until(() => talk.greeted(), patienceMs);
    const script = await scriptOf(question, address, watch, socket);
    if (isFault(script)) return script;
    const walk = createWalk(watch, sender, script, question);
    const visit = { question, watch, walk, talk, socket, script, roundTripMs, untried: [] };
    const hello = await walkAll(visit);
    if (walk.fault) return walk.fault;
    return { trace: traceOf(visit, hello), caught: watch.caught };
  } finally {
    socket.destroy();
  }
}

/** One trace that is under way. */
interface Visit {
  readonly question: Question;
  readonly watch: Watch;
  readonly walk: Walk;
  readonly talk: Talk;
  readonly socket: Socket;
  readonly script: Script;
  readonly roundTripMs: number;
  readonly untried: string[];
}

/** The capture must have the whole handshake, and all that the server said so far. */
async function scriptOf(
  { server, name, deep }: Question,
  address: string,
  watch: Watch,
  socket: Socket,
): Promise<Script | Fault> {
  await watch.until(() => watch.own?.synAck !== undefined && watch.own.syn !== undefined, CAPTURE_MS);
  await watch.until(() => false, SETTLE_MS);
  const { own } = watch;
  const client = localEndpoint(socket)?.address;
  if (own?.synAck === undefined || own.syn === undefined || client === undefined) {
    const fix =
      'the capture shows nothing of the connection: is another network namespace or a proxy between?';
    return createFault('capture-failed', formatAddress(server), { fix });
  }
  const clientHello = deep ? await makeClientHello(server.host) : new Uint8Array();
  const synPort = SYN_PORTS + (own.port % SYN_PORTS_COUNT);
  return { client, server: address, port: server.port, name, own, synPort, clientHello };
}

async function walkAll(visit: Visit): Promise<Hello> {
  const { question, walk, watch, talk, roundTripMs, untried } = visit;
  if (isRefused(talk)) {
    untried.push('The server refused this client in its greeting: EHLO was not sent.');
    await talk.say('QUIT', QUIT_MS, () => talk.reply('quit') !== undefined);
    return UNSENT;
  }
  question.onStep('looking for the server: one control segment for each hop');
  await walk.findServer(roundTripMs);
  await walk.findEcho(roundTripMs);
  const tests = question.deep ? [...BASIC, ...FORMS] : BASIC;
  question.onStep(
    `${watch.distance ?? 'an unknown number of'} hops; copies of EHLO, ${question.tries} for each`,
  );
  await walk.compare(tests, roundTripMs);
  if (talk.closed || watch.own?.reset) {
    untried.push('The connection ended before EHLO itself was sent.');
    return UNSENT;
  }
  question.onStep('EHLO itself');
  const hello = await sayHello(visit);
  if (hello.result !== 'replied') {
    if (question.deep) untried.push('What follows EHLO was not tried, since EHLO had no reply.');
    // The kernel would repeat the EHLO for minutes, and the server wait as long.
    resetOnClose(visit.socket);
    return hello;
  }
  if (question.deep && (hello.code ?? 0) < 300) await walkFurther(visit);
  if (!visit.socket.destroyed && !talk.closed) {
    await talk.say('QUIT', QUIT_MS, () => talk.reply('quit') !== undefined);
  }
  return hello;
}

function isRefused(talk: Talk): boolean {
  return (talk.reply('greeting')?.code ?? 220) >= 400 || talk.closed;
}

/** By the kernel, which sends it again where it is lost; the server's acknowledgement shows whether it came. */
async function sayHello({ question, talk, watch, walk }: Visit): Promise<Hello> {
  const { own } = watch;
  if (own === undefined) return UNSENT;
  const before = own.next;
  const came = (): boolean => apart(before, own.acked) > 0;
  const said = talk.say(
    `EHLO ${question.name}`,
    question.patienceMs,
    () => talk.reply('hello') !== undefined,
  );
  await watch.until(() => came() || own.reset, HELLO_MS);
  if (came()) {
    await said;
    const acknowledgedAfter = own.ackedAt - own.saidAt;
    const code = talk.reply('hello')?.code;
    if (code === undefined && own.reset) return { result: 'reset' };
    return code === undefined
      ? { result: 'acknowledged', acknowledgedAfter }
      : { result: 'replied', acknowledgedAfter, code };
  }
  if (own.reset || talk.closed) return { result: 'reset' };
  const { heard } = own;
  for (let i = 0; i < ALIVE_TRIES && own.heard === heard && !own.reset; i += 1) {
    walk.sendControl();
    await watch.until(() => own.heard > heard || own.reset, ALIVE_MS);
  }
  return { result: 'silent', alive: own.heard > heard };
}

/** Behind the reply to EHLO: STARTTLS and MAIL as copies; then STARTTLS itself, and a ClientHello as copies. */
async function walkFurther(visit: Visit): Promise<void> {
  const { question, walk, talk, socket, roundTripMs, untried, watch } = visit;
  const offers = talk.reply('hello')?.texts.some((text) => /^STARTTLS\b/i.test(text)) ?? false;
  question.onStep('copies of what follows EHLO');
  await watch.until(() => false, SETTLE_MS);
  walk.enter(1);
  await walk.compare(['control', ...(offers ? (['starttls'] as const) : []), 'mail-size'], roundTripMs);
  if (!offers) return void untried.push('TLS was not tried, since the server does not offer STARTTLS.');
  const patienceMs = Math.min(question.patienceMs, HELLO_MS);
  await talk.say('STARTTLS', patienceMs, () => talk.reply('starttls') !== undefined);
  if (talk.reply('starttls')?.code !== 220)
    return void untried.push('TLS was not tried: STARTTLS was refused.');
  await watch.until(() => false, SETTLE_MS);
  question.onStep('copies of a TLS ClientHello');
  walk.enter(2);
  await walk.compare(['control', 'tls-hello'], roundTripMs);
  await quitInTls(socket, question.patienceMs);
}

/** The server waits for TLS now, and QUIT belongs into it. Whose certificate it is does not matter here. */
async function quitInTls(socket: Socket, patienceMs: number): Promise<void> {
  socket.removeAllListeners('data');
  const secure = connectTls({ socket, rejectUnauthorized: false });
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, Math.min(patienceMs, TLS_MS));
    const end = (): void => {
      clearTimeout(timer);
      resolve();
    };
    secure.once('secureConnect', () => secure.write('QUIT\r\n'));
    secure.once('data', end);
    secure.once('error', end);
    secure.once('close', end);
  });
  secure.destroy();
}

function traceOf({ question, watch, script, untried }: Visit, hello: Hello): Trace {
  return {
    server: script.server,
    port: question.server.port,
    client: script.client,
    sent: watch.sent,
    answers: watch.answers,
    distance: watch.distance,
    synAck: script.own.synAck,
    hello,
    lost: watch.lost,
    untried,
  };
}

const BASIC: readonly Test[] = ['control', 'ehlo', 'syn'];
const FORMS: readonly Test[] = ['helo', 'ehlo-lower', 'ehlo-split', 'half-size', 'full-size'];
const UNSENT: Hello = { result: 'unsent' };
/** Below the ports that Linux gives to programs. */
const SYN_PORTS = 24_000;
const SYN_PORTS_COUNT = 8_000;
const CAPTURE_MS = 2_000;
/** The capture hands over its last frames within 10 ms; a server acknowledges within 40. */
const SETTLE_MS = 100;
/** Five transmissions of Linux, and time for what is held. */
const HELLO_MS = 7_000;
const ALIVE_TRIES = 3;
const ALIVE_MS = 1_000;
const QUIT_MS = 2_000;
const TLS_MS = 5_000;
