// Raw IP sockets through libc: whole packets, with a TTL, an identification and a flow label of our own (raw(7)).

import { createFault, type Fault } from '../system/fault';
import { libc, refusal, socketAddress, type Refusal } from './libc';

export interface PacketSender {
  /** Sends a packet that begins with its IP header. */
  send(packet: Uint8Array): Fault | undefined;
  close(): void;
}

/** For packets to one address. Of protocol IPPROTO_RAW, this socket receives nothing. */
export function openPacketSender(destination: string): PacketSender | Fault {
  const c = libc();
  if (c === undefined) return createFault('library-missing', 'koffi', { fix: 'npm install koffi' });
  const family = destination.includes(':') ? AF_INET6 : AF_INET;
  const fd = c.socket(family, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_RAW);
  if (fd < 0) return refused(destination, refusal(c, 'socket'));
  // A raw socket takes no port.
  const address = socketAddress({ address: destination, port: 0 });
  return {
    send(packet) {
      const sent = c.sendto(fd, packet, packet.length, 0, address, address.length);
      return sent === packet.length ? undefined : refused(destination, refusal(c, 'sendto'));
    },
    close: () => void c.close(fd),
  };
}

function refused(on: string, { call, code }: Refusal): Fault {
  if (code === 'EPERM' && call === 'socket') return createFault('raw-forbidden', on);
  return createFault('packet-refused', on, {
    fix: `the system said ${code} to ${call}`,
    cause: { code },
  });
}

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_RAW = 3;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const IPPROTO_RAW = 255;
