// `ehlowire policy`: what the rules would have done, before they do it.

import { redactionOf } from '../sinks/envelope-address';
import { loadConfig, wantsColor, type Config } from '../config/config';
import { toOverrides } from '../config/flags';
import { runPass } from '../report/analyze/pass';
import { portsOf } from '../report/analyze/request';
import { createDryRun } from '../report/policy/capture';
import { readLog } from '../report/policy/log';
import { createTally, type Tally } from '../report/policy/tally';
import { toObject, toText, type Reading } from '../report/policy/text';
import { RULES, type RuleName } from '../../inspect/policy/rules';
import { plural } from '../sinks/wording';
import { STANDARD_INPUT } from '../sources/input';
import { SMTP_PORTS } from '../system/address';
import { createFault, type Fault, isFaults, type Outcome } from '../system/fault';

export interface PolicyFlags {
  readonly capture?: readonly string[];
  readonly log?: readonly string[];
  readonly all?: boolean;
  readonly port?: readonly string[];
  readonly json?: boolean;
  readonly config?: string;
  readonly set?: readonly string[];
}

/** Prints on standard output; the exit code is that of the reading. */
export async function runPolicy(flags: PolicyFlags): Promise<Outcome> {
  const { capture = [], log = [], all = false, json = false, config: file, set } = flags;
  const wrong: Fault[] = [];
  const ports = readPorts(flags, wrong);
  const config = loadConfig(
    toOverrides({ ...(file !== undefined && { config: file }), ...(set && { set }) }),
  );
  if (isFaults(config)) return [...wrong, ...config];
  if (wrong.length > 0) return wrong;
  const tally = createTally();
  const { reading, faults } =
    capture.length > 0
      ? await readCaptures(capture, { config, all, tally, ports })
      : await readLogs(log, { config, all, tally });
  if (reading === undefined) return faults;
  const report = { reading, tally, rules: config.policy.rules, all };
  process.stdout.write(json ? `${JSON.stringify(toObject(report))}\n` : toText(report, wantsColor(1)));
  return faults.length > 0 ? faults : 0;
}

/** All that is wrong with the flags goes to `wrong`. */
function readPorts({ capture = [], log = [], port }: PolicyFlags, wrong: Fault[]): readonly number[] {
  const complain = (on: string, fix: string): void => void wrong.push(createFault('bad-flag', on, { fix }));
  if (capture.length === 0 && log.length === 0)
    complain('nothing to read', 'name --capture FILE or --log FILE');
  if (capture.length > 0 && log.length > 0) complain('--capture and --log', 'one or the other');
  if ([...capture, ...log].filter((name) => name === STANDARD_INPUT).length > 1)
    complain('- more than once', 'standard input can be read only once');
  if (port !== undefined && log.length > 0) complain('--port', 'goes with --capture');
  return port === undefined ? SMTP_PORTS : portsOf(port, complain);
}

interface ReadOptions {
  readonly config: Config;
  readonly all: boolean;
  readonly tally: Tally;
}

interface Read {
  /** Undefined: nothing could be read. */
  readonly reading: Reading | undefined;
  readonly faults: readonly Fault[];
}

async function readCaptures(
  files: readonly string[],
  { config, all, tally, ports }: ReadOptions & { readonly ports: readonly number[] },
): Promise<Read> {
  const redact = redactionOf(config.log.addresses);
  const observer = createDryRun({ policy: config.policy, all, tally, redact });
  const turn = async (): Promise<boolean> => {
    // Signals have their turn.
    await new Promise(setImmediate);
    return true;
  };
  const { used, faults } = await runPass(files, { ports, redact, observer, turn });
  if (used === 0) return { reading: undefined, faults };
  const { connections, judged, tls, partly } = observer.counts;
  const none = `no SMTP connection at ${ports.length === 1 ? 'port' : 'ports'} ${ports.join(', ')}`;
  const lines = [
    connections === 0 ? none : `${plural(connections, 'connection')}, ${judged} of them judged to their end`,
    ...(tls === 0 ? [] : [`${tls} went on in TLS, or began so: what was said there cannot be judged`]),
    ...(partly === 0 ? [] : [`${partly} seen in part: judged as far as they were seen whole`]),
  ];
  const rules = RULES.filter((rule) => !UNPLAYED.has(rule));
  const json = { connections, judged, tls, partly };
  return { reading: { lines, json, empty: judged + partly === 0, rules }, faults };
}

async function readLogs(files: readonly string[], { config, all, tally }: ReadOptions): Promise<Read> {
  const { counts, faults } = await readLog(files, { policy: config.policy, all, tally });
  const { lines: read, sessions, odd, omitted } = counts;
  if (faults.length > 0 && read === odd) return { reading: undefined, faults };
  const lines = [
    `${plural(read, 'line')}, ${plural(sessions, 'connection')} that ended`,
    ...(odd === 0 ? [] : [`${plural(odd, 'line')} cut, or not of ehlowire: left out`]),
    ...(omitted === 0
      ? []
      : [`${plural(omitted, 'line')} the log itself left out: all numbers are at least so high`]),
    ...(read > odd ? [] : ['the log is empty']),
  ];
  return {
    reading: {
      ...{ lines, json: { lines: read, connections: sessions, odd, omitted } },
      ...{ empty: read === odd, rules: RULES },
    },
    faults,
  };
}

/** A capture does not show what the relay would count, and a banner is changed for all alike. */
const UNPLAYED: ReadonlySet<RuleName> = new Set(['load', 'banner']);
