// What a server of the lab delivered, read from its Maildir.

import { existsSync, mkdirSync, readFileSync, readdirSync, chmodSync } from 'node:fs';
import { join } from 'node:path';
import { bodyHash, type TestMessage } from './message';
import { until } from './process';

export interface Delivered {
  /** As the server stored it: its trace headers on top, lines ended by LF or CRLF as it likes. */
  readonly octets: Buffer;
  /** As `TestMessage.hash`. */
  readonly hash: string;
}

/** Any server of the kit that keeps mail. */
export interface Mailbox {
  delivered(): readonly Delivered[];
  log(): string;
}

/** Reads every message below `new` of a Maildir, oldest first by name. */
export function readMaildir(folder: string): readonly Delivered[] {
  const fresh = join(folder, 'new');
  if (!existsSync(fresh)) return [];
  return readdirSync(fresh)
    .sort()
    .map((name) => asDelivered(readFileSync(join(fresh, name))));
}

export function asDelivered(octets: Buffer): Delivered {
  return { octets, hash: bodyHash(octets) };
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
export async function awaitMail(
  mailbox: Mailbox,
  message: Pick<TestMessage, 'id'>,
  timeoutMs = 20_000,
): Promise<Delivered> {
  const id = Buffer.from(`<${message.id}>`);
  return until('mail', () => mailbox.delivered().find((mail) => mail.octets.includes(id)), timeoutMs).catch(
    (error: Error) => {
      throw new Error(`${error.message}; the server says:\n${mailbox.log().slice(-4_000)}`);
    },
  );
}

/** Waits for the mailbox to hold more than `before` messages, for clients that write the message themselves. */
export async function awaitAnother(mailbox: Mailbox, before: number, timeoutMs = 20_000): Promise<Delivered> {
  return until('another mail', () => mailbox.delivered()[before], timeoutMs);
}
