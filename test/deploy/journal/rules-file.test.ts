// What the control process says of its rules, and what of it a status believes.

import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { keepRules, readRulesInForce } from '../../../deploy/journal/rules-file';
import { createPolicyInForce, policyOf } from '../../../proxy/config/reload';

const dir = mkdtempSync(join(tmpdir(), 'ehlowire-rules-'));
test.after(() => rmSync(dir, { recursive: true }));
const journal = join(dir, 'journal.json');
const file = join(dir, 'rules.json');
const running = { pid: process.pid, since: '', version: '', does: 'bridge' } as const;

test('rules are there from the start on, are replaced by a reload, and go with the process', () => {
  const policy = createPolicyInForce(policyOf({ 'policy.smuggling': 'enforce' }));
  const faults: unknown[] = [];
  const remove = keepRules(journal, policy, (fault) => faults.push(fault));
  assert.is(readRulesInForce(journal, running)?.rules.smuggling, 'enforce');
  policy.replace(policyOf({ 'policy.smuggling': 'observe' }));
  assert.is(readRulesInForce(journal, running)?.rules.smuggling, 'observe');
  remove();
  assert.equal([readRulesInForce(journal, running), readdirSync(dir), faults], [undefined, [], []]);
});

const GIVEN = { 'policy.smuggling': 'enforce' };
for (const [name, text, pid] of [
  ['of another process', JSON.stringify({ pid: process.pid + 1, given: GIVEN }), process.pid],
  ['of a process that ended', JSON.stringify({ pid: process.pid, given: GIVEN }), undefined],
  ['cut', '{"pid":', process.pid],
  ['of another form', JSON.stringify({ pid: process.pid, given: { 'policy.exempt': 7 } }), process.pid],
  ['without rules', JSON.stringify({ pid: process.pid }), process.pid],
  ['nothing', 'null', process.pid],
] as const)
  test(`no rules are believed from a file that is ${name}`, () => {
    writeFileSync(file, text);
    assert.is(readRulesInForce(journal, pid === undefined ? undefined : { ...running, pid }), undefined);
  });

test('a folder that is gone is reported, and stops nothing', () => {
  const faults: string[] = [];
  keepRules(join(dir, 'none/journal.json'), createPolicyInForce(policyOf({})), ({ code }) =>
    faults.push(code),
  )();
  assert.equal(faults, ['file-unwritable']);
});

test.run();
