// The capture is open before the listener is: of the very first connection the handshake is seen.

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { startRelay } from '../kit/ehlowire';
import { labSuite } from '../kit/lab';
import { freePort, scratch, start, until } from '../kit/process';
import { startServer } from '../proxy/cli/servers';

/** Speaks at once, waits for the greeting and its answers, and leaves. */
const EARLY = `import socket, sys, time
s = socket.create_connection(('127.0.0.1', int(sys.argv[1]))); s.sendall(b'EHLO bot\\r\\n')
time.sleep(1.5); s.sendall(b'QUIT\\r\\n'); time.sleep(0.3); s.recv(500); s.close()`;

const suite = labSuite('the watch of the relay');

/** Comes as soon as it is let in, and stays for a while. */
const IMPATIENT = `import socket, sys, time
while True:
    try: s = socket.create_connection(('127.0.0.1', int(sys.argv[1]))); break
    except OSError: pass
s.recv(100); time.sleep(0.5); s.sendall(b'QUIT\\r\\n'); s.recv(100)`;

suite.test('a client that comes in the listener’s first moment', ['python3'], async () => {
  const server = await startServer({
    greeting: [[0, '220 mx.demo ESMTP\r\n']],
    answers: { QUIT: '221 bye\r\n' },
  });
  const port = await freePort();
  const client = start('python3', ['-c', IMPATIENT, String(port)]);
  const relay = await startRelay([`127.0.0.1:${server.port}`], [], undefined, port);
  try {
    const session = await until('its session', () => relay.events().find(({ event }) => event === 'session'));
    assert.type(session['rtt_ms'], 'number', JSON.stringify(session));
  } finally {
    await client.stop('SIGKILL');
    await relay.stop();
    server.stop();
    relay.discard();
  }
});

suite.test('a verdict leaves a capture and a page, and the capture says it again', ['python3'], async () => {
  const server = await startServer({
    greeting: [[600, '220 mx.demo ESMTP\r\n']],
    answers: { 'EHLO bot': '250 mx.demo\r\n', QUIT: '221 bye\r\n' },
  });
  const folder = scratch('kept');
  const relay = await startRelay([`127.0.0.1:${server.port}`], ['--evidence', folder]);
  try {
    const client = start('python3', ['-c', EARLY, String(relay.ports[0])]);
    await client.ended;
    const [capture = ''] = await until('its evidence', () => {
      const names = readdirSync(folder).filter((name) => name.endsWith('-early-talker.pcapng'));
      return names.length > 0 ? names : undefined;
    });
    const launcher = join(__dirname, '../../ehlowire');
    const port = ['--port', String(relay.ports[0])];
    const { output } = await start(launcher, ['analyze', '--json', ...port, join(folder, capture)]).ended;
    assert.match(output, /"verdict":"early-talker","certainty":"proved"/);
  } finally {
    await relay.stop();
    server.stop();
    relay.discard();
  }
});

suite.run();
