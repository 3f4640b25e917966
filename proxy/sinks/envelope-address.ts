// How envelope addresses are written down (`log.addresses`): as they are, by domain, as a keyed hash, or not at all.

import { createHmac, randomBytes } from 'node:crypto';
import type { Redaction } from '../../inspect/grammar/argument';
import type { AddressesInLog } from '../config/config';

/** `undefined`: as they are. All paths of one process write one address alike. */
export function redactionOf(how: AddressesInLog): Redaction | undefined {
  return REDACTIONS[how];
}

const REDACTIONS: Readonly<Record<AddressesInLog, Redaction | undefined>> = {
  full: undefined,
  domain: (address) => {
    const at = address.lastIndexOf('@');
    return at < 0 ? '*' : `*${address.slice(at)}`;
  },
  // Local parts are compared without their case: nearly all servers do, and one correspondent is one hash.
  hash: (address) =>
    `#${createHmac('sha256', KEY).update(address.toLowerCase(), 'latin1').digest('hex').slice(0, DIGITS)}`,
  none: () => '*',
};

/** Never stored: with the log alone no list of addresses can be tested against it, not even by us later. */
const KEY = randomBytes(32);
/** 48 bits: two of a million addresses share a hash once in 500 logs. */
const DIGITS = 12;
