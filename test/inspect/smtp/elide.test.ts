// Octets that were left out on purpose: a line whose beginning is shown is a line, and a secret is a secret.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createSession } from '../../../inspect/smtp/session';
import { octets, START, tell } from './transcript';

type Step = readonly [who: 'C' | 'S', text: string, leftOut?: number];

const ROWS: readonly {
  readonly name: string;
  readonly steps: readonly Step[];
  readonly want: readonly string[];
}[] = [
  {
    name: 'the rest of a command',
    steps: [
      ['C', 'AUTH PLAIN ', 20],
      ['S', '235 2.7.0 ok\r\n'],
      ['C', 'NOOP\r\n'],
      ['S', '250 ok\r\n'],
    ],
    want: [
      'command AUTH PLAIN',
      'reply 235 2.7.0 auth',
      'phase auth 235',
      'command NOOP',
      'reply 250 other',
      'phase other 250',
    ],
  },
  {
    name: 'a secret that was asked for, and the rest of the reply',
    steps: [
      ['C', 'AUTH LOGIN\r\n'],
      ['S', '334 ', 14],
      ['C', '', 10],
      ['S', '235 ', 8],
    ],
    want: ['command AUTH LOGIN', 'reply 334 auth', 'secret client 10', 'reply 235 auth', 'phase auth 235'],
  },
  {
    name: 'the rest of a masked command',
    steps: [['C', 'XXXX', 5]],
    want: ['command ? (7 octets, printable)', 'anomaly masked client'],
  },
  {
    name: 'a reply that goes on: nobody knows how many lines',
    steps: [
      ['C', 'NOOP\r\n'],
      ['S', '250-', 14],
    ],
    want: ['command NOOP', 'anomaly gap server', 'fragment server 4', 'gap server 14'],
  },
  {
    name: 'octets of which no beginning is shown',
    steps: [['C', '', 30]],
    want: ['anomaly gap client', 'gap client 30'],
  },
];

for (const { name, steps, want } of ROWS) {
  test(name, () => {
    const session = createSession({ started: START, connected: START });
    session.feed('server', octets('220 mx ESMTP\r\n'), START);
    const told = steps.flatMap(([who, text, leftOut = 0]) => {
      const from = who === 'C' ? 'client' : 'server';
      const fed = text === '' ? [] : session.feed(from, octets(text), START);
      return [...fed, ...(leftOut > 0 ? session.elide(from, leftOut, START) : [])];
    });
    assert.equal(told.map(tell), want);
  });
}

test.run();
