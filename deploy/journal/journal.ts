// The journal: what was changed, on disk before it is changed, so that a crash leaves nothing behind unknown.

import { closeSync, fsyncSync, openSync, readlinkSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { createFault, errno, isFault, type Fault } from '../../proxy/system/fault';
import { makeFolder, readPlainFile, systemSaid } from '../../proxy/system/files';
import { bootId } from '../../proxy/system/process';
import { SCHEMA, type Journal, type Attachment } from './change';
import { JOURNAL_AT_MOST, parseJournal } from './parse';

/** An empty journal of this boot and namespace. */
export function startJournal(place: Attachment, pins: string): Journal {
  const since = new Date().toISOString();
  return {
    schema: SCHEMA,
    boot: bootId(),
    namespace: namespaceId(),
    since,
    place,
    pins,
    entered: false,
    steps: [],
  };
}

/** Undefined: there is none. Faults: `journal-damaged`, `file-unreadable`. */
export function readJournal(file: string): Journal | Fault | undefined {
  const text = readPlainFile(file, JOURNAL_AT_MOST);
  if (text === undefined) return undefined;
  if (isFault(text)) {
    if (text.code === 'file-damaged') return createFault('journal-damaged', text.on, { cause: text });
    return errno(text.cause) === 'EACCES' ? { ...text, fix: ONLY_ROOT } : text;
  }
  return parseJournal(text, file);
}

/** On disk when it returns, whole or not at all; and nothing that `readJournal` would refuse. */
export function writeJournal(file: string, journal: Journal): Fault | undefined {
  const fresh = `${file}.new`;
  const text = `${JSON.stringify(journal, null, 2)}\n`;
  const fix = 'it could not be read again, and nothing could be undone';
  const read = parseJournal(text, file);
  if (isFault(read)) return createFault('journal-unwritable', read.on, { fix });
  if (text.length > JOURNAL_AT_MOST)
    return createFault('journal-unwritable', `${file}: ${text.length} octets`, { fix });
  try {
    makeFolder(dirname(file), 0o700);
    const fd = openSync(fresh, 'w', 0o600);
    writeSync(fd, text);
    fsyncSync(fd);
    closeSync(fd);
    renameSync(fresh, file);
    syncFolder(dirname(file));
    return undefined;
  } catch (cause) {
    return createFault('journal-unwritable', file, { cause, fix: systemSaid(cause) });
  }
}

export function removeJournal(file: string): Fault | undefined {
  try {
    rmSync(`${file}.new`, { force: true });
    rmSync(file, { force: true });
    syncFolder(dirname(file));
    return undefined;
  } catch (cause) {
    return createFault('journal-unwritable', file, {
      what: 'cannot remove the journal',
      fix: `${systemSaid(cause)}: remove it by hand`,
      cause,
    });
  }
}

/** Whether what it tells of is still there: not after a reboot. */
export function isOfThisBoot({ boot }: Journal): boolean {
  return boot === bootId();
}

/** Whether it tells of the network that this process sees. (An id says nothing across boots.) */
export function isOfThisNamespace({ namespace }: Journal): boolean {
  return namespace === namespaceId();
}

function namespaceId(): string {
  return readlinkSync('/proc/self/ns/net');
}

function syncFolder(folder: string): void {
  try {
    const fd = openSync(folder, 'r');
    fsyncSync(fd);
    closeSync(fd);
  } catch {
    // Some file systems cannot, and the folder may be gone.
  }
}

/** As `writeJournal` made it. */
const ONLY_ROOT = 'it tells where ehlowire is, and only root may read it: run this as root';
