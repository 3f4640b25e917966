// IP addresses: octets to text and back.

/** An address as text, IPv4 also where it came mapped into IPv6, without brackets or zone; and a port. */
export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

/** At `at`, dotted. */
export function ipv4Text(octets: Uint8Array, at: number): string {
  const number = be16(octets, at) * 0x1_0000 + be16(octets, at + 2);
  const known = texts.get(number);
  if (known !== undefined) return known;
  return keepText(number, `${octets[at]}.${octets[at + 1]}.${octets[at + 2]}.${octets[at + 3]}`);
}

/** RFC 5952: lower case, no leading zeros, the longest run of zero groups as `::`. */
export function ipv6Text(octets: Uint8Array, at: number): string {
  let key = '';
  for (let i = 0; i < 16; i += 2) key += String.fromCharCode(be16(octets, at + i));
  const known = texts.get(key);
  if (known !== undefined) return known;
  const groups = Array.from({ length: 8 }, (_, i) => be16(octets, at + 2 * i).toString(16));
  let best = { start: 0, length: 0 };
  for (let start = 0; start < 8; start += 1) {
    let end = start;
    while (groups[end] === '0') end += 1;
    if (end - start > best.length) best = { start, length: end - start };
  }
  if (best.length < 2) return keepText(key, groups.join(':'));
  const head = groups.slice(0, best.start).join(':');
  return keepText(key, `${head}::${groups.slice(best.start + best.length).join(':')}`);
}

/** IPv4 by its own name, also where it was mapped into IPv6 (RFC 4291 §2.5.5.2); `width`: 4 or 16. */
export function plainText(octets: Uint8Array, at: number, width: number): string {
  if (width === 4) return ipv4Text(octets, at);
  const mapped = MAPPED.every((octet, i) => octets[at + i] === octet);
  return mapped ? ipv4Text(octets, at + MAPPED.length) : ipv6Text(octets, at);
}

/** Of either family; `undefined`: no address. */
export function addressOctets(text: string): Uint8Array | undefined {
  return text.includes(':') ? ipv6Octets(text) : ipv4Octets(text);
}

/** Four decimal numbers without leading zeros; `undefined`: no such address. */
export function ipv4Octets(text: string): Uint8Array | undefined {
  const parts = text.split('.');
  const valid = parts.length === 4 && parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part));
  const octets = Uint8Array.from(parts, Number);
  return valid && parts.every((part) => Number(part) < 256) ? octets : undefined;
}

/** Any form of RFC 4291 §2.2, without a zone; `undefined`: no such address. */
export function ipv6Octets(text: string): Uint8Array | undefined {
  const [head = '', tail, ...more] = text.split('::');
  if (more.length > 0) return undefined;
  const left = groups(head, tail === undefined);
  const right = tail === undefined ? [] : groups(tail, true);
  if (left === undefined || right === undefined) return undefined;
  const given = left.length + right.length;
  if (tail === undefined ? given !== 8 : given > 7) return undefined;
  const all = [...left, ...new Array<number>(8 - given).fill(0), ...right];
  return Uint8Array.from(all.flatMap((group) => [group >> 8, group & 0xff]));
}

/** `::ffff:a.b.c.d` (RFC 4291 §2.5.5.2). */
export function mapped(four: Uint8Array): Uint8Array {
  return Uint8Array.from([...MAPPED, ...four]);
}

/** Groups of 16 bits; the last two may be written as IPv4 where the address ends here. */
function groups(text: string, last: boolean): number[] | undefined {
  if (text === '') return [];
  const parts = text.split(':');
  const dotted = last && parts.at(-1)?.includes('.') ? ipv4Octets(parts.pop() ?? '') : NONE;
  if (dotted === undefined || !parts.every((part) => /^[\da-f]{1,4}$/i.test(part))) return undefined;
  const hex = parts.map((part) => Number.parseInt(part, 16));
  return dotted === NONE ? hex : [...hex, be16(dotted, 0), be16(dotted, 2)];
}

/** Addresses come again with every frame: their texts are made once, and forgotten all at once at the cap. */
function keepText(address: number | string, text: string): string {
  if (texts.size >= TEXTS) texts.clear();
  texts.set(address, text);
  return text;
}

function be16(octets: Uint8Array, at: number): number {
  return ((octets[at] ?? 0) << 8) | (octets[at + 1] ?? 0);
}

const texts = new Map<number | string, string>();
const TEXTS = 16_384;
const NONE = new Uint8Array(0);
const MAPPED: readonly number[] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];
