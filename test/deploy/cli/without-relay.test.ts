// A path that never relays, and rules that would need one: refused at the start, and when the configuration is read again.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { withoutRelay } from '../../../deploy/cli/flags';
import { loadConfig, type Config } from '../../../proxy/config/config';
import { exitCode, formatFault, isFaults, type Fault } from '../../../proxy/system/fault';

const load = (...set: readonly string[]): Config | readonly Fault[] => loadConfig({ set }, {});

function good(...set: readonly string[]): Config {
  const config = load(...set);
  if (isFaults(config)) throw new Error(config.map(formatFault).join('\n'));
  return config;
}

const ON_WIRE = 'on the wire nothing is held or changed';
const ROWS: readonly (readonly [name: string, set: readonly string[], faults: readonly string[]])[] = [
  ['the defaults are observed there', [], []],
  ['a rule that is observed', ['policy.smuggling=observe', 'policy.nul=off'], []],
  ['a rule that is enforced', ['policy.smuggling=enforce'], ['policy.smuggling = "enforce"']],
  [
    'each setting is one fault',
    ['policy.nul=enforce', 'policy.requireTls=all', 'policy.hiddenKeywords=DSN', 'policy.lines=observe'],
    ['policy.nul = "enforce"', 'policy.hiddenKeywords = ["DSN"]', 'policy.requireTls = ["all"]'],
  ],
];

for (const [name, set, want] of ROWS)
  test(name, () => {
    const config = good(...set);
    const start = withoutRelay({ config, load: () => config, file: undefined }, '--path wire');
    const faults = isFaults(start) ? start : [];
    assert.equal(
      faults.map(formatFault).map((text) => text.split(`: ${ON_WIRE}`)[0]),
      want.map((setting) => `a rule needs the relay: ${setting} with --path wire`),
    );
    assert.equal([...new Set(faults.map(exitCode))], want.length > 0 ? [2] : []);
  });

test('read again: such a rule is a fault then, and a bad file is one as ever', () => {
  let again = load();
  const start = withoutRelay({ config: good(), load: () => again, file: undefined }, 'x', 'y');
  if (isFaults(start)) throw new Error('refused');
  const codes = (): string[] => {
    const config = start.load();
    return isFaults(config) ? config.map(({ code }) => code) : [];
  };
  assert.equal(codes(), []);
  again = load('policy.smuggling=enforce');
  assert.equal(codes(), ['rule-needs-relay']);
  again = load('policy.smuggling=strict');
  assert.equal(codes(), ['bad-config']);
});

test.run();
