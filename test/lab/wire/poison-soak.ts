// `npm run soak:poison [-- PATH...]`: five minutes of bots beside twenty honest clients, on each way of being in place
// or on those named. Needs root. Prints a line of figures for each server; ends with 1 where mail was lost.

import pc from 'picocolors';
import { BRIEF, PATHS, poison, type Account, type Plan } from './poison';

/** Five minutes of honest mail in all, of which the process is stopped for ten seconds. */
const PLAN: Plan = { honest: 20, pace: 1, seconds: [150, 50, 50, 40] };

async function soak(names: readonly string[]): Promise<number> {
  const paths = PATHS.filter(({ name }) => names.length === 0 || names.includes(name));
  if (paths.length === 0)
    throw new Error(`no such path; there are: ${PATHS.map(({ name }) => name).join('; ')}`);
  const brief = process.env['SOAK'] === 'brief';
  const plan = brief ? BRIEF : PLAN;
  let faults = 0;
  for (const [nth, path] of paths.entries()) {
    for (const account of await poison(`k${nth}`, path, plan)) {
      console.log(`${path.name}: ${JSON.stringify({ ...account, against: account.against.length })}`);
      const wrong = wrongWith(account);
      faults += wrong.length;
      for (const each of wrong) console.log(pc.red(each));
    }
  }
  if (faults === 0) console.log(pc.green('all honest mail arrived, and nothing was held against a server'));
  return faults === 0 ? 0 : 1;
}

function wrongWith({ failed, against, delivered, messages }: Account): readonly string[] {
  const lost = Object.entries(failed).map(([why, count]) => `${count} honest sessions failed: ${why}`);
  const missing = delivered === messages ? [] : [`${messages} messages were accepted, ${delivered} arrived`];
  return [...lost, ...missing, ...against];
}

void soak(process.argv.slice(2)).then((code) => process.exit(code));
