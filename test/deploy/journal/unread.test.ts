// A journal that cannot be read: the line says what to do.

import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as fc from 'fast-check';
import { readJournal, writeJournal } from '../../../deploy/journal/journal';
import { formatFault, isFault } from '../../../proxy/system/fault';
import { scratch } from '../../kit/process';
import { JOURNAL } from './samples';

interface Row {
  readonly name: string;
  make(file: string): void;
  /** Without the file's name; undefined: it is read. */
  readonly want: string | undefined;
}

const TABLE: readonly Row[] = [
  {
    name: "somebody else's",
    make(file) {
      writeJournal(file, JOURNAL);
      // Where root runs this, somebody else is who comes by; else the owner locks himself out.
      if (!IS_ROOT) chmodSync(file, 0);
    },
    want: 'cannot read file: FILE: it tells where ehlowire is, and only root may read it: run this as root',
  },
  {
    name: 'a folder',
    make: (file) => mkdirSync(file),
    want: damaged('it is not a regular file'),
  },
  {
    name: 'damaged',
    make: (file) => writeFileSync(file, '{"schema":'),
    want: damaged('it is not JSON'),
  },
  {
    name: 'a pipe, which nobody writes to',
    make: (file) => execFileSync('mkfifo', [file]),
    want: damaged('it is not a regular file'),
  },
  {
    name: 'huge',
    make: (file) => writeFileSync(file, ' '.repeat((4 << 20) + 1)),
    want: damaged('it has 4194305 octets, and at most 4194304 are read'),
  },
  { name: 'none', make: () => undefined, want: undefined },
];

/** Of JSON that no version wrote: what is at a path, or undefined, which takes it away. */
const WRONG: readonly (readonly [at: string, value: unknown, because: string])[] = [
  ['schema', 7, 'schema is not 1'],
  ['boot', undefined, 'boot is not a text of one line'],
  ['entered', 'yes', 'entered is not true or false'],
  ['pins', '/sys/fs/bpf/../../../etc', 'pins is not an absolute path without ".."'],
  ['pins', 'etc', 'pins is not an absolute path without ".."'],
  ['links', { eth1: 'two' }, 'links.eth1 is not a number'],
  ['place', null, 'place is not an object'],
  ['place.kind', 'router', 'place.kind is not bridge or host'],
  ['place.wan', 'eth1 up', "place.wan is not an interface's name"],
  ['place.wan', '-batch', "place.wan is not an interface's name"],
  ['steps', {}, 'steps is not a list'],
  ['steps.0', 'sysctl', 'steps[0] is not an object'],
  ['steps.0.changes', undefined, 'steps[0].changes is not a list'],
  ['steps.0.changes.0', null, 'steps[0].changes[0] is not an object'],
  [
    'steps.0.changes.0.kind',
    'shell',
    'steps[0].changes[0].kind is not a kind of change that this version knows',
  ],
  [
    'steps.0.changes.0.kind',
    'toString',
    'steps[0].changes[0].kind is not a kind of change that this version knows',
  ],
  ['steps.0.changes.0.key', 'kernel/core_pattern', 'steps[0].changes[0].key is not a setting below net/'],
  [
    'steps.0.changes.0.key',
    'net/../kernel/core_pattern',
    'steps[0].changes[0].key is not a setting below net/',
  ],
  ['steps.0.changes.0.key', '/etc/passwd', 'steps[0].changes[0].key is not a setting below net/'],
  ['steps.0.changes.0.before', 1, "steps[0].changes[0].before is not a setting's text"],
  ['steps.0.changes.0.before', '1\n2', "steps[0].changes[0].before is not a setting's text"],
  ['steps.1.changes.0.hook', 'sideways', 'steps[1].changes[0].hook is not ingress or egress'],
  ['steps.2.changes.0.words', [], 'steps[2].changes[0].words is not at least one word'],
  [
    'steps.2.changes.0.words.0',
    'local\nlink delete eth0',
    'steps[2].changes[0].words[0] is not a word without blanks and quotes',
  ],
  ['steps.2.changes.1.family', 5, 'steps[2].changes[1].family is not 4 or 6'],
  ['steps.2.changes.1.mark', -1, 'steps[2].changes[1].mark is not a number'],
];

for (const [at, value, because] of WRONG) {
  test(`malformed: ${at} = ${JSON.stringify(value)}`, () => {
    const file = join(scratch('journal'), 'journal.json');
    writeFileSync(file, JSON.stringify(changed(JOURNAL, at.split('.'), value)));
    const journal = readJournal(file);
    assert.is(isFault(journal) && formatFault(journal).replace(file, 'FILE'), damaged(because));
  });
}

test('what could not be read is not written', () => {
  const file = join(scratch('journal'), 'journal.json');
  const fault = writeJournal(file, { ...JOURNAL, pins: 'nowhere' });
  assert.is(fault?.code, 'journal-unwritable');
  assert.not.ok(existsSync(file));
});

test('any JSON is read, or refused in one line', () => {
  const file = join(scratch('journal'), 'journal.json');
  const places = fc.constantFrom(...WRONG.map(([at]) => at));
  fc.assert(
    fc.property(places, fc.jsonValue(), (at, value) => {
      writeFileSync(file, JSON.stringify(changed(JOURNAL, at.split('.'), value)));
      const journal = readJournal(file);
      assert.ok(isFault(journal) ? journal.code === 'journal-damaged' : journal !== undefined);
    }),
  );
});

function damaged(because: string): string {
  return `cannot read the journal: FILE: ${because}: it tells what to undo: look at it, undo by hand (runbook, "By hand"), then remove it`;
}

function changed(value: unknown, [first = '', ...rest]: readonly string[], to: unknown): unknown {
  const copy = (Array.isArray(value) ? [...(value as unknown[])] : { ...(value as object) }) as Record<
    string,
    unknown
  >;
  copy[first] = rest.length === 0 ? to : changed(copy[first], rest, to);
  return copy;
}

const IS_ROOT = process.geteuid?.() === 0;
const NOBODY = 65_534;

for (const { name, make, want } of TABLE) {
  test(name, () => {
    const file = join(scratch('journal'), 'journal.json');
    make(file);
    const journal = asNobody(() => readJournal(file));
    const said = isFault(journal) ? formatFault(journal).replace(file, 'FILE') : journal;
    assert.equal(said, want);
  });
}

function asNobody<T>(read: () => T): T {
  if (!IS_ROOT) return read();
  process.seteuid?.(NOBODY);
  try {
    return read();
  } finally {
    process.seteuid?.(0);
  }
}

test.run();
