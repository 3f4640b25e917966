// The file descriptors of this process: how many it may have, and the last of them, which are kept for refusals.

import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import type { Micros } from '../../inspect/events';
import { now } from '../system/clock';
import { descriptorOf } from '../native/libc';
import type { Sockets } from '../sockets/linger';

/**
 * Whether a connection that was just accepted must go no further. The system gives out the lowest descriptor
 * that is free (POSIX, accept()): one among the last says that nearly all are in use. Where there is none at all
 * libuv closes the client's connection without a word and without an error, so it must not come to that.
 */
export function isScarce(accepted: Socket, { open }: Sockets): boolean {
  // Those that are being connected count too, and may have no descriptor yet: many clients may be accepted in one turn.
  return Math.max(descriptorOf(accepted) ?? 0, open + OTHERS) >= descriptorsFor(limitOfDescriptors());
}

/** How many of them are in use, from 0 to 1. */
export function fillOf({ open }: Sockets): number {
  return open / descriptorsFor(limitOfDescriptors());
}

/** Connections, of two sockets each, that there are descriptors for. */
export function connectionsFor(limit: number): number {
  return Math.floor((descriptorsFor(limit) - OTHERS) / 2);
}

/** As it is now, since `prlimit` may change it (getrlimit(2), RLIMIT_NOFILE). */
export function limitOfDescriptors(): number {
  const at = now();
  if (known === undefined || at - known.at > STALE || at < known.at) known = { at, limit: readLimit() };
  return known.limit;
}

function readLimit(): number {
  try {
    const [, soft = ''] = /^Max open files +(\S+)/m.exec(readFileSync('/proc/self/limits', 'latin1')) ?? [];
    return /^\d+$/.test(soft) ? Number(soft) : Infinity;
  } catch {
    return known?.limit ?? Infinity;
  }
}

function descriptorsFor(limit: number): number {
  return limit - Math.min(RESERVE, limit >> 2);
}

let known: { readonly at: Micros; readonly limit: number } | undefined;

const STALE: Micros = 1_000_000;
/** For refusals that take a moment, an address that is looked up, a log that is opened anew. */
const RESERVE = 64;
/** Node's own, the log, listeners. */
const OTHERS = 32;
