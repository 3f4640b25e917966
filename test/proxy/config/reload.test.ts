// The configuration read again: what of a changed file comes into force, what is said of it, and what a bad one leaves as it was.

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { loadConfig } from '../../../proxy/config/config';
import { createPolicyInForce, createReload, policyOf } from '../../../proxy/config/reload';
import { formatFault, isFaults } from '../../../proxy/system/fault';

const dir = mkdtempSync(join(tmpdir(), 'ehlowire-reload-'));
test.after(() => rmSync(dir, { recursive: true }));

const file = join(dir, 'e.json');
const BEFORE = '{"policy":{"smuggling":"enforce"},"relay":{"drain":"1min"}}';
const CUT = '{"policy":{"smuggling":"obs';

interface Note {
  readonly level: string;
  readonly what: string;
  readonly fields: Readonly<Record<string, string | undefined>>;
}

interface Row {
  readonly name: string;
  /** What becomes of the file. */
  readonly change: () => void;
  readonly smuggling: string;
  /** Level, name, and what the first note says. */
  readonly notes: readonly (readonly [level: string, what: string, says: RegExp])[];
}

const write = (text: string) => () => writeFileSync(file, text);
const refused = (says: RegExp) => [['error', 'config-refused', says]] as const;

const ROWS: readonly Row[] = [
  {
    name: 'a rule that changed holds at once',
    change: write('{"policy":{"smuggling":"observe"},"relay":{"drain":"1min"}}'),
    smuggling: 'observe',
    notes: [['info', 'config-read', /"changed":"policy\.smuggling","holds_for":"connections that begin/]],
  },
  {
    name: 'a rule that is no longer in the file is what it is by default',
    change: write('{"relay":{"drain":"1min"}}'),
    smuggling: 'normalize',
    notes: [['info', 'config-read', /"changed":"policy\.smuggling"/]],
  },
  {
    name: 'a rule is configured to what it is by default: now somebody wants it',
    change: write('{"policy":{"smuggling":"enforce","nul":"enforce"},"relay":{"drain":"1min"}}'),
    smuggling: 'enforce',
    notes: [['info', 'config-read', /"changed":"policy\.nul"/]],
  },
  {
    name: 'nothing changed',
    change: () => undefined,
    smuggling: 'enforce',
    notes: [['info', 'config-read', /^\{"changed":"nothing"\}$/]],
  },
  {
    name: 'the same in other words is nothing',
    change: write('{"relay":{"drain":60000},"policy":{"smuggling":"enforce"}}'),
    smuggling: 'enforce',
    notes: [['info', 'config-read', /^\{"changed":"nothing"\}$/]],
  },
  {
    name: 'another key is named as one that needs a restart, and the rule holds all the same',
    change: write('{"policy":{"smuggling":"off"},"relay":{"drain":"2min"}}'),
    smuggling: 'off',
    notes: [['warn', 'config-read', /"changed":"policy\.smuggling".*"needs_restart":"relay\.drain"/]],
  },
  {
    name: 'a file that was cut',
    change: write(CUT),
    smuggling: 'enforce',
    notes: refused(/not valid JSON: .*e\.json: .*"stays":"the rules that held before"/),
  },
  {
    name: 'an empty file',
    change: write(''),
    smuggling: 'enforce',
    notes: refused(/not valid JSON: .*e\.json/),
  },
  {
    name: 'a good rule beside a bad value: neither holds, and each fault is a line',
    change: write('{"policy":{"smuggling":"off","lines":"strict","exempt":[{"client":"10.0.0.0/40"}]}}'),
    smuggling: 'enforce',
    notes: [
      ['error', 'config-refused', /bad configuration: policy\.lines = .*strict.* must be one of/],
      ['error', 'config-refused', /bad configuration: policy\.exempt\[0\]\.client = /],
    ],
  },
  {
    name: 'an unknown key',
    change: write('{"policy":{"smugling":"off"}}'),
    smuggling: 'enforce',
    notes: refused(/unknown key: policy\.smugling \(in .*e\.json\): did you mean policy\.smuggling\?/),
  },
  {
    name: 'a file that is gone',
    change: () => unlinkSync(file),
    smuggling: 'enforce',
    notes: refused(/cannot read file: .*e\.json: there is no such file/),
  },
  {
    name: 'a file that cannot be read',
    change() {
      unlinkSync(file);
      symlinkSync(file, file);
    },
    smuggling: 'enforce',
    notes: refused(/cannot read file: .*e\.json: check that it exists and may be read/),
  },
  {
    name: 'a folder in its place',
    change() {
      unlinkSync(file);
      mkdirSync(file);
    },
    smuggling: 'enforce',
    notes: refused(/cannot read file: .*e\.json: it is a directory/),
  },
  {
    name: 'a pipe in its place, which nothing writes into: it is not waited for',
    change() {
      unlinkSync(file);
      execFileSync('mkfifo', [file]);
    },
    smuggling: 'enforce',
    notes: refused(/cannot read file: .*e\.json: it is no regular file/),
  },
  {
    name: 'a file that was replaced by another one, as editors do',
    change() {
      writeFileSync(`${file}.new`, '{"policy":{"smuggling":"observe"},"relay":{"drain":"1min"}}');
      renameSync(`${file}.new`, file);
    },
    smuggling: 'observe',
    notes: [['info', 'config-read', /"changed":"policy\.smuggling"/]],
  },
];

/** A process that was started with the file as it was before. */
function begin() {
  rmSync(file, { recursive: true, force: true });
  writeFileSync(file, BEFORE);
  const load = () => loadConfig({ file }, {});
  const running = load();
  if (isFaults(running)) throw new Error(running.map(formatFault).join('\n'));
  const policy = createPolicyInForce(running.policy);
  const notes: Note[] = [];
  const note = (level: string, what: string, fields: Note['fields']): void =>
    void notes.push({ level, what, fields });
  return { policy, notes, reload: createReload({ running, policy, load, file, note }) };
}

for (const { name, change, smuggling, notes: want } of ROWS)
  test(name, () => {
    const { policy, notes, reload } = begin();
    change();
    reload();
    assert.is(policy.current.rules.smuggling, smuggling);
    assert.equal(
      notes.map(({ level, what }) => [level, what]),
      want.map(([level, what]) => [level, what]),
    );
    for (const [index, [, , says]] of want.entries())
      assert.match(JSON.stringify(notes[index]?.fields), says);
  });

test('behind a bad file the next good one holds, and what it changed is said against the rules that hold', () => {
  const { policy, notes, reload } = begin();
  writeFileSync(file, CUT);
  reload();
  writeFileSync(file, BEFORE.replace('enforce', 'off'));
  reload();
  reload();
  assert.is(policy.current.rules.smuggling, 'off');
  assert.equal(
    notes.map(({ what, fields }) => [what, fields['changed']]),
    [
      ['config-refused', undefined],
      ['config-read', 'policy.smuggling'],
      ['config-read', 'nothing'],
    ],
  );
});

test('who goes by the rules hears of new ones, and of no others', () => {
  const { policy, reload } = begin();
  const heard: string[] = [];
  policy.listen(({ rules }) => heard.push(rules.smuggling));
  reload();
  writeFileSync(file, CUT);
  reload();
  writeFileSync(file, BEFORE.replace('enforce', 'off'));
  reload();
  assert.equal(heard, ['off']);
});

test('the rules can be sent to another process as JSON', () => {
  const given = {
    'policy.smuggling': 'enforce',
    'policy.exempt': [{ client: '192.0.2.0/24', server: '198.51.100.25:25', rules: ['smuggling'] }],
    'policy.requireTls': ['all'],
    'policy.banner': 'mx.example ESMTP',
  };
  const here = policyOf(given);
  assert.equal(policyOf(JSON.parse(JSON.stringify(here.given)) as typeof given), here);
});

test.run();
