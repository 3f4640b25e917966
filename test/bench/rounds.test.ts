// A client that fails in a benchmark: measured once more, counted, and told; twice in a row it ends the run.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Candidate } from '../../bench/candidates';
import type { Place } from '../../bench/place';
import { describeFailures } from '../../bench/results';
import { compete, type Discipline, type Result } from '../../bench/rounds';
import { start } from '../kit/process';

/** What the clients do, one after the other; a text is the message of one that fails. */
type Clients = readonly (number | string)[];

interface Row {
  readonly name: string;
  readonly clients: Clients;
  readonly want:
    | { readonly samples: readonly number[]; readonly written: readonly string[] }
    | { readonly thrown: string };
  readonly told: readonly string[];
}

const LOST = 'lost connection while reading server greeting';
const AGAIN = `haproxy failed, and is measured once more: ${LOST}`;

const TABLE: readonly Row[] = [
  {
    name: 'all clients do: nothing is said of failures',
    clients: [1, 2, 3],
    want: { samples: [2, 3], written: [] },
    told: [],
  },
  {
    name: 'a client fails: the same round is measured once more',
    clients: [1, LOST, 2, 3],
    want: {
      samples: [2, 3],
      written: ['Tries that failed and were made once more: haproxy, sessions, 1.', ''],
    },
    told: [`sessions 1: ${AGAIN}`],
  },
  {
    name: 'failures of different rounds are not two in a row; a round that warms up counts too',
    clients: [LOST, 1, LOST, 2, LOST, 3],
    want: {
      samples: [2, 3],
      written: ['Tries that failed and were made once more: haproxy, sessions, 3.', ''],
    },
    told: [`sessions 0: ${AGAIN}`, `sessions 1: ${AGAIN}`, `sessions 2: ${AGAIN}`],
  },
  {
    name: 'two failures in a row end the run, with the message of the second',
    clients: [1, LOST, 'connection refused'],
    want: { thrown: 'connection refused' },
    told: [`sessions 1: ${AGAIN}`],
  },
];

for (const { name, clients, want, told } of TABLE) {
  test(name, async () => {
    const left = [...clients];
    const discipline: Discipline = {
      ...{ name: 'sessions', unit: '1/s', larger: true, server: ['sleep', '60'], warm: 1 },
      measure: () => {
        const next = left.shift();
        return typeof next === 'number' ? Promise.resolve(next) : Promise.reject(new Error(next));
      },
    };
    const lines: string[] = [];
    const result = await compete(discipline, [CANDIDATE], 2, (text) => lines.push(text)).catch(
      (error: Error) => error,
    );
    assert.equal(result instanceof Error ? { thrown: result.message } : seen(result), want);
    assert.equal(
      lines.filter((line) => line.includes('failed')),
      told,
    );
    assert.equal(left, []);
  });
}

function seen(result: Result): unknown {
  return { samples: result.samples.get('haproxy'), written: describeFailures([result]) };
}

const CANDIDATE: Candidate = {
  name: 'haproxy',
  place: { start: (_node, command, ...args) => start(command, args) } as Pick<Place, 'start'> as Place,
  settle: () => Promise.resolve(0),
  recorded: () => undefined,
  stop: () => Promise.resolve(),
};

test.run();
