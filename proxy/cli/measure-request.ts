// The flags of `ehlowire measure`, as what is to be done; all that is wrong with them at once.

import type { Micros } from '../../inspect/events';
import type { Plan } from '../../inspect/measure/dialogue';
import type { Schedule } from '../../inspect/measure/schedule';
import { FORMATS } from '../config/formats';
import { parseAddress, parseServer, type Address } from '../system/address';
import { createFault, isFault, type Fault } from '../system/fault';

export interface MeasureFlags {
  readonly against?: string;
  readonly rounds?: string;
  readonly sessions?: string;
  readonly for?: string;
  readonly rate?: string;
  readonly concurrency?: string;
  readonly rcpt?: readonly string[];
  readonly from?: string;
  readonly size?: string;
  readonly messagesPerSession?: string;
  readonly starttls?: boolean;
  readonly pipelining?: boolean;
  readonly name?: string;
  readonly timeout?: string;
  readonly sink?: string;
  readonly json?: boolean;
  readonly config?: string;
  readonly set?: readonly string[];
}

export interface LoadRequest {
  readonly kind: 'load';
  readonly servers: readonly Address[];
  readonly rounds: number;
  readonly schedule: Schedule;
  readonly concurrency: number;
  readonly timeout: Micros;
  readonly plan: Omit<Plan, 'compose'>;
  /** Octets of a message. */
  readonly size: number;
}

interface SinkRequest {
  readonly kind: 'sink';
  readonly at: Address;
  readonly name: string;
}

/** `name`: of this machine, where no flag gives one. */
export function readRequest(
  target: string | undefined,
  flags: MeasureFlags,
  hostname: string,
): LoadRequest | SinkRequest | readonly Fault[] {
  const faults: Fault[] = [];
  const complain = (on: string, fix: string): void => void faults.push(createFault('bad-flag', on, { fix }));
  const { name = hostname } = flags;
  if (!HOST_NAME.test(name)) complain(`--name ${name}`, 'must be a host name');
  const request =
    flags.sink === undefined
      ? readLoad(target, flags, name, { faults, complain })
      : readSink(target, flags, flags.sink, name, { faults, complain });
  return request === undefined || faults.length > 0 ? faults : request;
}

interface Complaints {
  readonly faults: Fault[];
  readonly complain: (on: string, fix: string) => void;
}

function readSink(
  target: string | undefined,
  flags: MeasureFlags,
  sink: string,
  name: string,
  { faults, complain }: Complaints,
): SinkRequest | undefined {
  if (target !== undefined) complain(target, '--sink is the other end: it connects to no server');
  for (const flag of Object.keys(flags).filter((key) => !OF_SINK.has(key))) {
    complain(
      `--${flag.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`,
      'does not go with --sink',
    );
  }
  const at = parseAddress(sink);
  if (!isFault(at)) return { kind: 'sink', at, name };
  faults.push(at);
  return undefined;
}

function readLoad(
  target: string | undefined,
  flags: MeasureFlags,
  name: string,
  { faults, complain }: Complaints,
): LoadRequest | undefined {
  if (target === undefined) complain('no server', 'name HOST[:PORT], or --sink ADDR:PORT for the other end');
  const servers = [target, flags.against].flatMap((text) => {
    const server = text === undefined ? [] : parseServer(text);
    if (isFault(server)) faults.push(server);
    return isFault(server) ? [] : server;
  });
  const number = (flag: NumberFlag, least: number, most: number, otherwise: number): number => {
    const text = flags[flag];
    const value = text === undefined ? otherwise : Number(text);
    if (
      Number.isFinite(value) &&
      value >= least &&
      value <= most &&
      (flag === 'rate' || Number.isInteger(value))
    ) {
      return value;
    }
    complain(
      `--${FLAG_NAMES[flag] ?? flag} ${text}`,
      `must be a number from ${least} to ${most.toLocaleString('en')}`,
    );
    return otherwise;
  };
  const duration = (flag: 'for' | 'timeout', otherwise: Micros | undefined): Micros | undefined => {
    const text = flags[flag];
    if (text === undefined) return otherwise;
    const value = FORMATS.duration.read(text);
    if (FORMATS.duration.problem(value) === undefined) return (value as number) * 1000;
    complain(`--${flag} ${text}`, `must be ${FORMATS.duration.takes}`);
    return otherwise;
  };
  const rate = flags.rate === 'max' ? undefined : number('rate', 0.01, 100_000, DEFAULT_RATE);
  const sessions = flags.sessions === undefined ? undefined : number('sessions', 1, 1e9, 1);
  if (flags.rounds !== undefined && flags.against === undefined) {
    complain('--rounds', 'goes with --against: one way is one round');
  }
  return {
    kind: 'load',
    servers,
    rounds: flags.against === undefined ? 1 : number('rounds', 1, 1_000, DEFAULT_ROUNDS),
    schedule: {
      rate,
      sessions,
      duration: duration('for', sessions === undefined ? DEFAULT_DURATION : undefined),
    },
    concurrency: number('concurrency', 1, 10_000, rate === undefined ? CLOSED : OPEN),
    timeout: duration('timeout', DEFAULT_TIMEOUT) ?? DEFAULT_TIMEOUT,
    ...readMail(flags, name, number, complain),
  };
}

type NumberFlag = 'rounds' | 'sessions' | 'rate' | 'concurrency' | 'messagesPerSession';

/** No mail goes out, unless the operator names who gets it. */
function readMail(
  flags: MeasureFlags,
  name: string,
  number: (flag: NumberFlag, least: number, most: number, otherwise: number) => number,
  complain: Complaints['complain'],
): Pick<LoadRequest, 'plan' | 'size'> {
  const { rcpt: recipients = [], from = '', size, starttls = false, pipelining = false } = flags;
  if (recipients.length === 0) {
    const given = (Object.keys(MAIL_FLAGS) as (keyof typeof MAIL_FLAGS)[]).filter(
      (key) => flags[key] !== undefined,
    );
    for (const key of given) complain(MAIL_FLAGS[key], 'goes with --rcpt: without it no mail is sent');
  }
  for (const address of recipients) {
    if (!ADDRESS.test(address)) complain(`--rcpt ${address}`, 'must be a mail address, as test@example.com');
  }
  if (recipients.length > MOST_RECIPIENTS)
    complain('--rcpt', `at most ${MOST_RECIPIENTS} (RFC 5321 §4.5.3.1.8)`);
  if (from !== '' && !ADDRESS.test(from)) complain(`--from ${from}`, 'must be a mail address, or empty');
  const octets = size === undefined ? DEFAULT_SIZE : readSize(size);
  if (octets === undefined) complain(`--size ${size}`, 'must be octets up to 100M, as 2000, 10k or 1M');
  const messages = recipients.length === 0 ? 0 : number('messagesPerSession', 1, 100_000, 1);
  return { size: octets ?? DEFAULT_SIZE, plan: { name, starttls, pipelining, messages, from, recipients } };
}

/** Decimal, as sizes are shown. */
function readSize(text: string): number | undefined {
  const match = /^(?<number>\d+(?:\.\d+)?)\s*(?<unit>[kM]?)B?$/.exec(text.trim());
  const octets = Math.round(Number(match?.groups?.['number']) * (UNITS[match?.groups?.['unit'] ?? ''] ?? 1));
  return octets >= 1 && octets <= MOST_OCTETS ? octets : undefined;
}

const UNITS: Readonly<Record<string, number>> = { k: 1e3, M: 1e6 };
const MOST_OCTETS = 100e6;
const MOST_RECIPIENTS = 100;
/** Mail of a common size. */
const DEFAULT_SIZE = 2_000;
/** Sessions a second: nothing that a mail server would notice. */
const DEFAULT_RATE = 10;
const DEFAULT_DURATION: Micros = 10e6;
const DEFAULT_TIMEOUT: Micros = 30e6;
const DEFAULT_ROUNDS = 5;
/** Sessions at a time: without a schedule, and on schedule, where it is only a bound. */
const [CLOSED, OPEN] = [20, 1_000] as const;
const HOST_NAME = /^[\x21-\x7e]{1,255}$/;
/** Nothing that ends the command or the brackets. */
const ADDRESS = /^(?=.{3,254}$)[\x21-\x3b\x3d\x3f-\x7e]{1,64}@[\x21-\x3b\x3d\x3f-\x7e]+$/;
const OF_SINK: ReadonlySet<string> = new Set(['sink', 'json', 'name', 'config', 'set']);
const FLAG_NAMES: Readonly<Partial<Record<NumberFlag, string>>> = {
  messagesPerSession: 'messages-per-session',
};
const MAIL_FLAGS = {
  from: '--from',
  size: '--size',
  messagesPerSession: '--messages-per-session',
  pipelining: '--pipelining',
} as const;
