// The reader's place among all that runs, as the kernel tells it.

import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { hasCapability, readCapabilities } from '../../../proxy/system/capabilities';
import { createPriority } from '../../../proxy/wire/priority';
import type { Sink } from '../../../proxy/sinks/record';
import { skip } from '../../kit/lab';

/** Policy and nice value of all threads, each combination once: proc(5), /proc/pid/stat, fields 41 and 19. */
function place(): string[] {
  const told = readdirSync('/proc/self/task').map((thread) => {
    const stat = readFileSync(`/proc/self/task/${thread}/stat`, 'latin1');
    // Field 3 comes behind the name, which may hold anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return `${POLICY[Number(fields[38])]} ${fields[16]}`;
  });
  return [...new Set(told)];
}

const POLICY: Readonly<Record<number, string>> = { 0: 'other', 5: 'idle' };

const CAP_SYS_NICE = 23;
const mayReturn = hasCapability(readCapabilities() ?? 0n, CAP_SYS_NICE);

if (!mayReturn) skip(test, 'priority', 'it takes CAP_SYS_NICE');
else {
  test('behind all others, beside them, before them; and from the signal on beside them', () => {
    const notes: string[] = [];
    const sink: Pick<Sink, 'note'> = { note: (_level, what) => void notes.push(what) };
    const end = new AbortController();
    const priority = createPriority(sink as Sink, end.signal);
    const told = [place()];
    const steps = [
      priority.back,
      priority.up,
      priority.first,
      priority.back,
      () => end.abort(),
      priority.back,
    ];
    for (const step of steps) {
      step();
      told.push(place());
    }
    assert.equal(told, [
      ['other 0'],
      ['idle 0'],
      ['other 0'],
      ['other -10'],
      ['idle -10'],
      ['other 0'],
      ['other 0'],
    ]);
    assert.equal(notes, []);
  });
}

test.run();
