// `ehlowire check`: one server's greeting and EHLO reply, judged and reported.

import { formatAddress, parseAddress } from '../../system/address';
import { loadConfig, wantsColor } from '../../config/config';
import { createFault, type Fault, isFault, type Outcome, isFaults } from '../../system/fault';
import { toOverrides, type CommonFlags } from '../../config/flags';
import { certaintyOf, findOut, type Certainty, type Finding } from './finding';
import { interview, type Interview } from './interview';
import { toObject, toText } from './report';

export interface CheckFlags extends CommonFlags {
  readonly name?: string;
  readonly failOn?: string;
}

/** Asks, prints the report on standard output, and returns the exit code. */
export async function runCheck(target: string, flags: CheckFlags): Promise<Outcome> {
  const server = parseAddress(target);
  const faults = flagFaults(flags);
  if (isFault(server)) return [server, ...faults];
  if (server.host === '' || server.port === 0)
    faults.push(createFault('bad-address', target, { fix: 'name a host and a port' }));
  const config = loadConfig(toOverrides(flags));
  if (isFaults(config)) return [...faults, ...config];
  if (faults.length > 0) return faults;
  const patienceMs = config.greeting.patienceMs;
  const name = flags.name ?? config.greeting.hostname;
  const connectMs = config.relay.timeoutsMs.connect;
  const onWait = (what: string): void =>
    void process.stderr.write(`waiting for ${what}, at most ${patienceMs / 1000} s …\n`);
  const answer = await interview({ server, name, connectMs, patienceMs, onWait });
  if (isFault(answer)) return answer;
  const finding = findOut(answer, patienceMs);
  const shown = formatAddress(server);
  process.stdout.write(
    flags.json === true
      ? `${JSON.stringify(toObject(shown, answer, finding))}\n`
      : toText(shown, answer, finding, { color: wantsColor(1), patienceMs }),
  );
  return codeOf(answer, finding, flags.failOn as Certainty | undefined);
}

function flagFaults({ name, failOn }: CheckFlags): Fault[] {
  const faults: Fault[] = [];
  if (failOn !== undefined && failOn !== 'proved' && failOn !== 'suspected') {
    faults.push(createFault('bad-flag', `--fail-on ${failOn}`, { fix: 'must be proved or suspected' }));
  }
  if (name !== undefined && !/^[\x21-\x7e]{1,255}$/.test(name)) {
    faults.push(createFault('bad-flag', `--name ${name}`, { fix: 'must be a host name' }));
  }
  return faults;
}

function codeOf({ hello }: Interview, finding: Finding, failOn: Certainty | undefined): number {
  const certainty = certaintyOf(finding);
  if (failOn !== undefined && (certainty === 'proved' || certainty === failOn)) return FOUND;
  return finding.refused || hello === undefined || hello.code >= 400 ? FAILED : 0;
}

const FAILED = 1;
const FOUND = 3;
