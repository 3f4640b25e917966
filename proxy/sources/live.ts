// Live capture of an interface: libpcap's ring with the kernel's time stamps, read when it has something.

import type { Micros } from '../../inspect/events';
import { isKnownLink } from '../../inspect/tcp/link';
import { now } from '../system/clock';
import { createFault, isFault, type Fault } from '../system/fault';
import { openPcap, type PcapFrame, type PcapHandle, type PcapOptions } from '../native/libpcap';
import type { Take } from './frame';
import { takeTurn } from './turn';

export interface LiveListener {
  /** One frame; its octets are used again afterwards. */
  readonly frame: Take;
  /** Time passed, ten times a second; every frame before `at` has been handed over. */
  readonly idle: (at: Micros) => void;
  /** So many frames more found no room in the ring since the last call. */
  readonly lost: (count: number, at: Micros) => void;
  /** The capture is over: the interface went away. */
  readonly failed: (fault: Fault) => void;
}

export interface LiveSource {
  readonly linkType: number;
  /** Takes only these from now on. */
  narrow(filters: readonly string[]): Fault | undefined;
  /** Takes none until `resume`, and forgets those that wait. */
  pause(): Fault | undefined;
  resume(): Fault | undefined;
  /** Puts a whole frame on the interface. */
  send(frame: Uint8Array): Fault | undefined;
  start(listener: LiveListener): void;
  /** Hands over what the kernel still holds, which takes some 30 ms, and ends; no call of the listener after it. */
  close(): Promise<void>;
}

/**
 * Opens an interface by name, or `any`. Faults: `interface-unknown`, `capture-forbidden`, `library-missing`,
 * `link-unknown`, `capture-failed`.
 */
export function openLive(name: string, filters: readonly string[], extent = WHOLE): LiveSource | Fault {
  const handle = openPcap({ device: name, filters, blockMs: BLOCK_MS, ...extent });
  if (isFault(handle)) return handle;
  if (!isKnownLink(handle.linkType)) {
    handle.close();
    return createFault('link-unknown', `${name}: link type ${handle.linkType}`);
  }
  return createLive(handle, filters);
}

/**
 * What the kernel lets through: these TCP ports, also behind one or two VLAN tags. `vlan` moves where the words
 * behind it look, so the plain case comes first (pcap-filter(7)). Link types without tags refuse the first text
 * and take the second.
 */
export function portFilters(ports: readonly number[]): readonly string[] {
  const plain = `tcp and (${ports.map((port) => `port ${port}`).join(' or ')})`;
  return [`(${plain}) or (vlan and ((${plain}) or (vlan and ${plain})))`, plain];
}

function createLive(handle: PcapHandle, filters: readonly string[]): LiveSource {
  let taken = filters;
  const frame: PcapFrame = { seconds: 0, micros: 0, captured: 0, length: 0 };
  let listener: LiveListener | undefined;
  let timer: NodeJS.Timeout | undefined;
  let dropped = 0;
  /** Takes one frame, if there is one. */
  const step = (): boolean => {
    const got = listener && handle.next(frame);
    if (isFault(got)) fail(got);
    if (got !== true) return false;
    const octets = handle.buffer.subarray(0, frame.captured);
    listener?.frame(handle.linkType, octets, frame.seconds * 1e6 + frame.micros, frame.length);
    return listener !== undefined;
  };
  const count = (): void => {
    const total = handle.stats().dropped;
    const more = (total - dropped) >>> 0;
    dropped = total;
    if (more > 0) listener?.lost(more, now());
  };
  const stop = (): void => {
    clearInterval(timer);
    listener = undefined;
    handle.close();
  };
  const fail = (fault: Fault): void => {
    const told = listener;
    stop();
    told?.failed(fault);
  };
  const tick = (): void => {
    // What the kernel has stamped before `at` is out of its block by now.
    const at = now() - BEHIND;
    if (takeTurn(step, TURN)) listener?.idle(at);
    if (listener) count();
  };
  return {
    linkType: handle.linkType,
    narrow(wanted) {
      taken = wanted;
      return handle.filter(wanted);
    },
    pause: () => handle.filter(NONE),
    resume: () => handle.filter(taken),
    send: (octets) => handle.send(octets),
    start(given) {
      listener = given;
      handle.whenReadable(() => void takeTurn(step, TURN));
      timer = setInterval(tick, TICK_MS);
    },
    async close() {
      if (!listener) return handle.close();
      // The last block is not full, and the kernel keeps it for a while.
      await new Promise((resolve) => setTimeout(resolve, 3 * BLOCK_MS));
      takeTurn(step, LAST);
      if (listener) count();
      stop();
    },
  };
}

/** No frame is that short (pcap-filter(7)). libpcap applies a new filter to what waits, too. */
const NONE = ['less 0'];

/** What is taken. */
type Extent = Pick<PcapOptions, 'snaplen' | 'ring' | 'leaving'>;

/**
 * Frames are taken whole, message bulk too. Cutting them would save copies, and lose the end-of-data dot: it is in a
 * message's last segment, which may have 64 KiB (GRO), and a filter can cut only tails. The ring is one of blocks
 * (TPACKET_V3), in which a frame takes the room that it has; immediate mode would be one of equal slots, each of
 * the longest frame, and hold a few hundred. The ring is a quarter of a second of a gigabit.
 */
const WHOLE: Extent = { snaplen: 65_536 + 256, ring: 32 * 1024 * 1024 };
/** The headers of what leaves by the interface: sent by this machine, or from behind its bridge. */
export const LEAVING: Extent = { snaplen: 256, ring: 2 * 1024 * 1024, leaving: true };

/** A block that is not full is handed over after this; the frames' times are the kernel's and do not suffer. */
const BLOCK_MS = 10;
const TICK_MS = 100;
const BEHIND: Micros = 50_000;
/**
 * Of one turn, behind which it comes again as long as something waits. Frames differ too much to be counted: one of 64 KiB
 * that are all lines takes as long as a thousand others.
 */
const TURN: Micros = 30_000;
/** Of what waits at the end; a busy line would never let us go. */
const LAST: Micros = 1_000_000;
