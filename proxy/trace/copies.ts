// The packets of a trace: each test as a segment of the kernel's connection, with a TTL of its own.

import { connect as connectTls } from 'node:tls';
import { Duplex } from 'node:stream';
import { addressOctets } from '../../inspect/address';
import { NO_OCTETS } from '../../inspect/octets';
import { composeEcho, composeTcp, timestampOption, type IpParts } from '../../inspect/tcp/compose';
import { FLAG } from '../../inspect/tcp/segment';
import { advance } from '../../inspect/tcp/seq';
import { WINDOW } from '../../inspect/trace/match';
import type { Test } from '../../inspect/trace/sent';
import { optionsOf, type Own } from './watch';

/** What all packets of one trace share. */
export interface Script {
  readonly client: string;
  readonly server: string;
  readonly port: number;
  /** To say EHLO with. */
  readonly name: string;
  readonly own: Own;
  /** The SYNs' own port, and the identifier of echo requests. */
  readonly synPort: number;
  readonly clientHello: Uint8Array;
}

/** More than one where the test is more than one segment: the last one is the test. */
export function packetsOf(script: Script, test: Test, ttl: number, number: number): readonly Uint8Array[] {
  const ip = { ...addresses(script), ttl, ipId: number, flowLabel: script.own.flowLabel };
  if (test === 'echo') return [composeEcho(ip, script.synPort, number)];
  if (test === 'syn') return [syn(script, ip, number)];
  const old = oldLength(script.own, test);
  if (old > 0) return [segment(script, ip, number, -old, new Uint8Array(old).fill(LF))];
  const octets = octetsOf(script, test);
  if (test !== 'ehlo-split') return [segment(script, ip, number, 0, octets)];
  const [head, tail] = [octets.subarray(0, SPLIT), octets.subarray(SPLIT)];
  // The head has no number: it is not what is looked for.
  return [segment(script, { ...ip, ipId: 0 }, 0, 0, head), segment(script, ip, number, SPLIT, tail)];
}

/** The first flight of a TLS client, as this machine's own TLS makes it. */
export async function makeClientHello(server: string): Promise<Uint8Array> {
  return await new Promise((resolve) => {
    const pipe = new Duplex({
      read: () => undefined,
      write(octets: Buffer, _encoding, done) {
        resolve(new Uint8Array(octets));
        done();
      },
    });
    const socket = connectTls({ socket: pipe, ...(/[a-z]/i.test(server) && { servername: server }) });
    socket.on('error', () => undefined);
    setTimeout(() => {
      socket.destroy();
      resolve(NO_OCTETS);
    }, HELLO_MS);
  });
}

function addresses({ client, server }: Script): Pick<IpParts, 'source' | 'destination'> {
  const none = new Uint8Array(4);
  return { source: addressOctets(client) ?? none, destination: addressOctets(server) ?? none };
}

/** Like the kernel's own SYN, and each with another number, so that a SYN-ACK shows which one it answers. */
function syn({ synPort, port, own }: Script, ip: IpParts, number: number): Uint8Array {
  return composeTcp(ip, {
    sourcePort: synPort,
    destinationPort: port,
    seq: advance(own.next, 0x4000_0000 + number * 0x1_0000),
    ack: 0,
    flags: FLAG.syn,
    window: WINDOW + number,
    options: own.syn === undefined ? [] : optionsOf(own.syn),
    payload: NO_OCTETS,
  });
}

function segment(
  { own, port }: Script,
  ip: IpParts,
  number: number,
  offset: number,
  payload: Uint8Array,
): Uint8Array {
  return composeTcp(ip, {
    sourcePort: own.port,
    destinationPort: port,
    seq: advance(own.next, offset),
    ack: own.serverNext,
    flags: offset < 0 ? FLAG.ack : FLAG.ack | FLAG.psh,
    window: WINDOW + number,
    // The last stamps again: later ones would make the kernel's own look old (RFC 7323 §5.3).
    options: own.stamps ? timestampOption(...own.stamps) : [],
    payload,
  });
}

/** Octets in front of the next one that the server has already, or that were never in its stream. */
function oldLength(own: Own, test: Test): number {
  if (test === 'control') return 1;
  if (test === 'half-size') return HALF;
  return test === 'full-size' ? fullLength(own) : 0;
}

/** What one segment takes, by what both sides agreed on. */
function fullLength({ syn: packet, synAck, stamps }: Own): number {
  const ours = packet === undefined ? undefined : mssOf(packet);
  return Math.min(ours ?? LEAST_MSS, synAck?.options.mss ?? LEAST_MSS) - (stamps ? 12 : 0);
}

/** The kernel puts it first, as kind 2 (RFC 9293 §3.2). */
function mssOf(packet: Uint8Array): number | undefined {
  const options = optionsOf(packet);
  return options[0] === 2 ? ((options[2] ?? 0) << 8) | (options[3] ?? 0) : undefined;
}

function octetsOf({ name, clientHello, own }: Script, test: Test): Uint8Array {
  if (test === 'tls-hello') return clientHello.subarray(0, fullLength(own));
  return Buffer.from(`${LINES(name)[test] ?? ''}\r\n`, 'latin1');
}

const LINES = (name: string): Partial<Record<Test, string>> => ({
  ehlo: `EHLO ${name}`,
  helo: `HELO ${name}`,
  'ehlo-lower': `ehlo ${name}`,
  'ehlo-split': `EHLO ${name}`,
  starttls: 'STARTTLS',
  'mail-size': 'MAIL FROM:<> SIZE=52428800',
});

const LF = 10;
const SPLIT = 2;
const HALF = 512;
/** RFC 9293 §3.7.1. */
const LEAST_MSS = 536;
const HELLO_MS = 1_000;
