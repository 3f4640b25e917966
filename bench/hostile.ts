// What one hostile peer of a relay costs the others: an honest client's dialogue beside each attack, and beside none.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startRelay, type Relayed } from '../test/kit/ehlowire';
import { launcher } from '../test/kit/launcher';
import { freePort, run, start } from '../test/kit/process';
import { awaitWord } from '../test/kit/topology';
import { median } from './median';
import { spread } from './results';

const PEERS = join(__dirname, 'hostile.py');
const SECONDS = 3;
/** Of one attack at the most, what is added to any reply of others. */
const BAR_MS = 100;

/** One number a round. */
interface Cost {
  readonly typical: number[];
  readonly worst: number[];
  /** Seconds of the relay's processor for each million octets that the attack sent; its share of the time. */
  readonly perMegabyte: number[];
  readonly share: number[];
}

/** Of each attack a row, in Markdown. */
export async function playHostile(
  rounds: number,
  onRound: (text: string) => void,
): Promise<readonly string[]> {
  const [own, theirs] = [await freePort(), await freePort()];
  const server = start('python3', ['-u', PEERS, 'serve', String(own)]);
  await awaitWord(server, 'ready');
  const relay = await startRelay(
    [`127.0.0.1:${own}`, `127.0.0.1:${theirs}`],
    ['--repair', 'now'],
    launcher(),
  );
  const names = JSON.parse(execFileSync('python3', [PEERS, 'names'], { encoding: 'utf8' })) as string[];
  const costs = new Map([NOBODY, ...names].map((name): [string, Cost] => [name, noCost()]));
  try {
    await measure(relay, theirs, NOBODY);
    for (let round = 1; round <= rounds; round += 1) {
      for (const [name, cost] of costs) {
        const { delays, octets, busy } = await measure(relay, theirs, name);
        const usual = name === NOBODY ? 0 : (costs.get(NOBODY)?.typical.at(-1) ?? NaN);
        cost.typical.push(median(delays) - usual);
        cost.worst.push(Math.max(...delays) - usual);
        cost.perMegabyte.push(busy / (octets / 1e6));
        cost.share.push(busy / SECONDS);
        onRound(
          `hostile ${round}: ${name}: ${median(delays).toFixed(1)} ms, worst ${Math.max(...delays).toFixed(1)} ms, of ${delays.length}; ${(octets / 1e6).toFixed(2)} MB, ${busy.toFixed(2)} s of processor`,
        );
        // What it has left to do is paid by none of the others.
        await settle(relay.pid);
      }
    }
  } finally {
    await relay.stop();
    relay.discard();
    await server.stop();
  }
  return describe(costs);
}

function describe(costs: ReadonlyMap<string, Cost>): readonly string[] {
  const rows = [...costs].map(([name, { typical, worst, perMegabyte, share }]) => {
    const nobody = name === NOBODY;
    const reached = median(worst) <= BAR_MS ? 'reached' : 'missed';
    const rest = nobody ? ' | ' : `${spread(perMegabyte)} | ${reached}`;
    return `| ${name} | ${spread(typical)} | ${spread(worst)} | ${spread(share)} | ${rest} |`;
  });
  return [
    `One hostile peer of a relay for ${SECONDS} s, and an honest client beside it that asks every 20 ms: what is added to its usual reply time. The peers run on the same machine and take their part of its processors. Goal: at most ${BAR_MS} ms in any reply, in the median of the rounds.`,
    '',
    "| attack | added, ms, p50 | added, ms, worst | relay's share of a processor | processor s a MB | |",
    '|---|---|---|---|---|---|',
    ...rows,
    '',
  ];
}

interface Measured {
  readonly delays: readonly number[];
  readonly octets: number;
  /** Seconds. */
  readonly busy: number;
}

async function measure(relay: Relayed, theirs: number, name: string): Promise<Measured> {
  const [honest = 0, hostile = 0] = relay.ports;
  const before = busySeconds(relay.pid);
  const client = run('python3', [PEERS, 'honest', String(honest), String(SECONDS)], TIMEOUT);
  const args = ['attack', name, String(hostile), String(theirs), String(SECONDS)];
  const attack = name === NOBODY ? undefined : run('python3', [PEERS, ...args], TIMEOUT);
  const [asked, sent] = await Promise.all([client, attack]);
  for (const each of [asked, sent]) if (each && each.code !== 0) throw new Error(`${name}: ${each.output}`);
  return {
    delays: JSON.parse(asked.output) as number[],
    octets: sent ? (JSON.parse(sent.output) as number) : NaN,
    busy: busySeconds(relay.pid) - before,
  };
}

/** Of a process, in user mode and in the kernel (proc(5)); counted in hundredths. */
function busySeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

async function settle(pid: number): Promise<void> {
  for (let before = -1; before !== busySeconds(pid);) {
    before = busySeconds(pid);
    await sleep(200);
  }
}

function noCost(): Cost {
  return { typical: [], worst: [], perMegabyte: [], share: [] };
}

const NOBODY = 'none';
const TIMEOUT = { timeoutMs: 60_000 };
