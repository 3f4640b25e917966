// Honest mail under the default rules: every octet arrives as it was sent, whoever sends it and in whatever pieces.

import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { createTransport } from 'nodemailer';
import type { Relayed } from '../../kit/ehlowire';
import { DEBIANS_PYTHON, labSuite, type Need } from '../../kit/lab';
import { bodyHash, makeMessage, RECIPIENT, SENDER } from '../../kit/message';
import { discard, run, scratch, until } from '../../kit/process';
import { createChance } from '../degraded/chance';
import { clientNamed } from '../peers/clients';
import { awaitAnother, awaitMail, type Delivered } from '../peers/maildir';
import { startPostfix, type Postfix } from '../peers/postfix';
import { stuff } from '../peers/stuffing';
import { makeCorpus } from './corpus';
import { CONTENTS, messageOf, type Content } from './honest.table';
import { startRecorder, type Recorder } from './recorder';
import { startRuled } from './rules';
import { openTalker } from './talker';

const MIB = 1024 * 1024;
const SENT_MS = 120_000;

const lab = labSuite('policy/honest');
let recorder: Recorder;
let postfix: Postfix;
let relay: Relayed;

lab.before(async () => {
  [recorder, postfix] = await Promise.all([startRecorder('strict'), startPostfix()]);
  relay = await startRuled([recorder.port, postfix.port]);
});
lab.after(async () => {
  await relay.stop();
  await Promise.all([recorder.stop(), postfix.stop()]);
  relay.discard();
});

const [atRecorder, atPostfix] = [(): number => relay.ports[0] ?? 0, (): number => relay.ports[1] ?? 0];

/** Says each of these, waits for as many replies as they ask for, and gives all that was said. */
async function converse(
  id: string,
  turns: readonly { say: Buffer | string; cuts?: readonly number[] }[],
): Promise<Buffer> {
  const talker = openTalker(atRecorder());
  await talker.reply();
  const open = [`EHLO ${id}`, `MAIL FROM:<${SENDER}> BODY=8BITMIME`, `RCPT TO:<${RECIPIENT}>`];
  const said: Buffer[] = [];
  for (const { say, cuts } of [
    ...open.map((line) => ({ say: `${line}\r\n` })),
    ...turns,
    { say: 'QUIT\r\n' },
  ] as typeof turns) {
    said.push(typeof say === 'string' ? Buffer.from(say, 'latin1') : say);
    await talker.say(say, cuts);
    const answer = await talker.reply();
    assert.match(answer, /^[23]/, `${id}: ${String(say).slice(0, 60)}`);
  }
  await talker.ended;
  talker.hangUp();
  await until('its end', () => recorder.named(id)?.closed || undefined);
  return Buffer.concat(said);
}

function digest(octets: Buffer | undefined): string {
  return `${octets?.length} ${createHash('sha256')
    .update(octets ?? '')
    .digest('hex')}`;
}

function byData({ body }: Content): Buffer {
  return Buffer.concat([stuff(messageOf({ body }, 'lab@client.example')), Buffer.from('.\r\n')]);
}

/** At every octet where there are few, at so many of them where there are more. */
function someCuts(length: number, seed: string): readonly number[] {
  if (length <= 300) return Array.from({ length }, (_, i) => i);
  const chance = createChance(seed);
  return [...new Set(Array.from({ length: 40 }, () => chance.below(length)))].sort((a, b) => a - b);
}

for (const content of CONTENTS.filter(({ binary }) => binary !== true)) {
  lab.test(`DATA, ${content.name}: octet for octet, whole and cut`, [], async () => {
    const octets = byData(content);
    for (const [way, cuts] of [
      ['whole', []],
      ['cut', someCuts(octets.length, content.name)],
      ['before its end', [5, 4, 3, 2, 1].map((back) => octets.length - back)],
    ] as const) {
      const id = `data-${way.replaceAll(' ', '-')}-${CONTENTS.indexOf(content)}.example`;
      const said = await converse(id, [{ say: 'DATA\r\n' }, { say: octets, cuts }]);
      assert.is(digest(recorder.named(id)?.received()), digest(said), way);
      recorder.forget();
    }
  });
}

for (const content of CONTENTS) {
  lab.test(`BDAT, ${content.name}: octet for octet, in chunks`, [], async () => {
    const message = messageOf(content, 'lab@client.example');
    const chance = createChance(content.name);
    const turns: { say: Buffer; cuts: readonly number[] }[] = [];
    for (let at = 0; at < message.length;) {
      const chunk = message.subarray(at, at + 1 + chance.below(message.length));
      at += chunk.length;
      const say = Buffer.concat([
        Buffer.from(`BDAT ${chunk.length}${at === message.length ? ' LAST' : ''}\r\n`),
        chunk,
      ]);
      turns.push({ say, cuts: someCuts(say.length, `${content.name} ${at}`).slice(0, 40) });
    }
    const id = `bdat-${CONTENTS.indexOf(content)}.example`;
    const said = await converse(id, turns);
    assert.is(digest(recorder.named(id)?.received()), digest(said));
    recorder.forget();
  });
}

lab.test('DATA, 50 MiB: octet for octet', [], async () => {
  const { octets } = makeMessage({ octets: 50 * MIB });
  const say = Buffer.concat([stuff(octets), Buffer.from('.\r\n')]);
  const said = await converse('large.example', [{ say: 'DATA\r\n' }, { say }]);
  assert.is(digest(recorder.named('large.example')?.received()), digest(said));
  recorder.forget();
});

/** Bodies as files do not end without a line end, and some clients break long lines: that is their doing. */
const FILED = CONTENTS.filter(({ binary, long }) => binary !== true && long !== true);
const SENDERS = ['nodemailer', 'swaks', 'msmtp', 'smtplib', 'smtplib, BDAT'].map(clientNamed);

for (const client of SENDERS) {
  lab.test(
    `${client.name} to Postfix: all contents as without the relay`,
    ['postfix', ...client.needs],
    async () => {
      for (const content of FILED) {
        const hashes: string[] = [];
        for (const port of [postfix.port, atPostfix()]) {
          const folder = scratch('honest');
          const id = `${client.name.replaceAll(/\W/g, '')}-${CONTENTS.indexOf(content)}-${hashes.length}@client.example`;
          const path = join(folder, 'message.eml');
          writeFileSync(path, messageOf(content, id));
          const errand = { host: '127.0.0.1', port, path, starttls: false, timeoutMs: SENT_MS };
          const result = await client.deliver(errand);
          assert.ok(result.ok, `${content.name}: ${result.output}`);
          hashes.push((await awaitMail(postfix, { id })).hash());
          discard(folder);
        }
        assert.is(hashes[1], hashes[0], content.name);
      }
    },
  );
}

lab.test('smtp-source to Postfix, 1 MiB', ['postfix', 'smtp-source'], async () => {
  const folder = scratch('honest');
  const path = join(folder, 'message.eml');
  writeFileSync(path, makeMessage({ octets: MIB }).octets);
  const hashes: string[] = [];
  for (const port of [postfix.port, atPostfix()]) {
    const before = postfix.delivered();
    const errand = { host: '127.0.0.1', port, path, starttls: false, timeoutMs: SENT_MS };
    const result = await clientNamed('smtp-source').deliver(errand);
    assert.ok(result.ok, result.output);
    hashes.push((await awaitAnother(postfix, before)).hash());
  }
  assert.is(hashes[1], hashes[0]);
  discard(folder);
});

const DKIM: readonly Need[] = ['postfix', 'dkim'];
const COUNT = 1_000;

lab.test(`${COUNT} signed messages to Postfix: the signatures verify`, DKIM, async () => {
  const { messages, publicKey } = await makeCorpus(COUNT, 'corpus');
  const transport = createTransport({
    host: '127.0.0.1',
    port: atPostfix(),
    pool: true,
    maxConnections: 8,
    ignoreTLS: true,
  });
  await Promise.all(
    messages.map((raw) => transport.sendMail({ envelope: { from: SENDER, to: RECIPIENT }, raw })),
  );
  transport.close();
  const arrived = await until(
    'all of them',
    () => {
      const found = corpusOf(postfix.delivered());
      return found.size === COUNT ? found : undefined;
    },
    SENT_MS,
  );
  const folder = scratch('corpus');
  const files: string[] = [];
  for (const [nth, message] of messages.entries()) {
    const mail = arrived.get(nth);
    assert.is(mail?.hash(), bodyHash(message), `message ${nth}`);
    const file = join(folder, String(nth));
    writeFileSync(file, mail?.octets().toString('latin1').replaceAll('\n', '\r\n') ?? '', 'latin1');
    files.push(file);
  }
  // The proof that the verifier looks: one word more.
  const changed = join(folder, 'changed');
  writeFileSync(changed, Buffer.concat([messages[0] ?? Buffer.alloc(0), Buffer.from('more\r\n')]));
  const script = join(__dirname, 'dkim_verify.py');
  const { output } = await run(DEBIANS_PYTHON, [script, publicKey, ...files, changed], {
    timeoutMs: SENT_MS,
  });
  const bad = output.split('\n').filter((line) => line !== '' && !line.startsWith('good '));
  assert.equal(bad, [`bad ${changed}`]);
  assert.is(output.match(/^good /gm)?.length, COUNT);
  discard(folder);
});

function corpusOf(mails: readonly Delivered[]): ReadonlyMap<number, Delivered> {
  const found = new Map<number, Delivered>();
  for (const mail of mails) {
    const nth = /^Message-Id: <corpus-(\d+)@/im.exec(mail.head.toString('latin1'))?.[1];
    if (nth !== undefined) found.set(Number(nth), mail);
  }
  return found;
}

lab.test('nothing of it was blocked', [], async () => {
  const blocked = relay.events().filter(({ event }) => event === 'blocked');
  assert.equal(blocked.slice(0, 5), []);
  assert.is(relay.output(), '');
});

lab.run();
