// What has no defect crosses as it is: bulk, many sessions, and all that is not SMTP.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { LogLine } from '../../kit/ehlowire';
import { labSuite, type Need } from '../../kit/lab';
import { makeMessage, writeMessage } from '../../kit/message';
import { until } from '../../kit/process';
import { deliver, makeWire, ONE, ONE6, SIX, startLoad, startServers, TWO, WHOLE } from '../../kit/wire';
import type { Servers, Wire } from '../../kit/wire';
import { tapBoth } from './frames';
import { layTags, TAGGED, TAGGED6, TWICE } from './tags';

const NEEDS: readonly Need[] = ['python3', 'tcpdump', 'curl', 'clang', 'smtp-source', 'postfix', 'bpf'];
const BULK = 50 * 1024 * 1024;
const TRAFFIC = join(__dirname, '../../kit/traffic.py');
/** More than half of the number space (RFC 9293 §3.4), in whole writes of that client. */
const LONG = 35_000 * 840 * 78;
const WAYS = [ONE, ONE6, TAGGED, TAGGED6, TWICE];

const lab = labSuite('wire, unharmed');
let wire: Wire;
let servers: Servers;

lab.before(async () => {
  wire = makeWire('n');
  await layTags(wire);
  servers = await startServers(wire, ...[...WAYS, TWO].map((host) => `[${host}]=${WHOLE}`));
  await wire.enter('--path', 'wire');
});

lab.after(async () => {
  await servers.stop();
  await wire.remove();
});

const lossless = (): void => {
  for (const event of ['loss', 'verdict', 'anomaly', 'repair']) {
    assert.equal(
      wire.events().filter((line) => line.event === event),
      [],
    );
  }
};

function sessionsAt(server: string): LogLine[] {
  return wire.events().filter((line) => line.event === 'session' && line['server.address'] === server);
}

lab.test('a message of 50 MiB, whole, and counted to the last octet', NEEDS, async () => {
  wire.offload(true);
  const message = makeMessage({ octets: BULK, eightBit: false });
  const path = writeMessage(join(wire.folder, 'bulk.eml'), message);
  const { ok, output } = await deliver(wire, 'curl', TWO, path, 120_000);
  assert.ok(ok, output.slice(-2_000));
  wire.offload(false);
  assert.equal(servers.mails(TWO), [createHash('sha256').update(message.octets).digest('hex')]);
  const session = await wire.line('its session', (line) => line.event === 'session');
  assert.is(session['messages'], 1);
  const phase = wire.events().find((line) => line['phase'] === 'message');
  // With the dots that are doubled on the way (RFC 5321 §4.5.2).
  const stuffed = BULK + message.octets.toString('latin1').split('\r\n.').length - 1;
  assert.is(phase?.['bytes'], stuffed);
  assert.is(servers.octets(TWO), session['bytes.client']);
  const { counters } = await wire.status();
  assert.ok((counters['elided_octets'] ?? 0) > 0.99 * BULK, 'the bulk stayed in the kernel');
  lossless();
});

for (const server of WAYS) {
  lab.test(`sessions with ${server}: every frame as it was, every session told`, NEEDS, async () => {
    const crossing = await tapBoth(wire, '', async () => {
      const tally = await startLoad(wire, server, { connections: 4, pace: 0, sessions: 40 }).ended;
      assert.equal(tally, { fine: 40, messages: 80, failed: {} });
    });
    assert.equal(crossing.changed, []);
    await wire.line('their sessions', () => sessionsAt(server).length === 40);
    for (const line of sessionsAt(server)) {
      assert.equal([line['messages'], line['bytes.client'], line['bytes.server']], [2, 395, 225]);
    }
    lossless();
  });
}

lab.test('2000 messages from 20 sources: all delivered, all told', NEEDS, async () => {
  const sink = wire.topology.start('mta', 'smtp-sink', '-u', 'nobody', '-c', `${SIX}:25`, '512');
  const source = ['smtp-source', '-s', '20', '-m', '2000', '-l', '4096', '-f', 'a@client.example'];
  // It may not listen yet.
  const sent = await until('smtp-sink', async () => {
    const outcome = await wire.topology.run(
      'cli',
      120_000,
      ...(source as [string]),
      '-t',
      'b@dest.example',
      SIX,
    );
    return outcome.output.includes('refused') ? undefined : outcome;
  });
  assert.is(sent.code, 0, sent.output);
  await until('2000 sessions', () => countSessions() >= 2_000 || undefined, 60_000);
  await sink.stop();
  const told = sessionsAt(SIX);
  assert.is(told.length, 2_000);
  assert.ok(told.every((line) => line['messages'] === 1 && Number(line['bytes.client']) > 4_096));
  const phases = wire.events().filter((line) => line.event === 'phase' && line['server.address'] === SIX);
  assert.equal(tally(phases.map((line) => String(line['phase']))), {
    ...Object.fromEntries(PHASES.map((phase) => [phase, 2_000])),
  });
  lossless();
});

lab.test('a message longer than sequence numbers can compare, its segments out of order', NEEDS, async () => {
  wire.offload(true);
  const sink = wire.topology.start('mta', 'python3', TRAFFIC, 'serve', SIX);
  await until('it to listen', () => sink.output().includes('ready') || undefined);
  const sent = await wire.topology.run('cli', 120_000, 'python3', TRAFFIC, 'bulk', SIX, String(LONG));
  assert.is(sent.code, 0, sent.output);
  await sink.stop();
  wire.offload(false);
  const session = await wire.line(
    'its session',
    (line) => line.event === 'session' && Number(line['bytes.client']) > LONG,
  );
  const phase = wire
    .events()
    .find((line) => line['phase'] === 'message' && line['session'] === session['session']);
  assert.is(phase?.['bytes'], LONG);
  lossless();
});

const PHASES = ['connect', 'greeting', 'hello', 'mail', 'rcpt', 'data', 'message', 'quit', 'close'];

/** Of the sink, without reading tens of thousands of lines each time. */
function countSessions(): number {
  const lines = readFileSync(join(wire.folder, 'events'), 'latin1').split('\n');
  return lines.filter((line) => line.includes('"event":"session"') && line.includes(`"${SIX}"`)).length;
}

function tally(words: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const word of words) counts[word] = (counts[word] ?? 0) + 1;
  return counts;
}

lab.test('what is not SMTP: ARP, ICMP, UDP, fragments, other TCP', NEEDS, async () => {
  const { topology, client } = wire;
  const before = (await wire.status()).counters;
  const other = topology.start('mta', 'python3', '-c', OTHERS);
  await until('it to listen', () => other.output().includes('ready') || undefined);
  const { others, segments, changed } = await tapBoth(wire, '', async () => {
    for (const place of ['cli', 'mta'] as const) wire.ip(place, 'neighbour flush dev eth0');
    const { code, output } = await topology.run('cli', 30_000, 'python3', '-c', TALK, ONE, ONE6);
    assert.is(code, 0, `${client.v4}: ${output}`);
  });
  await other.stop();
  assert.equal({ segments, changed }, { segments: 0, changed: [] });
  assert.ok(others > 500, `${others} frames`);
  const after = (await wire.status()).counters;
  assert.is(after['segments'], before['segments'], 'nothing of it was looked at');
  assert.is(after['malformed'], before['malformed']);
});

/** An echo of datagrams, and a mill that answers with what it got, on ports that are not looked at. */
const OTHERS = `
import socket, threading
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); udp.bind(('198.19.0.4', 53))
def echo():
    while True: udp.sendto(*udp.recvfrom(65535))
threading.Thread(target=echo, daemon=True).start()
tcp = socket.create_server(('198.19.0.4', 8080)); print('ready', flush=True)
while True:
    one, _ = tcp.accept()
    while data := one.recv(65536): one.sendall(data)
    one.close()
`;

const TALK = `
import socket, struct, sys, os, threading
def total(octets):
    words = sum(struct.unpack(f'!{len(octets) // 2}H', octets))
    words = (words & 0xffff) + (words >> 16)
    return ~(words + (words >> 16)) & 0xffff
for target, family, protocol, kind in ((sys.argv[1], socket.AF_INET, 1, 8), (sys.argv[2], socket.AF_INET6, 58, 128)):
    icmp = socket.socket(family, socket.SOCK_RAW, protocol); icmp.settimeout(10)
    for size in (0, 56, 8000):
        data = struct.pack('!HH', 4711, size) + os.urandom(size)
        sum_ = total(bytes([kind, 0, 0, 0]) + data) if kind == 8 else 0
        icmp.sendto(struct.pack('!BBH', kind, 0, sum_) + data, (target, 0))
        while not icmp.recv(65535).endswith(data): pass
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); udp.settimeout(10)
for size in (0, 1, 1400, 20000):
    data = os.urandom(size); udp.sendto(data, (sys.argv[1], 53))
    assert udp.recvfrom(65535)[0] == data
tcp = socket.create_connection((sys.argv[1], 8080), 10); data = os.urandom(2_000_000); back = b''
threading.Thread(target=lambda: (tcp.sendall(data), tcp.shutdown(socket.SHUT_WR))).start()
while part := tcp.recv(65536): back += part
assert back == data
`;

/** What a program that sends frames says, what crossed meanwhile, and by how much the counters grew. */
async function sendFrames(program: string): Promise<Awaited<ReturnType<typeof tapBoth>> & Sent> {
  const { topology } = wire;
  for (const [place, ...devices] of CABLES) {
    for (const device of devices) wire.ip(place, `link set ${device} mtu 9000`);
  }
  const before = (await wire.status()).counters;
  let said = NaN;
  const crossing = await tapBoth(wire, '', async () => {
    const there = (await topology.run('mta', 5_000, 'cat', '/sys/class/net/eth0/address')).output.trim();
    const path = join(__dirname, program);
    const { code, output } = await topology.run('cli', 10_000, 'python3', path, 'eth0', there);
    assert.is(code, 0, output);
    said = Number(output);
  });
  const after = (await wire.status()).counters;
  return { ...crossing, said, more: (name) => (after[name] ?? 0) - (before[name] ?? 0) };
}

interface Sent {
  readonly said: number;
  more(counter: string): number;
}

lab.test('frames that nobody expects, jumbo ones too', NEEDS, async () => {
  const { said, others, segments, changed, more } = await sendFrames('odd_frames.py');
  assert.equal(changed, []);
  assert.ok(said > 20 && others + segments >= said, `${others + segments} of ${said}`);
  assert.is(more('fragments'), 3);
  assert.ok(more('malformed') >= 6, `malformed: ${more('malformed')}`);
});

lab.test('headers that do not lie in one piece', NEEDS, async () => {
  // A device that does not gather would put them together.
  wire.offload(true);
  const { said, changed, more } = await sendFrames('pieces.py');
  wire.offload(false);
  assert.equal(changed, []);
  assert.equal(['segments', 'octets', 'malformed'].map(more), [5, said, 0]);
});

const CABLES = [
  ['cli', 'eth0'],
  ['fw', 'out', 'in', 'br0'],
  ['shim', 'wan', 'lan', 'ehlowire0'],
  ['mta', 'eth0'],
] as const;

lab.run();
