// The relay beside other ways to stand in front of a mail server: sessions, one large message, and sessions of a real Postfix.

import type { ChildProcess } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startPostfix, type Postfix } from '../test/lab/peers/postfix';
import { isOpen, run, scratch, start, until, type Child } from '../test/kit/process';
import { awaitWord } from '../test/kit/topology';
import { PROGRAM } from './candidates';
import { median, type Figures, type Goal, type Table } from './records';

/** What one candidate is measured with; its place is the last number of the candidate's address and of the server's. */
const PARTS = ['relay', 'relay, bulk', 'relay, Postfix'] as const;
type Part = (typeof PARTS)[number];

export interface RelaySizes {
  readonly sessions: number;
  readonly octets: number;
  readonly postfix: number;
}

interface Candidate {
  readonly name: string;
  /** Those that it is measured in. */
  readonly parts: readonly Part[];
  /** The process whose time, with that of its children, is the candidate's. */
  readonly pid: number;
  stop(): Promise<unknown>;
}

/** Where a candidate listens for a part, and with number 0 where its server does. Everything is on port 25. */
const addressOf = (number: number, part: Part): string => `127.25.${number}.${PARTS.indexOf(part) + 1}`;

export async function measureRelay(
  sizes: RelaySizes,
  rounds: number,
  onRound: (text: string) => void,
): Promise<Figures> {
  const stops: (() => Promise<unknown>)[] = [];
  const samples: Samples = new Map(PARTS.map((part) => [part, new Map()]));
  try {
    stops.push(...(await startServers()));
    const all = [...makers().entries()];
    for (let round = 0; round < rounds; round += 1) {
      for (const i of all.keys()) {
        const [index, make] = all[(i + round) % all.length] ?? [];
        const candidate = index === undefined ? undefined : await make?.(index + 1);
        if (candidate === undefined) continue;
        try {
          await measureAlone(candidate, sizes, samples, (text) => onRound(`round ${round + 1}, ${text}`));
        } finally {
          await candidate.stop();
        }
      }
    }
  } finally {
    for (const stop of stops.reverse()) await stop();
  }
  return figuresOf(samples, sizes);
}

type Samples = ReadonlyMap<Part, Map<string, readonly Sample[]>>;

/** No other candidate runs meanwhile: one that watches its segments would get those of the others as well. */
async function measureAlone(
  candidate: Candidate,
  sizes: RelaySizes,
  samples: Samples,
  onSample: (text: string) => void,
): Promise<void> {
  const { name } = candidate;
  const { sessions, octets, postfix } = sizes;
  const third = {
    sessions: Math.ceil(sessions / 3),
    octets: Math.ceil(octets / 3),
    postfix: Math.ceil(postfix / 3),
  };
  for (const part of candidate.parts) {
    // What runs for days has compiled itself.
    await measure(part, numberOf(name), candidate, third);
    const sample = await measure(part, numberOf(name), candidate, sizes);
    onSample(
      `${part}: ${name} ${sample.rate.toFixed(1)} ${UNITS[part]}, ${sample.busy.toFixed(3)} s of processor`,
    );
    samples.get(part)?.set(name, [...(samples.get(part)?.get(name) ?? []), sample]);
  }
}

interface Sample {
  readonly rate: number;
  /** Seconds of processor. */
  readonly busy: number;
}

async function startServers(): Promise<(() => Promise<unknown>)[]> {
  const sink = start('smtp-sink', ['-u', 'nobody', `${addressOf(0, 'relay')}:25`, '1000']);
  const serve = start('python3', ['-u', TRAFFIC, 'serve', addressOf(0, 'relay, bulk')]);
  await awaitWord(serve, 'ready');
  const postfix = await startPostfix({
    alsoAt: { smtpd: [`${addressOf(0, 'relay, Postfix')}:25`] },
    settings: ['virtual_transport = discard:', 'in_flow_delay = 0'],
  });
  await until('the sink', async () => ((await isOpen(addressOf(0, 'relay'), 25)) ? true : undefined));
  return [() => sink.stop('SIGKILL'), () => serve.stop('SIGKILL'), async () => postfix.stop()];
}

const EHLOWIRE = 'ehlowire, one worker';
const TWO = 'ehlowire, two workers';
const UNWATCHED = 'ehlowire, no watch';
const NO_RULES = 'ehlowire, no watch, no rules';
const ALL_RULES = 'ehlowire, no watch, all rules';
const FILTER = 'postfix proxy filter';
const NAMES = ['haproxy', 'nginx stream', FILTER, EHLOWIRE, TWO, UNWATCHED, NO_RULES, ALL_RULES] as const;

function numberOf(name: string): number {
  return (NAMES as readonly string[]).indexOf(name) + 1;
}

type Made = Candidate | undefined;

function makers(): readonly ((number: number) => Promise<Made>)[] {
  const off = ['evidence.watch=off'];
  const rules = (word: string): string[] => RULES.map((rule) => `policy.${rule}=${word}`);
  return [
    haproxy,
    nginx,
    postfixFilter,
    (number) => ehlowire(EHLOWIRE, number, ['relay.workers=1'], PARTS),
    (number) => ehlowire(TWO, number, ['relay.workers=2'], PARTS),
    (number) => ehlowire(UNWATCHED, number, ['relay.workers=1', ...off], ['relay', 'relay, bulk']),
    (number) =>
      ehlowire(NO_RULES, number, ['relay.workers=1', ...off, ...rules('off')], ['relay', 'relay, bulk']),
    (number) => ehlowire(ALL_RULES, number, ['relay.workers=1', ...off, ...rules('enforce')], ['relay']),
  ];
}

/** `authBeforeTls` says nothing here: there is no AUTH. */
const RULES = ['smuggling', 'starttls', 'synchronization', 'lines', 'nul', 'commands', 'load'];

async function ehlowire(
  name: string,
  number: number,
  settings: readonly string[],
  parts: readonly Part[],
): Promise<Made> {
  const folder = scratch('bench-relay');
  const log = join(folder, 'log');
  const pairs = parts.flatMap((part) => [
    ...['--listen', `${addressOf(number, part)}:25`],
    ...['--upstream', `${addressOf(0, part)}:25`],
  ]);
  const sets = [...settings, `relay.state=${folder}`].flatMap((each) => ['--set', each]);
  const child = start('node', [PROGRAM, 'relay', ...pairs, '--log', log, ...sets]);
  return opened(name, number, parts, child);
}

async function opened(name: string, number: number, parts: readonly Part[], child: Child): Promise<Made> {
  await until(
    `${name} to listen`,
    async () => {
      if (child.process.exitCode !== null) throw new Error(`${name} ended: ${child.output()}`);
      return (await isOpen(addressOf(number, parts.at(-1) ?? 'relay'), 25)) ? true : undefined;
    },
    30_000,
  );
  return { name, parts, pid: child.pid, stop: () => child.stop('SIGTERM', 5_000) };
}

/** TCP mode, spliced, with as many threads as it chooses. */
async function haproxy(number: number): Promise<Made> {
  const config = join(scratch('bench-relay'), 'haproxy.cfg');
  const sections = PARTS.map(
    (part, i) =>
      `listen part${i}\n  bind ${addressOf(number, part)}:25\n  server only ${addressOf(0, part)}:25\n`,
  );
  writeFileSync(config, `${HAPROXY}${sections.join('')}`);
  return opened('haproxy', number, PARTS, start('haproxy', ['-db', '-f', config]));
}

const HAPROXY = `defaults
  mode tcp
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  option splice-auto
  maxconn 2000
`;

/** Not everywhere: without it there is no such row. */
async function nginx(number: number): Promise<Made> {
  const program = ['/usr/sbin/nginx', join(PEERS, 'usr/sbin/nginx')].find(existsSync);
  const module = ['/', `${PEERS}/`]
    .map((root) => `${root}usr/lib/nginx/modules/ngx_stream_module.so`)
    .find(existsSync);
  if (program === undefined || module === undefined) return undefined;
  const folder = scratch('bench-relay');
  const servers = PARTS.map(
    (part) => `server { listen ${addressOf(number, part)}:25; proxy_pass ${addressOf(0, part)}:25; }`,
  );
  const config = join(folder, 'nginx.conf');
  writeFileSync(
    config,
    `load_module ${module};\ndaemon off;\nworker_processes auto;\npid ${folder}/pid;\nerror_log ${folder}/errors;\nevents { worker_connections 4096; }\nstream { ${servers.join(' ')} }\n`,
  );
  // Its workers end with the master only where that can tell them.
  const kill = (master: ChildProcess): void => void master.kill('SIGTERM');
  const child = start(program, ['-c', config, '-p', folder, '-e', `${folder}/errors`], { kill });
  return opened('nginx stream', number, PARTS, child);
}

/** What Postfix itself has for this: an smtpd that speaks to the server while the client speaks to it, and queues nothing. */
async function postfixFilter(number: number): Promise<Made> {
  const at = addressOf(number, 'relay');
  const postfix: Postfix = await startPostfix({
    alsoAt: { smtpd: [`${at}:25`] },
    settings: [`smtpd_proxy_filter = [${addressOf(0, 'relay')}]:25`],
  });
  return { name: FILTER, parts: ['relay'], pid: pidOf(postfix), stop: async () => postfix.stop() };
}

/** Its own idea of its number is that of a namespace: it is the child of ours that was started from its folder. */
function pidOf({ configuration }: Postfix): number {
  const folder = join(configuration, '..');
  const found = childrenOf(process.pid).find((child) =>
    readFileSync(`/proc/${child}/cmdline`, 'latin1').includes(folder),
  );
  if (found === undefined) throw new Error('the Postfix that filters is no child of this process');
  return found;
}

function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim();
  return text.split(' ').filter(Boolean).map(Number);
}

async function measure(part: Part, number: number, { pid }: Candidate, sizes: RelaySizes): Promise<Sample> {
  const at = addressOf(number, part);
  const before = busySeconds(pid);
  const load = (count: number): string[] => [...LOAD, '-m', String(count), `${at}:25`];
  const rate =
    part === 'relay, bulk'
      ? (sizes.octets * 8) /
        1e9 /
        Number((await client('python3', [TRAFFIC, 'bulk', at, String(sizes.octets)])).output.split(' ')[0])
      : await sessionRate(load, part === 'relay' ? sizes.sessions : sizes.postfix);
  // Lines that wait, and verdicts that wait for segments, are the candidate's work, too.
  await sleep(300);
  return { rate, busy: busySeconds(pid) - before };
}

async function sessionRate(load: (count: number) => string[], count: number): Promise<number> {
  return count / (await client('smtp-source', load(count))).seconds;
}

/** 20 sessions at a time, messages of 2,000 octets. */
const LOAD = ['-s', '20', '-l', '2000', '-f', 'sender@client.example', '-t', 'inbox@dest.example'];

async function client(command: string, args: readonly string[]): ReturnType<typeof run> {
  const outcome = await run(command, args, { timeoutMs: 300_000 });
  if (outcome.code !== 0) throw new Error(`${command} ${args.join(' ')}: ${outcome.output}`);
  return outcome;
}

/** Of a process and its children, those that it has waited for among them (proc(5)); counted in hundredths. */
function busySeconds(pid: number): number {
  const [, , , , , , , , , , , ...times] = readFileSync(`/proc/${pid}/stat`, 'latin1')
    .replace(/^.*\) /, '')
    .split(' ');
  const own = times.slice(0, 4).reduce((sum, each) => sum + Number(each), 0) / 100;
  return childrenOf(pid).reduce((sum, child) => sum + childSeconds(child), own);
}

/** One that ends just now is counted with its parent. */
function childSeconds(pid: number): number {
  try {
    return busySeconds(pid);
  } catch {
    return 0;
  }
}

function figuresOf(samples: Samples, sizes: RelaySizes): Figures {
  const units: Readonly<Record<Part, number>> = {
    relay: sizes.sessions / 1_000,
    'relay, bulk': sizes.octets / 1e9,
    'relay, Postfix': sizes.postfix / 1_000,
  };
  const ratio = (part: Part, of: string, to: string, what: keyof Sample = 'rate'): number[] => {
    const others = samples.get(part)?.get(to) ?? [];
    return (samples.get(part)?.get(of) ?? []).map((each, i) => each[what] / (others[i]?.[what] ?? NaN));
  };
  const tables = PARTS.map((part): Table => ({
    name: part,
    columns: [UNITS[part], 'of HAProxy', part === 'relay, bulk' ? 'processor s a GB' : 'processor s a 1,000'],
    rows: Object.fromEntries(
      [...(samples.get(part) ?? [])].map(([name, own]) => [
        name,
        [
          own.map(({ rate }) => rate),
          name === 'haproxy' ? [] : ratio(part, name, 'haproxy'),
          own.map(({ busy }) => busy / units[part]),
        ],
      ]),
    ),
  }));
  return { tables, goals: goalsOf(ratio), failures: [] };
}

type Ratio = (part: Part, of: string, to: string, what?: keyof Sample) => readonly number[];

function goalsOf(ratio: Ratio): Goal[] {
  const goal = (text: string, values: readonly number[], is: Goal['is'], bar: number): Goal => ({
    ...{ text, value: median(values), is, bar, must: false },
  });
  return [
    goal(
      'relay: sessions with the watch, of those without',
      ratio('relay', EHLOWIRE, UNWATCHED),
      'at least',
      0.9,
    ),
    goal(
      'relay: sessions with all rules, of those without rules',
      ratio('relay', ALL_RULES, NO_RULES),
      'at least',
      0.9,
    ),
    goal(
      "relay: processor time of two workers, of one worker's",
      ratio('relay', TWO, EHLOWIRE, 'busy'),
      'at most',
      1.15,
    ),
    goal('relay: a large message, of HAProxy', ratio('relay, bulk', EHLOWIRE, 'haproxy'), 'at least', 0.95),
    goal(
      'relay: sessions in front of Postfix, of HAProxy',
      ratio('relay, Postfix', TWO, 'haproxy'),
      'at least',
      0.97,
    ),
  ];
}

const UNITS: Readonly<Record<Part, string>> = {
  relay: 'sessions/s',
  'relay, bulk': 'Gbit/s',
  'relay, Postfix': 'sessions/s',
};
const TRAFFIC = join(__dirname, '../test/kit/traffic.py');
const PEERS = join(process.env['LAB_PEERS'] ?? '/var/cache/ehlowire-lab/peers', 'nginx');
