// Plays one row in a topology: the firewall and the watchers start, the client does its part, all ends.

import { join } from 'node:path';
import { RECIPIENT, SENDER, makeMessage, writeMessage } from '../../kit/message';
import type { Child } from '../../kit/process';
import { writeStuffed } from '../peers/stuffing';
import { ADDRESS, awaitWord, type Topology } from '../../kit/topology';
import { RELAYED, SERVERS } from './mta';
import { startRecording } from './recording';
import type { Client, Firewall, Row } from './row';
import { divert, PROXY_PORT, synproxy } from './router-rules';
import type { Playing, Vantage } from './tasks';

export interface Played {
  /** The client's address: what tells this playing's events from all others. */
  readonly client: string;
  /** Recorded at the shim, and at the client, where somebody will read it. */
  readonly inside?: string;
  readonly outside?: string;
  /** What the client and the firewall said on their outputs. */
  readonly said: string;
}

/** `nth` is the client's address; nothing before had it. */
export async function play(
  topology: Topology,
  { row, serves, offloads = false }: Playing,
  { nth, folder }: { readonly nth: number; readonly folder: string },
): Promise<Played> {
  const { v4, v6 } = topology.moveClient(nth);
  const client = row.server === 'postfix6' ? v6 : v4;
  const filter = `tcp port 25 and host ${client}`;
  const read = (vantage: Vantage): boolean => serves.includes(vantage);
  const points = {
    ...((read('inside') || read('two points')) && { inside: join(folder, `${nth}.inside.pcap`) }),
    ...((read('two points') || read('outside')) && { outside: join(folder, `${nth}.outside.pcap`) }),
  };
  await offload(topology, offloads);
  const firewall = await startFirewall(topology, row.firewall);
  try {
    const recordings = await Promise.all([
      ...(points.inside ? [startRecording(topology, SHIM, points.inside, filter)] : []),
      ...(points.outside ? [startRecording(topology, CLIENT, points.outside, filter)] : []),
    ]);
    const host = hostOf(row, read('live'));
    const outcome = await topology.run('cli', CLIENT_MS, ...commandOf(row.client, host, nth, folder));
    // What is under way arrives; a lost FIN is sent again.
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    await Promise.all(recordings.map((each) => each.stop()));
    return { client, ...points, said: `${outcome.output}${firewall.said()}` };
  } finally {
    await firewall.stop();
    await topology.run('cli', CLIENT_MS, 'nft', 'flush', 'ruleset');
  }
}

/** Of the mail server's cable both ends, and what the shim receives: what it sends to the firewall is whole and summed. */
async function offload(topology: Topology, on: boolean): Promise<void> {
  const words = ['tx', 'sg', 'gso', 'gro', 'tso'].flatMap((each) => [each, on ? 'on' : 'off']);
  const outcomes = await Promise.all([
    topology.run('mta', CLIENT_MS, 'ethtool', '-K', 'eth0', ...words),
    topology.run('shim', CLIENT_MS, 'ethtool', '-K', 'lan', ...words),
    topology.run('shim', CLIENT_MS, 'ethtool', '-K', 'wan', 'gro', on ? 'on' : 'off'),
  ]);
  const failed = outcomes.find(({ code }) => code !== 0);
  if (failed) throw new Error(`ethtool: ${failed.output}`);
}

const SHIM = { place: 'shim', device: 'wan' } as const;
const CLIENT = { place: 'cli', device: 'eth0' } as const;

function hostOf({ server, translated, name }: Row, relayed: boolean): string {
  if (!relayed) return translated ? ADDRESS.public : SERVERS[server];
  const found = Object.entries(RELAYED).find(([each]) => each === server);
  if (!found) throw new Error(`${name}: no relay stands before ${server}`);
  return found[1];
}

const CLIENT_MS = 60_000;
/** What comes late is judged too. And asking all machines whether a socket is left takes hardly less: 70 to 690 ms. */
const SETTLE_MS = 700;

type Command = readonly [string, ...(readonly string[])];

function commandOf(client: Client, host: string, nth: number, folder: string): Command {
  if (client.kind === 'script') return ['python3', join(__dirname, 'client.py'), host, ...client.steps];
  const message = makeMessage({ octets: client.kind === 'smtplib' ? client.octets : 2_000, eightBit: false });
  const path = join(folder, `${nth}.eml`);
  const patience = String(client.patience);
  if (client.kind === 'smtplib') {
    const program = join(__dirname, '../peers/smtplib_client.py');
    return ['python3', program, host, '25', SENDER, RECIPIENT, writeMessage(path, message), patience];
  }
  const data = ['--no-data-fixup', '--data', `@${writeStuffed(path, message.octets)}`, '--suppress-data'];
  const who = ['--helo', 'client.example', '--from', SENDER, '--to', RECIPIENT];
  return ['swaks', '--server', host, '--port', '25', '--timeout', patience, ...who, ...data];
}

interface RunningFirewall {
  said(): string;
  stop(): Promise<void>;
}

async function startFirewall(topology: Topology, firewall: Firewall): Promise<RunningFirewall> {
  if (firewall.kind === 'wire') {
    const child = topology.start('fw', 'python3', beside('firewall.py'), 'out', 'in', ...firewall.faults);
    return ready(child);
  }
  topology.route(true);
  const back = async (): Promise<void> => {
    await topology.run('fw', CLIENT_MS, 'nft', 'flush', 'ruleset');
    topology.route(false);
  };
  if (firewall.kind === 'synproxy') {
    const output = await script(topology, synproxy('out'));
    return { said: () => output, stop: back };
  }
  await script(topology, divert('out'));
  const proxy = await ready(topology.start('fw', 'python3', beside('firewall_proxy.py'), String(PROXY_PORT)));
  return { said: proxy.said, stop: () => proxy.stop().then(back) };
}

/** A rule that the kernel refuses would leave a firewall that does nothing. */
async function script(topology: Topology, text: string): Promise<string> {
  const { code, output } = await topology.run('fw', CLIENT_MS, 'sh', '-ec', text);
  if (code !== 0) throw new Error(`the firewall's rules were refused: ${output}`);
  return output;
}

async function ready(child: Child): Promise<RunningFirewall> {
  await awaitWord(child, 'ready');
  return { said: child.output, stop: async () => void (await child.stop()) };
}

function beside(name: string): string {
  return join(__dirname, name);
}
