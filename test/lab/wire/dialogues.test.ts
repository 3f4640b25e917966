// Dialogues that are more than RFC 5321, in the kernel's segments: the same lines as a relay's, on every way.

import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { LogLine } from '../../kit/ehlowire';
import { labSuite, type Need } from '../../kit/lab';
import { awaitWord } from '../../kit/topology';
import { makeWire, NODE, ONE, THREE, TWO, type Wire, type WireOptions } from '../../kit/wire';
import { complaintsOf, DIALOGUES, PLAYER, SECRETS } from '../dialogues.table';
import { CONTENTS, PHASES, PIPELINED, PRDR, TIMES } from '../exim';
import { fieldsOf, phasesOf, type Story } from '../record';

interface Way {
  readonly name: string;
  readonly label: string;
  readonly options: WireOptions;
  readonly args: readonly string[];
  /** Of each server's connections, in their order; the last one goes for all that follow. */
  readonly paths: readonly string[];
}

const WAYS: readonly Way[] = [
  { name: 'bridge, wire', label: 'dw', options: {}, args: ['--path', 'wire'], paths: ['wire'] },
  {
    name: 'bridge, auto',
    label: 'da',
    options: { bridge: 'addresses' },
    args: ['--path', 'auto'],
    paths: ['relay', 'wire'],
  },
  { name: 'host', label: 'dh', options: { as: 'host' }, args: [], paths: ['wire'] },
];

const NEEDS: readonly Need[] = ['postfix', 'exim', 'python3', 'openssl', 'swaks', 'ethtool', 'bpf'];
const AT = { postfix: ONE, exchange: TWO, exim: THREE } as const;

const lab = labSuite('wire, dialogues');

for (const way of WAYS) {
  lab.test(way.name, NEEDS, async () => {
    const wire = makeWire(way.label, way.options);
    try {
      await tryWay(wire, way);
    } finally {
      await wire.remove();
    }
  });
}

async function tryWay(wire: Wire, { args, paths }: Way): Promise<void> {
  const { topology } = wire;
  const servers = topology.start(
    'mta',
    ...NODE,
    join(__dirname, 'dialogue-servers.ts'),
    AT.postfix,
    AT.exchange,
  );
  const exim = topology.start('mta', ...NODE, join(__dirname, '../exim.ts'), 'serve', AT.exim);
  await Promise.all([awaitWord(servers, 'ready\n', 60_000), awaitWord(exim, 'ready\n', 60_000)]);
  await wire.enter(...args);
  const nth = { postfix: 0, exchange: 0 };
  for (const row of DIALOGUES) {
    const { code, output } = await topology.run(
      'cli',
      60_000,
      'python3',
      PLAYER,
      AT[row.server],
      ...row.steps,
    );
    assert.is(code, 0, `${row.name}: ${output}`);
    const story = await storyOf(wire, AT[row.server], nth[row.server]++);
    assert.equal(phasesOf(story), row.phases, row.name);
    assert.equal(complaintsOf(story), row.anomalies ?? [], row.name);
    assert.equal(fieldsOf(story, 'session', 'messages'), [row.messages], row.name);
  }
  for (const content of CONTENTS) {
    const { code, output } = await topology.run(
      ...(['cli', 120_000, ...NODE, join(__dirname, '../exim.ts'), 'send', AT.exim, content] as const),
    );
    assert.is(code, 0, output);
    for (const word of [PIPELINED, PRDR]) assert.match(output, word);
  }
  await storyOf(wire, AT.exim, TIMES * CONTENTS.length - 1);
  const served = (await Promise.all([servers.stop('SIGINT', 10_000), exim.stop('SIGINT', 10_000)]))
    .map(({ output }) => output)
    .join('');
  judge(wire.events(), served, paths);
}

function judge(events: readonly LogLine[], served: string, paths: readonly string[]): void {
  for (const server of Object.values(AT)) {
    const lines = events.filter((line) => line['server.address'] === server);
    const taken = fieldsOf(lines, 'session', 'path');
    assert.equal(
      taken,
      taken.map((_, i) => paths[Math.min(i, paths.length - 1)]),
    );
  }
  assert.equal(complaintsOf(events.filter((line) => line['server.address'] === AT.exim)), []);
  const ofExim = sessionsOf(events, AT.exim).map((session) => phasesOf(session).slice(1));
  const ends = ['message 250', 'quit 221', 'close'];
  assert.equal(
    ofExim,
    CONTENTS.flatMap((content) =>
      Array.from({ length: TIMES }, () => [...PHASES, ...(content === 'data' ? ['data 354'] : []), ...ends]),
    ),
  );
  for (const word of DIALOGUES.flatMap((row) => row.served)) assert.match(served, word);
  for (const secret of SECRETS) assert.not.match(JSON.stringify(events), secret);
}

/** In the order in which they ended. */
function sessionsOf(events: readonly LogLine[], server: string): Story[] {
  const lines = events.filter((line) => line['server.address'] === server);
  const ended = lines.filter(({ event }) => event === 'session').map(({ session }) => session);
  return ended.map((id) => lines.filter(({ session }) => session === id));
}

async function storyOf(wire: Wire, server: string, nth: number): Promise<Story> {
  const story = (): Story | undefined => sessionsOf(wire.events(), server)[nth];
  await wire.line(`session ${nth} of ${server}`, () => story() !== undefined, 20_000);
  return story() ?? [];
}

lab.run();
