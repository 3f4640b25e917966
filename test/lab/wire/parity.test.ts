// One inspector, two paths: real sessions make the same lines, told by a relay's sockets and by the kernel's segments.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { LogLine } from '../../kit/ehlowire';
import { labSuite, missing, type Need } from '../../kit/lab';
import { launcher } from '../../kit/launcher';
import { makeMessage, writeMessage } from '../../kit/message';
import { scratch, until } from '../../kit/process';
import { ADDRESS, awaitWord, makeTopology, type Topology } from '../../kit/topology';
import { OBJECT } from '../../../proxy/wire/wire';
import { readLog } from '../fault/product';
import { startRecording } from '../fault/recording';
import { startWire } from '../fault/wire';
import { FINS, isCrossed, nameOf, readFins, type Fins } from './parity/fins';
import { SERVERS } from './parity/mta';
import { SESSIONS } from './parity/sessions.table';

const lab = labSuite('parity of the paths');
const NEEDS: readonly Need[] = ['postfix', 'exim', 'python3', 'ethtool', 'tcpdump'];

const RELAYED = { postfix: ADDRESS.shim[0], exim: ADDRESS.shim[1] } as const;

/** The same connections, as two places tell them: one list for each, in the order of the rows. */
interface Told {
  readonly relay: readonly Story[];
  /** What the relay said to the server, seen on the server's own interface. */
  readonly behindRelay: readonly Story[];
  readonly bridge: readonly Story[];
  readonly host: readonly Story[];
  /** Whether the two FINs crossed on their way: through the relay, and straight. */
  readonly crossed: readonly { readonly relayed: boolean; readonly direct: boolean }[];
}

/** One connection's lines: what they say of the dialogue, whoever saw it. */
interface Story {
  /** Address and port of the client, as it was seen there. */
  readonly client: string;
  readonly phases: readonly object[];
  readonly session: Readonly<Record<string, unknown>>;
}

let told: Told | undefined;

const rows = SESSIONS.filter(({ needs }) => missing([...needs]) === undefined);

lab.before(async () => {
  if (!existsSync(OBJECT)) throw new Error(`no ${OBJECT}: npm run build:wire`);
  const topology = makeTopology(`ehlp${process.pid}`);
  if (typeof topology === 'string') throw new Error(topology);
  try {
    told = await playAll(topology);
  } finally {
    topology.remove();
  }
});

for (const row of SESSIONS) {
  const nth = rows.indexOf(row);
  lab.test(`${row.name}: relay and wire`, [...NEEDS, ...row.needs], async () => {
    const [wire, relay] = [told?.behindRelay[nth], told?.relay[nth]];
    const reset = row.mayReset === true && wire?.session['close.how'] === 'rst';
    const ends = told?.crossed[nth]?.relayed ? ['fin'] : [];
    assert.equal(wire && judged(wire, ends), relay && judged(reset ? resetBehindFin(relay) : relay, ends));
    assert.ok((told?.relay[nth]?.phases.length ?? 0) > 1);
  });
  lab.test(`${row.name}: bridge and host`, [...NEEDS, ...row.needs], async () => {
    const [host, bridge] = [told?.host[nth], told?.bridge[nth]];
    const ends = told?.crossed[nth]?.direct ? ['fin', 'rst'] : ['rst'];
    assert.equal(host && judged(host, ends), bridge && judged(bridge, ends));
    assert.ok((told?.bridge[nth]?.phases.length ?? 0) > 1);
  });
}

/** Such ends of the two sides cross between the two places: who was first is then another one at each. */
function judged({ phases, session }: Story, ends: readonly string[]): Omit<Story, 'client'> {
  const first = <T extends object>(line: T): T =>
    'close.how' in line && ends.includes(String(line['close.how']))
      ? { ...line, 'close.by': 'either' }
      : line;
  return { phases: phases.map(first), session: first(session) };
}

/** A socket that has read the other's FIN hears nothing of its RST; among segments the RST is what ends it. */
function resetBehindFin({ client, phases, session }: Story): Story {
  const reset = <T extends object>(line: T): T =>
    'close.how' in line ? { ...line, 'close.how': 'rst' } : line;
  return { client, phases: phases.map(reset), session: reset(session) };
}

/** Each row twice: through the relay, and straight to the server. */
async function playAll(topology: Topology): Promise<Told> {
  const folder = scratch('parity');
  topology.moveClient(0);
  const log = join(folder, 'relay.events');
  const pairs = NAMES.flatMap((name) => [
    ...['--listen', `${RELAYED[name]}:25`, '--upstream', `${SERVERS[name]}:25`],
  ]);
  const program = ['-r', 'ts-node/register/transpile-only', join(__dirname, 'parity/mta.ts')];
  const servers = topology.start('mta', 'env', `TMPDIR=${folder}`, process.execPath, ...program);
  const firewall = topology.start('fw', 'python3', join(__dirname, '../fault/firewall.py'), 'out', 'in');
  const relay = topology.start(
    'shim',
    launcher(),
    'relay',
    ...pairs,
    '--log',
    log,
    '--set',
    'policy.commands=off',
  );
  const [bridge, host, near, far] = await Promise.all([
    startWire(topology, 'bridge', { folder, asks: false }),
    startWire(topology, 'host', { folder, asks: false }),
    startRecording(topology, { place: 'cli', device: 'eth0' }, join(folder, 'near.pcap'), FINS),
    startRecording(topology, { place: 'mta', device: 'eth0' }, join(folder, 'far.pcap'), FINS),
    awaitWord(firewall, 'ready', START_MS),
    awaitWord(servers, 'ready', START_MS),
    until('the relay', () => count(readLog(log), 'listening') === NAMES.length || undefined, START_MS),
  ]);
  const message = writeMessage(join(folder, 'message'), makeMessage({ octets: 5_000, eightBit: false }));
  for (const row of rows) {
    for (const address of [RELAYED[row.server], SERVERS[row.server]]) {
      await topology.run('cli', CLIENT_MS, ...row.command(address, message));
    }
  }
  // What the servers still say to those who are gone.
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  await relay.stop();
  await Promise.all([bridge, host, near, far, firewall, servers].map((each) => each.stop()));
  const stories = {
    relay: storiesOf(readLog(log), () => true),
    behindRelay: storiesOf(host.events(), (line) => isShim(line['client.address'])),
    // It sees one side of what the relay itself hears and says.
    bridge: storiesOf(bridge.events(), isDirect),
    host: storiesOf(host.events(), isDirect),
  };
  return { ...stories, crossed: crossings(stories, readFins(near.file), readFins(far.file)) };
}

function crossings(
  { relay, behindRelay, host }: Omit<Told, 'crossed'>,
  near: ReadonlyMap<string, Fins>,
  far: ReadonlyMap<string, Fins>,
): Told['crossed'] {
  return rows.map(({ server }, nth) => {
    const name = (story: Story | undefined, address: string): string => nameOf(story?.client ?? '', address);
    const direct = name(host[nth], SERVERS[server]);
    const relayed = isCrossed(
      near.get(name(relay[nth], RELAYED[server])),
      far.get(name(behindRelay[nth], SERVERS[server])),
    );
    return { relayed, direct: isCrossed(near.get(direct), far.get(direct)) };
  });
}

function isShim(address: unknown): boolean {
  return ADDRESS.shim.some((each) => each === address);
}

function isDirect(line: LogLine): boolean {
  return !isShim(line['client.address']) && !isShim(line['server.address']);
}

function count(log: readonly LogLine[], event: string): number {
  return log.filter((line) => line.event === event).length;
}

/** In the order in which the connections began. */
function storiesOf(log: readonly LogLine[], isWanted: (line: LogLine) => boolean): Story[] {
  const sessions = log.filter((line) => line.event === 'session' && isWanted(line));
  sessions.sort((a, b) => Date.parse(String(a['started'])) - Date.parse(String(b['started'])));
  return sessions.map((session) => ({
    client: `${String(session['client.address'])}:${String(session['client.port'])}`,
    phases: log
      .filter((line) => line.event === 'phase' && line['session'] === session['session'])
      .map((line) => pick(line, PHASE_FIELDS)),
    session: pick(session, SESSION_FIELDS),
  }));
}

function pick(line: LogLine, fields: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(fields.flatMap((each) => (each in line ? [[each, line[each]]] : [])));
}

const NAMES = Object.keys(SERVERS) as readonly (keyof typeof SERVERS)[];
const PHASE_FIELDS = [
  ...['phase', 'verb', 'argument', 'reply.code', 'reply.enhanced', 'reply.lines', 'reply.text', 'bytes'],
  ...['tls', 'greeting', 'defects', 'close.by', 'close.how'],
];
const SESSION_FIELDS = ['hello', 'tls', 'messages', 'bytes.client', 'bytes.server', 'close.by', 'close.how'];
const START_MS = 180_000;
const CLIENT_MS = 60_000;
const SETTLE_MS = 2_000;

lab.run();
