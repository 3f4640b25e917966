// What people read: plain words, and folders and files that exist.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import ts from 'typescript';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const ROOT = join(__dirname, '..');

/** A word that users must not have to guess at, and what to write. */
const REFUSED: readonly (readonly [RegExp, string])[] = [
  [/\bmend(s|ed|ing)?\b/i, 'fix, repair'],
  [/\b(nobody|somebody|whoever)\b/i, 'no process, another process, any client'],
  [/\b(is|are|was|were|been|be) told\b/i, 'reported, logged'],
  [/\basked for\b/i, 'requested, given'],
  [/\bin hand\b/i, 'held'],
  [/\bof (its|their) own accord\b/i, 'by itself'],
  [/\bunfinished\b/i, 'truncated'],
  [/\bweather\b/i, 'isolated loss'],
  [/\bnot whole\b/i, 'incomplete, with problems'],
  [/\b(already|not|is|are) in place\b(?! of)/i, 'attached'],
  [/\btaken? (it )?(out|back)\b/i, 'detach, withdraw'],
];

const WITHOUT_CODE = ['debian', 'systemd', 'runbooks', 'decisions'];
const FOLDERS = ['inspect', 'proxy', 'deploy'].flatMap(foldersIn);
const DOCUMENTS = ['README.md', 'CONFIG.md', 'deploy/debian/ehlowire.8', ...under('deploy/runbooks', '.md')];

test('plain words in documents', () => {
  const found = DOCUMENTS.flatMap((path) =>
    read(path)
      .split('\n')
      .flatMap((line, index) => refusedIn(line, `${path}:${index + 1}`)),
  );
  assert.equal(found, []);
});

test('plain words in the sentences of the program', () => {
  const found = ['inspect', 'proxy', 'deploy'].flatMap((folder) => under(folder, '.ts')).flatMap(sentencesOf);
  assert.equal(found, []);
});

for (const folder of FOLDERS)
  test(`${folder} has a README of at most ten lines`, () => {
    const path = join(folder, 'README.md');
    assert.ok(existsSync(join(ROOT, path)), path);
    assert.ok(read(path).trimEnd().split('\n').length <= 10, path);
  });

for (const path of ['CONTRIBUTING.md', ...FOLDERS.map((folder) => join(folder, 'README.md'))])
  test(`${path} names files and folders that exist`, () => {
    const named = [...read(path).matchAll(/`([\w./-]+(?:\.(?:ts|c|h|md|mjs)|\/))`/g)].map(
      ([, name = '']) => name,
    );
    const missing = named.filter(
      (name) => ![ROOT, join(ROOT, dirname(path))].some((from) => existsSync(join(from, name))),
    );
    assert.equal(missing, []);
  });

for (const [name, text, want] of [
  ['a refused word is found', 'mend the syntax', 1],
  ['inside of another word it is not', 'recommended', 0],
  ['a repair may be done in place', 'repaired in place', 0],
] as const)
  test(name, () => assert.is(refusedIn(text, 'here').length, want));

/** Literals and the fixed parts of templates; a word alone is a key or a name, not a sentence. */
function sentencesOf(path: string): readonly string[] {
  const source = ts.createSourceFile(path, read(path), ts.ScriptTarget.Latest);
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isStringLiteralLike(node) || ts.isTemplateHead(node) || ts.isTemplateMiddleOrTemplateTail(node)) {
      const { line } = source.getLineAndCharacterOfPosition(node.pos);
      if (node.text.includes(' ')) found.push(...refusedIn(node.text, `${path}:${line + 1}`));
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

function refusedIn(text: string, where: string): readonly string[] {
  return REFUSED.flatMap(([word, instead]) => {
    const [found] = word.exec(text) ?? [];
    return found === undefined ? [] : [`${where}: "${found}": write ${instead}`];
  });
}

function foldersIn(folder: string): readonly string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !WITHOUT_CODE.includes(entry.name))
    .map(({ name }) => join(folder, name));
}

function under(folder: string, extension: string): readonly string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(extension))
    .map((name) => join(folder, name));
}

function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

test.run();
