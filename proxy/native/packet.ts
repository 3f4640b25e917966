// AF_PACKET through libc: frames put on a link, and none taken from it (packet(7)).

import { endianness } from 'node:os';
import { createFault, type Fault } from '../system/fault';
import { libc, refusal, type Refusal } from './libc';

interface FrameSender {
  /** Puts a whole frame on the link. */
  send(frame: Uint8Array): Fault | undefined;
  close(): void;
}

/**
 * For frames out of `device`, which is looked up for each of them: it may have been made anew.
 *
 * Not libpcap: whatever it opens is also handed what passes, and a filter that takes none of it still costs a copy
 * of each frame's head. Of protocol 0, and never bound, this socket receives nothing.
 */
export function openSender(device: string): FrameSender | Fault {
  const refused = ({ call, code }: Refusal): Fault =>
    createFault('probe-refused', device, { fix: `the system said ${code} to ${call}`, cause: { code } });
  const c = libc();
  if (c === undefined) return createFault('library-missing', 'koffi', { fix: 'npm install koffi' });
  const fd = c.socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return refused(refusal(c, 'socket'));
  return {
    send(frame) {
      const index = c.if_nametoindex(device);
      if (index === 0) return refused(refusal(c, 'if_nametoindex'));
      const address = linkAddress(index);
      const sent = c.sendto(fd, frame, frame.length, 0, address, address.length);
      return sent === frame.length ? undefined : refused(refusal(c, 'sendto'));
    },
    close: () => void c.close(fd),
  };
}

/** `struct sockaddr_ll`, protocol 0: the kernel reads it in the frame. */
function linkAddress(index: number): Uint8Array {
  const bytes = new Uint8Array(SOCKADDR_LL);
  const view = new DataView(bytes.buffer);
  const little = endianness() === 'LE';
  view.setUint16(0, AF_PACKET, little);
  view.setInt32(4, index, little);
  return bytes;
}

const AF_PACKET = 17;
const SOCK_RAW = 3;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOCKADDR_LL = 20;
