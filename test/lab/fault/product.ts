// ehlowire itself in the lab, as a user starts it: the relay on the shim, and `analyze` over the recordings.

import { existsSync, readFileSync } from 'node:fs';
import type { LogLine } from '../../kit/ehlowire';
import { launcher } from '../../kit/launcher';
import { run, until } from '../../kit/process';
import type { Topology } from '../../kit/topology';
import { RELAYED, SERVERS, type Relayed } from './mta';

interface RunningRelay {
  events(): readonly LogLine[];
  stop(): Promise<void>;
}

/** One relay before all servers that are relayed; it watches its segments as by default. */
export async function startRelay(topology: Topology, log: string): Promise<RunningRelay> {
  const servers = Object.keys(RELAYED) as readonly Relayed[];
  const pairs = servers.flatMap((server) => [
    ...['--listen', `${RELAYED[server]}:25`],
    ...['--upstream', `${SERVERS[server]}:25`],
  ]);
  const relay = topology.start(
    'shim',
    launcher(),
    'relay',
    ...pairs,
    '--log',
    log,
    '--set',
    'servers.file=off',
  );
  const events = (): readonly LogLine[] => readLog(log);
  await until(
    'the relay to listen',
    () => {
      if (relay.process.exitCode !== null) throw new Error(`the relay ended: ${relay.output()}`);
      return events().filter(({ event }) => event === 'listening').length === servers.length || undefined;
    },
    180_000,
  );
  return { events, stop: async () => void (await relay.stop()) };
}

/**
 * All events of all recordings, in one go; throws with what it said where it did not like one. A pcap does not say whether
 * frames were lost: `noDrops` says that none were, as `startRecording` makes sure.
 */
export async function analyze(recordings: readonly string[], noDrops = true): Promise<readonly LogLine[]> {
  if (recordings.length === 0) return [];
  const { code, output } = await run(launcher(), [
    'analyze',
    '--json',
    ...(noDrops ? ['--no-drops'] : []),
    ...recordings,
  ]);
  if (code !== 0) throw new Error(`analyze: ${output.slice(-2_000)}`);
  return parseLines(output);
}

/** What the two sides of the firewall, lined up, say; both were recorded all the time. */
export async function analyzeTwoPoints(outside: string, inside: string): Promise<readonly LogLine[]> {
  const points = ['--wan', outside, '--dmz', inside, '--together'];
  const { code, output } = await run(launcher(), ['analyze', '--json', ...points]);
  if (code !== 0) throw new Error(`analyze: ${output.slice(-2_000)}`);
  return parseLines(output);
}

/** What a running ehlowire has written by now. */
export function readLog(log: string): readonly LogLine[] {
  return existsSync(log) ? parseLines(readFileSync(log, 'utf8')) : [];
}

function parseLines(text: string): readonly LogLine[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('{') && line.endsWith('}'))
    .map((line) => JSON.parse(line) as LogLine);
}
