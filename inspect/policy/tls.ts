// TLS in place of commands: what begins it, what only looks like it, and commands that hide in what is no text.

import type { Micros } from '../events';
import { isIgnored } from '../grammar/grammar';
import { joinOctets, NO_OCTETS } from '../octets';
import { isKnownVerb, verbOf } from './commands';
import { end, forwardUnit, isEnforced, refuse, type State, TLS_CONFIRMED } from './state';

/**
 * TLS from the first octet on: what this port is for, if the server has not greeted in plain text (RFC 8314 §3.3).
 * `undefined`: they are read as commands.
 */
export function readForeignTls(state: State, bytes: Uint8Array, at: Micros): number | undefined {
  if (!state.greeted) return readFirstTls(state, bytes, at);
  state.spoke = true;
  return isEnforced(state, 'TLS at a plain port', at)
    ? refuse(state, 'TLS at a plain port', bytes, at)
    : undefined;
}

function readFirstTls(state: State, bytes: Uint8Array, at: Micros): number {
  if (bytes.length < TLS_CONFIRMED) return 0;
  state.spoke = true;
  // Of what is no record, as of SSL 2, nothing can be read.
  if (bytes[1] !== TLS_MAJOR && isEnforced(state, 'command in TLS', at))
    return refuse(state, 'command in TLS', bytes, at);
  doubtTls(state);
  const taken = readGuessed(state, NO_OCTETS, bytes, at);
  endLost(state, at);
  return taken;
}

/** After the 220 to STARTTLS. */
export function readClientTls(state: State, bytes: Uint8Array, at: Micros): number {
  const begins = confirmTls(state, 'client', bytes);
  if (!begins && isEnforced(state, 'no TLS of the client', at))
    return refuse(state, 'no TLS of the client', bytes, at);
  const guessed = state.tls.server < TLS_CONFIRMED ? state.tlsLine : undefined;
  const taken = guessed ? readGuessed(state, guessed, bytes, at) : forwardUnit(state, bytes, at);
  endLost(state, at);
  return taken;
}

/** What looks like TLS, where neither STARTTLS was agreed nor the server has shown that it speaks TLS. */
function readGuessed(state: State, before: Uint8Array, bytes: Uint8Array, at: Micros): number {
  const { hides, line } = findHidden(state, joinOctets([before, bytes]));
  state.tlsLine = line.slice();
  return hides && isEnforced(state, 'command in TLS', at)
    ? refuse(state, 'command in TLS', bytes, at)
    : forwardUnit(state, bytes, at);
}

/** The client's octets look like TLS, to which the server has not agreed; it is TLS once the server's do. */
export function doubtTls(state: State): void {
  state.tls.server = 0;
  state.tlsLine ??= NO_OCTETS;
}

/** No octet is read any more, and it is not TLS that hides them. */
export function endLost(state: State, at: Micros): void {
  if (state.session.expects() !== 'opaque' || state.tls.server === TLS_CONFIRMED) return;
  if (isEnforced(state, 'command in TLS', at)) end(state);
}

/** Whether the octets go on as TLS began, or begin it: a record of a handshake or an alert, of SSL 3 or TLS (RFC 8446 §5.1). */
export function confirmTls(state: State, from: 'client' | 'server', bytes: Uint8Array): boolean {
  for (let i = 0; state.tls[from] < TLS_CONFIRMED && i < bytes.length; i += 1) {
    const octet = bytes[i];
    const fits = state.tls[from] === 0 ? octet === HANDSHAKE || octet === ALERT : octet === TLS_MAJOR;
    if (!fits) return false;
    state.tls[from] += 1;
  }
  return true;
}

/**
 * Whether a server that reads octets as lines finds a command in them: what is no text has octets that are LF or CR, but no verb
 * behind one. `line`: the beginning of the last line, for what comes next.
 */
export function findHidden(
  { rules }: State,
  octets: Uint8Array,
): { readonly hides: boolean; readonly line: Uint8Array } {
  for (let start = 0; ;) {
    while (start < octets.length && isIgnored(octets[start])) start += 1;
    const line = octets.subarray(start, start + LINE_BEGUN);
    const verb = verbOf(line);
    if (isKnownVerb(verb, rules) && (line[verb.length] ?? LETTER) <= SPACE) return { hides: true, line };
    while (start < octets.length && octets[start] !== LF && octets[start] !== CR) start += 1;
    if (start >= octets.length) return { hides: false, line };
  }
}

const LF = 0x0a;
const CR = 0x0d;
const LETTER = 0x41;
const SPACE = 0x20;
/** Octets of a line that has a verb. */
const LINE_BEGUN = 64;
const HANDSHAKE = 0x16;
const ALERT = 0x15;
const TLS_MAJOR = 0x03;
