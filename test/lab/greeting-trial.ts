// One greeting of the table put to the test: real clients at a server that greets so, straight and relayed.

import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { octets, type GreetingRow } from '../inspect/greeting/greeting.table';
import { clientNamed, type Client } from './peers/clients';
import { makeMessage, writeMessage } from '../kit/message';
import { discard, scratch } from '../kit/process';
import { startScripted, type Scripted } from './peers/scripted';

/** The five clients of the project's facts, and two that are cheap. */
export const TRIED: readonly Client[] = [
  'smtplib',
  'curl',
  'nodemailer',
  'swaks',
  'posttls-finger',
  'msmtp',
  'smtp-source',
].map(clientNamed);

/**
 * A client that says nothing for so long stalls. Their own limits are 30 s and more: nobody waits for these
 * here. Counted from what the client last said, not from its start, which takes long on a loaded machine.
 */
export const STALL_MS = 4_000;

/** A row with servers of its own: what is learned of one greeting must not help another one. */
export interface Subject {
  readonly row: GreetingRow;
  readonly straight: Scripted;
  readonly relayed: Scripted;
}

/** Clients of one row that go one way, one after the other. */
interface Attempt {
  /** Names of the clients that got through. */
  readonly through: readonly string[];
  /** What came to a client that only listened. */
  readonly heard: string;
}

/** Both ways of a row, each once it was gone. */
export interface Trial {
  readonly row: GreetingRow;
  before?: Attempt;
  after?: Attempt;
}

export async function openSubject(row: GreetingRow): Promise<Subject> {
  const steps = [{ send: Buffer.from(octets(row.bytes)) }];
  return { row, straight: await startScripted({ steps }), relayed: await startScripted({ steps }) };
}

/** `port` is where the clients go, `server` what they reach there; `length` the octets that one has to wait for. */
export async function attempt(server: Scripted, port: number, length: number): Promise<Attempt> {
  const heard = await listen(port, length);
  const through: string[] = [];
  for (const client of TRIED) if (await delivers(client, server, port)) through.push(client.name);
  await server.stop();
  return { through, heard };
}

/** It says so, and the server has its message. */
async function delivers(client: Client, server: Scripted, port: number): Promise<boolean> {
  const folder = scratch('greeting');
  const message = makeMessage({ octets: 1024 });
  const path = writeMessage(join(folder, 'message.eml'), message);
  const watch = hangUpOnStall(server);
  const { ok } = await client.deliver({ host: '127.0.0.1', port, path, starttls: false });
  clearInterval(watch);
  discard(folder);
  if (client.sends !== 'file' || !ok) return ok;
  return server.delivered().some(({ head }) => head.includes(message.id));
}

/** Ends the connection that is open once nothing more comes from its client. */
function hangUpOnStall(server: Scripted): NodeJS.Timeout {
  let seen = '';
  let since = performance.now();
  return setInterval(() => {
    const open = server.connections().filter(({ closed }) => !closed);
    const now = open.map(({ number, received }) => `${number}:${received.length}`).join(' ');
    if (now !== seen || now === '') since = performance.now();
    else if (performance.now() - since > STALL_MS) server.hangUp();
    seen = now;
  }, 100);
}

/** What a silent client gets: so many octets, and what else follows them at once. */
async function listen(port: number, length: number): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1' });
  let text = '';
  socket.on('data', (chunk) => (text += chunk.toString('latin1')));
  socket.on('error', () => undefined);
  for (let waited = 0; waited < 2 * STALL_MS && text.length < length; waited += 50) await sleep(50);
  await sleep(LATER_MS);
  socket.destroy();
  return text;
}

/** More than the relay's patience in this test: what it adds to a greeting has come by then. */
const LATER_MS = 1_000;
