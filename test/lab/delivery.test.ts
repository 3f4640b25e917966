// Real mail through the relay: every client to every server, and the message arrives byte for byte the same.

import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { Client } from './peers/clients';
import { startRelay, type LogLine, type Relayed } from '../kit/ehlowire';
import { labSuite } from '../kit/lab';
import { awaitAnother, awaitMail } from './peers/maildir';
import { makeMessage, writeMessage } from '../kit/message';
import { discard, scratch, until } from '../kit/process';
import { pairings, SERVERS, startServers, type Pairing, type ServerRow, type Servers } from './peers/servers';

const KIB = 1024;
const MIB = 1024 * KIB;
/** On a machine that has much else to do: until a message is sent, and until it is kept. */
const SENT_MS = 180_000;
const KEPT_MS = 120_000;

/** These also carry the largest message. */
const STRONG = ['curl', 'smtplib', 'smtplib, BDAT'];

const lab = labSuite('delivery');
let servers: Servers;
let relay: Relayed;
const ports = new Map<ServerRow['name'], number>();
let connections = 0;

lab.before(async () => {
  servers = await startServers({ greetWait: 1 });
  const here = SERVERS.filter(({ name }) => servers.has(name));
  const upstreams = here.map(({ name }) => `${servers.named(name).host}:${servers.named(name).port}`);
  relay = await startRelay(upstreams);
  here.forEach(({ name }, i) => ports.set(name, relay.ports[i] ?? 0));
});
lab.after(async () => {
  await relay.stop();
  await servers.stop();
});

async function deliver({ client, server, starttls }: Pairing, octets: number): Promise<void> {
  const { mailbox } = servers.named(server.name);
  const folder = scratch('message');
  const message = makeMessage({ octets, eightBit: server.keeps8Bit || client.says8Bit });
  const path = writeMessage(join(folder, 'message.eml'), message);
  const port = ports.get(server.name) ?? 0;
  connections += 1;
  const result = await client.deliver({ host: '127.0.0.1', port, path, starttls, timeoutMs: SENT_MS });
  assert.ok(result.ok, `${octets} octets: ${result.output}\n${mailbox.log().slice(-2_000)}`);
  if (client.sends === 'file') {
    const mail = await awaitMail(mailbox, message, KEPT_MS);
    assert.is(mail.hash(), message.hash, `${octets} octets`);
    mailbox.drop(mail);
  }
  discard(folder);
}

// A client that writes its message itself: the same without and with the relay.
async function compare(client: Client, server: ServerRow, octets: number): Promise<void> {
  const { mailbox, host, port } = servers.named(server.name);
  const folder = scratch('message');
  const path = writeMessage(join(folder, 'message.eml'), makeMessage({ octets }));
  const hashes: string[] = [];
  for (const target of [
    { host, port },
    { host: '127.0.0.1', port: ports.get(server.name) ?? 0 },
  ]) {
    const before = mailbox.delivered();
    const result = await client.deliver({ ...target, path, starttls: false, timeoutMs: SENT_MS });
    assert.ok(result.ok, result.output);
    hashes.push((await awaitAnother(mailbox, before, KEPT_MS)).hash());
  }
  connections += 1;
  assert.is(hashes[1], hashes[0]);
}

for (const pairing of pairings()) {
  const { name, needs, client, server } = pairing;
  if (client.sends === 'own') {
    lab.test(`${name}, 1 KiB`, needs, () => compare(client, server, KIB));
    lab.test(`${name}, 1 MiB`, needs, () => compare(client, server, MIB));
    continue;
  }
  lab.test(client.sends === 'file' ? `${name}, 1 KiB` : name, needs, () => deliver(pairing, KIB));
  if (client.sends === 'nothing') continue;
  lab.test(`${name}, 1 MiB`, needs, () => deliver(pairing, MIB));
  if (STRONG.includes(client.name)) lab.test(`${name}, 50 MiB`, needs, () => deliver(pairing, 50 * MIB));
}

// nodemailer closes without QUIT, and Exim writes a 421 into the void.
function isEximsFarewell({ anomaly, detail }: LogLine): boolean {
  return anomaly === 'service-closing' && String(detail).endsWith('lost input connection');
}

lab.test('one session on record for each, and nothing repaired, lost or complained of', [], async () => {
  const sessions = (): number => relay.events().filter(({ event }) => event === 'session').length;
  await until('all sessions to end', () => sessions() >= connections || undefined, KEPT_MS);
  assert.is(sessions(), connections);
  const told = new Set(['log-opened', 'listening', 'phase', 'session', 'learned']);
  const others = relay.events().filter((line) => !told.has(line.event) && !isEximsFarewell(line));
  assert.equal(others, [], JSON.stringify(others.slice(0, 5), null, 1));
  assert.is(relay.output(), '');
});

lab.test('postscreen met nobody who talked before his turn', ['postfix'], async () => {
  assert.not.match(servers.named('postscreen').mailbox.log(), 'PREGREET');
});

lab.run();
