// What `ehlowire analyze` is to do: its flags, checked and typed.

import { isWithin, type Network, parseNetwork, SMTP_PORTS } from '../../system/address';
import type { Certainty } from '../../../inspect/events';
import type { CommonFlags } from '../../config/flags';
import { createFault, type Fault } from '../../system/fault';
import { STANDARD_INPUT } from '../../sources/input';

export interface AnalyzeFlags extends CommonFlags {
  readonly live?: string;
  readonly probe?: boolean;
  readonly wan?: string;
  readonly dmz?: string;
  readonly together?: boolean;
  /** `--no-drops`: false. */
  readonly drops?: boolean;
  readonly port?: readonly string[];
  readonly ladder?: string;
  readonly only?: readonly string[];
  readonly evidence?: string;
  readonly maillog?: string;
  readonly failOn?: string;
}

/** `some`: the first few of each verdict. */
type LadderChoice = 'some' | 'flagged' | 'all' | 'none';

export interface Request {
  readonly files: readonly string[];
  readonly live: string | undefined;
  /** Send probes to silent clients: the one thing that puts frames on the wire. */
  readonly probe: boolean;
  /** Captures of both sides of a firewall. */
  readonly points: { readonly wan: string; readonly dmz: string; readonly together: boolean } | undefined;
  readonly ports: readonly number[];
  /** The captures missed no frame, as their program said: a file may not say it. */
  readonly noDrops: boolean;
  readonly ladder: LadderChoice;
  /** Whether a client is of interest. */
  readonly wants: (client: string) => boolean;
  readonly evidence: string | undefined;
  readonly maillog: string | undefined;
  readonly failOn: Certainty | undefined;
}

/** Each problem is one fault. */
export function readRequest(files: readonly string[], flags: AnalyzeFlags): Request | readonly Fault[] {
  const faults: Fault[] = [];
  const complain = (on: string, fix: string): void => void faults.push(createFault('bad-flag', on, { fix }));
  const { live, probe = false, ladder, failOn, wan, dmz, together = false, drops = true } = flags;
  const points = wan !== undefined && dmz !== undefined ? { wan, dmz, together } : undefined;
  const onePoint = (wan ?? dmz) === undefined;
  if (live === undefined && files.length === 0 && onePoint) {
    complain('nothing to analyze', 'name a capture FILE, --live IF, or --wan FILE --dmz FILE');
  }
  if (!onePoint && !points) {
    complain(`--${wan === undefined ? 'dmz' : 'wan'} alone`, 'name both: --wan FILE --dmz FILE');
  }
  if (!onePoint && (live !== undefined || files.length > 0)) {
    complain('--wan and --dmz with other captures', 'one or the other');
  }
  if (!onePoint && flags.maillog !== undefined) {
    complain('--maillog with --wan and --dmz', 'it goes with one capture: analyze that by itself');
  }
  if (onePoint && together) complain('--together', 'goes with --wan and --dmz');
  if (!drops && live !== undefined) complain('--no-drops', 'goes with files: a live capture counts itself');
  if (live === undefined && probe) complain('--probe', 'needs --live IF: from a file there is no answer');
  if (live !== undefined && files.length > 0) complain('--live with files', 'one or the other');
  if (ladder !== undefined && !LADDERS.includes(ladder)) {
    complain(`--ladder ${ladder}`, 'must be all, flagged or none');
  }
  if (failOn !== undefined && failOn !== 'proved' && failOn !== 'suspected') {
    complain(`--fail-on ${failOn}`, 'must be proved or suspected');
  }
  if ([...files, wan, dmz].filter((file) => file === STANDARD_INPUT).length > 1) {
    complain('- more than once', 'standard input can be read only once');
  }
  const ports = flags.port && portsOf(flags.port, complain);
  const networks = flags.only?.map((text) => parseNetwork(text) ?? text) ?? [];
  for (const network of networks) {
    if (typeof network === 'string')
      complain(`--only ${network}`, 'must be an IP address or a network (CIDR)');
  }
  if (faults.length > 0) return faults;
  const only = networks.filter((each): each is Network => typeof each !== 'string');
  return {
    files,
    live,
    probe,
    points,
    ports: ports ?? SMTP_PORTS,
    noDrops: !drops,
    ladder: (ladder as LadderChoice | undefined) ?? 'some',
    wants: only.length === 0 ? () => true : (client) => isWithin(client, only),
    evidence: flags.evidence,
    maillog: flags.maillog,
    failOn: failOn as Certainty | undefined,
  };
}

/** Each may be several, with commas between them. */
export function portsOf(texts: readonly string[], complain: (on: string, fix: string) => void): number[] {
  return texts
    .flatMap((text) => text.split(','))
    .map((text) => {
      const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
      if (port < 1 || port > 65_535) complain(`--port ${text}`, 'must be a number from 1 to 65535');
      return port;
    });
}

const LADDERS: readonly string[] = ['all', 'flagged', 'none'];
