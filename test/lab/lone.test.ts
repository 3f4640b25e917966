// The incident: a real Postfix that greets with a lone 220-. Every client delivers, and only the first one waits.

import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { CLIENTS, clientNamed, type Client, type Result } from './peers/clients';
import { startRelay, type Relayed } from '../kit/ehlowire';
import { labSuite } from '../kit/lab';
import { awaitMail } from './peers/maildir';
import { makeMessage, writeMessage } from '../kit/message';
import { startPostfix, type Postfix } from './peers/postfix';
import { scratch, until } from '../kit/process';
import { LATE, startFront, type Front } from './front';
import { fieldsOf, linesOf, storiesOf, type Story } from './record';

const PATIENCE_MS = 2_000;
/** Beyond the patience, and short enough that twice of it bothers no client. */
const LATE_MS = 4_000;
const STALL_MS = 6_000;

/** Those that can be asked for STARTTLS, which a shifted reply hides. */
const TELLING = ['swaks', 'curl', 'smtplib', 'msmtp', 'openssl', 'nodemailer'].map(clientNamed);

const lab = labSuite('lone 220-');
let postfix: Postfix;
const fronts: Front[] = [];
const relays: Relayed[] = [];

lab.before(async () => {
  postfix = await startPostfix();
});

lab.after(async () => {
  await Promise.all(relays.map((relay) => relay.stop()));
  await Promise.all(fronts.map((front) => front.stop()));
  await postfix.stop();
  relays.forEach((relay) => relay.discard());
});

interface Stage {
  readonly relay: Relayed;
  /** Ports of the servers. */
  readonly servers: readonly number[];
}

/** A front and a listener of the relay for each client: all are the first one of a server not met yet. */
async function stage(clients: readonly Client[], args: readonly string[], lateMs?: number): Promise<Stage> {
  const options = { behind: postfix, ...(lateMs === undefined ? {} : { lateMs }) };
  const own = await Promise.all(clients.map(() => startFront(options)));
  fronts.push(...own);
  const relay = await startRelay(
    own.map(({ port }) => `127.0.0.1:${port}`),
    args,
  );
  relays.push(relay);
  return { relay, servers: own.map(({ port }) => port) };
}

async function deliver(client: Client, port: number, timeoutMs = 60_000): Promise<Result> {
  const message = makeMessage({ octets: 1024 });
  const path = writeMessage(join(scratch('message'), 'message.eml'), message);
  const starttls = client.tls !== 'plain';
  const result = await client.deliver({ host: '127.0.0.1', port, path, starttls, timeoutMs });
  if (result.ok && client.sends === 'file')
    assert.is((await awaitMail(postfix, message)).hash(), message.hash);
  return result;
}

const heldMs = (story: Story): number[] => fieldsOf(story, 'repair', 'held_ms').map(Number);
const learned = (story: Story): unknown[] => fieldsOf(story, 'learned', 'greeting');

/** What ehlowire saw of a server on a connection of its own, as soon as it has. */
async function verified({ relay }: Stage, server: number | undefined): Promise<unknown> {
  const line = await until(
    'ehlowire to look for itself',
    () => relay.events().find((each) => each.event === 'learned' && each['server.port'] === server),
    40_000,
  );
  return line['greeting'];
}

const EVERY = CLIENTS.flatMap(({ needs }) => needs);

lab.test(
  'learn: the first connection waits the patience, and once ehlowire has looked for itself none does',
  ['postfix', ...EVERY],
  async () => {
    const scene = await stage(CLIENTS, ['--set', `greeting.patience=${PATIENCE_MS}ms`]);
    await Promise.all(
      CLIENTS.map(async (client, i) => {
        const port = scene.relay.ports[i] ?? 0;
        for (const which of ['first', 'second']) {
          const { ok, output } = await deliver(client, port);
          assert.ok(ok, `${client.name}, ${which}: ${output}`);
          assert.is(await verified(scene, scene.servers[i]), 'truncated', client.name);
        }
        const [first = [], second = []] = await storiesOf(scene.relay, scene.servers[i], 2);
        assert.equal(learned(first), [], client.name);
        assert.is(heldMs(first).length, 1, client.name);
        assert.ok((heldMs(first)[0] ?? 0) >= PATIENCE_MS, `${client.name} held ${heldMs(first)[0]} ms`);
        assert.equal(learned(second), [], client.name);
        assert.is(heldMs(second).length, 1, client.name);
        assert.ok(
          (heldMs(second)[0] ?? PATIENCE_MS) < PATIENCE_MS,
          `${client.name} held ${heldMs(second)[0]} ms`,
        );
      }),
    );
  },
);

lab.test('now: not even the first connection waits', ['postfix', ...EVERY], async () => {
  // The default patience, which would show.
  const scene = await stage(CLIENTS, ['--repair', 'now']);
  await Promise.all(
    CLIENTS.map(async (client, i) => {
      const { ok, output } = await deliver(client, scene.relay.ports[i] ?? 0);
      assert.ok(ok, `${client.name}: ${output}`);
      const [first = []] = await storiesOf(scene.relay, scene.servers[i], 1);
      const held = heldMs(first);
      assert.ok(held.length === 1 && (held[0] ?? 20_000) < 20_000, `${client.name} held ${held.join()} ms`);
    }),
  );
});

lab.test('never: all of them stall', ['postfix', ...EVERY], async () => {
  const scene = await stage(CLIENTS, ['--repair', 'never', '--set', `greeting.patience=${PATIENCE_MS}ms`]);
  const results = await Promise.all(
    CLIENTS.map((client, i) => deliver(client, scene.relay.ports[i] ?? 0, STALL_MS)),
  );
  const through = CLIENTS.filter((_, i) => results[i]?.ok);
  assert.equal(
    through.map(({ name }) => name),
    [],
  );
  assert.equal(heldMs(scene.relay.events()), []);
  assert.is(await verified(scene, scene.servers[0]), 'truncated', 'it is known all the same');
});

lab.test(
  'a last line that comes late is swallowed, and the next client waits for it',
  ['postfix', ...EVERY],
  async () => {
    const scene = await stage(TELLING, ['--set', `greeting.patience=${PATIENCE_MS}ms`], LATE_MS);
    await Promise.all(
      TELLING.map(async (client, i) => {
        const port = scene.relay.ports[i] ?? 0;
        // STARTTLS is asked for by name in the EHLO reply: a reply shifted by one has none.
        const { ok, output } = await deliver(client, port);
        assert.ok(ok, `${client.name}: ${output}`);
        assert.not.match(output, LATE.trim());
        const [first = []] = await storiesOf(scene.relay, scene.servers[i], 1);
        assert.is(await verified(scene, scene.servers[i]), 'teaser', client.name);
        assert.is(heldMs(first).length, 1, client.name);
        assert.ok(fieldsOf(first, 'phase', 'phase').includes('tls'), client.name);

        const next = await deliver(client, port);
        assert.ok(next.ok, `${client.name}: ${next.output}`);
        const [, second = []] = await storiesOf(scene.relay, scene.servers[i], 2);
        assert.equal(heldMs(second), [], `${client.name}: its own last line came`);
        assert.equal(linesOf(second, 'anomaly'), [], client.name);
      }),
    );
  },
);

lab.run();
