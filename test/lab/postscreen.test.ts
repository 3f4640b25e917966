// Real postscreen with long teasers behind the relay: nobody talks early, nothing is repaired, no reply is shifted.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { clientNamed } from './peers/clients';
import { startRelay, type Relayed } from '../kit/ehlowire';
import { labSuite } from '../kit/lab';
import { awaitMail } from './peers/maildir';
import { makeMessage, writeMessage } from '../kit/message';
import { startPostfix, type Postfix } from './peers/postfix';
import { scratch, until } from '../kit/process';
import { linesOf, phasesOf, storiesOf, type Story } from './record';

/** Both are within the default patience of 20 s. */
const WAITS = [6, 15];
const ACTIONS = ['enforce', 'drop'] as const;

interface Row {
  readonly name: string;
  readonly wait: number;
  readonly action: (typeof ACTIONS)[number];
  postfix?: Postfix;
  port?: number;
  story?: Promise<Story>;
}

const ROWS: readonly Row[] = WAITS.flatMap((wait) =>
  ACTIONS.map((action) => ({ name: `${wait} s, ${action}`, wait, action })),
);

const lab = labSuite('postscreen');
const swaks = clientNamed('swaks');
let relay: Relayed;

lab.before(async () => {
  await Promise.all(
    ROWS.map(async (row) => {
      row.postfix = await startPostfix({ greetWait: row.wait, greetAction: row.action });
    }),
  );
  relay = await startRelay(ROWS.map(({ postfix }) => `127.0.0.1:${postfix?.postscreenPort}`));
  // All of them wait at the same time.
  ROWS.forEach((row, i) => {
    row.story = deliver(row, relay.ports[i] ?? 0);
    row.story.catch(() => undefined);
  });
});

lab.after(async () => {
  await relay.stop();
  relay.discard();
  await Promise.all(ROWS.map(({ postfix }) => postfix?.stop()));
});

/** One message by swaks, and what the record says of its connection. */
async function deliver({ postfix }: Row, port: number): Promise<Story> {
  assert.ok(postfix);
  const message = makeMessage({ octets: 1024 });
  const path = writeMessage(join(scratch('message'), 'message.eml'), message);
  const result = await swaks.deliver({ host: '127.0.0.1', port, path, starttls: false });
  assert.ok(result.ok, result.output);
  assert.is((await awaitMail(postfix, message)).hash(), message.hash);
  const [story = []] = await storiesOf(relay, postfix.postscreenPort, 1);
  return story;
}

const NEEDS = ['postfix', ...swaks.needs] as const;

for (const row of ROWS) {
  lab.test(row.name, NEEDS, async () => {
    const story = (await row.story) ?? [];
    assert.equal(phasesOf(story), WHOLE);
    for (const event of ['repair', 'anomaly', 'blocked']) assert.equal(linesOf(story, event), []);
    const [greeting] = linesOf(story, 'phase').filter((line) => line['phase'] === 'greeting');
    assert.is(greeting?.['reply.lines'], 2, 'the teaser and the rest');
    // Its clock has whole seconds: six of them may be little more than five.
    assert.ok(Number(greeting?.['duration_ms']) >= (row.wait - 1) * 1000, `${greeting?.['duration_ms']} ms`);
    assert.equal(
      linesOf(story, 'learned').map((line) => line['greeting']),
      ['teaser'],
    );
    // A stranger that was tested: a client that is not is PASS OLD, ALLOWLISTED or not mentioned.
    const log = row.postfix?.log() ?? '';
    assert.match(log, /postscreen\[\d+\]: CONNECT from \[127\.0\.0\.1\]/);
    assert.match(log, /postscreen\[\d+\]: PASS NEW \[127\.0\.0\.1\]/);
    assert.not.match(log, /PREGREET|HANGUP|DISCONNECT|noqueue/);
  });
}

/** Replies in step: each code belongs to its command. */
const WHOLE = [
  'connect',
  'greeting 220',
  'hello 250',
  'mail 250',
  'rcpt 250',
  'data 354',
  'message 250',
  'quit 221',
  'close',
];

// The tests above could not fail if postscreen did not mind.
for (const row of ROWS.slice(0, ACTIONS.length)) {
  lab.test(`an early talker is caught: ${row.name}`, NEEDS, async () => {
    await row.story;
    const client = connect({ host: '127.0.0.1', port: row.postfix?.postscreenPort ?? 0 });
    await heard(client, '220-');
    client.write('EHLO early.example\r\n');
    await until('PREGREET in the log', () => row.postfix?.log().includes('PREGREET') || undefined);
    client.destroy();
  });
}

lab.test('the order to repair at once makes good clients early talkers', NEEDS, async () => {
  const postfix = ROWS[0]?.postfix;
  await ROWS[0]?.story;
  const hasty = await startRelay([`127.0.0.1:${postfix?.postscreenPort}`], ['--repair', 'now']);
  const before = count(postfix);
  const path = writeMessage(join(scratch('message'), 'message.eml'), makeMessage({ octets: 1024 }));
  await swaks.deliver({ host: '127.0.0.1', port: hasty.ports[0] ?? 0, path, starttls: false });
  await until('PREGREET in the log', () => count(postfix) > before || undefined);
  await hasty.stop();
  hasty.discard();
});

function count(postfix: Postfix | undefined): number {
  return postfix?.log().split('PREGREET').length ?? 0;
}

async function heard(socket: Socket, text: string): Promise<void> {
  let all = '';
  while (!all.includes(text)) all += String((await once(socket, 'data'))[0]);
}

lab.run();
