// Mail servers as clients: what they send on through the relay, by any content and any TLS, arrives as it was.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { Relayed } from '../../kit/ehlowire';
import { labSuite, type Need } from '../../kit/lab';
import { bodyHash, makeMessage } from '../../kit/message';
import { discard, scratch, until } from '../../kit/process';
import { clientNamed } from '../peers/clients';
import { startExim } from '../peers/exim';
import { awaitMail } from '../peers/maildir';
import { startPostfix, type Postfix } from '../peers/postfix';
import type { Server } from '../peers/server';
import { CONTENTS, messageOf } from './honest.table';
import { startRuled } from './rules';

interface Row {
  readonly name: string;
  readonly needs: readonly Need[];
  /** A server that sends all on to this port. */
  readonly start: (port: number) => Promise<Server>;
  /** What the last server's log has of each delivery, and the sender's. */
  readonly proof?: RegExp;
}

const ROWS: readonly Row[] = [
  {
    name: 'Postfix',
    needs: ['postfix'],
    start: (port) => startSender(port, ['smtp_tls_security_level = none']),
  },
  ...['TLSv1.2', 'TLSv1.3'].map((version): Row => ({
    name: `Postfix, ${version}`,
    needs: ['postfix'],
    start: (port) =>
      startSender(port, [
        'smtp_tls_security_level = encrypt',
        `smtp_tls_mandatory_protocols = >=${version}, <=${version}`,
      ]),
    proof: new RegExp(`TLS connection established from.*${version} with cipher`),
  })),
  ...[':', '*'].flatMap((chunking) =>
    [':', '*'].map((plain): Row => ({
      name: `Exim, ${chunking === '*' ? 'BDAT' : 'DATA'}${plain === '*' ? '' : ', TLS'}`,
      needs: ['exim', 'postfix'],
      start: (port) =>
        startExim({
          smarthost: {
            ...{ host: '127.0.0.1', port },
            transport: [
              `hosts_try_chunking = ${chunking}`,
              `hosts_avoid_tls = ${plain}`,
              'tls_verify_hosts = :',
              'tls_try_verify_hosts = :',
            ],
          },
        }),
      ...(plain === '*' ? {} : { proof: /TLS connection established from/ }),
    })),
  ),
];

function startSender(port: number, settings: readonly string[]): Promise<Postfix> {
  const own = ['myhostname = out.client.example', `virtual_transport = smtp:[127.0.0.1]:${port}`];
  return startPostfix({ settings: [...own, ...settings] });
}

const lab = labSuite('policy/onward');
let last: Postfix;
let relay: Relayed;

lab.before(async () => {
  last = await startPostfix();
  relay = await startRuled([last.port]);
});
lab.after(async () => {
  await relay.stop();
  await last.stop();
  relay.discard();
});

/** A sender breaks longer lines itself (Postfix: smtp_line_length_limit). */
const SENT = CONTENTS.filter(
  ({ binary, long, name }) => binary !== true && long !== true && name !== 'a line of 999',
);
const SENT_MS = 60_000;

for (const { name, needs, start, proof } of ROWS) {
  lab.test(`${name}: all contents, and 4 MiB`, [...needs, 'python3'], async () => {
    const folder = scratch('onward');
    const sender = await start(relay.ports[0] ?? 0);
    try {
      const wanted = new Map<string, string>();
      const large = makeMessage({ octets: 4 * 1024 * 1024 });
      const messages = [
        ...SENT.map((content, nth) => {
          const id = `onward-${ROWS.findIndex((row) => row.name === name)}-${nth}@client.example`;
          return { id, octets: messageOf(content, id) };
        }),
        large,
      ];
      for (const { id, octets } of messages) {
        wanted.set(id, bodyHash(octets));
        const path = join(folder, 'message.eml');
        writeFileSync(path, octets);
        const errand = { host: '127.0.0.1', port: sender.port, path, starttls: false, timeoutMs: SENT_MS };
        const result = await clientNamed('smtplib').deliver(errand);
        assert.ok(result.ok, result.output);
      }
      for (const [id, hash] of wanted) {
        const mail = await awaitMail(last, { id }, SENT_MS).catch((error: Error) => {
          throw new Error(`${error.message}\nthe sender says:\n${sender.log().slice(-3_000)}`);
        });
        assert.is(mail.hash(), hash, id);
      }
      if (proof !== undefined) assert.match(last.log(), proof);
    } finally {
      await sender.stop();
      discard(folder);
    }
  });
}

lab.test('nothing of it was blocked', ['postfix'], async () => {
  await until(
    'the sessions to be told',
    () => relay.events().some(({ event }) => event === 'session') || undefined,
  );
  assert.equal(
    relay
      .events()
      .filter(({ event }) => event === 'blocked')
      .slice(0, 5),
    [],
  );
  assert.is(relay.output(), '');
});

lab.run();
