// The real clients and servers alone, without ehlowire between them: what fails here is not the relay's fault.

import * as assert from 'uvu/assert';
import { join } from 'node:path';
import { CLIENTS, type Client } from '../kit/clients';
import { labSuite } from '../kit/lab';
import { awaitAnother, awaitMail } from '../kit/maildir';
import { makeMessage, writeMessage } from '../kit/message';
import { scratch } from '../kit/process';
import { startServers, SERVERS, type Servers } from '../kit/servers';

const lab = labSuite('peers');
let servers: Servers;

lab.before(async () => {
  servers = await startServers();
});
lab.after(async () => servers.stop());

async function deliver(client: Client, server: (typeof SERVERS)[number], starttls: boolean): Promise<void> {
  const target = servers.named(server.name);
  const message = makeMessage({ octets: 1024, eightBit: server.keeps8Bit || client.says8Bit });
  const path = writeMessage(join(scratch('message'), 'message.eml'), message);
  const before = target.mailbox.delivered().length;
  const result = await client.deliver({ ...target, path, starttls });
  assert.ok(result.ok, `${result.output}\n${target.mailbox.log().slice(-2_000)}`);
  if (client.sends === 'file') assert.is((await awaitMail(target.mailbox, message)).hash, message.hash);
  if (client.sends === 'own') assert.ok((await awaitAnother(target.mailbox, before)).octets.length >= 1024);
}

for (const server of SERVERS) {
  for (const client of CLIENTS) {
    if (client.bdat === true && !server.chunking) continue;
    for (const starttls of [false, true]) {
      if (starttls ? client.tls === 'plain' || !server.starttls : client.tls === 'only') continue;
      const name = `${client.name} to ${server.name}${starttls ? ', STARTTLS' : ''}`;
      lab.test(name, [...client.needs, ...server.needs], () => deliver(client, server, starttls));
    }
  }
}

lab.run();
