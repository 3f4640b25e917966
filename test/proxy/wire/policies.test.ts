// Who has an entry in the kernel's table, and who gives up a place when there is none left.

import type { Endpoint } from '../../../inspect/address';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { GreetingKnowledge } from '../../../inspect/greeting/known';
import { createBounds } from '../../../proxy/sinks/bounds';
import { readServers, type ServerRepairs } from '../../../proxy/config/servers';
import type { Sink } from '../../../proxy/sinks/record';
import { createPolicies, type Asked } from '../../../proxy/wire/policies';
import type { Tables, WireServer } from '../../../proxy/wire/tables';

const ROOM = 3;
const WHOLE = { greeting: 'wellformed', policy: 'observe', lines: 1, delay: 0 } as const;
const TEASER = { greeting: 'teaser', policy: 'observe', lines: 1, delay: 6e6 } as const;
const LONE = { greeting: 'truncated', policy: 'repair', lines: 1, delay: 0 } as const;
const CUT = { greeting: 'malformed', policy: 'relay', lines: 1, delay: 0 } as const;
const server = (n: number): Endpoint => ({ address: `192.0.2.${n}`, port: 25 });

/** A table with three places. */
function createTable(): {
  tables: Tables;
  held: Map<string, WireServer & { server: Endpoint }>;
  looks: number;
} {
  const held = new Map<string, WireServer & { server: Endpoint }>();
  const result = { tables: {} as Tables, held, looks: 0 };
  const tables: Pick<Tables, 'setServer' | 'deleteServer' | 'server' | 'servers'> = {
    setServer(each, value) {
      if (held.size >= ROOM && !held.has(each.address)) return 'full';
      held.set(each.address, { ...value, contradicted: false, server: each });
      return 'ok';
    },
    deleteServer(each) {
      held.delete(each.address);
      return 'ok';
    },
    server: (each) => held.get(each.address),
    servers() {
      result.looks += 1;
      return [...held.values()];
    },
  };
  result.tables = tables as Tables;
  return result;
}

const NONE: ServerRepairs = new Map();
const mustRelay = (): boolean => false;
const AUTO: Asked = { path: 'auto', repair: 'learn', servers: NONE, canRelay: true, mustRelay };
const WIRE: Asked = { path: 'wire', repair: 'learn', servers: NONE, canRelay: true, mustRelay };
/** A rule is enforced, and the second server is exempt. */
const STRICT: Asked = { ...AUTO, mustRelay: ({ address }) => address !== '192.0.2.2' };
const DECIDED = readServers([
  { server: '192.0.2.1:25', repair: 'now' },
  { server: '192.0.2.2:25', repair: 'never' },
  { server: '192.0.2.3:25', repair: 'learn' },
]);
type Row = readonly [
  name: string,
  asked: Asked,
  steps: readonly (readonly [n: number, knowledge: GreetingKnowledge | undefined])[],
  held: readonly string[],
  told: readonly string[],
];
const ROWS: readonly Row[] = [
  ['on the wire whoever is only observed has no entry', WIRE, [1, 2, 3, 4].map((n) => [n, WHOLE]), [], []],
  [
    'in auto whoever is only observed has one, as long as there is room',
    AUTO,
    [
      [1, WHOLE],
      [2, TEASER],
      [3, WHOLE],
      [4, WHOLE],
    ],
    ['1 observe', '2 observe', '3 observe'],
    ['192.0.2.4:25 observe'],
  ],
  [
    'a repair takes the place of one that is only observed, and that one is told',
    AUTO,
    [
      [1, LONE],
      [2, WHOLE],
      [3, LONE],
      [4, LONE],
    ],
    ['1 repair', '3 repair', '4 repair'],
    ['192.0.2.2:25 observe'],
  ],
  [
    'where all are repaired, the last one finds no place, and is told',
    AUTO,
    [
      [1, LONE],
      [2, LONE],
      [3, LONE],
      [4, LONE],
    ],
    ['1 repair', '2 repair', '3 repair'],
    ['192.0.2.4:25 repair'],
  ],
  [
    'one that is forgotten makes room',
    AUTO,
    [
      [1, LONE],
      [2, LONE],
      [3, LONE],
      [2, undefined],
      [4, LONE],
    ],
    ['1 repair', '3 repair', '4 repair'],
    [],
  ],
  [
    'one that has a place keeps it when it comes to be repaired',
    AUTO,
    [
      [1, WHOLE],
      [2, WHOLE],
      [3, WHOLE],
      [2, LONE],
    ],
    ['1 observe', '2 repair', '3 observe'],
    [],
  ],
  [
    'a rule that needs the relay keeps all servers there, whatever is known of them, but those that are exempt',
    STRICT,
    [
      [1, WHOLE],
      [2, WHOLE],
      [3, LONE],
      [4, TEASER],
    ],
    ['2 observe'],
    [],
  ],
  [
    'it does so too where nothing is repaired',
    { ...STRICT, repair: 'never' },
    [
      [1, WHOLE],
      [2, LONE],
      [3, LONE],
    ],
    ['2 observe'],
    [],
  ],
  [
    'where nothing can be relayed, it does not',
    { ...STRICT, canRelay: false },
    [
      [1, WHOLE],
      [3, LONE],
    ],
    ['3 repair'],
    [],
  ],
  ['what unknown servers get needs no place', AUTO, [1, 2, 3, 4].map((n) => [n, CUT]), [], []],
];

for (const [name, asked, steps, held, told] of ROWS) {
  test(name, () => {
    const table = createTable();
    const notes: string[] = [];
    const bounds = createBounds(() => undefined);
    const note: Sink['note'] = (_, what, fields = {}, about) => {
      if (about && bounds.admitAbout(what, about))
        notes.push(`${String(fields['server'])} ${String(fields['policy'])}`);
    };
    const { apply } = createPolicies(table.tables, asked, { note });
    for (const [n, knowledge] of steps) apply(server(n), knowledge);
    const rows = [...table.held.values()].map(
      (each) => `${each.server.address.split('.')[3]} ${each.policy}`,
    );
    assert.equal([rows.sort(), notes], [held, told]);
  });
}

const ALL_KNOWN = [WHOLE, TEASER, LONE, CUT];
const WORDS: readonly (readonly [name: string, asked: Asked, held: readonly string[]])[] = [
  ['learn', { ...WIRE, servers: DECIDED }, ['1 repair', '3 repair']],
  ['now', { ...WIRE, repair: 'now', servers: DECIDED }, ['2 observe', '3 repair']],
  ['never', { ...WIRE, repair: 'never', servers: DECIDED }, ['1 repair', '3 repair']],
  ['learn, auto', { ...AUTO, servers: DECIDED }, ['1 repair', '2 observe', '3 repair']],
];

for (const [name, asked, held] of WORDS) {
  test(`the operator's word on one server outranks that on all, whatever was learned: ${name}`, () => {
    for (const known of ALL_KNOWN) {
      const table = createTable();
      const { decide, apply } = createPolicies(table.tables, asked);
      decide((each) => (each.address === '192.0.2.3' ? LONE : undefined));
      apply(server(3), LONE);
      apply(server(1), known === CUT ? WHOLE : known);
      apply(server(2), known);
      const rows = [...table.held.values()].map((each) => `${each.server.address.at(-1)} ${each.policy}`);
      const wanted = held.filter(
        (row) => row !== '2 observe' || asked.path === 'auto' || asked.repair === 'now',
      );
      assert.equal(rows.sort(), wanted, known.greeting);
    }
  });
}

test('it holds before anything is known, and what an earlier operator decided goes', () => {
  const table = createTable();
  createPolicies(table.tables, { ...WIRE, servers: DECIDED }).decide(() => undefined);
  assert.equal([...table.held.keys()], ['192.0.2.1']);
  createPolicies(table.tables, WIRE).decide(() => undefined);
  assert.equal([...table.held.keys()], []);
});

test('rules that hold anew: a known server goes to the relay, and comes back from it', () => {
  const table = createTable();
  let strict = false;
  const { apply } = createPolicies(table.tables, { ...AUTO, mustRelay: () => strict });
  const policyOf = (n: number): string | undefined => table.held.get(`192.0.2.${n}`)?.policy;
  const seen = [false, true, false].map((each) => {
    strict = each;
    apply(server(1), WHOLE);
    return policyOf(1);
  });
  // What needs what unknown servers get has no entry.
  assert.equal(seen, ['observe', undefined, 'observe']);
});

test('the table is looked through once for many places, not for each', () => {
  const table = createTable();
  const { apply } = createPolicies(table.tables, AUTO);
  for (let n = 1; n <= ROOM; n += 1) apply(server(n), WHOLE);
  for (let n = 11; n <= 10 + ROOM; n += 1) apply(server(n), LONE);
  assert.is(table.looks, 1);
  assert.ok([...table.held.values()].every(({ policy }) => policy === 'repair'));
});

test.run();
