// Where to listen and where to connect: HOST:PORT texts, networks (CIDR) and the ports of mail, as values.

import type { Endpoint } from '../../inspect/address';
import ipaddr from 'ipaddr.js';
import { createFault, isFault, type Fault } from './fault';

export interface Address {
  /** IP address without brackets, or a host name; empty means every local address. */
  readonly host: string;
  readonly port: number;
}

/** A network as ipaddr.js holds it: the address and the number of leading bits that count. */
export type Network = readonly [ipaddr.IPv4 | ipaddr.IPv6, number];

/**
 * Reads `127.0.0.1:25`, `[::1]:25`, `mail.example:25` or `:25`. An IPv6 address needs its brackets
 * (RFC 3986 §3.2.2), because `::1:25` is itself an address. Port 0 lets the system choose.
 */
export function parseAddress(text: string): Address | Fault {
  const match = /^(?:\[(?<six>[^\]]*)\]|(?<name>[^:[\]]*)):(?<port>\d{1,5})$/.exec(text.trim());
  const groups = match?.groups;
  if (groups === undefined) return badAddress(text, hint(text));
  const port = Number(groups['port']);
  if (port > 65_535) return badAddress(text, 'the port must be between 0 and 65535');
  const six = groups['six'];
  if (six !== undefined) {
    return ipaddr.IPv6.isValid(six)
      ? { host: six, port }
      : badAddress(text, 'no IPv6 address in the brackets');
  }
  const host = groups['name'] ?? '';
  if (host === '' || isHost(host)) return { host, port };
  return badAddress(text, 'neither an IPv4 address nor a host name before the colon');
}

/**
 * Reads a mail server: as `parseAddress`, and both parts are needed; but its port may be left out, and so may the
 * brackets of an IPv6 address without one. Then it is port 25.
 */
export function parseServer(target: string): Address | Fault {
  const text = target.trim();
  const bare = ipaddr.IPv6.isValid(text) ? `[${text}]` : text;
  const named = bare.endsWith(']') || !bare.includes(':');
  const server = parseAddress(named && bare !== '' ? `${bare}:${SMTP}` : bare);
  if (isFault(server)) return server;
  if (server.host !== '' && server.port !== 0) return server;
  return badAddress(target, 'name a host, and a port other than 0');
}

/** The inverse of `parseAddress`: IPv6 in brackets, an empty host as `*`. */
export function formatAddress({ host, port }: Address): string {
  if (host === '') return `*:${port}`;
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** An end of a connection, as `formatAddress` writes it. */
export function formatEndpoint({ address, port }: Endpoint): string {
  return formatAddress({ host: address, port });
}

/** Reads `10.0.0.0/8`, `fd00::/8` or a single address. Undefined where it is none of them. */
export function parseNetwork(text: string): Network | undefined {
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return [ipaddr.IPv4.parse(text), 32];
  if (ipaddr.IPv6.isValid(text)) return [ipaddr.IPv6.parse(text), 128];
  const four = /^\d+\.\d+\.\d+\.\d+\/\d+$/.test(text);
  return (four || text.includes(':')) && ipaddr.isValidCIDR(text) ? ipaddr.parseCIDR(text) : undefined;
}

/** Whether an IP address lies in one of the networks; an IPv4-mapped one (`::ffff:10.1.2.3`) counts as IPv4. */
export function isWithin(address: string, networks: readonly Network[]): boolean {
  if (networks.length === 0 || !ipaddr.isValid(address)) return false;
  const parsed = ipaddr.process(address);
  return networks.some(([network, bits]) => parsed.kind() === network.kind() && parsed.match(network, bits));
}

const SMTP = 25;

/** RFC 8314 §3.3: TLS from the first octet. */
export const SUBMISSIONS = 465;

/** SMTP, submission, submission over TLS, and what many choose beside them. */
export const SMTP_PORTS: readonly number[] = [SMTP, 587, SUBMISSIONS, 2525];

/** The /24 of an IPv4 address, the /48 of an IPv6 one (RFC 6177: a site's usual prefix), as CIDR text. */
export function networkOf(address: string): string {
  return ipaddr.isValid(address) ? networkOfParsed(ipaddr.process(address)) : address;
}

/** The same of an address that was read. */
export function networkOfParsed(ip: ipaddr.IPv4 | ipaddr.IPv6): string {
  const bits = ip.kind() === 'ipv4' ? 24 : 48;
  const octets = ip.toByteArray().map((octet, i) => (i < bits / 8 ? octet : 0));
  return `${ipaddr.fromByteArray(octets).toString()}/${bits}`;
}

/** RFC 1123 §2.1: letters, digits and hyphens between dots (underscores occur inside). All digits is a typo. */
function isHost(text: string): boolean {
  if (/^[\d.]+$/.test(text)) return ipaddr.IPv4.isValidFourPartDecimal(text);
  return text.length <= 253 && /^(?!-)[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?$/.test(text);
}

function hint(text: string): string {
  if (/^\d{1,5}$/.test(text)) return `write a port as :${text}, with its host in front where one is meant`;
  if (ipaddr.IPv6.isValid(text)) return `put an IPv6 address in brackets, as in [${text}]:25`;
  if (!text.includes(':')) return text === '' ? 'write HOST:PORT' : `add a port, as in ${text}:25`;
  return 'write HOST:PORT, [IPV6]:PORT or :PORT';
}

function badAddress(text: string, fix: string): Fault {
  return createFault('bad-address', text === '' ? '(empty)' : text, { fix });
}
