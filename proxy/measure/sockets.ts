// Connections by Node's own sockets: TLS, and all others where koffi is missing.

import { connect, createServer, isIP, Socket, type AddressInfo, type Server } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { formatEndpoint } from '../system/address';
import { steady } from '../system/clock';
import { errno, listenFault } from '../system/fault';
import { SILENT, type Link, type Network, type Peer } from './network';

export function createSocketNetwork(): Network {
  const servers: Server[] = [];
  return {
    connect({ address, port }, peer) {
      const socket = connect({ host: address, port, noDelay: true });
      socket.once('connect', () => peer.opened(steady()));
      return linkOf(socket, peer);
    },
    listen: (at, accept) =>
      new Promise((resolve) => {
        const server = createServer({ noDelay: true }, (socket) => {
          const heard = { peer: SILENT };
          const link = linkOf(socket, {
            ...SILENT,
            octets: (octets, time) => heard.peer.octets(octets, time),
            ended: (cause, time) => heard.peer.ended(cause, time),
          });
          heard.peer = accept(link);
        });
        servers.push(server);
        server.once('error', (error) => resolve(listenFault(formatEndpoint(at), error)));
        server.listen(at.port, at.address, BACKLOG, () => {
          resolve({ address: at.address, port: (server.address() as AddressInfo).port });
        });
      }),
    end: () => servers.forEach((server) => server.close()),
  };
}

/** TLS on a connection whose descriptor is given away. */
export function secureDescriptor(fd: number, serverName: string | undefined, peer: Peer): Link {
  const link = linkOf(new Socket({ fd, readable: true, writable: true }).setNoDelay(true), peer);
  link.secure(serverName);
  return link;
}

function linkOf(plain: Socket, peer: Peer): Link {
  let socket = plain;
  let over = false;
  const end = (cause: string): void => {
    if (over) return;
    over = true;
    socket.destroy();
    peer.ended(cause, steady());
  };
  const hear = (heard: Socket): void => {
    heard.on('data', (octets: Uint8Array) => {
      if (!over) peer.octets(octets, steady());
    });
    heard.on('error', (error) => end(errno(error) === '' ? 'error' : errno(error)));
    heard.on('end', () => end('closed')).on('close', () => end('closed'));
  };
  hear(plain);
  return {
    send: (octets) => octets.forEach((each) => socket.write(each)),
    secure(serverName) {
      plain.removeAllListeners('data').removeAllListeners('end').removeAllListeners('close');
      const named = serverName !== undefined && isIP(serverName) === 0;
      socket = connectTls({
        socket: plain,
        rejectUnauthorized: false,
        ...(named && { servername: serverName }),
      });
      socket.once('secureConnect', () => {
        if (!over) peer.secured(steady());
      });
      hear(socket);
    },
    close() {
      over = true;
      socket.destroy();
    },
  };
}

const BACKLOG = 65_535;
