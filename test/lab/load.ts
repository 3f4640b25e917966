// The relay under load: many connections at a time, many in a row, and peers that do not read.

import { createReadStream, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { startRelay, type Relayed } from '../kit/ehlowire';
import { freePort, run, scratch, start, until } from '../kit/process';
import { listening } from './peers/server';
import { buildLauncher } from '../proxy/launch';
import { openHolders } from './load-clients';
import { startDeafServer, startFlooder, untilStuck } from './load-stalls';

export interface LoadPlan {
  /** Connections that are open at the same time, each with one message in the end. */
  readonly held: number;
  /** Connections in a row, 20 at a time, each with one message. */
  readonly sessions: number;
  /** Of these, beside peers that do not read. */
  readonly besides: number;
  readonly rounds: number;
  /** Milliseconds of rest behind each round, before the memory that is left is read. */
  readonly restMs: number;
  /** Tells how far it is. */
  readonly say: (line: string) => void;
}

export interface Round {
  /** Connections that were open at once behind their EHLO, and messages of theirs that were accepted. */
  readonly held: number;
  readonly heldAccepted: number;
  /** smtp-source's exit code and time. */
  readonly code: number | null;
  readonly seconds: number;
  /** Messages as smtp-sink counted them. */
  readonly sunk: number;
  readonly record: Recorded;
  /** Resident memory of the relay in KiB: with all connections open, at most, and when all was over. */
  readonly rss: { readonly held: number; readonly peak: number; readonly after: number };
}

/** What the event log says of a round. */
export interface Recorded {
  readonly sessions: number;
  readonly messages: number;
  /** Sessions that the log left out because it could not keep up, and said so. */
  readonly omitted: number;
}

export interface Stalls {
  /** Seconds that the same sessions took without the deaf peers, and beside them. */
  readonly without: number;
  readonly beside: number;
  readonly code: number | null;
  /** Octets that senders could get rid of, and that arrived when the deaf listened again. */
  readonly stuckAt: number;
  readonly sent: number;
  readonly arrived: number;
  /** Resident memory of the relay in KiB, before and while they were stuck. */
  readonly rss: { readonly before: number; readonly stuck: number };
}

export interface Load {
  readonly rssBefore: number;
  readonly rounds: readonly Round[];
  readonly stalls: Stalls;
  /** What the relay wrote on its outputs: nothing, where nothing went wrong. */
  readonly output: string;
}

/** The whole plan against one relay, in order. */
export async function runLoad(plan: LoadPlan): Promise<Load> {
  await raiseFileLimit(2 * plan.held + 1_000);
  const { dir } = buildLauncher();
  const sink = await startCountingSink();
  const flooder = await startFlooder();
  const deaf = await startDeafServer();
  const upstreams = [sink.port, flooder.port, deaf.port].map((port) => `127.0.0.1:${port}`);
  const limit = ['--set', `relay.maxConnections=${plan.held + 1_000}`];
  const relay = await startRelay(upstreams, limit, join(dir, 'ehlowire'));
  const scene: Scene = { plan, relay, sink, flooder, deaf };
  const rssBefore = rssOf(relay.pid, 'VmRSS');
  const rounds: Round[] = [];
  for (let i = 0; i < plan.rounds; i += 1) rounds.push(await runRound(scene));
  const stalls = await runStalls(scene);
  await relay.stop();
  await Promise.all([sink.stop(), flooder.stop(), deaf.stop()]);
  relay.discard();
  rmSync(dir, { recursive: true });
  return { rssBefore, rounds, stalls, output: relay.output() };
}

interface Scene {
  readonly plan: LoadPlan;
  readonly relay: Relayed;
  readonly sink: CountingSink;
  readonly flooder: Awaited<ReturnType<typeof startFlooder>>;
  readonly deaf: Awaited<ReturnType<typeof startDeafServer>>;
}

async function runRound({ plan, relay, sink }: Scene): Promise<Round> {
  const { pid } = relay;
  const port = relay.ports[0] ?? 0;
  const sunkBefore = sink.messages();
  const log = await rotate(relay);
  resetPeak(pid);
  plan.say(`holding ${plan.held} connections`);
  const holders = await openHolders(port, plan.held);
  const { held } = holders;
  const rssHeld = rssOf(pid, 'VmRSS');
  const heldAccepted = await holders.deliver();
  plan.say(`${plan.sessions} sessions in a row`);
  const { code, seconds } = await source(port, plan.sessions);
  const record = await untilRecorded(log, plan.held + plan.sessions);
  const after = await settled(pid, plan.restMs);
  const rss = { held: rssHeld, peak: rssOf(pid, 'VmHWM'), after };
  return { held, heldAccepted, code, seconds, sunk: sink.messages() - sunkBefore, record, rss };
}

async function runStalls({ plan, relay, flooder, deaf }: Scene): Promise<Stalls> {
  const port = relay.ports[0] ?? 0;
  const { seconds: without } = await source(port, plan.besides);
  const before = rssOf(relay.pid, 'VmRSS');
  plan.say('two clients and two servers that do not read');
  for (let i = 0; i < 2; i += 1) {
    flooder.call(relay.ports[1] ?? 0);
    deaf.call(relay.ports[2] ?? 0);
  }
  await untilStuck(flooder, deaf);
  const sent = (): number => [...flooder.sent(), ...deaf.sent()].reduce((sum, octets) => sum + octets, 0);
  const stuckAt = sent();
  const { code, seconds: beside } = await source(port, plan.besides);
  const stuck = rssOf(relay.pid, 'VmRSS');
  plan.say('now they do');
  const arrived = await Promise.all([flooder.listen(), deaf.listen()]);
  return {
    ...{ without, beside, code, stuckAt, sent: sent() },
    arrived: arrived.reduce((sum, octets) => sum + octets, 0),
    rss: { before, stuck },
  };
}

/** Of one message each. */
function source(port: number, count: number): ReturnType<typeof run> {
  const args = ['-s', '20', '-m', `${count}`, '-l', '1000', '-f', 'alice@client.example'];
  const target = ['-t', 'bob@dest.example', `127.0.0.1:${port}`];
  return run('smtp-source', [...args, ...target], { timeoutMs: 600_000 });
}

export interface CountingSink {
  readonly port: number;
  messages(): number;
  stop(): Promise<void>;
}

/** smtp-sink with its running counters, of which only the last are kept. */
export async function startCountingSink(): Promise<CountingSink> {
  const port = await freePort();
  const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : [];
  const child = start('smtp-sink', [...user, '-c', '-m', '16384', `127.0.0.1:${port}`, '4096']);
  let tail = '';
  child.process.stdout?.on('data', (chunk: Buffer) => (tail = (tail + chunk.toString('latin1')).slice(-200)));
  const stop = await listening('smtp-sink', child, { port, folder: scratch('sink'), log: () => tail });
  const messages = (): number => Number([...tail.matchAll(/mesg=(\d+)\s*\r/g)].at(-1)?.[1] ?? 0);
  return { port, messages, stop };
}

/** A new log for the next round; the old one goes. */
async function rotate({ log, pid }: Relayed): Promise<string> {
  renameSync(log, `${log}.old`);
  process.kill(pid, 'SIGHUP');
  await until('the log to be opened anew', () => existsSync(log) || undefined);
  rmSync(`${log}.old`);
  return log;
}

async function untilRecorded(log: string, count: number): Promise<Recorded> {
  let found = await readRecord(log);
  for (let i = 0; i < 10 && found.sessions + found.omitted < count; i += 1) {
    await sleep(500);
    found = await readRecord(log);
  }
  return found;
}

async function readRecord(log: string): Promise<Recorded> {
  let [sessions, messages, omitted] = [0, 0, 0];
  for await (const line of createInterface({ input: createReadStream(log) })) {
    if (line.includes('"event":"session"')) {
      sessions += 1;
      messages += (JSON.parse(line) as { messages: number }).messages;
    } else if (line.includes('"event":"loss"')) {
      omitted += (JSON.parse(line) as { of?: { session?: number } }).of?.session ?? 0;
    }
  }
  return { sessions, messages, omitted };
}

/** One of the sizes in /proc/PID/status, in KiB. */
export function rssOf(pid: number, field: 'VmRSS' | 'VmHWM'): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]);
}

/** The least while it rests: what is garbage goes when there is time for it. */
async function settled(pid: number, restMs: number): Promise<number> {
  let least = rssOf(pid, 'VmRSS');
  for (let rested = 0; rested < restMs; rested += 500) {
    await sleep(500);
    least = Math.min(least, rssOf(pid, 'VmRSS'));
  }
  return least;
}

/** VmHWM begins anew (proc(5), clear_refs). */
function resetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

/** For this process and what it starts from now on. */
export async function raiseFileLimit(files: number): Promise<void> {
  const { code, output } = await run('prlimit', ['--pid', `${process.pid}`, `--nofile=${files}:${files}`]);
  const now = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
  if (Number(now) < files)
    throw new Error(`${files} open files are needed, ${now} allowed (${code}: ${output})`);
}
