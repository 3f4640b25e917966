// In which order the ring is read, its counts are looked at, and time is said to have passed.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { GreetingKnowledge } from '../../../inspect/greeting/known';
import { COUNTER } from '../../../proxy/wire/abi';
import { createSteadyPace } from '../../../proxy/wire/pace';
import { readUntil, type Reading } from '../../../proxy/wire/ring-loop';
import type { CounterName, WireCounters, WireServer } from '../../../proxy/wire/tables';
import { rememberingSink } from '../relay/stage';

const REPAIRED: GreetingKnowledge = { greeting: 'truncated', policy: 'repair', lines: 1, delay: 0 };
const OBSERVED: GreetingKnowledge = { greeting: 'teaser', policy: 'observe', lines: 0, delay: 0 };
const SERVER = { address: '192.0.2.1', port: 25 };

interface Row {
  readonly name: string;
  /** What there is at each look: records by name, and the counts that differ from nought. */
  readonly looks: readonly {
    readonly records?: readonly string[];
    readonly counts?: { readonly [K in CounterName]?: number };
  }[];
  readonly servers?: readonly (WireServer & { readonly server: typeof SERVER })[];
  readonly known?: GreetingKnowledge;
  readonly wants: readonly string[];
}

const taken: WireServer & { readonly server: typeof SERVER } = {
  ...{ server: SERVER, policy: 'observe', lines: 1, contradicted: true },
};

const TABLE: readonly Row[] = [
  {
    name: 'what there is is read, and then time passes',
    looks: [{ records: ['a', 'b'] }, {}],
    wants: ['a', 'b', 'idle', 'idle'],
  },
  {
    name: 'a loss is known before what came behind it is read, and before anybody is judged by silence',
    looks: [{ records: ['a'] }, { records: ['b'], counts: { COUNT_LOST: 3 } }, { counts: { COUNT_LOST: 4 } }],
    wants: [
      'a',
      'idle',
      ...['lost', 'evidence lost 3', 'missed'],
      'b',
      'idle',
      ...['lost', 'evidence lost 1', 'missed'],
      'idle',
    ],
  },
  {
    name: 'connections that were not recorded: those of our own may be among them, others are not touched',
    looks: [{ records: ['a'], counts: { COUNT_UNWATCHED: 2 } }, { counts: { COUNT_UNWATCHED: 2 } }],
    wants: ['missed', 'a', 'idle', 'idle'],
  },
  {
    name: 'a repair that the program took back, and no record has told: it is withdrawn, behind all that is recorded',
    looks: [{ records: ['a'], counts: { COUNT_CONTRADICTED: 1 } }],
    servers: [taken],
    known: REPAIRED,
    wants: ['a', 'idle', 'withdrawn 192.0.2.1'],
  },
  {
    name: 'the same, and a record has told it',
    looks: [{ records: ['a'], counts: { COUNT_CONTRADICTED: 1 } }],
    servers: [taken],
    known: OBSERVED,
    wants: ['a', 'idle'],
  },
  {
    name: 'a server under repair that nobody contradicted stays so',
    looks: [{ counts: { COUNT_CONTRADICTED: 1 } }],
    servers: [{ ...taken, policy: 'repair', contradicted: false }],
    known: REPAIRED,
    wants: ['idle'],
  },
];

for (const { name, looks, servers = [], known, wants } of TABLE) {
  test(name, async () => {
    const did: string[] = [];
    const end = new AbortController();
    let look = -1;
    const reading: Reading = {
      signal: end.signal,
      sink: rememberingSink(),
      pace: { next: (each) => ({ ...createSteadyPace().next(each), pause: 0 }) },
      reported: { lost: 0, unwatched: 0 },
      report: () => undefined,
      wire: {
        tables: { counters: () => countersOf(looks[look]?.counts ?? {}), servers: () => servers },
        ring: {
          end: () => {
            look += 1;
            if (look >= looks.length - 1) end.abort();
            return look;
          },
          drain: (take) => {
            const records = looks[look]?.records ?? [];
            records.forEach((record) => take(Buffer.from(record)));
            return records.length;
          },
          fill: () => 0,
          crowded: () => false,
        },
      },
      reader: {
        readTo: 0,
        take: (record) => void did.push(Buffer.from(record).toString()),
        lostUntil: () => void did.push('lost'),
        idle: () => void did.push('idle'),
        end: () => undefined,
      },
      evidence: { lost: (count) => void did.push(`evidence lost ${count}`) },
      servers: {
        knownOf: () => known,
        missed: () => void did.push('missed'),
        withdrawn: ({ address }) => void did.push(`withdrawn ${address}`),
      },
    };
    await readUntil(reading);
    assert.equal(did, wants);
  });
}

function countersOf(counts: { readonly [K in CounterName]?: number }): WireCounters {
  const none = Object.fromEntries(Object.keys(COUNTER).map((name) => [name, 0])) as WireCounters;
  return { ...none, ...counts };
}

test.run();
