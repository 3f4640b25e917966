// A live capture on the namespace's loopback: real sockets, libpcap, Ctrl-C.

import { connect } from 'node:net';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { labSuite } from '../kit/lab';
import { startServer } from '../proxy/cli/servers';
import { buildLauncher, type Launched, type Result } from '../proxy/launch';

const suite = labSuite('analyze --live');
let launcher: ReturnType<typeof buildLauncher> | undefined;
suite.before(() => {
  launcher = buildLauncher();
  return Promise.resolve();
});
suite.after(() => {
  if (launcher) rmSync(launcher.dir, { recursive: true });
  return Promise.resolve();
});

const ANSWERS = {
  EHLO: '250-mx.demo\r\n250 SIZE\r\n',
  MAIL: '250 ok\r\n',
  RCPT: '250 ok\r\n',
  DATA: '354 go on\r\n',
  '.': '250 queued\r\n',
  QUIT: '221 bye\r\n',
};
/** Larger than any segment's 64 KiB: the last dot is far behind. */
const MESSAGE = `Subject: x\r\n\r\n${`${'y'.repeat(76)}\r\n`.repeat(20_000)}.\r\n`;

/** One session over real TCP: each line waits for the reply to the one before. */
async function deliver(port: number): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  const lines = [
    'EHLO vm\r\n',
    'MAIL FROM:<>\r\n',
    'RCPT TO:<x@mx.demo>\r\n',
    'DATA\r\n',
    MESSAGE,
    'QUIT\r\n',
  ];
  for (const line of lines) {
    await once(socket, 'data');
    socket.write(line);
  }
  await once(socket, 'close');
}

/** Runs `analyze --live lo` around some traffic, and ends it as Ctrl-C does. */
async function during(
  port: number,
  flags: readonly string[],
  traffic: () => Promise<unknown>,
): Promise<Result> {
  if (!launcher) throw new Error('no launcher');
  const live: Launched = launcher.launch(['analyze', '--live', 'lo', '--port', String(port), ...flags]);
  while (!live.heard.err.includes('capturing')) {
    if (live.child.exitCode !== null) throw new Error(live.heard.err);
    await once(live.child.stderr ?? live.child, 'data');
  }
  await traffic();
  live.child.kill('SIGINT');
  return live.ended;
}

suite.test('sessions as JSON lines, messages larger than a segment counted', [], async () => {
  const server = await startServer({ greeting: [[0, '220 mx.demo ESMTP\r\n']], answers: ANSWERS });
  const { out, err, code } = await during(server.port, ['--json'], async () => {
    for (let i = 0; i < 5; i += 1) await deliver(server.port);
  });
  server.stop();
  assert.is(code, 0, err);
  const lines = out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  const sessions = lines.filter((line) => line['event'] === 'session');
  assert.is(sessions.length, 5);
  for (const line of sessions) {
    assert.is(line['path'], 'capture');
    assert.is(line['messages'], 1);
    assert.is(line['hello'], 'vm');
    assert.ok(Number(line['bytes.client']) > MESSAGE.length);
    assert.equal(line['verdicts'], []);
  }
  assert.is(lines.filter((line) => line['event'] === 'loss').length, 0);
});

suite.test('text: a line for each session as it ends, then the summary', [], async () => {
  const server = await startServer({ greeting: [[0, '220 mx.demo ESMTP\r\n']], answers: ANSWERS });
  const { out, code } = await during(server.port, [], () => deliver(server.port));
  server.stop();
  assert.is(code, 0);
  assert.match(out, /^\d\d:\d\d:\d\d\.\d{3} {2}127\.0\.0\.1 +#1 +session .* 1 message /m);
  assert.match(out, /\nIn 1 session nothing shows that the path .*\n$/);
});

suite.test('other ports do not reach us', [], async () => {
  const server = await startServer({ greeting: [[0, '220 mx.demo ESMTP\r\n']], answers: ANSWERS });
  const { out } = await during(server.port + 1, [], () => deliver(server.port));
  server.stop();
  assert.match(out, /^ {2}Frames {4}0 of SMTP$/m);
});

suite.run();
