// What a path hands to a sink: whose connection it was, and what happened on it.

import type {
  BlockedEvent,
  LearnedEvent,
  LossEvent,
  Micros,
  OmittedEvent,
  RepairEvent,
} from '../../inspect/events';
import type { Level } from '../config/config';
import type { Endpoint } from '../../inspect/address';
import type { InspectorEvent } from '../../inspect/tracker/inspector';

/** One SMTP connection, the same value for all of its events. */
export interface Connection {
  /** Unique for this process and over restarts. */
  readonly session: string;
  readonly path: 'relay' | 'wire' | 'capture';
  readonly client: Endpoint;
  readonly server: Endpoint;
}

/** The events that become lines; commands, replies and contents do not. */
const RECORDED = [
  ...(['phase', 'session', 'verdict', 'anomaly'] as const),
  ...(['repair', 'learned', 'blocked', 'loss', 'omitted'] as const),
];

export type Recorded = Extract<
  InspectorEvent | RepairEvent | LearnedEvent | BlockedEvent | LossEvent | OmittedEvent,
  { readonly kind: (typeof RECORDED)[number] }
>;

export function isRecorded<T extends { readonly kind: string }>(event: T): event is T & Recorded {
  return KINDS.has(event.kind);
}

const KINDS: ReadonlySet<string> = new Set(RECORDED);

/** What a note may say beside its name; flat, in the order given. */
export type Fields = Readonly<Record<string, string | number | boolean | undefined>>;

/** What a note is about that may come with every connection: one in ten seconds is written, with the count of the others. */
export interface About {
  readonly on: string;
  /** That it happened to. */
  readonly connection?: Connection;
  /** So many before it were left out in another process. */
  readonly left?: number;
}

/**
 * Where events go. No call blocks or throws, whatever the destination does: at overload lines are counted and
 * reported by a `loss` line once it drains.
 */
export interface Sink {
  write(connection: Connection | undefined, event: Recorded): void;
  /** The life of the shim itself: `listening`, `draining`, `upstream-refused`… */
  note(level: Level, what: string, fields?: Fields, about?: About): void;
  /** Octets that wait to be written: who can wait, had better. */
  waiting(): number;
  /** The file was moved away (logrotate): open it anew. */
  reopen(): void;
  /** Everything written or, where the destination takes nothing any more, given up. */
  close(): Promise<void>;
}

/** Pure: one event or note as one line, its end included. */
export interface Renderer {
  event(level: Level, connection: Connection | undefined, event: Recorded): string;
  note(at: Micros, level: Level, what: string, fields?: Fields): string;
}

/** `kind` tells apart the paths of one process. */
export function createNames(kind = ''): () => string {
  const start = Date.now().toString(36);
  let count = 0;
  return () => {
    count += 1;
    return `${start}-${kind}${count.toString(36)}`;
  };
}
