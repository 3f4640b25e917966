// How durations, sizes and other people's words read to a person.

import type { Close, Micros, SessionEvent } from '../../inspect/events';

/** `0.123 ms`, `812.4 ms`, `20.004 s`, `5m 03s`. */
export function formatDuration(micros: Micros): string {
  const ms = micros / 1000;
  if (Math.abs(ms) < 10) return `${ms.toFixed(3)} ms`;
  if (ms < 999.95) return `${ms.toFixed(1)} ms`;
  if (ms < 59_999.5) return `${(ms / 1000).toFixed(3)} s`;
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)}m ${String(seconds % 60).padStart(2, '0')}s`;
}

/** `532 B`, `12.3 kB`, `4.2 MB`, `1.0 GB`; decimal. */
export function formatBytes(octets: number): string {
  const unit = UNITS.find(([size]) => octets >= size);
  return unit === undefined ? `${octets} B` : `${(octets / unit[0]).toFixed(1)} ${unit[1]}`;
}

/** How a connection ended. */
export function formatClose({ by, how, reason }: Close): string {
  if (by === undefined) return 'still open when last seen';
  return `ended by ${by}, ${how}${reason === undefined ? '' : ` (${reason})`}`;
}

/** What TLS hides is not known, and none is not what it is. */
export function messagesOf({ messages, tls }: Pick<SessionEvent, 'messages' | 'tls'>): number | undefined {
  return tls !== undefined && messages === 0 ? undefined : messages;
}

export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** Nothing in a text moves a cursor, ends a line or turns the reading direction. */
export function printable(text: string): string {
  return text.replace(UNSAFE, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Printable, and short enough for a line. */
export function clip(text: string, most = LONGEST): string {
  const safe = printable(text);
  return safe.length <= most ? safe : `${safe.slice(0, most - 1)}…`;
}

// C0, DEL, C1, zero width and direction marks, line and paragraph separators, lone surrogates.
const UNSAFE =
  /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

const UNITS: readonly (readonly [size: number, unit: string])[] = [
  [1e9, 'GB'],
  [1e6, 'MB'],
  [1e3, 'kB'],
];

const LONGEST = 120;
