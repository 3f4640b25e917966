// What one hostile peer of a relay costs the others: an honest client's dialogue beside each attack, and without one.

import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startRelay, type Relayed } from '../test/kit/ehlowire';
import { freePort, run, scratch, start } from '../test/kit/process';
import { awaitWord } from '../test/kit/topology';
import { PROGRAM } from './candidates';
import { median, type Figures } from './records';

const PEERS = join(__dirname, 'hostile.py');
/** The most that one attack may add to any reply to other clients. */
const BAR_MS = 100;

/** One number a round. */
interface Cost {
  /** What is added to the usual reply time of the honest client, ms. */
  readonly typical: number[];
  readonly worst: number[];
  /** Of one processor, what the relay takes; and seconds of it for each million octets that the attack sends. */
  readonly share: number[];
  readonly perMegabyte: number[];
}

/** One peer at a time attacks the relay for `seconds`; beside it an honest client sends a command every 20 ms. */
export async function measureHostile(
  seconds: number,
  rounds: number,
  onRound: (text: string) => void,
): Promise<Figures> {
  const [own, theirs] = [await freePort(), await freePort()];
  const server = start('python3', ['-u', PEERS, 'serve', String(own)]);
  await awaitWord(server, 'ready');
  const launcher = join(scratch('hostile'), 'ehlowire');
  writeFileSync(launcher, `#!/bin/sh\nexec ${process.execPath} ${PROGRAM} "$@"\n`, { mode: 0o755 });
  const relay = await startRelay([`127.0.0.1:${own}`, `127.0.0.1:${theirs}`], ['--repair', 'now'], launcher);
  const names = JSON.parse(execFileSync('python3', [PEERS, 'names'], { encoding: 'utf8' })) as string[];
  const costs = new Map([NO_ATTACK, ...names].map((name): [string, Cost] => [name, noCost()]));
  try {
    await measure(relay, theirs, NO_ATTACK, seconds);
    for (let round = 1; round <= rounds; round += 1) {
      for (const [name, cost] of costs) {
        const { delays, octets, busy } = await measure(relay, theirs, name, seconds);
        const usual = name === NO_ATTACK ? 0 : (costs.get(NO_ATTACK)?.typical.at(-1) ?? NaN);
        cost.typical.push(median(delays) - usual);
        cost.worst.push(Math.max(...delays) - usual);
        cost.share.push(busy / seconds);
        if (name !== NO_ATTACK) cost.perMegabyte.push(busy / (octets / 1e6));
        onRound(
          `hostile ${round}: ${name}: ${median(delays).toFixed(1)} ms, worst ${Math.max(...delays).toFixed(1)} ms, of ${delays.length}; ${(octets / 1e6).toFixed(2)} MB, ${busy.toFixed(2)} s of processor`,
        );
        // The next attack does not pay for work that this one left.
        await settle(relay.pid);
      }
    }
  } finally {
    await relay.stop();
    relay.discard();
    await server.stop();
  }
  return figuresOf(costs);
}

function figuresOf(costs: ReadonlyMap<string, Cost>): Figures {
  const rows = [...costs].map(([name, cost]): [string, number[][]] => [
    name,
    [cost.typical, cost.worst, cost.share, cost.perMegabyte],
  ]);
  return {
    tables: [{ name: 'hostile', columns: COLUMNS, rows: Object.fromEntries(rows) }],
    goals: [...costs]
      .filter(([name]) => name !== NO_ATTACK)
      .map(([name, { worst }]) => ({
        text: `hostile: ${name}: ms added to the slowest reply`,
        ...{ value: median(worst), is: 'at most', bar: BAR_MS, must: false },
      })),
    failures: [],
  };
}

interface Measured {
  readonly delays: readonly number[];
  readonly octets: number;
  /** Seconds. */
  readonly busy: number;
}

async function measure(relay: Relayed, theirs: number, name: string, seconds: number): Promise<Measured> {
  const [honest = 0, hostile = 0] = relay.ports;
  const before = busySeconds(relay.pid);
  const client = run('python3', [PEERS, 'honest', String(honest), String(seconds)], TIMEOUT);
  const args = ['attack', name, String(hostile), String(theirs), String(seconds)];
  const attack = name === NO_ATTACK ? undefined : run('python3', [PEERS, ...args], TIMEOUT);
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
  return { typical: [], worst: [], share: [], perMegabyte: [] };
}

const COLUMNS = ['ms added, p50', 'ms added, slowest', "relay's share of a processor", 'processor s a MB'];
const NO_ATTACK = 'no attack';
const TIMEOUT = { timeoutMs: 60_000 };
