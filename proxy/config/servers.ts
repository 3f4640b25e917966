// What the operator decided about the greetings of single servers: `greeting.servers`.

import ipaddr from 'ipaddr.js';
import { formatEndpoint, parseAddress } from '../system/address';
import type { Endpoint } from '../../inspect/address';
import { isFault } from '../system/fault';

/** Which element of a value is wrong, and how. */
export interface Problem {
  /** Appended to the key: `[0].upstream`. */
  readonly at: string;
  readonly value: unknown;
  readonly must: string;
}

export const REPAIRS = ['learn', 'now', 'never'] as const;
/** Complete a truncated greeting after patience and remember it, at once, or not at all. */
export type Repair = (typeof REPAIRS)[number];

/** By server, as `keyOf` writes it. */
export type ServerRepairs = ReadonlyMap<string, Repair>;

interface RawServer {
  readonly server: string;
  readonly repair: Repair;
}

/** What was decided for this server; undefined: what goes for all goes for it. */
export function repairOf(repairs: ServerRepairs, { address, port }: Endpoint): Repair | undefined {
  return repairs.get(keyOf(address, port));
}

/** All for which something was decided. */
export function serversOf(repairs: ServerRepairs): readonly Endpoint[] {
  return [...repairs.keys()].flatMap((key) => {
    const address = parseAddress(key);
    return isFault(address) ? [] : [{ address: address.host, port: address.port }];
  });
}

/** How the operator decides for this one server, as words of a text. */
export function decideFor(server: Endpoint): string {
  const entry = JSON.stringify({ server: formatEndpoint(server), repair: 'now' });
  return `greeting.servers with ${entry} (or "never") in the configuration decides for this server, --repair for all`;
}

export function serversProblem(value: unknown): string | Problem | undefined {
  if (!Array.isArray(value)) return '';
  const seen = new Set<string>();
  for (const [index, item] of value.entries()) {
    const problem = serverProblem(item, seen);
    if (problem !== undefined) return { ...problem, at: `[${index}]${problem.at}` };
  }
  return undefined;
}

/** Of a list that was judged before. */
export function readServers(raw: unknown): ServerRepairs {
  return new Map(
    (raw as readonly RawServer[]).map(({ server, repair }) => [keyOfText(server) ?? '', repair]),
  );
}

export function repairProblem(value: unknown): Problem | undefined {
  if (value === undefined || (REPAIRS as readonly unknown[]).includes(value)) return undefined;
  return { at: '.repair', value, must: '"learn", "now" or "never"' };
}

const KEYS = ['server', 'repair'];

function serverProblem(item: unknown, seen: Set<string>): Problem | undefined {
  if (typeof item !== 'object' || item === null || Array.isArray(item))
    return { at: '', value: item, must: 'an object with "server" and "repair"' };
  const entry = item as Record<string, unknown>;
  const unknown = Object.keys(entry).find((name) => !KEYS.includes(name));
  if (unknown !== undefined)
    return { at: `.${unknown}`, value: entry[unknown], must: `one of ${KEYS.join(', ')}` };
  const { server, repair } = entry;
  const key = typeof server === 'string' ? keyOfText(server) : undefined;
  if (key === undefined) return { at: '.server', value: server, must: SERVER_ADDRESS };
  if (seen.has(key)) return { at: '.server', value: server, must: 'there once only' };
  seen.add(key);
  return repair === undefined
    ? { at: '.repair', value: repair, must: '"learn", "now" or "never"' }
    : repairProblem(repair);
}

/** One text for one server, however its address is written. */
export function keyOf(address: string, port: number): string {
  const text = ipaddr.isValid(address) ? ipaddr.process(address).toString() : address;
  return formatEndpoint({ address: text, port });
}

export function keyOfText(text: string): string | undefined {
  const address = parseAddress(text);
  if (isFault(address) || address.port === 0 || !ipaddr.isValid(address.host)) return undefined;
  return keyOf(address.host, address.port);
}

export const SERVER_ADDRESS = "the server's IP address and port, as 192.0.2.25:25 or [2001:db8::25]:25";
