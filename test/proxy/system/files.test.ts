// Folders, made with those that they lie in, on the real file system.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { errno } from '../../../proxy/system/fault';
import { makeFolder } from '../../../proxy/system/files';

const root = mkdtempSync(join(tmpdir(), 'ehlowire-folder-'));
mkdirSync(join(root, 'there'));
writeFileSync(join(root, 'file'), '');
symlinkSync('there', join(root, 'link'));
symlinkSync('nowhere', join(root, 'dangling'));
test.after(() => rmSync(root, { recursive: true }));

const ROWS: readonly { name: string; path: string; want: string }[] = [
  { name: 'a folder', path: 'one', want: '' },
  { name: 'three of them', path: 'a/b/c', want: '' },
  { name: 'one that is there', path: 'there', want: '' },
  { name: 'one that is there, by another name', path: 'link', want: '' },
  { name: 'below another name', path: 'link/x/y', want: '' },
  { name: 'a file is there', path: 'file', want: 'EEXIST' },
  { name: 'below a file', path: 'file/x', want: 'ENOTDIR' },
  { name: 'a name that leads nowhere', path: 'dangling', want: 'EEXIST' },
];

for (const { name, path, want } of ROWS) {
  test(`${name}: ${want || 'made'}`, () => {
    const folder = join(root, path);
    assert.is(codeOf(folder), want);
    if (want === '') assert.ok(statSync(folder).isDirectory());
  });
}

test('their mode is that of all of them', () => {
  makeFolder(join(root, 'private/inner'), 0o700);
  for (const each of ['private', 'private/inner']) assert.is(statSync(join(root, each)).mode & 0o777, 0o700);
});

// mkdir says ENOENT below a folder that exists: Node's own way asks again, and again.
test('where no folder can be, the answer is an error, and comes', () => {
  if (existsSync('/proc/self')) assert.is(codeOf('/proc/ehlowire/x'), 'ENOENT');
});

function codeOf(folder: string): string {
  try {
    makeFolder(folder, 0o755);
    return '';
  } catch (error) {
    return errno(error);
  }
}

test.run();
