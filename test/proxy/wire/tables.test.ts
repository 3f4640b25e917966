// The kernel's table of servers: what it holds, what it has no room for, and that whoever asks is told.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openLibbpf } from '../../../proxy/native/libbpf';
import { formatFault, isFault } from '../../../proxy/system/fault';
import { createTables, tableOf, type Tables } from '../../../proxy/wire/tables';
import { OBJECT } from '../../../proxy/wire/wire';
import { skip } from '../../kit/lab';
import { missing } from './program';

const ROOM = 3;
const REPAIR = { policy: 'repair', lines: 1 } as const;
const server = (n: number) => ({ address: n % 2 ? `192.0.2.${n}` : `2001:db8::${n}`, port: 25 });

/** What is done, its answer, how many are held then, and how many are not. */
type Step = readonly [act: (tables: Tables) => unknown, answer: unknown, held: number, unheld: number];
const set =
  (n: number, value: Parameters<Tables['setServer']>[1] = REPAIR) =>
  (tables: Tables) =>
    tables.setServer(server(n), value);
const drop = (n: number) => (tables: Tables) => tables.deleteServer(server(n));
const FULL: readonly Step[] = [
  [set(1), 'ok', 1, 0],
  [set(2), 'ok', 2, 0],
  [set(3), 'ok', 3, 0],
];

const ROWS: readonly (readonly [name: string, steps: readonly Step[]])[] = [
  ['what has room is held, and counted nowhere else', FULL],
  ['what has none is said, and counted', [...FULL, [set(4), 'full', 3, 1], [set(5), 'full', 3, 2]]],
  ['one that is refused twice is counted once', [...FULL, [set(4), 'full', 3, 1], [set(4), 'full', 3, 1]]],
  [
    'a full table still takes another policy of a server that it holds',
    [...FULL, [set(3, { policy: 'observe', lines: 0 }), 'ok', 3, 0]],
  ],
  ['a deleted one makes room', [...FULL, [drop(2), 'ok', 2, 0], [set(4), 'ok', 3, 0]]],
  [
    'one that finds room later is no more counted',
    [...FULL, [set(4), 'full', 3, 1], [drop(1), 'ok', 2, 1], [set(4), 'ok', 3, 0]],
  ],
  [
    'one that needs no entry any more is no more counted',
    [...FULL, [set(4), 'full', 3, 1], [drop(4), 'ok', 3, 0]],
  ],
  ['to delete one that is not there is no error', [[drop(9), 'ok', 0, 0]]],
  [
    'new settings do not forget the count',
    [
      ...FULL,
      [set(4), 'full', 3, 1],
      [(tables) => tables.configure({ unknown: 'observe', relay: undefined }), undefined, 3, 1],
    ],
  ],
];

const why = missing();
if (why !== undefined) skip(test, 'the table of servers', why);
else {
  const bpf = openLibbpf();
  if (isFault(bpf)) throw new Error(formatFault(bpf));
  const object = bpf.load({
    object: OBJECT,
    sizes: { servers: ROOM, ring: 1 << 22, ...tableOf(16) },
  });
  if (isFault(object)) throw new Error(formatFault(object));
  test.after(() => object.close());
  for (const [name, steps] of ROWS) {
    test(name, () => {
      const tables = createTables(bpf, object.map);
      tables.servers().forEach((each) => tables.deleteServer(each.server));
      tables.configure({ unknown: 'observe', relay: undefined });
      // What `status` reads, which is another process.
      const others = createTables(bpf, object.map);
      steps.forEach(([act, answer, held, unheld], i) => {
        assert.is(act(tables), answer, `step ${i}`);
        assert.is(others.servers().length, held, `step ${i}`);
        assert.is(others.unheld(), unheld, `step ${i}`);
      });
    });
  }
}

test.run();
