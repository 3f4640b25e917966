// The file of what is known of servers: each way in which it can be unusable has an outcome, and processes share it.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { NOTHING_SAVED, toSaved, type KnownServer } from '../../../proxy/servers/saved';
import { openStore, readServers } from '../../../proxy/servers/store';
import { scratch } from '../../kit/process';
import { rememberingSink } from '../relay/stage';

const HONEST = { greeting: 'wellformed', policy: 'observe', lines: 0, delay: 0 } as const;

function known(last: number, learned: number): KnownServer {
  return { server: { address: `192.0.2.${last}`, port: 25 }, knowledge: HONEST, way: 'seen', learned };
}

function text(servers: readonly unknown[], more: object = {}): string {
  return JSON.stringify({ ...toSaved(NOTHING_SAVED), servers, ...more });
}

interface Row {
  readonly name: string;
  make(file: string): void;
  /** Of the fault, behind the file's name; undefined: there is none. */
  readonly why: string | undefined;
  readonly servers?: readonly KnownServer[];
}

const ONE = known(1, 1);
const TABLE: readonly Row[] = [
  { name: 'no file', make: () => undefined, why: undefined },
  { name: 'whole', make: (file) => writeFileSync(file, text([ONE])), why: undefined, servers: [ONE] },
  {
    name: 'of a version that did not write when it was learned',
    make: (file) => writeFileSync(file, text([{ ...ONE, learned: undefined }])),
    why: undefined,
    servers: [{ ...ONE, learned: 0 }],
  },
  {
    name: 'of a later version',
    make: (file) => writeFileSync(file, text([ONE], { schema: 3 })),
    why: ': it is of version 3, and this ehlowire reads version 2',
  },
  {
    name: 'of an earlier version',
    make: (file) => writeFileSync(file, text([ONE], { schema: 1 })),
    why: ': it is of version 1, and this ehlowire reads version 2',
  },
  {
    name: 'JSON of another program',
    make: (file) => writeFileSync(file, '{"servers":[]}'),
    why: ': it has no version, and this ehlowire reads version 2',
  },
  {
    name: 'a list',
    make: (file) => writeFileSync(file, '[]'),
    why: ': it has no version, and this ehlowire reads version 2',
  },
  { name: 'a text', make: (file) => writeFileSync(file, '"x"'), why: ': it is not a JSON object' },
  {
    name: 'cut short',
    make: (file) => writeFileSync(file, text([ONE]).slice(0, -9)),
    why: ': it is not JSON',
  },
  { name: 'empty', make: (file) => writeFileSync(file, ''), why: ': it is not JSON' },
  {
    name: 'zeros, as after a power cut',
    make: (file) => writeFileSync(file, '\0'.repeat(99)),
    why: ': it is not JSON',
  },
  { name: 'a folder', make: (file) => mkdirSync(file), why: ': it is not a regular file' },
  { name: 'a pipe', make: (file) => execFileSync('mkfifo', [file]), why: ': it is not a regular file' },
  {
    name: 'one entry of two makes no sense',
    make: (file) => writeFileSync(file, text([{}, ONE])),
    why: ': 1 of its entries make no sense',
    servers: [ONE],
  },
];

for (const { name, make, why, servers = [] } of TABLE) {
  test(`${name}: what is read, what is reported, and learning goes on`, async () => {
    const file = join(scratch('store'), 'servers.json');
    make(file);
    const sink = rememberingSink();
    const store = openStore(file, sink);
    assert.equal(store.saved.servers, servers);
    const notes = sink.notes.map(({ what, fields }) => `${what} ${String(fields?.['message'])}`);
    const again = `it is learned again, and this file is kept as ${file}.unread`;
    const report = `servers-unread cannot read what was learned of servers: ${file}${why}: ${again}`;
    assert.equal(notes, why === undefined ? [] : [report]);
    const shared = sharedServers([...servers]);
    store.share(shared);
    shared.learn(known(2, 2));
    await store.close();
    assert.equal(readServers(file), { saved: { ...NOTHING_SAVED, servers: [...servers, known(2, 2)] } });
    assert.is(existsSync(`${file}.unread`), why !== undefined);
    assert.equal(
      readdirSync(join(file, '..')).length,
      why === undefined ? 1 : 2,
      'nothing half written is left',
    );
  });
}

test('what one process learns the other takes over, and neither loses what the other wrote', async () => {
  const file = join(scratch('store'), 'folder', 'servers.json');
  const [relay, wire] = [openStore(file, rememberingSink()), openStore(file, rememberingSink())];
  const ofRelay = sharedServers();
  const ofWire = sharedServers();
  relay.share(ofRelay);
  wire.share(ofWire);
  ofRelay.learn(known(1, 1));
  await relay.close();
  // It is written at once.
  wire.report({ lost: 5, unwatched: 7 });
  ofWire.learn(known(2, 2));
  await wire.close();
  assert.equal(ofWire.known(), [known(1, 1), known(2, 2)]);
  await relay.close();
  assert.equal(ofRelay.known(), [known(1, 1), known(2, 2)]);
  // The relay writes once more, and what only the wire writes stays.
  ofRelay.learn(known(3, 3));
  await relay.close();
  const { saved } = readServers(file);
  assert.equal(
    saved.servers.map(({ learned }) => learned),
    [1, 2, 3],
  );
  assert.equal(saved.reported, { lost: 5, unwatched: 7 });
});

test('nothing new, nothing written; where nothing can be written, one note says so', async () => {
  const folder = scratch('store');
  const sink = rememberingSink();
  const quiet = openStore(join(folder, 'servers.json'), sink);
  quiet.share(sharedServers([ONE]));
  await quiet.close();
  assert.equal(readdirSync(folder), []);
  writeFileSync(join(folder, 'in-the-way'), '');
  const store = openStore(join(folder, 'in-the-way', 'servers.json'), sink);
  const servers = sharedServers();
  store.share(servers);
  for (const each of [1, 2]) {
    servers.learn(known(each, each));
    await store.close();
  }
  const notes = sink.notes.filter(({ what }) => what === 'servers-unsaved');
  assert.is(notes.length, 1);
  assert.match(
    String(notes[0]?.fields?.['message']),
    /^cannot write file: .*servers\.json: the system said E\w+$/,
  );
  assert.is(readFileSync(join(folder, 'in-the-way'), 'utf8'), '');
});

/** As `createServers` makes it, as far as a store sees of it. */
function sharedServers(all: KnownServer[] = []) {
  let lessons = 0;
  return {
    known: () => [...all],
    suspects: () => [],
    get lessons() {
      return lessons;
    },
    adopt: (known: readonly KnownServer[]) => void all.push(...known),
    learn(server: KnownServer) {
      all.push(server);
      lessons += 1;
    },
  };
}

test.run();
