// The real clients and servers alone, without ehlowire between them: what fails here is not the relay's fault.

import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { labSuite } from '../kit/lab';
import { awaitAnother, awaitMail } from './peers/maildir';
import { makeMessage, writeMessage } from '../kit/message';
import { scratch } from '../kit/process';
import { pairings, startServers, type Pairing, type Servers } from './peers/servers';

const lab = labSuite('peers');
let servers: Servers;

lab.before(async () => {
  servers = await startServers();
});
lab.after(() => servers.stop());

async function deliver({ client, server, starttls }: Pairing): Promise<void> {
  const { mailbox, ...address } = servers.named(server.name);
  const message = makeMessage({ octets: 1024, eightBit: server.keeps8Bit || client.says8Bit });
  const path = writeMessage(join(scratch('message'), 'message.eml'), message);
  const before = mailbox.delivered();
  const result = await client.deliver({ ...address, path, starttls });
  assert.ok(result.ok, `${result.output}\n${mailbox.log().slice(-2_000)}`);
  if (client.sends === 'file') assert.is((await awaitMail(mailbox, message)).hash(), message.hash);
  if (client.sends === 'own') assert.ok((await awaitAnother(mailbox, before)).octets().length >= 1024);
}

for (const pairing of pairings()) lab.test(pairing.name, pairing.needs, () => deliver(pairing));

lab.run();
