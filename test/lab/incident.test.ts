// The incident this project exists for, in captures as people make them: by tcpdump's own options, by a SPAN port that
// sees every frame twice, by a tap with a file for each direction; outside of the firewall, inside of it, and both. Nobody
// says that the captures lost nothing: what is told of the incident does not rest on that.

import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { LogLine } from '../kit/ehlowire';
import { labSuite, type Need } from '../kit/lab';
import { scratch } from '../kit/process';
import { ADDRESS, awaitWord, forgetStale, makeTopology, type Place, type Topology } from '../kit/topology';
import { compare, evaluate, type Expected } from './fault/evaluate';
import { analyze, analyzeTwoPoints } from './fault/product';
import { BEYOND, DNAT, HELLO, proved } from './fault/words';

type Side = 'outside' | 'inside';
const POINTS: Readonly<Record<Side, { readonly place: Place; readonly device: string }>> = {
  outside: { place: 'cli', device: 'eth0' },
  inside: { place: 'shim', device: 'wan' },
};

/** Ways to capture: the options of each file's tcpdump, and on which device. */
const WAYS = {
  'tcpdump as it comes': (device: string) => [['-i', device]],
  'a SPAN port': () => [['-i', SPAN]],
  'a tap': (device: string) => [
    ['-i', device, '-Q', 'in'],
    ['-i', device, '-Q', 'out'],
  ],
} as const satisfies Record<string, (device: string) => string[][]>;
type Way = keyof typeof WAYS;
const SPAN = 'span';
/** What the switch sends to the SPAN port. */
const MIRRORED = 'mirrored';

const STORIES = {
  incident: {
    faults: [DNAT, 'drop-acks', 'drop-ehlo'],
    outside: [proved('ehlo-dropped', { missing: HELLO, ...BEYOND })],
    inside: [proved('ehlo-dropped', { missing: HELLO, where: 'before' })],
    both: [proved('ehlo-dropped', { missing: HELLO, where: 'here' })],
  },
  'an honest firewall': { faults: [DNAT], outside: [], inside: [], both: [] },
} as const satisfies Record<
  string,
  { readonly faults: readonly string[] } & Record<Side | 'both', readonly Expected[]>
>;
type Story = keyof typeof STORIES;

const lab = labSuite('the incident');
const NEEDS: readonly Need[] = ['python3', 'tcpdump', 'nftables', 'ethtool'];
const NAME = 'ehli';
let captures: Readonly<Record<Story, Captures>>;

interface Captures {
  readonly client: string;
  readonly files: Readonly<Record<Side, Readonly<Record<Way, readonly string[]>>>>;
}

lab.before(async () => {
  forgetStale(NAME);
  const topology = makeTopology(`${NAME}${process.pid}`);
  if (typeof topology === 'string') throw new Error(topology);
  try {
    const server = topology.start('mta', 'python3', '-c', SERVER);
    await awaitWord(server, 'ready');
    for (const { place, device } of Object.values(POINTS)) await mirror(topology, place, device);
    const folder = scratch('incident');
    // tcpdump gives its rights away before it writes.
    chmodSync(folder, 0o777);
    captures = {
      incident: await play(topology, 'incident', 0, folder),
      'an honest firewall': await play(topology, 'an honest firewall', 1, folder),
    };
    await server.stop();
  } finally {
    topology.remove();
  }
});

for (const story of Object.keys(STORIES) as Story[]) {
  for (const way of Object.keys(WAYS) as Way[]) {
    for (const side of ['outside', 'inside'] as const) {
      lab.test(`${story}, ${side}, by ${way}`, NEEDS, async () => {
        const { files } = captures[story];
        tell(story, STORIES[story][side], await analyze(files[side][way], false));
      });
    }
    // Two points take one file each.
    if (way === 'a tap') continue;
    lab.test(`${story}, both sides, by ${way}`, NEEDS, async () => {
      const { outside, inside } = captures[story].files;
      const [wan = ''] = outside[way];
      const [dmz = ''] = inside[way];
      tell(story, STORIES[story].both, await analyzeTwoPoints(wan, dmz));
    });
  }
}

/** All that is said, and nothing else; and two sessions, however often their frames are there (of two points: none). */
function tell(story: Story, expected: readonly Expected[], log: readonly LogLine[]): void {
  const { verdicts } = evaluate(log, captures[story].client);
  const { wrong, missed } = compare(expected, verdicts);
  assert.equal({ wrong, missed }, { wrong: [], missed: [] });
  const sessions = log.filter(({ event }) => event === 'session');
  assert.ok(sessions.length === 2 || sessions.length === 0, `${sessions.length} sessions`);
}

/** A switch that is told to copy a port in both directions, from both ends of a cable: each frame comes twice. */
async function mirror(topology: Topology, place: Place, device: string): Promise<void> {
  const twice = `dup to "${MIRRORED}"; dup to "${MIRRORED}";`;
  const script = `
ip link add ${SPAN} type veth peer name ${MIRRORED}
ip link set ${SPAN} up
ip link set ${MIRRORED} up
nft -f - <<'END'
table netdev span {
  chain in { type filter hook ingress device "${device}" priority 0; ${twice} }
  chain out { type filter hook egress device "${device}" priority 0; ${twice} }
}
END`;
  const { code, output } = await topology.run(place, 10_000, 'sh', '-ec', script);
  if (code !== 0) throw new Error(`no SPAN port: ${output}`);
}

async function play(topology: Topology, story: Story, nth: number, folder: string): Promise<Captures> {
  const { v4 } = topology.moveClient(nth);
  const firewall = topology.start(
    'fw',
    'python3',
    script('firewall.py'),
    'out',
    'in',
    ...STORIES[story].faults,
  );
  await awaitWord(firewall, 'ready');
  const running = await Promise.all(
    Object.entries(POINTS).flatMap(([side, { place, device }]) =>
      Object.entries(WAYS).flatMap(([way, optionsOf]) =>
        optionsOf(device).map(async (options, part) => {
          const file = join(folder, `${nth}.${side}.${way.replace(/ /g, '-')}.${part}.pcap`);
          const child = topology.start(place, 'tcpdump', ...options, '-w', file, 'tcp port 25');
          await awaitWord(child, 'listening on');
          return { side: side as Side, way: way as Way, file, child };
        }),
      ),
    ),
  );
  const client = join(__dirname, 'fault/client.py');
  // A monitor behind it: by what passes later a capture shows that nothing was only late.
  for (const steps of [
    ['greeting', 'say:EHLO client.example', 'wait:5', 'abort'],
    ['greeting', 'close'],
  ]) {
    await topology.run('cli', 30_000, 'python3', client, ADDRESS.public, ...steps);
  }
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  await Promise.all(running.map(({ child }) => child.stop('SIGINT')));
  await firewall.stop();
  const of = (side: Side, way: Way): string[] =>
    running.flatMap((each) => (each.side === side && each.way === way ? [each.file] : []));
  const ways = (side: Side): Captures['files'][Side] => ({
    'tcpdump as it comes': of(side, 'tcpdump as it comes'),
    'a SPAN port': of(side, 'a SPAN port'),
    'a tap': of(side, 'a tap'),
  });
  return { client: v4, files: { outside: ways('outside'), inside: ways('inside') } };
}

function script(name: string): string {
  return join(__dirname, 'fault', name);
}

/** Greets and answers EHLO: what matters here is its TCP. */
const SERVER = `
import socketserver
class Server(socketserver.StreamRequestHandler):
    def handle(self):
        try:
            self.wfile.write(b'220 mx.example ESMTP\\r\\n')
            while self.rfile.readline():
                self.wfile.write(b'250 mx.example\\r\\n')
        except OSError:
            pass
class Threads(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
with Threads(('', 25), Server) as server:
    print('ready', flush=True)
    server.serve_forever()
`;
/** What the kernel has for tcpdump is in its file by then. */
const SETTLE_MS = 1_500;

lab.run();
