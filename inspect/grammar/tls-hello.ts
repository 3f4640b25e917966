// The two TLS messages that are sent in plain text and can be read: ClientHello and ServerHello (RFC 8446 §4.1).

import type { Quotable } from '../quotable';
import { quoteName } from './argument';

export interface Hello {
  readonly from: 'client' | 'server';
  /** Of a ServerHello: the version that was agreed. Of a ClientHello: the highest that was offered. */
  readonly version: number;
  /** Of a ClientHello (RFC 6066 §3), escaped. */
  readonly sni?: Quotable;
}

/** Reads a whole handshake message, header included. `undefined`: cut short, malformed or another message. */
export function parseHello(message: Uint8Array): Hello | undefined {
  const reader = createReader(message);
  const type = reader.number(1);
  reader.number(3);
  const legacy = reader.number(2);
  reader.skip(RANDOM);
  reader.vector(1);
  if (type === CLIENT_HELLO) {
    reader.vector(2);
    reader.vector(1);
  } else if (type === SERVER_HELLO) {
    reader.skip(3);
  } else {
    return undefined;
  }
  if (reader.short()) return undefined;
  // TLS 1.2 and older may have no extensions at all.
  const extensions = reader.atEnd() ? new Map<number, Uint8Array>() : extensionsOf(reader.vector(2));
  if (reader.short() || !extensions) return undefined;
  const offered = extensions.get(SUPPORTED_VERSIONS);
  if (type === SERVER_HELLO) {
    return { from: 'server', version: offered?.length === 2 ? be16(offered, 0) : legacy };
  }
  const sni = extensions.get(SERVER_NAME);
  const name = sni && serverName(sni);
  return {
    from: 'client',
    version: offered ? highestVersion(offered) : legacy,
    ...(name !== undefined && { sni: name }),
  };
}

/** `0x0304` → `TLSv1.3`, as OpenSSL and Postfix write it. */
export function versionName(version: number): string {
  return NAMES[version] ?? `0x${version.toString(16).padStart(4, '0')}`;
}

function extensionsOf(bytes: Uint8Array): Map<number, Uint8Array> | undefined {
  const extensions = new Map<number, Uint8Array>();
  const reader = createReader(bytes);
  while (!reader.atEnd()) {
    const type = reader.number(2);
    const body = reader.vector(2);
    if (reader.short()) return undefined;
    extensions.set(type, body);
  }
  return extensions;
}

function serverName(extension: Uint8Array): Quotable | undefined {
  const names = createReader(createReader(extension).vector(2));
  while (!names.atEnd()) {
    const type = names.number(1);
    const name = names.vector(2);
    if (names.short()) return undefined;
    if (type === HOST_NAME) return quoteName(name);
  }
  return undefined;
}

function highestVersion(extension: Uint8Array): number {
  const list = createReader(extension).vector(1);
  let highest = 0;
  for (let i = 0; i + 1 < list.length; i += 2) {
    const version = be16(list, i);
    // GREASE values (RFC 8701) are not versions.
    if (version >> 8 === MAJOR && version > highest) highest = version;
  }
  return highest;
}

/** A cursor that never reads beyond the end: it says `short` instead, and gives zeros. */
function createReader(bytes: Uint8Array) {
  let at = 0;
  let short = false;
  const take = (length: number): Uint8Array => {
    if (at + length > bytes.length) short = true;
    const piece = short ? new Uint8Array(0) : bytes.subarray(at, at + length);
    at = short ? bytes.length : at + length;
    return piece;
  };
  const number = (length: number): number => take(length).reduce((value, octet) => value * 256 + octet, 0);
  return {
    number,
    skip: (length: number): void => void take(length),
    vector: (lengthOctets: number): Uint8Array => take(number(lengthOctets)),
    atEnd: (): boolean => at >= bytes.length,
    short: (): boolean => short,
  };
}

function be16(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) * 256 + (bytes[at + 1] ?? 0);
}

const CLIENT_HELLO = 1;
const SERVER_HELLO = 2;
const RANDOM = 32;
const SERVER_NAME = 0;
const HOST_NAME = 0;
const SUPPORTED_VERSIONS = 43;
const MAJOR = 3;
const NAMES: Readonly<Record<number, string>> = {
  0x0300: 'SSLv3',
  0x0301: 'TLSv1',
  0x0302: 'TLSv1.1',
  0x0303: 'TLSv1.2',
  0x0304: 'TLSv1.3',
};
