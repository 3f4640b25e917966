// `npm run soak`: the relay under load for some minutes, in a network namespace of its own. Prints figures; ends
// with 1 where something was lost, memory grew or one peer's silence cost the others.

import pc from 'picocolors';
import { makeNamespace } from '../kit/netns';
import { run } from '../kit/process';
import { runLoad, type LoadPlan } from './load';
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
  const options = { env: { ...process.env, SOAK: 'inside' }, stdio: 'inherit', timeoutMs: HOUR } as const;
  const { code } = await run(command, [...within, ...node], options);
  return code ?? 1;
}

const HOUR = 3_600_000;

void (process.env['SOAK'] === 'inside' ? soak() : inside()).then((code) => process.exit(code));
