// The formats of configuration values: each reads a text (environment, --set) and judges a value.

import { formatAddress, parseAddress, parseNetwork } from '../system/address';
import { isFault } from '../system/fault';
import { exemptionsProblem, isBanner, isClients } from './policy';
import { repairProblem, serversProblem, type Problem } from './servers';

export interface Format {
  /** What it takes, in words; completes "must be …". */
  readonly takes: string;
  /** A text as a value; a text that makes no sense stays as it is, for `problem` to name. */
  read(text: string): unknown;
  /** Undefined where the value is fine, else what is wrong; a text that starts with a key path is more exact. */
  problem(value: unknown): string | Problem | undefined;
}

type FormatName =
  | 'duration'
  | 'count'
  | 'limit'
  | 'workers'
  | 'ring'
  | 'mark'
  | 'table'
  | 'host'
  | 'file'
  | 'interface'
  | 'ports'
  | 'networks'
  | 'words'
  | 'clients'
  | 'line'
  | 'exemptions'
  | 'listeners'
  | 'servers';

/** `proxyProtocol` as it is written; the command line takes the same words. */
export const PROXY_PROTOCOLS = ['in', 'out-v1', 'out-v2'] as const;

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, min: 60_000, h: 3_600_000 };

/** Beyond it a timer of node fires at once. */
const LONGEST_MS = 2 ** 31 - 1;

export const FORMATS: Readonly<Record<FormatName, Format>> = {
  duration: {
    takes: 'a duration from 1 ms to 24 days, as "500ms", "20s", "6min", "1h" or a number of milliseconds',
    read: readDuration,
    problem: (value) => check(isInteger(value, 1, LONGEST_MS)),
  },
  count: {
    takes: 'a whole number from 1 up',
    read: readNumber,
    problem: (value) => check(isInteger(value, 1, 1_000_000)),
  },
  limit: {
    takes: 'a whole number, 0 for no limit',
    read: readNumber,
    problem: (value) => check(isInteger(value, 0, 1_000_000)),
  },
  workers: {
    takes: 'a whole number from 1 to 64',
    read: readNumber,
    problem: (value) => check(isInteger(value, 1, 64)),
  },
  ring: {
    takes: 'a power of two from 4096 to 1073741824',
    read: readNumber,
    problem: (value) => check(isInteger(value, 1 << 12, 1 << 30) && Math.log2(value as number) % 1 === 0),
  },
  mark: {
    takes: 'a number from 0 to 0xffffffff, 0 for none',
    read: (text) => (/^(?:\d+|0x[0-9a-f]+)$/i.test(text.trim()) ? Number(text) : text),
    problem: (value) => check(isInteger(value, 0, 0xffff_ffff)),
  },
  table: {
    takes: 'the number of a routing table, from 1 to 4294967294',
    read: readNumber,
    // 253 to 255 are the system's: default, main, local.
    problem: (value) => check(isInteger(value, 1, 0xffff_fffe) && ![253, 254, 255].includes(value as number)),
  },
  host: {
    takes: 'a host name',
    read: (text) => text,
    problem: (value) => check(typeof value === 'string' && isHostName(value)),
  },
  file: {
    takes: 'the name of a file',
    read: (text) => text,
    problem: (value) => check(typeof value === 'string' && value.length > 0 && !value.includes('\0')),
  },
  interface: {
    takes: 'the name of a network interface, or any',
    read: (text) => text,
    // IFNAMSIZ of Linux: 15 octets and a NUL.
    problem: (value) => check(typeof value === 'string' && /^[^\s/]{1,15}$/.test(value)),
  },
  ports: {
    takes: 'a list of 1 to 64 ports, as [25, 587], in texts with commas',
    read: (text) => (text.trim().startsWith('[') ? readJson(text) : readList(text).map(readNumber)),
    problem: (value) => check(isPorts(value)),
  },
  networks: {
    takes: 'a list of addresses or networks, as ["10.0.0.0/8", "2001:db8::1"], in texts with commas',
    read: (text) => (text.trim().startsWith('[') ? readJson(text) : readList(text)),
    problem: networksProblem,
  },
  words: {
    takes: 'a list of words, as ["VRFY", "EXPN"], in texts with commas',
    read: (text) => (text.trim().startsWith('[') ? readJson(text) : readList(text)),
    problem: (value) => check(Array.isArray(value) && value.every(isWord)),
  },
  clients: {
    takes: 'a list of addresses or networks, as ["10.0.0.0/8"], or all; in texts with commas',
    read: (text) => (text.trim().startsWith('[') ? readJson(text) : readList(text)),
    problem: (value) => check(Array.isArray(value) && value.every(isClients)),
  },
  line: {
    takes: 'a text of printable ASCII that begins with a host name, as "mail.example.com ESMTP"',
    read: (text) => text,
    problem: (value) => check(isBanner(value)),
  },
  exemptions: {
    takes: 'a list, as [{"client": "192.0.2.0/24", "rules": ["synchronization"]}], in texts as JSON',
    read: readJson,
    problem: exemptionsProblem,
  },
  listeners: {
    takes: 'a list, as [{"listen": ":25", "upstream": "10.0.0.5:25"}], in texts as JSON',
    read: readJson,
    problem: listenersProblem,
  },
  servers: {
    takes: 'a list, as [{"server": "192.0.2.25:25", "repair": "now"}], in texts as JSON',
    read: readJson,
    problem: serversProblem,
  },
};

function check(fine: boolean): string | undefined {
  return fine ? undefined : '';
}

function isInteger(value: unknown, least: number, most: number): boolean {
  return Number.isInteger(value) && (value as number) >= least && (value as number) <= most;
}

/** A verb or a keyword (RFC 5321 §4.1.1.1). */
function isWord(value: unknown): boolean {
  return typeof value === 'string' && /^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/.test(value);
}

/** As many as the program's table has room for. */
function isPorts(value: unknown): boolean {
  if (!Array.isArray(value) || value.length === 0 || value.length > 64) return false;
  return value.every((port: unknown) => isInteger(port, 1, 65_535));
}

function isHostName(text: string): boolean {
  const address = parseAddress(`${text}:25`);
  return text !== '' && !isFault(address) && formatAddress(address) === `${text}:25`;
}

function readDuration(text: string): unknown {
  const match = /^(?<number>\d+(?:\.\d+)?)\s*(?<unit>ms|s|min|m|h)?$/.exec(text.trim());
  const unit = UNITS_MS[match?.groups?.['unit'] ?? 'ms'];
  if (match === null || unit === undefined) return text;
  return Math.round(Number(match.groups?.['number']) * unit);
}

function readNumber(text: string): unknown {
  return /^\d+$/.test(text.trim()) ? Number(text) : text;
}

function readList(text: string): string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function networksProblem(value: unknown): string | Problem | undefined {
  if (!Array.isArray(value)) return '';
  const index = value.findIndex((item) => typeof item !== 'string' || parseNetwork(item) === undefined);
  if (index < 0) return undefined;
  return { at: `[${index}]`, value: value[index], must: 'an address or a network, as 10.0.0.0/8' };
}

function listenersProblem(value: unknown): string | Problem | undefined {
  if (!Array.isArray(value)) return '';
  for (const [index, item] of value.entries()) {
    const problem = listenerProblem(item);
    if (problem !== undefined) return { ...problem, at: `[${index}]${problem.at}` };
  }
  return undefined;
}

const LISTENER_KEYS = ['listen', 'upstream', 'transparent', 'proxyProtocol', 'repair', 'tls'];

function listenerProblem(item: unknown): Problem | undefined {
  if (typeof item !== 'object' || item === null || Array.isArray(item)) {
    return { at: '', value: item, must: 'an object with "listen", and "upstream" or "transparent"' };
  }
  const entry = item as Record<string, unknown>;
  const unknown = Object.keys(entry).find((name) => !LISTENER_KEYS.includes(name));
  if (unknown !== undefined) {
    return { at: `.${unknown}`, value: entry[unknown], must: `one of ${LISTENER_KEYS.join(', ')}` };
  }
  return (
    addressProblem(entry, 'listen') ??
    (entry['transparent'] === true ? transparentProblem(entry) : addressProblem(entry, 'upstream')) ??
    flagProblem(entry['transparent']) ??
    proxyProblem(entry['proxyProtocol']) ??
    repairProblem(entry['repair']) ??
    tlsProblem(entry['tls'])
  );
}

function addressProblem(entry: Record<string, unknown>, name: 'listen' | 'upstream'): Problem | undefined {
  const value = entry[name];
  const at = `.${name}`;
  if (typeof value !== 'string') return { at, value, must: 'an address as HOST:PORT' };
  const address = parseAddress(value);
  if (isFault(address)) return { at, value, must: `HOST:PORT: ${address.fix}` };
  if (name === 'upstream' && (address.host === '' || address.port === 0)) {
    return { at, value, must: 'HOST:PORT, both of them: where the mail server is' };
  }
  return undefined;
}

/** What a transparent listener has no use for; silently ignored it would surprise. */
function transparentProblem({ upstream, proxyProtocol }: Record<string, unknown>): Problem | undefined {
  if (upstream !== undefined) {
    const must = 'absent: a transparent connection goes to the server that its client meant';
    return { at: '.upstream', value: upstream, must };
  }
  if (proxyProtocol !== undefined) {
    const must = "absent: behind a transparent listener the server sees the client's own address";
    return { at: '.proxyProtocol', value: proxyProtocol, must };
  }
  return undefined;
}

function flagProblem(value: unknown): Problem | undefined {
  if (value === undefined || typeof value === 'boolean') return undefined;
  return { at: '.transparent', value, must: 'true or false' };
}

function proxyProblem(value: unknown): Problem | undefined {
  if (value === undefined) return undefined;
  const words = typeof value === 'string' ? readList(value) : [];
  const known = words.every((word) => (PROXY_PROTOCOLS as readonly string[]).includes(word));
  const fine =
    known && words.length > 0 && new Set(words.map((word) => word.slice(0, 3))).size === words.length;
  if (fine) return undefined;
  return { at: '.proxyProtocol', value, must: '"in", "out-v1", "out-v2", or "in" and one of the others' };
}

function tlsProblem(value: unknown): Problem | undefined {
  if (value === undefined || value === 'auto' || value === 'implicit') return undefined;
  return { at: '.tls', value, must: '"implicit" or "auto"' };
}

export interface Setting {
  readonly key: string;
  readonly format: FormatName | readonly string[];
  readonly default: unknown;
  /** How the default reads in CONFIG.md where its value would not do. */
  readonly shown?: string;
  readonly doc: string;
}

export const SECOND = 1_000;
export const MINUTE = 60 * SECOND;
