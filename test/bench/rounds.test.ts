// A client that fails in a benchmark: its round is measured again, counted and reported; two failures in a row end the run.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Candidate } from '../../bench/candidates';
import { figuresOf } from '../../bench/goals';
import type { Network } from '../../bench/network';
import { compete, type Discipline, type Result } from '../../bench/rounds';
import { start } from '../kit/process';

/** What the clients do, one after the other; a text is the message of one that fails. */
type Clients = readonly (number | string)[];

interface Row {
  readonly name: string;
  readonly clients: Clients;
  readonly want:
    | { readonly samples: readonly number[]; readonly failures: readonly string[] }
    | { readonly thrown: string };
  readonly reported: readonly string[];
}

const LOST = 'lost connection while reading server greeting';
const AGAIN = `haproxy failed, and is measured again: ${LOST}`;

const TABLE: readonly Row[] = [
  {
    name: 'all clients succeed: no failure is reported',
    clients: [1, 2, 3],
    want: { samples: [2, 3], failures: [] },
    reported: [],
  },
  {
    name: 'a client fails: the same round is measured again',
    clients: [1, LOST, 2, 3],
    want: {
      samples: [2, 3],
      failures: ['haproxy, sessions, 1'],
    },
    reported: [`sessions 1: ${AGAIN}`],
  },
  {
    name: 'failures of different rounds are not two in a row; a round that warms up counts too',
    clients: [LOST, 1, LOST, 2, LOST, 3],
    want: {
      samples: [2, 3],
      failures: ['haproxy, sessions, 3'],
    },
    reported: [`sessions 0: ${AGAIN}`, `sessions 1: ${AGAIN}`, `sessions 2: ${AGAIN}`],
  },
  {
    name: 'two failures in a row end the run, with the message of the second',
    clients: [1, LOST, 'connection refused'],
    want: { thrown: 'connection refused' },
    reported: [`sessions 1: ${AGAIN}`],
  },
];

for (const { name, clients, want, reported } of TABLE) {
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
      reported,
    );
    assert.equal(left, []);
  });
}

function seen(result: Result): unknown {
  return { samples: result.samples.get('haproxy'), failures: figuresOf([result]).failures };
}

const CANDIDATE: Candidate = {
  name: 'haproxy',
  network: { start: (_host, command, ...args) => start(command, args) } as Pick<Network, 'start'> as Network,
  settle: () => Promise.resolve(0),
  logged: () => undefined,
  stop: () => Promise.resolve(),
};

test.run();
