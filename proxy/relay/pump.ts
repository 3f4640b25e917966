// Two sockets, one connection: octets, FIN and RST go from side to side, and nothing stays behind.

import type { Socket } from 'node:net';
import type { Close, Direction, Micros } from '../../inspect/events';
import { now } from '../system/clock';
import { errno } from '../system/fault';
import { createDeadline, type Deadline } from './deadline';
import type { Command, Dialogue } from './dialogue';
import { cut, dismiss, hurryAway, linger, reset } from '../sockets/linger';
import { awaitReplies, endWait, engage, release, rest } from './brake';
import { createFlow, READ, type Flow } from './flow';
import type { Connection, Sink } from '../sinks/record';
import type { Listen, Server } from '../servers/servers';
import { addView, NO_OCTETS } from '../../inspect/octets';

interface PumpOptions {
  readonly client: Socket;
  readonly upstream: Socket;
  /** What passes is reported to it, and it says what is to be done. */
  readonly dialogue: Dialogue;
  readonly connection: Connection;
  readonly server: Server;
  readonly sink: Sink;
  /** The name in what ehlowire itself says to a client. */
  readonly hostname: string;
  /** Both sockets are closed, and nothing of the connection is left. */
  readonly onClosed: () => void;
}

export interface Pump {
  /** Ends the connection now, with a 421 where the client can read one. */
  end(): void;
  /** The same at once, for another one that needs its place. */
  giveWay(): void;
}

/** Both sockets are open, and their data are not read yet. Errors of either never leave here. */
export function createPump(options: PumpOptions): Pump {
  const { client, upstream } = options;
  const pump: State = {
    ...options,
    up: createFlow(client, upstream),
    down: createFlow(upstream, client),
    deadline: createDeadline((time) => onDeadline(pump, time)),
    listen: undefined,
    endedFirst: undefined,
    over: false,
    open: 2,
    spent: { client: 0, server: 0 },
    piece: { client: PIECE, server: PIECE },
    forwarded: [],
    finHeld: false,
  };
  listen(pump);
  run(pump, pump.dialogue.open(), now());
  watch(pump, client, 'client');
  watch(pump, upstream, 'server');
  pump.deadline.arm(pump.dialogue.due());
  client.resume();
  // Its FIN may have come while the upstream was being reached; 'end' is not said twice.
  if (client.readableEnded) onEnd(pump, 'client');
  return {
    end() {
      if (pump.over) [client, upstream].forEach(cut);
      else
        shut(
          pump,
          { by: 'shim', how: 'fin', reason: 'shutdown' },
          now(),
          '421 4.3.2',
          'service shutting down',
          HURRY_MS,
        );
    },
    giveWay: () => giveWay(pump),
  };
}

interface State extends PumpOptions {
  readonly up: Flow;
  readonly down: Flow;
  readonly deadline: Deadline;
  /** Hears what other connections learn of the server, while the greeting lasts. */
  listen: Listen | undefined;
  /** The side whose FIN came first. */
  endedFirst: Direction | undefined;
  /** The record is closed; what is left is to see the sockets off. */
  over: boolean;
  /** Sockets that are not yet closed. */
  open: number;
  /** What each side has taken of its turn. */
  readonly spent: Record<Direction, Micros>;
  /** How many octets of each side are reported before the time is looked at: more, where they have cost little. */
  readonly piece: Record<Direction, number>;
  /** Octets for the server that are not written yet: what was read at once is written at once. */
  forwarded: Uint8Array[];
  /** The client has sent FIN, and octets before it are still held. */
  finHeld: boolean;
}

function listen(pump: State): void {
  if (!pump.dialogue.inGreeting()) return;
  pump.listen = (knowledge, at) => {
    if (pump.over) return;
    run(pump, pump.dialogue.update(knowledge, at), at);
    rearm(pump);
  };
  pump.server.listen(pump.listen);
}

function unlisten({ server, listen }: State): void {
  if (listen) server.unlisten(listen);
}

/** Does what the dialogue commands. */
function run(pump: State, commands: readonly Command[], at: Micros): void {
  const { down, server, connection, sink } = pump;
  for (const command of commands) {
    switch (command.kind) {
      case 'forward':
        addView(pump.forwarded, command.bytes);
        break;
      case 'send':
        down.write(command.bytes);
        break;
      case 'teach': {
        const learned = server.teach(command.lesson, connection, command.at);
        if (learned) sink.write(connection, learned);
        break;
      }
      case 'greeted':
        unlisten(pump);
        break;
      case 'refuse':
        finish(pump, { by: 'server', how: 'fin' }, at, REFUSED_MS);
        break;
      case 'block':
        forward(pump);
        shut(pump, { by: 'shim', how: 'fin', reason: 'policy' }, at, '', '', REFUSED_MS);
        break;
      case 'end':
        return shut(pump, command.close, at, command.code, command.text);
      case 'rest':
        rest(pump.up.brake, command.micros / 1_000);
        break;
      default:
        sink.write(connection, command);
    }
  }
}

function watch(pump: State, socket: Socket, side: Direction): void {
  socket.on('data', side === 'client' ? (bytes) => onClient(pump, bytes) : (bytes) => onServer(pump, bytes));
  socket.on('end', () => onEnd(pump, side));
  socket.on('error', (error) => onError(pump, side, error));
  socket.on('close', () => onClose(pump, side));
}

function onClient(pump: State, bytes: Uint8Array): void {
  const at = now();
  const taken = inTurn(pump, 'client', bytes, at);
  if (pump.over) return;
  forward(pump, taken < bytes.length);
  if (pump.endedFirst === 'server') endClient(pump);
  rearm(pump);
}

function onServer(pump: State, bytes: Uint8Array): void {
  inTurn(pump, 'server', bytes, now());
  if (pump.over) return;
  if (pump.dialogue.unanswered() < UNANSWERED) endWait(pump.up.brake);
  forward(pump);
  rearm(pump);
}

/** Writes what the server is to get; a client that sends more than can be held is not read. */
function forward(pump: State, more?: boolean): void {
  const { up, dialogue, forwarded } = pump;
  if (forwarded.length > 0) {
    pump.forwarded = [];
    const [only = NO_OCTETS] = forwarded;
    up.write(forwarded.length === 1 ? only : Buffer.concat(forwarded), dialogue.begun(), more);
  }
  const held = dialogue.held();
  if (held >= HELD) engage(up.brake, 'judgement');
  else release(up.brake, 'judgement');
  if (!pump.finHeld || held > 0) return;
  pump.finHeld = false;
  up.end();
}

/**
 * Reports what was read, piece by piece, until it has taken its turn's time; what is left is put back, and comes
 * again when every other connection has had its turn. Returns how many octets were reported.
 */
function inTurn(pump: State, side: Direction, bytes: Uint8Array, at: Micros): number {
  const { dialogue } = pump;
  const take = side === 'client' ? dialogue.fromClient : dialogue.fromServer;
  const before = pump.spent[side];
  let taken = 0;
  let spent = before;
  while (taken < bytes.length && !pump.over) {
    const size = pump.piece[side];
    const end = Math.min(taken + size, bytes.length);
    const piece = taken === 0 && end === bytes.length ? bytes : bytes.subarray(taken, end);
    run(pump, take(piece, at), at);
    taken = end;
    const earlier = spent;
    spent = before + now() - at;
    // Octets of a message cost little each: the clock and the calls would cost more.
    const cost = spent - earlier;
    if (cost > TURN) pump.piece[side] = PIECE;
    else if (cost < TURN / 8 && piece.length === size) pump.piece[side] = Math.min(2 * size, LARGEST_PIECE);
    const ahead = side === 'client' && dialogue.unanswered() >= UNANSWERED;
    if ((spent <= TURN && !ahead) || pump.over) continue;
    const [socket, flow] = side === 'client' ? [pump.client, pump.up] : [pump.upstream, pump.down];
    if (ahead) awaitReplies(flow.brake, REPLIES_MS);
    else rest(flow.brake);
    if (taken < bytes.length) socket.unshift(bytes.subarray(taken));
    spent = 0;
    break;
  }
  // libuv reads a socket up to 32 times before the others have their turn; what does not fill its buffer is the last time.
  pump.spent[side] = bytes.length >= READ ? spent : 0;
  return taken;
}

function rearm(pump: State): void {
  if (!pump.over) pump.deadline.arm(pump.dialogue.due());
}

/**
 * The end of what one side sends. libuv takes an RST that follows data at once for a FIN (POLLHUP after a short
 * read); a write of nothing sends nothing, and fails where it was one.
 */
function onEnd(pump: State, side: Direction): void {
  const socket = side === 'client' ? pump.client : pump.upstream;
  if (pump.over) return;
  if (!socket.writable || socket.writableLength > 0) onFin(pump, side);
  else socket.write(NO_OCTETS, (error) => (error ? undefined : onFin(pump, side)));
}

/** FIN of one side is passed on; the other may go on sending (RFC 9293 §3.6). The second FIN is the end. */
function onFin(pump: State, side: Direction): void {
  if (pump.over) return;
  const at = now();
  run(pump, side === 'server' ? pump.dialogue.serverEnd(at) : pump.dialogue.clientEnd(at), at);
  if (pump.over) return;
  if (pump.endedFirst === undefined) {
    pump.endedFirst = side;
    if (side === 'client') {
      pump.finHeld = true;
      forward(pump);
    } else endClient(pump);
    rearm(pump);
  } else {
    finish(pump, { by: pump.endedFirst, how: 'fin' }, at);
  }
}

/** A refusal that is held for the client's next command keeps the client's side open. */
function endClient(pump: State): void {
  if (!pump.dialogue.inGreeting()) pump.down.end();
}

function onError(pump: State, side: Direction, error: Error): void {
  if (pump.over) return;
  const at = now();
  if (LOST.has(errno(error))) {
    shut(pump, { by: side, how: 'timeout' }, at, '421 4.4.2', 'connection to the server lost');
    return;
  }
  close(pump, { by: side, how: 'rst' }, at);
  const { client, upstream } = pump;
  cut(side === 'client' ? client : upstream);
  reset(side === 'client' ? upstream : client);
}

function onClose(pump: State, side: Direction): void {
  pump.open -= 1;
  // Closed without a word before: the kernel or node gave the socket up.
  if (!pump.over) onError(pump, side, new Error('closed'));
  if (pump.open === 0) pump.onClosed();
}

/** The timer fired: too long a silence, a patience at its end, or too early. Returns the next deadline. */
function onDeadline(pump: State, time: Micros): Micros {
  if (pump.over) return Infinity;
  const at = now();
  if (time >= pump.dialogue.expires()) {
    const { on } = pump.dialogue.waiting();
    const line = on === 'client' ? 'timeout exceeded' : 'server timeout';
    shut(pump, { by: 'shim', how: 'timeout', reason: `${on}-timeout` }, at, '421 4.4.2', line);
    return Infinity;
  }
  run(pump, pump.dialogue.idle(at, pump.up.blocked()), at);
  if (pump.over) return Infinity;
  if (pump.endedFirst === 'server') endClient(pump);
  return pump.dialogue.due();
}

/** We end it: a line for the client where it can be read as a reply, and FIN to both. */
function shut(pump: State, how: Close, at: Micros, code: string, text: string, lingerMs?: number): void {
  if (pump.over) return;
  const line = code !== '' && pump.dialogue.atReplyBoundary() ? `${code} ${pump.hostname} ${text}\r\n` : '';
  close(pump, how, at);
  dismiss(pump.client, line, lingerMs);
  dismiss(pump.upstream, '', lingerMs);
}

/** Neither side is waited for: the place is needed now. */
function giveWay(pump: State): void {
  if (pump.over) return;
  const { client, upstream, dialogue, hostname, connection, sink } = pump;
  const at = now();
  const line = dialogue.atReplyBoundary() ? `421 4.3.2 ${hostname} ${NEEDED}\r\n` : '';
  const rule = 'connections';
  sink.write(connection, { kind: 'blocked', at, rule, action: 'close', direction: 'client', detail: NEEDED });
  close(pump, { by: 'shim', how: 'fin', reason: rule }, at);
  hurryAway(client, line);
  cut(upstream);
}

/** The peers ended it: what is queued still arrives. */
function finish(pump: State, how: Close, at: Micros, lingerMs = DELIVER_MS): void {
  if (pump.over) return;
  close(pump, how, at);
  pump.up.end();
  pump.down.end();
  pump.client.resume();
  pump.upstream.resume();
  linger([pump.client, pump.upstream], lingerMs);
}

/** The one place where a record ends. */
function close(pump: State, how: Close, at: Micros): void {
  pump.over = true;
  pump.deadline.stop();
  pump.up.flush();
  unlisten(pump);
  run(pump, pump.dialogue.close(how, at), at);
}

/** The peer went away without a word: keepalive or retransmissions were not answered. */
const LOST: ReadonlySet<string> = new Set([
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EHOSTDOWN',
  'ENETDOWN',
]);

/** Both sides have sent FIN; a slow reader gets this long for what is still queued. */
const DELIVER_MS = 30_000;

/** A client that was refused has not sent FIN yet, and may never. */
const REFUSED_MS = 5_000;

/** How long one connection may be read before the next one's turn, and after how many octets that is checked. */
const TURN: Micros = 500;
const PIECE = 512;
/**
 * A client that is so many commands ahead of its replies is not read for a moment: what it floods the server with is counted,
 * and ended, by the replies. More recipients than fit into one segment still go out as fast as the server answers.
 */
const UNANSWERED = 50;
const REPLIES_MS = 20;
/** Where nearly nothing was taken so far. Of the dearest lines it takes 12 ms. */
const LARGEST_PIECE = 16_384;

/** Client octets that wait to be judged: a group of commands, or a line of AUTH, has room many times. */
const HELD = 65_536;
const NEEDED = 'too many connections, and this one was idle longest, connect again';

/** When ehlowire itself is to end, its last words get this long. */
const HURRY_MS = 1_000;
