// All of the network that entering could change, as text: before and after must be the same, line by line.

import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Tells what is at all interfaces, links too. */
const ATTACHED = join(__dirname, '../../kit/attached.py');

/** Of the namespace that this process is in. */
export function snapshot(): string {
  settle();
  return [
    // What was never up has another queue than what was: no way leads back to that.
    say('ip', '-o', '-d', 'link')
      .replaceAll(' qdisc noop ', ' qdisc noqueue ')
      .replace(/ \w+_timer +[\d.]+/g, ''),
    say('ip', '-o', '-d', 'address').replace(/ (valid|preferred)_lft \d+sec/g, ''),
    ...['-4', '-6'].flatMap((family) => [
      sorted(say('ip', family, '-d', '-o', 'route', 'show', 'table', 'all').replace(/ expires \d+sec/g, '')),
      say('ip', family, 'rule'),
    ]),
    say('tc', 'qdisc', 'show').replace(/^qdisc no(op|queue) .*\n?/gm, ''),
    say('python3', ATTACHED),
    ...settings('/proc/sys/net'),
  ].join('\n');
}

/** Waits until the kernel has noticed its carriers and made its link-local addresses; throws where it never does. */
export function settle(): void {
  for (let i = 0; isUnsettled(); i += 1) {
    if (i === ROUNDS) throw new Error(`unsettled:\n${say('ip', 'address')}`);
    pause(50);
  }
}

/** A link that was set up a moment ago says so late, and has its link-local address later still. */
function isUnsettled(): boolean {
  const links = say('ip', '-o', 'link', 'show', 'type', 'veth').split('\n');
  return (
    links.some((line) => /[<,]UP[,>]/.test(line) && !line.includes(' state UP ')) ||
    say('ip', '-6', 'address').includes(' tentative')
  );
}

/** The first lines that differ, for a person; undefined: none does. */
export function difference(before: string, after: string): string | undefined {
  const [was, is] = [before.split('\n'), after.split('\n')];
  const gone = was.filter((line) => !is.includes(line)).map((line) => `- ${line}`);
  const came = is.filter((line) => !was.includes(line)).map((line) => `+ ${line}`);
  const all = [...gone, ...came];
  if (all.length > 0) return all.slice(0, 20).join('\n');
  const at = was.findIndex((line, index) => line !== is[index]);
  return at < 0 ? undefined : `another order, from here: ${is[at] ?? ''}`;
}

function say(command: string, ...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  // Of what is not said before and after alike, nothing would be missed.
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${status}: ${stderr}`);
  return stdout;
}

function sorted(text: string): string {
  return text.split('\n').sort().join('\n');
}

function settings(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) return settings(path);
    if (MOVING.has(name)) return [];
    try {
      return [`${path} = ${readFileSync(path, 'utf8').trim()}`];
    } catch {
      // Write-only, or not set.
      return [];
    }
  });
}

function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** What changes by itself. */
const MOVING: ReadonlySet<string> = new Set(['nf_conntrack_count', 'netdev_rss_key']);

/** 20 s: the machine may have much else to do. */
const ROUNDS = 400;
