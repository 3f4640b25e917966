// An honest client beside the fuzz, as a program of its own, with a server of its own (it first says `ready PORT`).
// On standard input: `PORT PID` of a relay before that server, `pause`, `stop`. Each NOOP goes through the relay and straight
// to the server at the same time. Says `noop STRAIGHT RELAYED WAITED WORKED` in milliseconds where the relayed one is slow, and
// `count N` at `stop`. WAITED: how long the kernel let the relay and this program wait for a processor meanwhile; WORKED: how
// long the busiest thread of the relay had one (proc(5), schedstat).

import { readdirSync, readFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

const EVERY_MS = 10;
const SLOW_MS = 20;

const server = createServer({ noDelay: true }, (socket) => {
  socket.on('error', () => undefined);
  socket.write('220 probe.example ESMTP\r\n');
  socket.on('data', (chunk) =>
    socket.write('250 2.0.0 fine\r\n'.repeat(chunk.toString('latin1').split('\n').length - 1)),
  );
});

interface Probe {
  /** Milliseconds until it is answered; Infinity where the connection has ended. */
  noop(): Promise<number>;
  end(): void;
}

async function openProbe(port: number): Promise<Probe> {
  const socket: Socket = connect({ host: '127.0.0.1', port, noDelay: true });
  let tell: () => void = () => undefined;
  let closed = false;
  socket.on('data', (chunk) => chunk.includes('\n') && tell());
  socket
    .on('error', () => undefined)
    .on('close', () => {
      closed = true;
      tell();
    });
  const heard = (): Promise<void> => new Promise((resolve) => (tell = resolve));
  await heard();
  const ask = async (line: string): Promise<number> => {
    const began = performance.now();
    const answer = heard();
    socket.write(line);
    if (!closed) await answer;
    return closed ? Infinity : performance.now() - began;
  };
  await ask('EHLO probe.example\r\n');
  return { noop: () => ask('NOOP\r\n'), end: () => void socket.destroy() };
}

let round = 0;
let count = 0;

/** Of each thread of that process and its children: the file that says how long it has waited. */
function threadsOf(pid: number): readonly string[] {
  const tasks = readdirSync(`/proc/${pid}/task`).map((task) => `/proc/${pid}/task/${task}`);
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
  return [
    ...tasks.map((task) => `${task}/schedstat`),
    ...children.flatMap((child) => threadsOf(Number(child))),
  ];
}

interface Spent {
  /** Milliseconds on a processor, and waiting for one, since the thread's start. */
  readonly worked: number;
  readonly waited: number;
}

/** A thread that has ended counts none. */
function spentBy(threads: readonly string[]): readonly Spent[] {
  return threads.map((path) => {
    try {
      const [worked = 0, waited = 0] = readFileSync(path, 'utf8').split(' ').map(Number);
      return { worked: worked / 1e6, waited: waited / 1e6 };
    } catch {
      return { worked: 0, waited: 0 };
    }
  });
}

/** The most that one thread has spent since then. */
function mostOf(kind: keyof Spent, threads: readonly string[], before: readonly Spent[]): number {
  return Math.max(...spentBy(threads).map((now, i) => now[kind] - (before[i]?.[kind] ?? now[kind])));
}

async function probe(port: number, pid: number): Promise<void> {
  const [threads, own] = [threadsOf(pid), threadsOf(process.pid)];
  const mine = (round += 1);
  const straight = await openProbe((server.address() as AddressInfo).port);
  const relayed = await openProbe(port);
  while (mine === round) {
    const [before, ownBefore] = [spentBy(threads), spentBy(own)];
    const [without, through] = await Promise.all([straight.noop(), relayed.noop()]);
    if (mine !== round) break;
    count += 1;
    if (through > SLOW_MS) {
      const waited = mostOf('waited', threads, before) + mostOf('waited', own, ownBefore);
      const figures = [without, through, waited, mostOf('worked', threads, before)];
      console.log(`noop ${figures.map((each) => each.toFixed(1)).join(' ')}`);
    }
    // Infinity: the relay ended the connection, and had no reason.
    if (through === Infinity) break;
    await sleep(EVERY_MS);
  }
  straight.end();
  relayed.end();
}

server.listen(0, '127.0.0.1', () => console.log(`ready ${(server.address() as AddressInfo).port}`));
createInterface({ input: process.stdin }).on('line', (line) => {
  if (line === 'pause') round += 1;
  else if (line === 'stop') {
    console.log(`count ${count}`);
    process.exit(0);
  } else {
    const [port, pid] = line.split(' ').map(Number);
    void probe(port ?? 0, pid ?? 0);
  }
});
