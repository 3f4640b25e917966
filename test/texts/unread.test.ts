// A journal that cannot be read: the line says what to do.

import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readJournal, writeJournal } from '../../deploy/journal/journal';
import { formatFault, isFault } from '../../proxy/fault';
import { scratch } from '../kit/process';
import { JOURNAL } from './journal';

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
    want: 'cannot read file: FILE: the system said EISDIR',
  },
  {
    name: 'damaged',
    make: (file) => writeFileSync(file, '{"schema":'),
    want: 'cannot read the journal: FILE: it tells what to undo: look at it, undo by hand (runbook, "By hand"), then remove it',
  },
  { name: 'none', make: () => undefined, want: undefined },
];

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
