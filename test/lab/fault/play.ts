// Plays one row in a topology: the firewall and two recordings start, the client does its part, all ends.

import { join } from 'node:path';
import { RECIPIENT, SENDER, makeMessage, writeMessage } from '../../kit/message';
import type { Child } from '../../kit/process';
import { writeStuffed } from '../../kit/stuffing';
import { ADDRESS, awaitWord, type Topology } from '../../kit/topology';
import { SERVERS } from './mta';
import { startRecording } from './recording';
import type { Client, Firewall, Row } from './row';

export interface Played {
  /** Recording at the shim, inside of the firewall. */
  readonly inside: string;
  /** Recording at the client, outside of it. */
  readonly outside: string;
  /** What the client said on its outputs. */
  readonly client: string;
  readonly firewall: string;
}

/** A topology with the servers running in it. `nth` is the client's address; no row before had it. */
export async function play(topology: Topology, row: Row, nth: number, folder: string): Promise<Played> {
  const { v4 } = topology.moveClient(nth);
  const files = { inside: join(folder, `${nth}-inside.pcap`), outside: join(folder, `${nth}-outside.pcap`) };
  const firewall = await startFirewall(topology, row.firewall);
  try {
    const recordings = await Promise.all([
      startRecording(topology, { place: 'shim', device: 'wan' }, files.inside, filterOf(row, v4)),
      startRecording(topology, { place: 'cli', device: 'eth0' }, files.outside, filterOf(row, v4)),
    ]);
    const host = row.translated ? ADDRESS.public : SERVERS[row.server];
    const outcome = await topology.run('cli', CLIENT_MS, ...commandOf(row.client, host, nth, folder));
    // What is under way arrives; a lost FIN is sent again.
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    await Promise.all(recordings.map((each) => each.stop()));
    return { ...files, client: outcome.output, firewall: firewall.said() };
  } finally {
    await firewall.stop();
    await topology.run('cli', CLIENT_MS, 'nft', 'flush', 'ruleset');
  }
}

const CLIENT_MS = 60_000;
const SETTLE_MS = 700;

/** Only this row's client: a server may still be answering the one before. */
function filterOf({ server }: Row, v4: string): string {
  return server === 'postfix6' ? 'tcp port 25 and ip6' : `tcp port 25 and host ${v4}`;
}

type Command = readonly [string, ...(readonly string[])];

function commandOf(client: Client, host: string, nth: number, folder: string): Command {
  if (client.kind === 'script') return ['python3', join(__dirname, 'client.py'), host, ...client.steps];
  const message = makeMessage({ octets: client.kind === 'smtplib' ? client.octets : 2_000, eightBit: false });
  const path = join(folder, `${nth}.eml`);
  const patience = String(client.patience);
  if (client.kind === 'smtplib') {
    const program = join(__dirname, '../../kit/smtplib_client.py');
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
    const child = topology.start('fw', 'python3', kit('firewall.py'), 'out', 'in', ...firewall.faults);
    return ready(child);
  }
  topology.route(true);
  const back = async (): Promise<void> => {
    await topology.run('fw', CLIENT_MS, 'nft', 'flush', 'ruleset');
    topology.route(false);
  };
  if (firewall.kind === 'synproxy') {
    const { output } = await topology.run('fw', CLIENT_MS, 'sh', '-ec', SYNPROXY);
    return { said: () => output, stop: back };
  }
  await topology.run('fw', CLIENT_MS, 'sh', '-ec', DIVERT);
  const proxy = await ready(topology.start('fw', 'python3', kit('firewall_proxy.py'), '2525'));
  return { said: proxy.said, stop: () => proxy.stop().then(back) };
}

async function ready(child: Child): Promise<RunningFirewall> {
  await awaitWord(child, 'ready');
  return { said: child.output, stop: async () => void (await child.stop()) };
}

function kit(name: string): string {
  return join(__dirname, '../../kit', name);
}

/** nft(8) SYNPROXY: the SYN is not tracked, what conntrack calls invalid is the handshake's end. */
const SYNPROXY = `
sysctl -q -w net.netfilter.nf_conntrack_tcp_loose=0
nft -f - <<'END'
table ip guard {
  chain raw { type filter hook prerouting priority raw; policy accept; iif out tcp dport 25 tcp flags syn notrack; }
  chain forward { type filter hook forward priority filter; policy accept;
    iif out tcp dport 25 ct state invalid,untracked synproxy mss 1460 wscale 7 timestamp sack-perm;
    ct state invalid drop; }
}
END`;

const DIVERT = `
ip rule add fwmark 1 lookup 100 2>/dev/null
ip route replace local default dev lo table 100
nft -f - <<'END'
table ip divert {
  chain prerouting { type filter hook prerouting priority mangle; policy accept;
    socket transparent 1 meta mark set 1 accept
    iif out tcp dport 25 tproxy to :2525 meta mark set 1 accept }
}
END`;
