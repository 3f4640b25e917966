// The sink: what is worth a line, in which form, and an honest count of the lines that found no room.

import { isatty } from 'node:tty';
import type { Micros } from '../../inspect/events';
import { now } from '../system/clock';
import { type Level, type LogConfig, wantsColor } from '../config/config';
import { isFault, type Fault } from '../system/fault';
import { readVersion } from '../system/version';
import { createBounds, toOmitted } from './bounds';
import { createJsonRenderer, SCHEMA } from './json';
import { openOutput } from './open';
import type { Output, OutputEvents } from './output';
import type { Connection, Fields, Recorded, Renderer, Sink } from './record';
import { createTerminalRenderer } from './terminal';
import { createWindows, type Limit } from './windows';

/** What the owner of a sink has to know of its destination. */
interface SinkTrouble {
  /** Nothing can be written for now; it goes on trying. */
  readonly failing: (fault: Fault) => void;
  /** The reader of standard output went away: nothing will be written any more. */
  readonly closed: (fault: Fault) => void;
}

/** A sink that other processes of one relay write through, too. What they left out is one count, and one line. */
export interface SharedSink extends Sink {
  /** Lines of another process, whole, as they are. */
  pass(lines: string): void;
  /** Another process has left out lines that `limit` is for. */
  omit(limit: Limit, of: Readonly<Record<string, number>>): void;
  /** Another process has written that a server greeted this connection. */
  greet(connection: Connection): void;
  /** An event that found room in another process. */
  finish(connection: Connection, event: Recorded): void;
}

/** The sink that the configuration asks for. */
export function openSink(log: Omit<LogConfig, 'addresses'>, trouble: SinkTrouble): SharedSink | Fault {
  const head: Fields | undefined = isJson(log)
    ? { schema: SCHEMA, version: readVersion(), pid: process.pid }
    : undefined;
  const open = (events: OutputEvents): Output | Fault => openOutput(log.file, events);
  return createSink({ renderer: rendererOf(log), level: log.level, open, trouble, head });
}

/** How its lines look. */
export function rendererOf(log: Omit<LogConfig, 'addresses'>): Renderer {
  return isJson(log)
    ? createJsonRenderer()
    : createTerminalRenderer({ color: log.file === undefined && wantsColor(1) });
}

function isJson({ format, file }: Omit<LogConfig, 'addresses'>): boolean {
  return format === 'json' || (format === 'auto' && (file !== undefined || !isatty(1)));
}

interface SinkOptions {
  readonly renderer: Renderer;
  readonly level: Level;
  readonly open: (events: OutputEvents) => Output | Fault;
  readonly trouble: SinkTrouble;
  /** Said by a `log-opened` note at the head of every file. */
  readonly head?: Fields | undefined;
}

export function createSink({ renderer, level, open, trouble, head }: SinkOptions): SharedSink | Fault {
  const losses = createLosses((event) => output.write(renderer.event('error', undefined, event)));
  const note: Sink['note'] = (of, what, fields, about) => {
    if (!isLevel(of, level)) return;
    const all = about === undefined ? (fields ?? {}) : bounds.admitAbout(what, about, fields);
    if (all === undefined) return;
    // What the process does itself, such as listening at a hundred ports, no peer can multiply.
    if (of === 'info' || bounds.admit(what)) put(what, renderer.note(now(), of, what, all));
  };
  const opened = open({
    drained: () => losses.tell(),
    failing: trouble.failing,
    recovered: () => note('warn', 'log-recovered'),
    closed: trouble.closed,
  });
  if (isFault(opened)) return opened;
  const output = opened;
  const put = (name: string, line: string): void => {
    losses.tellInTime();
    if (!output.write(line)) losses.count(name);
  };
  const putEvent = (connection: Connection | undefined, event: Recorded): void =>
    put(event.kind, renderer.event(levelOf(event), connection, event));
  const windows = createWindows(now, ({ because }, of) => putEvent(undefined, toOmitted(now(), of, because)));
  const bounds = createBounds(putEvent, now, windows);
  // In front of everything else, whatever the level: the file's readers go by it.
  const begin = (): void => {
    if (head !== undefined) put('log-opened', renderer.note(now(), 'info', 'log-opened', head));
  };
  begin();
  return {
    write(connection, event) {
      if (isWorth(event, level)) bounds.write(connection, event);
    },
    note,
    pass(lines) {
      losses.tellInTime();
      if (output.write(lines)) return;
      for (let at = lines.indexOf('\n'); at >= 0; at = lines.indexOf('\n', at + 1)) losses.count('line');
    },
    omit: windows.omit,
    greet: bounds.greet,
    finish: putEvent,
    waiting: () => output.waiting(),
    reopen() {
      output.reopen();
      begin();
    },
    async close() {
      bounds.flush();
      losses.tell();
      await output.close();
    },
  };
}

interface Losses {
  /** One more line of this name found no room. */
  count(name: string): void;
  /** Says what was lost so far, if that finds room. */
  tell(): void;
  /** The same under way, where the destination is slow but never quite empty. */
  tellInTime(): void;
}

function createLosses(write: (event: Extract<Recorded, { kind: 'loss' }>) => boolean): Losses {
  const lost = new Map<string, number>();
  let since: Micros = 0;
  let tried: Micros = 0;
  const tell = (): void => {
    if (lost.size === 0) return;
    const count = [...lost.values()].reduce((sum, one) => sum + one, 0);
    if (write({ kind: 'loss', at: since, source: 'log', count, of: Object.fromEntries(lost) })) lost.clear();
  };
  return {
    count(name) {
      if (lost.size === 0) since = tried = now();
      lost.set(name, (lost.get(name) ?? 0) + 1);
    },
    tell,
    tellInTime() {
      if (lost.size === 0 || now() - tried < TELL_EVERY) return;
      tried = now();
      tell();
    },
  };
}

/** How much an event matters; `log.level` goes by it. */
export function levelOf(event: Recorded): Level {
  switch (event.kind) {
    case 'phase':
    case 'session':
      return 'info';
    case 'learned':
      return event.greeting === 'wellformed' || event.greeting === 'teaser' ? 'info' : 'warn';
    case 'repair':
    case 'verdict':
    case 'anomaly':
    case 'blocked':
    case 'omitted':
      return 'warn';
    case 'loss':
      return 'error';
  }
}

/** Whether an event matters enough for a log of this level. */
export function isWorth(event: Recorded, level: Level): boolean {
  return isLevel(levelOf(event), level);
}

export function isLevel(of: Level, level: Level): boolean {
  return ORDER[of] >= ORDER[level];
}

const ORDER: Readonly<Record<Level, number>> = { debug: 0, info: 1, warn: 2, error: 3 };
const TELL_EVERY: Micros = 1_000_000;
