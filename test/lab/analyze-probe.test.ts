// `analyze --live IF --probe`: a probe goes only where the server's own frames go, whichever interface is looked at.

import * as assert from 'uvu/assert';
import { labSuite, type Need } from '../kit/lab';
import { launcher } from '../kit/launcher';
import { awaitWord, type Place } from '../kit/topology';
import { makeWire, ONE, startServers, WHOLE, type Servers, type Wire } from '../kit/wire';

const NEEDS: readonly Need[] = ['python3', 'tcpdump'];

const suite = labSuite('analyze --live --probe');
let wire: Wire;
let servers: Servers;

suite.before(async () => {
  // The shim is a plain bridge.
  wire = makeWire('n', { bridge: 'addresses' });
  servers = await startServers(wire, `[${ONE}]=${WHOLE}`);
});

suite.after(async () => {
  await servers.stop();
  await wire.remove();
});

interface Row {
  readonly name: string;
  readonly place: Place;
  readonly device: string;
  readonly asked: boolean;
}

const ROWS: readonly Row[] = [
  { name: "the server's own interface: asked", place: 'mta', device: 'eth0', asked: true },
  { name: 'the port of a bridge that faces the clients: asked', place: 'shim', device: 'wan', asked: true },
  { name: 'the port that faces the server: not asked', place: 'shim', device: 'lan', asked: false },
  { name: "the client's own interface: not asked", place: 'cli', device: 'eth0', asked: false },
];

const SILENT = `import socket, sys, time
s = socket.create_connection((sys.argv[1], 25)); s.recv(100); time.sleep(11)`;

for (const { name, place, device, asked } of ROWS) {
  suite.test(name, NEEDS, async () => {
    const args = ['analyze', '--live', device, '--probe', '--port', '25'];
    const live = wire.topology.start(
      place,
      launcher(),
      ...args,
      '--log',
      `${wire.folder}/${place}-${device}`,
    );
    await awaitWord(live, 'capturing');
    // Two probes: 3 s and 10 s after the greeting.
    await wire.topology.run('cli', 20_000, 'python3', '-c', SILENT, ONE);
    const { code, output } = await live.stop('SIGINT');
    assert.is(code, 0, output);
    assert.is(/client-silent proved, by probe/.test(output), asked, output);
    assert.is(/^2 probes not sent: the frames of the server do not leave by /m.test(output), !asked, output);
    assert.is(/client-gone/.test(output), false, output);
  });
}

suite.run();
