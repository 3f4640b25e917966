// Connections by epoll: one read for each event, one write for each turn of the dialogue, nothing else.

import type { Endpoint } from '../../inspect/address';
import { FAILED, HUNG_UP, openPoller, PEER_CLOSED, WRITABLE, type Poller } from '../native/epoll';
import { isRefusal, type Refusal } from '../native/libc';
import { formatEndpoint } from '../system/address';
import { steady } from '../system/clock';
import { listenFault } from '../system/fault';
import { SILENT, type Link, type Network, type Peer } from './network';
import { secureDescriptor } from './sockets';

/** A refusal: there is no koffi, or the system has no epoll for us. */
export function createEpollNetwork(): Network | Refusal {
  const poller = openPoller(() => run(table));
  if (isRefusal(poller)) return poller;
  const table: Table = { poller, entries: [], buffer: new Uint8Array(BUFFER) };
  return {
    connect(to, peer) {
      const fd = poller.connect(to);
      if (!isRefusal(fd)) return linkOf(table, fd, peer, false);
      const timer = setImmediate(() => peer.ended(fd.code, steady()));
      return { send: none, secure: none, close: () => clearImmediate(timer) };
    },
    listen(at, accept) {
      const listening = poller.listen(at);
      if (isRefusal(listening)) return Promise.resolve(listenFault(formatEndpoint(at), listening));
      const { fd, port } = listening;
      table.entries[fd] = { kind: 'listener', accept };
      return Promise.resolve<Endpoint>({ address: at.address, port });
    },
    end() {
      table.entries.forEach((_entry, fd) => poller.drop(fd));
      table.entries.length = 0;
      poller.end();
    },
  };
}

interface Table {
  readonly poller: Poller;
  /** By descriptor. */
  readonly entries: (Entry | undefined)[];
  /** For all reads: what is read is heard at once. */
  readonly buffer: Uint8Array;
}

type Entry = Connection | { readonly kind: 'listener'; readonly accept: (link: Link) => Peer };

interface Connection {
  readonly kind: 'connection';
  peer: Peer;
  open: boolean;
  /** What the kernel did not take yet. */
  readonly waiting: Uint8Array[];
}

/** All that is ready; but timers and signals have their turn. */
function run(table: Table): void {
  const { poller, entries } = table;
  const until = performance.now() + TURN_MS;
  do {
    const count = poller.wait();
    if (count === 0) return;
    for (let i = 0; i < count; i += 1) {
      const fd = poller.descriptorAt(i);
      const entry = entries[fd];
      if (entry?.kind === 'connection') hear(table, fd, entry, poller.flagsAt(i));
      else if (entry) acceptAll(table, fd, entry.accept);
    }
  } while (performance.now() < until);
}

function acceptAll(table: Table, listener: number, accept: (link: Link) => Peer): void {
  for (let i = 0; i < ACCEPTS; i += 1) {
    const fd = table.poller.accept(listener);
    if (fd === undefined) return;
    const link = linkOf(table, fd, SILENT, true);
    const entry = table.entries[fd];
    if (entry?.kind === 'connection') entry.peer = accept(link);
  }
}

function hear(table: Table, fd: number, entry: Connection, flags: number): void {
  const { poller, buffer } = table;
  if (!entry.open) {
    if ((flags & (FAILED | HUNG_UP)) !== 0) return end(table, fd, entry, poller.errorOf(fd) ?? 'closed');
    entry.open = true;
    entry.peer.opened(steady());
  }
  if ((flags & WRITABLE) !== 0 && entry.waiting.length > 0) flush(table, fd, entry);
  if ((flags & ~WRITABLE) === 0) return;
  const closes = (flags & (PEER_CLOSED | HUNG_UP | FAILED)) !== 0;
  const closedWell = closes && (flags & FAILED) === 0;
  // A peer that closes, or changes to TLS, gives the descriptor away.
  while (table.entries[fd] === entry) {
    const got = poller.receive(fd, buffer);
    if (got === 'EAGAIN') return;
    if (typeof got === 'string' || got === 0) return end(table, fd, entry, got === 0 ? 'closed' : got);
    entry.peer.octets(buffer.subarray(0, got), steady());
    // Less than there was room for: there is no more (epoll(7), question 9), or only the end.
    if (got < buffer.length && !closes) return;
    if (got < buffer.length && closedWell && table.entries[fd] === entry)
      return end(table, fd, entry, 'closed');
  }
}

function end(table: Table, fd: number, entry: Connection, cause: string): void {
  give(table, fd);
  table.poller.drop(fd);
  entry.peer.ended(cause, steady());
}

function linkOf(table: Table, fd: number, peer: Peer, open: boolean): Link {
  const entry: Connection = { kind: 'connection', peer, open, waiting: [] };
  table.entries[fd] = entry;
  let secure: Link | undefined;
  const ours = (): boolean => table.entries[fd] === entry;
  return {
    send(octets) {
      if (secure) return secure.send(octets);
      if (!ours()) return;
      entry.waiting.push(...octets);
      if (entry.waiting.length === octets.length) flush(table, fd, entry);
    },
    secure(serverName) {
      if (!ours()) return;
      give(table, fd);
      table.poller.remove(fd);
      secure = secureDescriptor(fd, serverName, entry.peer);
    },
    close() {
      if (secure) return secure.close();
      if (!ours()) return;
      give(table, fd);
      table.poller.drop(fd);
    },
  };
}

function give({ entries }: Table, fd: number): void {
  entries[fd] = undefined;
}

/** As much as the kernel takes. An error here is one of the next read, too. */
function flush({ poller }: Table, fd: number, { waiting }: Connection): void {
  for (let first = waiting[0]; first; first = waiting[0]) {
    const sent = poller.send(fd, first);
    if (typeof sent === 'string') return;
    if (sent < first.length) {
      waiting[0] = first.subarray(sent);
      return;
    }
    waiting.shift();
  }
}

const none = (): void => undefined;
const BUFFER = 262_144;
const ACCEPTS = 64;
const TURN_MS = 1;
