// Dialogues that are more than RFC 5321, of real and of scripted peers: the relay stays in step with all of them.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { startRelay, type Relayed } from '../kit/ehlowire';
import { startDovecot } from './peers/dovecot';
import { labSuite, type Need } from '../kit/lab';
import { startPostfix, type Postfix } from './peers/postfix';
import { freePort, isOpen, run, start, until, type Child } from '../kit/process';
import { selfSigned } from './peers/selfsigned';
import { awaitWord } from '../kit/topology';
import {
  complaintsOf,
  DIALOGUES,
  LMTP,
  PLAYER,
  postfixSettings,
  SECRETS,
  type DialogueRow,
} from './dialogues.table';
import { CONTENTS, PHASES, PIPELINED, PRDR, sendByExim, startEximServer, TIMES } from './exim';
import { fieldsOf, phasesOf, storiesOf } from './record';

const lab = labSuite('dialogues');
const NEEDS: readonly Need[] = ['postfix', 'python3', 'openssl'];

let postfix: Postfix;
let exchange: Child;
let relay: Relayed;
/** Of the servers themselves. */
const ports = new Map<DialogueRow['server'], number>();

lab.before(async () => {
  const { key, certificate } = await selfSigned();
  exchange = start('python3', ['-u', join(__dirname, 'exchange.py'), key, certificate, '127.0.0.1:0']);
  [postfix] = await Promise.all([
    startPostfix({ settings: postfixSettings('127.0.0.1') }),
    awaitWord(exchange, 'ready'),
  ]);
  ports.set('exchange', Number(/^ready (\d+)/.exec(exchange.output())?.[1])).set('postfix', postfix.port);
  // XEXCH50, XCLIENT and XFORWARD are of one's own machines.
  relay = await startRelay(
    [...ports.values()].map((port) => `127.0.0.1:${port}`),
    TRUSTING,
  );
});

lab.after(async () => {
  await relay.stop();
  await Promise.all([postfix.stop(), exchange.stop('SIGKILL')]);
  relay.discard();
});

async function play({ steps }: DialogueRow, port: number | undefined): Promise<void> {
  const { code, output } = await run('python3', [PLAYER, `127.0.0.1:${port}`, ...steps]);
  assert.is(code, 0, output);
}

const played = new Map<DialogueRow['server'], number>();

for (const row of DIALOGUES) {
  lab.test(`${row.server}: ${row.name}`, NEEDS, async () => {
    const nth = played.get(row.server) ?? 0;
    played.set(row.server, nth + 1);
    await play(row, relay.ports[[...ports.keys()].indexOf(row.server)]);
    const story = (await storiesOf(relay, ports.get(row.server), nth + 1))[nth] ?? [];
    assert.equal(phasesOf(story), row.phases);
    assert.equal(complaintsOf(story), row.anomalies ?? []);
    assert.equal(fieldsOf(story, 'blocked', 'rule'), []);
    assert.equal(fieldsOf(story, 'session', 'messages'), [row.messages]);
    assert.ok(story.length < MOST_LINES, `${story.length} lines`);
    const served = row.server === 'exchange' ? exchange.output() : postfix.log();
    for (const word of row.served) assert.match(served, word);
    assert.not.match(served, /unknown b|cut off/);
  });
}

lab.test('nothing secret is written, in either format', NEEDS, async () => {
  const port = await freePort();
  const upstream = `127.0.0.1:${ports.get('exchange')}`;
  const program = join(__dirname, '../../ehlowire');
  const args = [
    '--listen',
    `127.0.0.1:${port}`,
    '--upstream',
    upstream,
    '--set',
    'log.format=pretty',
    ...TRUSTING,
  ];
  const pretty = start(program, ['relay', ...args]);
  await until('the relay to listen', async () => (await isOpen('127.0.0.1', port)) || undefined, 30_000);
  for (const row of DIALOGUES.filter(({ server }) => server === 'exchange')) await play(row, port);
  const { output } = await pretty.stop('SIGTERM', 10_000);
  const json = readFileSync(relay.log, 'latin1');
  for (const written of [json, output]) {
    assert.match(written, 'XEXCH50');
    for (const secret of SECRETS) assert.not.match(written, secret);
  }
});

for (const content of CONTENTS) {
  lab.test(`Exim to Exim, ${content}: PRDR, pipelined connect`, ['exim', 'swaks'], async () => {
    const server = await startEximServer();
    const between = await startRelay([`127.0.0.1:${server.port}`]);
    const log = await sendByExim({ host: '127.0.0.1', port: between.ports[0] ?? 0 }, content);
    const stories = await storiesOf(between, server.port, TIMES);
    await Promise.all([between.stop(), server.stop()]);
    assert.match(log, PIPELINED);
    assert.match(log, PRDR);
    for (const story of stories) {
      assert.match(
        String(fieldsOf(story, 'phase', 'reply.text').at(-3)),
        /^id=\S+ message accepted for some/,
      );
      const data = content === 'data' ? ['data 354'] : [];
      assert.equal(phasesOf(story), ['connect', ...PHASES, ...data, 'message 250', 'quit 221', 'close']);
      assert.equal(complaintsOf(story), []);
      assert.equal(fieldsOf(story, 'blocked', 'rule'), []);
      assert.equal(fieldsOf(story, 'session', 'messages'), [1]);
    }
  });
}

lab.test('Dovecot, by LMTP: a reply for each recipient', ['dovecot', 'python3'], async () => {
  const dovecot = await startDovecot();
  const between = await startRelay([`127.0.0.1:${dovecot.port}`]);
  try {
    for (const [nth, row] of LMTP.entries()) {
      const { code, output } = await run('python3', [PLAYER, `127.0.0.1:${between.ports[0]}`, ...row.steps]);
      assert.is(code, 0, `${row.name}: ${output}`);
      const story = (await storiesOf(between, dovecot.port, nth + 1))[nth] ?? [];
      assert.equal(phasesOf(story), row.phases, row.name);
      assert.equal(complaintsOf(story), ['lmtp'], row.name);
      assert.equal(fieldsOf(story, 'blocked', 'rule'), [], row.name);
      assert.equal(fieldsOf(story, 'session', 'messages'), [row.messages], row.name);
    }
    assert.match(dovecot.log(), /lmtp\(two@dest\.example\).*saved mail to INBOX/);
  } finally {
    await Promise.all([between.stop(), dovecot.stop()]);
    between.discard();
  }
});

const TRUSTING = ['--set', 'policy.trustedClients=127.0.0.1'];
/** Far fewer than lines of TLS would make. */
const MOST_LINES = 20;

lab.run();
