// What a server of the lab delivered, read from its Maildir.

import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
} from 'node:fs';
import { join } from 'node:path';
import { bodyHash, type TestMessage } from '../../kit/message';
import { until } from '../../kit/process';

/** A message as the server stored it: its trace headers on top, lines ended by LF or CRLF as it likes. */
export interface Delivered {
  /** Unlike that of any other message of the server. */
  readonly name: string;
  /** The first 8 KiB. */
  readonly head: Buffer;
  octets(): Buffer;
  /** As `TestMessage.hash`. */
  hash(): string;
}

/** Any server of the kit that keeps mail. */
export interface Mailbox {
  delivered(): readonly Delivered[];
  /** Removes a message for good: fifty of 50 MiB fill a small disk. */
  drop(message: Delivered): void;
  log(): string;
}

const HEAD = 8_192;

/** The messages below `new` of a Maildir; each file's head is read once. */
export function openMaildir(folder: string): Pick<Mailbox, 'delivered' | 'drop'> {
  const known = new Map<string, Delivered>();
  const fresh = join(folder, 'new');
  const read = (name: string): Delivered => {
    const message = known.get(name) ?? fromFile(name, join(fresh, name));
    known.set(name, message);
    return message;
  };
  return {
    delivered: () => (existsSync(fresh) ? readdirSync(fresh).sort().map(read) : []),
    drop: ({ name }) => {
      known.delete(name);
      rmSync(join(fresh, name));
    },
  };
}

function fromFile(name: string, path: string): Delivered {
  const head = Buffer.alloc(HEAD);
  const file = openSync(path, 'r');
  const length = readSync(file, head, 0, HEAD, 0);
  closeSync(file);
  const octets = (): Buffer => readFileSync(path);
  return { name, head: head.subarray(0, length), octets, hash: () => bodyHash(octets()) };
}

/** The same for a message that was kept in memory. */
export function fromOctets(name: string, octets: Buffer): Delivered {
  return { name, head: octets.subarray(0, HEAD), octets: () => octets, hash: () => bodyHash(octets) };
}

/** A Maildir that any user may write to. */
export function makeMaildir(folder: string): string {
  for (const path of [folder, join(folder, 'new'), join(folder, 'cur'), join(folder, 'tmp')]) {
    mkdirSync(path, { recursive: true });
    chmodSync(path, 0o777);
  }
  return folder;
}

/** Waits for the message to be in the mailbox, found by its Message-Id; throws with the server's log if not. */
export function awaitMail(
  mailbox: Mailbox,
  message: Pick<TestMessage, 'id'>,
  timeoutMs?: number,
): Promise<Delivered> {
  const id = Buffer.from(`<${message.id}>`);
  return awaitOne(mailbox, (mail) => mail.head.includes(id), timeoutMs);
}

/** Waits for a message that is not among those; for clients that write the message themselves. */
export function awaitAnother(
  mailbox: Mailbox,
  before: readonly Delivered[],
  timeoutMs?: number,
): Promise<Delivered> {
  const names = new Set(before.map(({ name }) => name));
  return awaitOne(mailbox, ({ name }) => !names.has(name), timeoutMs);
}

function awaitOne(
  mailbox: Mailbox,
  wanted: (mail: Delivered) => boolean,
  timeoutMs = 30_000,
): Promise<Delivered> {
  return until('mail', () => mailbox.delivered().find(wanted), timeoutMs).catch((error: Error) => {
    throw new Error(`${error.message}; the server says:\n${mailbox.log().slice(-4_000)}`);
  });
}
