// Rules of policy on a bridge: one that is configured keeps its servers on the relay, a reload moves them, and status says why.

import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { labSuite, type Need } from '../../kit/lab';
import type { Child } from '../../kit/process';
import { makeWire, ONE, startLoad, startServers, TWO, WHOLE, type Wire } from '../../kit/wire';

const NEEDS: readonly Need[] = ['python3', 'bpf'];

const lab = labSuite('wire, rules');
let wire: Wire;
let ehlowire: Child;
let config: string;

const configure = (policy: object): void => writeFileSync(config, JSON.stringify({ policy }));

lab.before(async () => {
  wire = makeWire('u', { bridge: 'addresses' });
  config = join(wire.folder, 'e.json');
  configure({});
  await startServers(wire, `${ONE}=${WHOLE}`, `${TWO}=${WHOLE}`);
  ehlowire = await wire.enter('--config', config);
});

lab.after(async () => {
  await wire.remove();
  rmSync(config, { force: true });
});

/** By which path each of so many sessions went, one after another. */
async function visit(server: string, sessions: number): Promise<readonly string[]> {
  const paths = (): string[] =>
    wire
      .events()
      .filter((line) => line.event === 'session' && line['server.address'] === server)
      .map((line) => String(line['path']));
  const before = paths().length;
  const { fine, failed } = await startLoad(wire, server, { connections: 1, pace: 0, sessions }).ended;
  assert.equal({ fine, failed }, { fine: sessions, failed: {} });
  await wire.line(`${sessions} sessions of ${server}`, () => paths().length >= before + sessions);
  return paths().slice(before);
}

/** SIGHUP, and what the log says of the configuration then. */
async function reload(): Promise<Readonly<Record<string, unknown>>> {
  const notes = () => wire.events().filter(({ event }) => /^config-/.test(event));
  const before = notes().length;
  ehlowire.process.kill('SIGHUP');
  await wire.line('the configuration', () => notes().length > before);
  return notes()[before] ?? {};
}

async function rules(): Promise<unknown> {
  return ((await wire.status()) as unknown as { rules_on_relay: unknown }).rules_on_relay;
}

lab.test('the defaults keep no server on the relay', NEEDS, async () => {
  assert.equal(await visit(ONE, 3), ['relay', 'wire', 'wire']);
  assert.equal(await rules(), []);
});

lab.test(
  'a rule that is configured does, from the reload on, but for a server that is exempt',
  NEEDS,
  async () => {
    await visit(TWO, 2);
    configure({ nul: 'enforce', exempt: [{ server: `${TWO}:25`, rules: ['nul'] }] });
    const { event, changed } = await reload();
    assert.equal([event, changed], ['config-read', 'policy.nul, policy.exempt']);
    assert.equal(await visit(ONE, 2), ['relay', 'relay']);
    assert.equal(await visit(TWO, 2), ['wire', 'wire']);
    assert.equal(await rules(), [
      { rule: 'nul', settings: ['policy.nul = "enforce"'], except: [`${TWO}:25`] },
    ]);
    assert.is((await wire.status()).healthy, true);
  },
);

lab.test('a bad file changes nothing', NEEDS, async () => {
  writeFileSync(config, '{"policy":{"nul":"obs');
  const { event, message } = await reload();
  assert.is(event, 'config-refused');
  assert.match(String(message), 'not valid JSON');
  assert.equal(await visit(ONE, 1), ['relay']);
});

lab.test('observed again, the server goes back to the wire', NEEDS, async () => {
  configure({ nul: 'observe' });
  assert.is((await reload())['changed'], 'policy.nul, policy.exempt');
  assert.equal(await visit(ONE, 2), ['wire', 'wire']);
  assert.equal(await rules(), []);
});

lab.test('where nothing can be relayed, a rule is not enforced: log and status say so', NEEDS, async () => {
  await wire.leave();
  wire.ip('shim', 'address flush dev br0 scope global');
  configure({ nul: 'enforce' });
  ehlowire = await wire.enter('--config', config);
  assert.is((await wire.line('a note', ({ event }) => event === 'rules-not-enforced'))['rules'], 'nul');
  const { healthy, problems } = await wire.status();
  assert.is(healthy, false);
  assert.match(problems.join(), /rules are not enforced where nothing is relayed \(nul\): .*no IPv4 address/);
  assert.equal(await visit(ONE, 1), ['wire']);
});

lab.test('--path wire refuses such a rule', NEEDS, async () => {
  await wire.leave();
  const { code, output } = await wire.run(
    join(__dirname, '../../../ehlowire'),
    ...['bridge', '--wan', 'wan', '--lan', 'lan', '--path', 'wire', '--set', 'policy.nul=enforce'],
    ...['--set', `deploy.journal=${join(wire.folder, 'journal', 'journal.json')}`],
  );
  assert.is(code, 2);
  assert.match(output, 'a rule needs the relay: policy.nul = "enforce" with --path wire');
});

lab.run();
