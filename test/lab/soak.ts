// `npm run soak`: the relay under load for some minutes, in a network namespace of its own. Prints figures; ends
// with 1 where something was lost, memory grew or one peer's silence cost the others.
//
//   npm run soak -- fuzz [--minutes N] [--seed TEXT]    dialogues and rules of chance instead; default an hour
//   npm run soak -- trace [--runs N] [--only PATTERN]   traces of each fault at each router; default three runs
//   npm run soak -- hostile    10,000 hostile connections beside 100 honest senders, who must keep four fifths of their rate

import { randomUUID } from 'node:crypto';
import { parseArgs } from 'node:util';
import pc from 'picocolors';
import { makeNamespace } from '../kit/netns';
import { run, scratch } from '../kit/process';
import { runLoad, type LoadPlan } from './load';
import { runFuzz } from './policy/fuzz';
import { renderHostile, runHostile, violationsOf, type HostilePlan } from './policy/hostile';
import { FAULTS } from './trace/faults.table';
import { describe, traceAll } from './trace/matrix';
import { allOf, nameOf } from './trace/tasks';
import { excessesOf, lossesOf, renderLoad } from './load-judge';

const PLAN: LoadPlan = {
  held: 2_000,
  sessions: 50_000,
  besides: 5_000,
  rounds: 2,
  restMs: 5_000,
  say: (line) => console.error(pc.dim(line)),
};

async function soak(): Promise<number> {
  const load = await runLoad(PLAN);
  console.log(renderLoad(PLAN, load));
  const violations = [...lossesOf(PLAN, load), ...excessesOf(load)];
  for (const violation of violations) console.log(pc.red(violation));
  if (violations.length === 0)
    console.log(pc.green('nothing lost, memory flat, nobody stalled but the deaf'));
  return violations.length === 0 ? 0 : 1;
}

async function fuzz(minutes: number, seed: string): Promise<number> {
  console.log(`seed ${seed}, ${minutes} minutes`);
  const result = await runFuzz({ seed, minutes, say: (line) => console.error(pc.dim(line)) });
  const { dialogues, rounds, noops, slowest, stall, violations } = result;
  console.log(`seed ${seed}: ${dialogues} dialogues, ${rounds} sets of rules`);
  console.log(
    `${noops} honest NOOPs beside them: the slowest ${slowest.toFixed(0)} ms, by the relay's doing ${stall.toFixed(0)} ms`,
  );
  for (const violation of violations) console.log(pc.red(violation));
  if (violations.length === 0) console.log(pc.green('nothing refused arrived, nothing allowed was changed'));
  return violations.length === 0 ? 0 : 1;
}

async function traces(runs: number, only: RegExp): Promise<number> {
  const tasks = allOf(FAULTS).filter((task) => only.test(nameOf(task)));
  let wrong = 0;
  for (let run = 1; run <= runs; run += 1) {
    const results = await traceAll(tasks, {
      folder: scratch('trace'),
      onTraced: (result) => console.error(pc.dim(`${result.ok ? '✔' : '✘'} ${nameOf(result)}`)),
    });
    console.log(`Run ${run}\n\n${describe(results)}\n`);
    wrong += results.filter(({ ok }) => !ok).length;
  }
  return wrong === 0 ? 0 : 1;
}

function work(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      minutes: { type: 'string', default: '60' },
      seed: { type: 'string', default: randomUUID().slice(0, 8) },
      runs: { type: 'string', default: '3' },
      only: { type: 'string', default: '' },
    },
  });
  if (positionals[0] === 'trace') return traces(Number(values.runs), new RegExp(values.only));
  if (positionals[0] === 'hostile') return soakHostile();
  return positionals[0] === 'fuzz' ? fuzz(Number(values.minutes), values.seed) : soak();
}

const ATTACK: HostilePlan = {
  honest: 100,
  hostile: 10_000,
  seconds: 20,
  settleSeconds: 25,
  say: (line) => console.error(pc.dim(line)),
};

async function soakHostile(): Promise<number> {
  const result = await runHostile(ATTACK);
  console.log(renderHostile(ATTACK, result));
  const kept = result.beside.accepted / result.alone.accepted;
  const slow =
    kept < 0.8 ? [`honest mail kept ${(100 * kept).toFixed(0)} % of its rate, less than 80 %`] : [];
  const violations = [...violationsOf(ATTACK, result), ...slow];
  for (const violation of violations) console.log(pc.red(violation));
  return violations.length === 0 ? 0 : 1;
}

/** This very program again, where its ports and addresses are nobody else's. */
async function inside(): Promise<number> {
  const namespace = makeNamespace(`ehlowire-soak-${process.pid}`);
  if (typeof namespace === 'string') {
    console.error(namespace);
    return 1;
  }
  process.on('exit', () => namespace.remove());
  const [command = '', ...within] = namespace.within;
  const node = [process.execPath, '-r', 'ts-node/register/transpile-only', __filename];
  const options = { env: { ...process.env, SOAK: 'inside' }, stdio: 'inherit', timeoutMs: MOST } as const;
  const { code } = await run(command, [...within, ...node, ...process.argv.slice(2)], options);
  return code ?? 1;
}

/** More than an hour of fuzz takes, or three runs of all traces. */
const MOST = 6 * 3_600_000;

void (process.env['SOAK'] === 'inside' ? work() : inside()).then((code) => process.exit(code));
