// A relay whose process has few file descriptors: who comes when they are used up is told so, and so is the log.

import { chmodSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { connectionsFor } from '../../../proxy/relay/descriptors';
import { startRelay } from '../../kit/ehlowire';
import { scratch } from '../../kit/process';
import { call, eventually, GREETING, playServer, politely } from './peers';

const LIMIT = 96;
const CLIENTS = 100;
/** On a machine that has much else to do. */
const PATIENCE_MS = 60_000;

/** The launcher in a shell with that limit; node raises its own to the hard one, so both are set. */
function limited(): string {
  const script = join(scratch('descriptors'), 'ehlowire');
  const launcher = join(__dirname, '../../../ehlowire');
  writeFileSync(script, `#!/bin/sh\nulimit -n ${LIMIT}\nexec ${launcher} "$@"\n`);
  chmodSync(script, 0o755);
  return script;
}

for (const host of ['127.0.0.1', 'localhost']) {
  test(`more clients than descriptors, the server given as ${host}: 421 for the rest`, async () => {
    const server = await playServer(politely);
    const relay = await startRelay([`${host}:${server.port}`], [], limited());
    const open = (): number => readdirSync(`/proc/${relay.pid}/fd`).length;
    const before = open();
    const port = relay.ports[0] ?? 0;
    const clients = await Promise.all(Array.from({ length: CLIENTS }, () => call(port)));
    await eventually('each has a line', () => clients.every((client) => client.text().endsWith('\r\n')));
    const refused = clients.filter((client) => client.text().startsWith('421 '));
    const greeted = clients.filter((client) => client.text() === GREETING);
    assert.is(refused.length + greeted.length, CLIENTS);
    assert.ok(greeted.length >= connectionsFor(LIMIT) && refused.length > 0, `${greeted.length} greeted`);
    for (const { socket } of clients) socket.destroy();
    await eventually('as before, or nearly', () => open() <= before + 2);
    const after = await call(port);
    await after.expect(GREETING);
    after.socket.destroy();
    // Killed, it could not write its last lines.
    await relay.stop(PATIENCE_MS);
    const events = relay.events();
    const of = (event: string) => events.filter((line) => line.event === event);
    const closes = of('session').filter((line) => line['close.reason'] === 'descriptors');
    // So many at once are not all told one by one.
    const counted = of('omitted').reduce(
      (sum, { of: kinds }) => sum + ((kinds as { session?: number }).session ?? 0),
      0,
    );
    assert.is(closes.length + counted, refused.length);
    assert.ok(closes.every((line) => line['close.by'] === 'shim'));
    const [note] = of('descriptors-few');
    for (const field of ['session', 'client.address', 'server.port', 'limit', 'message']) {
      assert.ok(note?.[field] !== undefined || host !== '127.0.0.1', field);
    }
    assert.is(of('stopped').length, 1);
    relay.discard();
    await server.close();
  });
}

test('where descriptors are few, a client that the load refuses does not wait for its 421', async () => {
  const server = await playServer(politely);
  const most = connectionsFor(LIMIT) - 1;
  const settings = [`connectionsPerClient=${most}`, 'refusalDelay=1h'];
  const sets = settings.flatMap((each) => ['--set', `policy.limits.${each}`]);
  const relay = await startRelay([`127.0.0.1:${server.port}`], sets, limited());
  const port = relay.ports[0] ?? 0;
  const clients = await Promise.all(Array.from({ length: most }, () => call(port)));
  await eventually('all are greeted', () => clients.every((client) => client.text() === GREETING));
  const next = await call(port);
  await next.ending();
  assert.match(next.text(), /^421 4\.7\.0 /);
  for (const { socket } of [next, ...clients]) socket.destroy();
  await relay.stop(PATIENCE_MS);
  relay.discard();
  await server.close();
});

test.run();
