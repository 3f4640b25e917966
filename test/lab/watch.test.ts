// The capture is open before the listener is: of the very first connection the handshake is seen.

import * as assert from 'uvu/assert';
import { startRelay } from '../kit/ehlowire';
import { labSuite } from '../kit/lab';
import { freePort, start, until } from '../kit/process';
import { startServer } from '../proxy/commands/servers';

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

suite.run();
