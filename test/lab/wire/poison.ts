// Bots of every kind beside honest clients, in front of real postscreens: one way of being in place, both families.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { formatEndpoint } from '../../../proxy/system/address';
import type { LogLine } from '../../kit/ehlowire';
import { until, type Child } from '../../kit/process';
import { awaitWord } from '../../kit/topology';
import { NODE, ONE, ONE6, startLoad, THREE, TWO, type Load, type Tally } from '../../kit/wire';
import { honestFor, isHonest, startBots, type Bots, type Played } from './crowd';
import { AUTO, BLIND, HOST, makeWay, RELAY, WIRE, type Path, type Way } from './paths';

/** With a ring that is full while the process stands still, records are lost. */
export const SHORT: Path = {
  ...WIRE,
  name: 'wire, records lost',
  flags: ['--path', 'wire', '--set', 'wire.ring=65536'],
};
export const PATHS: readonly Path[] = [RELAY, WIRE, SHORT, AUTO, BLIND, HOST];

/** Servers that play, each beside the others: what it does to an early talker, and where it is. */
export const POSTS = [
  { name: 'enforce', action: 'enforce', server: ONE },
  { name: 'drop', action: 'drop', server: TWO },
  { name: 'ignore', action: 'ignore', server: THREE },
  { name: 'drop, IPv6', action: 'drop', server: ONE6 },
] as const;
type Row = (typeof POSTS)[number];

/** What one server went through. */
export interface Account {
  readonly name: Row['name'];
  /** Of honest clients. */
  readonly fine: number;
  readonly messages: number;
  readonly failed: Readonly<Record<string, number>>;
  /** Messages in its mailbox. */
  readonly delivered: number;
  readonly played: Played;
  /** Early talkers that postscreen noticed. */
  readonly early: number;
  /** Lines of ehlowire's log against the server, or of changes to an honest client's greeting. */
  readonly against: readonly string[];
  /** Records that found no room in the ring; of all servers. */
  readonly lost: number;
  /** What was noted of the server, suspicions among it: how often each. */
  readonly notes: Readonly<Record<string, number>>;
}

interface Scene {
  readonly way: Way;
  readonly posts: readonly Post[];
  /** The process of the moment. */
  ehlowire: Child;
  loads: Load[];
}

interface Post {
  readonly name: Row['name'];
  readonly server: string;
  /** Where clients connect. */
  readonly front: string;
  /** postscreen's folder. */
  readonly folder: string;
  readonly tallies: Tally[];
}

export interface Plan {
  /** Honest clients at a time, to each server. */
  readonly honest: number;
  /** Seconds between two steps of theirs. */
  readonly pace: number;
  /** Before and behind the stop of the process, and behind each restart. */
  readonly seconds: readonly [before: number, behind: number, killed: number, ended: number];
}

/** A row of CI takes 40 s. */
export const BRIEF: Plan = { honest: 3, pace: 0, seconds: [5, 3, 6, 6] };

/** Mail flows from the first second on; the process is stopped for a while, killed, ended, and started each time. */
export async function poison(label: string, path: Path, plan: Plan): Promise<readonly Account[]> {
  const servers = POSTS.map(({ server }) => server);
  const way = makeWay(label, path, servers, PATIENCE_S);
  const { wire } = way;
  try {
    const posts = await Promise.all(POSTS.map((row) => raise(way, row)));
    const scene: Scene = { way, posts, ehlowire: await way.enter(), loads: [] };
    const bots = await Promise.all(posts.map(({ front }) => startBots(wire, front, lengthOf(plan))));
    await live(scene, plan);
    return await Promise.all(posts.map((post, i) => accountOf(scene, post, bots[i])));
  } finally {
    await wire.remove();
  }
}

async function live(scene: Scene, plan: Plan): Promise<void> {
  const [before, behind, killed, ended] = plan.seconds;
  start(scene, plan);
  await sleep(before * 1000);
  scene.ehlowire.process.kill('SIGSTOP');
  await sleep(STOPPED_MS);
  scene.ehlowire.process.kill('SIGCONT');
  await sleep(behind * 1000);
  // Who ends takes along what it relays: honest clients are between two sessions then, and bots are not.
  await stop(scene);
  await restart(scene, 'SIGKILL');
  start(scene, plan);
  await sleep(killed * 1000);
  await stop(scene);
  await restart(scene, 'SIGTERM');
  start(scene, plan);
  await sleep(ended * 1000);
  await stop(scene);
}

function start(scene: Scene, { honest, pace }: Plan): void {
  scene.loads = scene.posts.map(({ front }) => {
    return startLoad(scene.way.wire, front, { connections: honest, pace, from: honestFor(front) });
  });
}

async function stop({ loads, posts }: Scene): Promise<void> {
  const tallies = await Promise.all(loads.map((load) => load.stop()));
  posts.forEach((post, i) => post.tallies.push(...tallies.slice(i, i + 1)));
}

async function restart(scene: Scene, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
  await scene.ehlowire.stop(signal, DRAIN_MS);
  scene.ehlowire = await scene.way.enter();
}

async function raise({ wire, frontOf }: Way, { name, action, server }: Row): Promise<Post> {
  const program = join(__dirname, 'postscreen.ts');
  const postscreen = wire.topology.start('mta', ...NODE, program, server, action, String(GREET_WAIT_S));
  await awaitWord(postscreen, 'ready', 60_000);
  const maillog = /^ready (.*)$/m.exec(postscreen.output())?.[1] ?? '';
  return { name, server, front: frontOf(server), folder: join(maillog, '../..'), tallies: [] };
}

async function accountOf({ way: { wire } }: Scene, post: Post, bots: Bots | undefined): Promise<Account> {
  const sum = (of: (tally: Tally) => number): number =>
    post.tallies.reduce((all, tally) => all + of(tally), 0);
  const messages = sum((tally) => tally.messages);
  const inbox = join(post.folder, 'mail', 'inbox', 'new');
  const delivered = (): number => (existsSync(inbox) ? readdirSync(inbox).length : 0);
  await until('the mail', () => delivered() >= messages || undefined, DELIVERY_MS).catch(() => undefined);
  const failed: Record<string, number> = {};
  for (const tally of post.tallies)
    for (const [why, count] of Object.entries(tally.failed)) failed[why] = (failed[why] ?? 0) + count;
  const lines = wire.events();
  return {
    name: post.name,
    fine: sum((tally) => tally.fine),
    messages,
    failed,
    delivered: delivered(),
    played: (await bots?.played) ?? {},
    early: readFileSync(join(post.folder, 'log', 'maillog'), 'utf8').split('PREGREET').length - 1,
    lost: lines.reduce((all, { event, segments }) => all + (event === 'loss' ? Number(segments) : 0), 0),
    against: lines.filter((line) => isAgainst(line, post)).map((line) => JSON.stringify(line)),
    notes: notesOf(lines, post),
  };
}

/** What must not be said of an honest server. A bot's own greeting may be completed for it, where it speaks early. */
function isAgainst(line: LogLine, { server }: Post): boolean {
  if (line['server.address'] !== server) return false;
  if (line.event === 'learned') return line['policy'] !== 'observe';
  if (line.event === 'repair') return isHonest(line['client.address']);
  return line['verdict'] === 'greeting-truncated';
}

function notesOf(lines: readonly LogLine[], { server }: Post): Readonly<Record<string, number>> {
  const notes: Record<string, number> = {};
  for (const { event, server: on } of lines)
    if (on === formatEndpoint({ address: server, port: 25 })) notes[event] = (notes[event] ?? 0) + 1;
  return notes;
}

/** Bots go on until honest clients have ended: what the restarts take is about 10 s. */
function lengthOf({ seconds }: Plan): number {
  return seconds.reduce((sum, each) => sum + each, 0) + STOPPED_MS / 1000 + 10;
}

const GREET_WAIT_S = 3;
const PATIENCE_S = 6;
const STOPPED_MS = 10_000;
/** A relay lets its connections end. */
const DRAIN_MS = 30_000;
const DELIVERY_MS = 20_000;
