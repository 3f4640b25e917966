// How envelope addresses are written down (`log.addresses`): as they are, by domain, as a keyed hash, or not at all.

import { createHmac, randomBytes } from 'node:crypto';
import type { Redaction } from '../../inspect/grammar/argument';
import type { AddressesInLog } from '../config/config';

/** `undefined`: as they are. All paths of one process write one address alike. */
export function redactionOf(how: AddressesInLog): Redaction | undefined {
  return REDACTIONS[how];
}

/** For the other processes of one relay, in base64: they write one address alike, too. */
export function addressKey(): string {
  return key.toString('base64');
}

export function takeAddressKey(base64: string): void {
  key = Buffer.from(base64, 'base64');
}

const REDACTIONS: Readonly<Record<AddressesInLog, Redaction | undefined>> = {
  full: undefined,
  domain: (address) => {
    const at = address.lastIndexOf('@');
    return at < 0 ? '*' : `*${address.slice(at)}`;
  },
  // Local parts are compared without their case: nearly all servers do, and one correspondent is one hash.
  hash: (address) =>
    `#${createHmac('sha256', key).update(address.toLowerCase(), 'latin1').digest('hex').slice(0, DIGITS)}`,
  none: () => '*',
};

/** Never stored: with the log alone no list of addresses can be tested against it, not even by us later. */
let key = randomBytes(32);
/** 48 bits: two of a million addresses share a hash once in 500 logs. */
const DIGITS = 12;
