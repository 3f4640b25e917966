// Ten thousand hostile connections beside honest senders, through one relay: what the honest ones get, and what it costs.

import { execFileSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { startRelay, type Relayed } from '../../kit/ehlowire';
import { run, start } from '../../kit/process';
import { awaitWord } from '../../kit/topology';
import { buildLauncher } from '../../proxy/launch';
import { openSink } from '../../../proxy/measure/sink';
import { createSocketNetwork } from '../../../proxy/measure/sockets';
import { formatFault, isFault } from '../../../proxy/system/fault';
import { raiseFileLimit, rssOf, type CountingSink } from '../load';

export interface HostilePlan {
  readonly honest: number;
  readonly hostile: number;
  /** Of the honest senders alone, and beside the hostile ones. */
  readonly seconds: number;
  /** Until the hostile ones have all begun, and their first have been ended. */
  readonly settleSeconds: number;
  readonly say: (line: string) => void;
}

interface Honest {
  readonly accepted: number;
  /** Of a message, in seconds. */
  readonly slowest: number;
  readonly failed: Readonly<Record<string, number>>;
}

interface Hostile {
  readonly connections: number;
  readonly refused: number;
  readonly half_open: number;
  readonly open: number;
  readonly seconds: number;
  /** Seconds of a processor that they cost themselves. */
  readonly processor: number;
}

export interface HostileResult {
  readonly alone: Honest;
  /** Beside the same attack on another server, which the relay does not see: what the machine itself loses. */
  readonly elsewhere: Honest;
  readonly beside: Honest;
  readonly hostile: Hostile;
  /** As the server counted them. */
  readonly sunk: number;
  /** KiB: before, at most. */
  readonly rss: { readonly before: number; readonly peak: number };
  /** Octets of the log that the attack made, and `blocked` lines. */
  readonly log: { readonly octets: number; readonly blocked: number };
  readonly output: string;
}

/** In a network namespace that is its own. */
export async function runHostile(plan: HostilePlan): Promise<HostileResult> {
  await raiseFileLimit(2 * plan.hostile);
  giveAddresses();
  const sink = await openQuickSink();
  const other = await openQuickSink();
  const { dir } = buildLauncher();
  const relay = await startRelay(
    [`127.0.0.1:${sink.port}`],
    ['--set', 'relay.workers=2'],
    join(dir, 'ehlowire'),
  );
  const port = relay.ports[0] ?? 0;
  try {
    plan.say('honest senders alone');
    await honest(port, plan.honest, 2);
    const sunkBefore = sink.messages();
    const alone = await honest(port, plan.honest, plan.seconds);
    plan.say('beside an attack on another server');
    const { came: elsewhere } = await attacked(plan, other.port, port);
    const before = rssOf(relay.pid, 'VmRSS');
    const octetsBefore = statSync(relay.log).size;
    plan.say('beside an attack on the relay');
    const { came: beside, hostile } = await attacked(plan, port, port);
    const rss = { before, peak: rssOf(relay.pid, 'VmHWM') };
    const octets = statSync(relay.log).size - octetsBefore;
    const log = { octets, blocked: countBlocked(relay) };
    await relay.stop();
    const sunk = sink.messages() - sunkBefore;
    return { alone, elsewhere, beside, hostile, sunk, rss, log, output: relay.output() };
  } finally {
    await relay.stop();
    relay.discard();
    await Promise.all([sink.stop(), other.stop()]);
    takeAddresses();
  }
}

/** smtp-sink accepts so slowly that beside thousands of connections it is what honest mail waits for. */
async function openQuickSink(): Promise<CountingSink> {
  const network = createSocketNetwork();
  const sink = await openSink(network, { address: '127.0.0.1', port: 0 }, 'sink.example');
  if (isFault(sink)) throw new Error(formatFault(sink));
  return {
    port: sink.at.port,
    messages: () => sink.counts.messages,
    stop: () => Promise.resolve(network.end()),
  };
}

/** Loopback has all of RFC 2544's addresses, and those of RFC 5737 lead to nobody. */
function giveAddresses(): void {
  const ip = (...words: string[]): void => void execFileSync('ip', words);
  ip('route', 'replace', 'local', '198.18.0.0/15', 'dev', 'lo', 'table', 'local');
  ip('link', 'add', 'nowhere', 'type', 'veth', 'peer', 'name', 'beyond');
  ip('link', 'set', 'nowhere', 'arp', 'off', 'up');
  ip('link', 'set', 'beyond', 'up');
  ip('route', 'add', '192.0.2.0/24', 'dev', 'nowhere');
}

function takeAddresses(): void {
  execFileSync('ip', ['link', 'delete', 'nowhere']);
  execFileSync('ip', ['route', 'delete', 'local', '198.18.0.0/15', 'dev', 'lo', 'table', 'local']);
}

async function attacked(
  plan: HostilePlan,
  attackedPort: number,
  port: number,
): Promise<{ readonly came: Honest; readonly hostile: Hostile }> {
  const seconds = plan.settleSeconds + plan.seconds + plan.hostile / 2_000 + 3;
  const args = ['hostile', '127.0.0.1', `${attackedPort}`, `${plan.hostile}`, `${Math.ceil(seconds)}`];
  const attack = start('python3', ['-u', CROWD, ...args]);
  await awaitWord(attack, 'ready');
  await honest(port, plan.honest, plan.settleSeconds);
  const came = await honest(port, plan.honest, plan.seconds);
  const { output } = await attack.ended;
  return { came, hostile: JSON.parse(output.split('\n').filter(Boolean).at(-1) ?? '') as Hostile };
}

async function honest(port: number, count: number, seconds: number): Promise<Honest> {
  const { code, output } = await run(
    'python3',
    [CROWD, 'honest', '127.0.0.1', `${port}`, `${count}`, `${seconds}`],
    {
      timeoutMs: 600_000,
    },
  );
  if (code !== 0) throw new Error(output);
  return JSON.parse(output) as Honest;
}

/** What must hold on any machine, one line for each that does not. */
export function violationsOf(
  plan: HostilePlan,
  { alone, beside, hostile, sunk, rss, log, output }: HostileResult,
): string[] {
  const connections = hostile.connections + beside.accepted;
  const bounds: readonly (readonly [what: string, value: number, most: number])[] = [
    ['KiB of memory that an attack adds', rss.peak - rss.before, KIB_BUSY + KIB_EACH * plan.hostile],
    ['octets of the log to a connection', log.octets / connections, LOGGED_EACH],
  ];
  const fails = Object.entries(beside.failed).map(
    ([why, count]) => `${count} honest connections were ended: ${why}`,
  );
  return [
    ...fails,
    ...bounds.flatMap(([what, value, most]) =>
      value <= most ? [] : `${value.toFixed(1)} ${what}, more than ${most}`,
    ),
    ...(beside.accepted >= plan.honest
      ? []
      : [`${beside.accepted} messages of ${plan.honest} honest senders`]),
    ...(sunk >= alone.accepted + beside.accepted
      ? []
      : [`${sunk} messages arrived, fewer than were accepted`]),
    ...(hostile.open + hostile.refused > 0 ? [] : ['there was no attack']),
    ...(output === '' ? [] : [`the relay says: ${output}`]),
  ];
}

/** The heap of a process that is busy, however many connections it has; and for each two sockets, a session, its buffers. */
const KIB_BUSY = 196_608;
const KIB_EACH = 128;
/** Twenty lines or so, and those of honest messages. */
const LOGGED_EACH = 12_000;

export function renderHostile(plan: HostilePlan, result: HostileResult): string {
  const { alone, elsewhere, beside, hostile, rss, log } = result;
  const rate = ({ accepted }: Honest): number => accepted / plan.seconds;
  const row = (name: string, came: Honest): string =>
    `${name.padEnd(36)}${rate(came).toFixed(0).padStart(6)} messages/s ${share(rate(came) / rate(alone)).padStart(6)}   slowest ${came.slowest.toFixed(2)} s   failed ${JSON.stringify(came.failed)}`;
  return [
    `${plan.honest} honest senders, ${plan.hostile} hostile connections, ${plan.seconds} s each`,
    row('alone', alone),
    row('beside an attack on another server', elsewhere),
    row('beside an attack on the relay', beside),
    `the attack: ${hostile.connections} connections, ${hostile.half_open} half open, ${hostile.refused} got 421, ${hostile.open} open at the end; ` +
      `it costs ${share(hostile.processor / hostile.seconds)} of a processor itself`,
    `memory: ${Math.round(rss.before / 1024)} MiB before, ${Math.round(rss.peak / 1024)} MiB at most`,
    `log: ${(log.octets / 1e6).toFixed(1)} MB, ${log.blocked} \`blocked\` lines`,
  ].join('\n');
}

function share(part: number): string {
  return `${(100 * part).toFixed(0)} %`;
}

function countBlocked({ log }: Relayed): number {
  return readFileSync(log, 'latin1').split('"event":"blocked"').length - 1;
}

const CROWD = join(__dirname, 'crowd.py');
