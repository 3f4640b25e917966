// Every greeting of the table, before real clients: who gets through without the relay, and who with it.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { GREETINGS, HOSTNAME } from '../inspect/greeting/greeting.table';
import { startRelay, type Relayed } from '../kit/ehlowire';
import { labSuite, type Need } from '../kit/lab';
import { renderClients, renderReport, type Report } from './greeting-report';
import { attempt, openSubject, TRIED, type Trial } from './greeting-trial';
import { clientVersions } from './versions';

const lab = labSuite('greetings');
const NEEDS: readonly Need[] = TRIED.flatMap(({ needs }) => needs);
const REPORT = join(__dirname, 'GREETINGS.md');

/** Attempts at a time: two processors, and most of the time is spent waiting for clients that stall. */
const AT_ONCE = 20;

let relay: Relayed;
const trials = new Map<string, Trial>();

lab.before(async () => {
  const subjects = await Promise.all(GREETINGS.map(openSubject));
  relay = await startRelay(
    subjects.map(({ relayed }) => `127.0.0.1:${relayed.port}`),
    ['--set', 'greeting.patience=500ms', '--set', `greeting.hostname=${HOSTNAME}`],
  );
  const jobs = subjects.flatMap(({ row, straight, relayed }, i) => {
    const trial: Trial = { row };
    trials.set(row.name, trial);
    const port = relay.ports[i] ?? 0;
    return [
      async () => (trial.before = await attempt(straight, straight.port, row.bytes.length)),
      async () => (trial.after = await attempt(relayed, port, (row.repaired ?? row.bytes).length)),
    ];
  });
  await Promise.all(Array.from({ length: AT_ONCE }, () => work(jobs)));
});

lab.after(async () => {
  await relay.stop();
  relay.discard();
});

async function work(jobs: (() => Promise<unknown>)[]): Promise<void> {
  for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) await job();
}

for (const row of GREETINGS) {
  lab.test(row.name, NEEDS, async () => {
    const { before, after } = trials.get(row.name) ?? {};
    assert.ok(before && after);
    assert.is(before.heard, row.bytes);
    assert.is(after.heard, row.repaired ?? row.bytes);
    const lost = before.through.filter((name) => !after.through.includes(name));
    assert.equal(lost, [], 'got through before, and does not any more');
    if (row.repaired === undefined || row.defects.includes('refusal')) return;
    assert.equal(
      after.through,
      TRIED.map(({ name }) => name),
      'all get through what was repaired',
    );
  });
}

lab.test('GREETINGS.md tells what happened here', NEEDS, async () => {
  const report: Report = {
    clients: await clientVersions(TRIED),
    trials: [...trials.values()],
  };
  const text = renderReport(report);
  if (process.env['LAB_WRITE'] === 'yes') writeFileSync(REPORT, text);
  const hint = `by ${renderClients(report)}; \`npm run lab:greetings\` writes it anew`;
  assert.is(readFileSync(REPORT, 'utf8'), text, hint);
});

lab.test('the relay had nothing to complain of', NEEDS, async () => {
  assert.is(relay.output(), '');
});

lab.run();
