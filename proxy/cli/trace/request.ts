// What `ehlowire trace` is to do: its argument and flags, checked and typed.

import type { Certainty } from '../../../inspect/events';
import type { CommonFlags } from '../../config/flags';
import { type Address, parseServer } from '../../system/address';
import { createFault, type Fault, isFault } from '../../system/fault';

export interface TraceFlags extends CommonFlags {
  readonly name?: string;
  readonly deep?: boolean;
  /** `-n`: true. */
  readonly numeric?: boolean;
  readonly four?: boolean;
  readonly six?: boolean;
  readonly tries?: string;
  readonly maxHops?: string;
  readonly pace?: string;
  readonly failOn?: string;
  readonly evidence?: string;
}

export interface Request {
  readonly server: Address;
  readonly family: 0 | 4 | 6;
  readonly name: string | undefined;
  readonly deep: boolean;
  readonly numeric: boolean;
  readonly tries: number;
  readonly maxHops: number;
  readonly paceMs: number;
  readonly failOn: Certainty | undefined;
  readonly evidence: string | undefined;
}

/** Each problem is one fault. */
export function readRequest(target: string, flags: TraceFlags): Request | readonly Fault[] {
  const faults: Fault[] = [];
  const complain = (on: string, fix: string): void => void faults.push(createFault('bad-flag', on, { fix }));
  const server = parseServer(target);
  if (isFault(server)) faults.push(server);
  const { four = false, six = false, failOn, name } = flags;
  if (four && six) complain('-4 and -6', 'one or the other');
  if (failOn !== undefined && failOn !== 'proved' && failOn !== 'suspected') {
    complain(`--fail-on ${failOn}`, 'must be proved or suspected');
  }
  if (name !== undefined && !/^[\x21-\x7e]{1,255}$/.test(name))
    complain(`--name ${name}`, 'must be a host name');
  const number = (flag: keyof typeof BOUNDS, text: string | undefined): number => {
    const [least, most, usual] = BOUNDS[flag];
    if (text === undefined) return usual;
    const value = /^\d{1,6}$/.test(text) ? Number(text) : -1;
    if (value < least || value > most)
      complain(`${flag} ${text}`, `must be a number from ${least} to ${most}`);
    return value;
  };
  const tries = number('--tries', flags.tries);
  const maxHops = number('--max-hops', flags.maxHops);
  const paceMs = number('--pace', flags.pace);
  if (faults.length > 0 || isFault(server)) return faults;
  return {
    ...{ server, name, tries, maxHops, paceMs },
    family: four ? 4 : six ? 6 : 0,
    deep: flags.deep ?? false,
    numeric: flags.numeric ?? false,
    failOn: failOn as Certainty | undefined,
    evidence: flags.evidence,
  };
}

/** Least, most, and what holds without the flag. */
const BOUNDS = {
  '--tries': [1, 10, 3],
  '--max-hops': [1, 60, 30],
  // Linux answers one packet a second whose TTL is over, for each destination.
  '--pace': [0, 10_000, 1_050],
} as const;
