// The dry run of a log: what it says was refused, what its oddities would have come to, and whatever else is in such a file.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Anomaly, Direction, SessionEvent } from '../../../../inspect/events';
import { NOTHING_SAID } from '../../../../inspect/quotable';
import { policyOf } from '../../../../proxy/config/reload';
import { readLog } from '../../../../proxy/report/policy/log';
import { createTally } from '../../../../proxy/report/policy/tally';
import { createJsonRenderer } from '../../../../proxy/sinks/json';
import type { Connection, Recorded } from '../../../../proxy/sinks/record';

const dir = mkdtempSync(join(tmpdir(), 'ehlowire-policy-log-'));
test.after(() => rmSync(dir, { recursive: true }));

const renderer = createJsonRenderer();
const AT = 1_700_000_000e6;
const connection = (name: string, address = '192.0.2.7'): Connection => ({
  ...{ session: name, path: 'relay', client: { address, port: 4711 } },
  server: { address: '198.51.100.25', port: 25 },
});
const line = (of: Connection | undefined, event: Recorded): string => renderer.event('warn', of, event);
const odd = (name: string, anomaly: Anomaly, direction: Direction = 'client', address?: string): string =>
  line(connection(name, address), { kind: 'anomaly', anomaly, direction, at: AT, detail: NOTHING_SAID });
const blocked = (name: string, rule: string, address?: string): string =>
  line(connection(name, address), {
    ...{
      kind: 'blocked',
      rule,
      action: 'answer',
      direction: 'client',
      at: AT,
      detail: 'refused command VRFY',
    },
  });
const SESSION: SessionEvent = {
  ...{ kind: 'session', at: AT, started: AT, phases: [], phasesOmitted: 0 },
  ...{ messages: 2, bytes: { client: 1, server: 1 }, close: { by: 'client', how: 'fin' } },
};
const ended = (name: string, address?: string): string => line(connection(name, address), SESSION);
const HEAD = renderer.note(AT, 'info', 'log-opened', { schema: 1 });

interface Row {
  readonly name: string;
  /** Octets of one file each. */
  readonly files: readonly (string | Buffer)[];
  readonly given?: Readonly<Record<string, unknown>>;
  readonly all?: boolean;
  /** `effect rule connections times`. */
  readonly want: readonly string[];
  readonly counts?: Readonly<Record<string, number>>;
  readonly faults?: readonly string[];
}

const ROWS: readonly Row[] = [
  { name: 'an empty log', files: [''], want: [], counts: { lines: 0 } },
  {
    name: 'a log of honest mail',
    files: [HEAD + ended('a')],
    want: [],
    counts: { lines: 2, sessions: 1, odd: 0 },
  },
  {
    name: 'what was refused',
    files: [HEAD + blocked('a', 'commands') + blocked('a', 'commands') + ended('a')],
    want: ['was-refused commands 1 2'],
  },
  {
    name: 'a rule of another kind, which refused whole connections',
    files: [blocked('a', 'connections-per-client') + ended('a')],
    want: ['was-refused connections-per-client 1 1'],
  },
  {
    name: 'an oddity of a rule that is only observed',
    files: [odd('a', 'early-talker') + ended('a') + odd('b', 'early-talker') + ended('b')],
    want: ['reported synchronization 2 2'],
  },
  {
    name: 'the same, were the rule enforced',
    files: [odd('a', 'early-talker') + ended('a')],
    given: { 'policy.synchronization': 'enforce' },
    want: ['refused synchronization 1 1'],
  },
  {
    name: 'the same, were the rule off',
    files: [odd('a', 'early-talker') + ended('a')],
    given: { 'policy.synchronization': 'off' },
    want: [],
  },
  {
    name: 'the same with all rules',
    files: [odd('a', 'early-talker') + ended('a')],
    given: { 'policy.synchronization': 'off' },
    all: true,
    want: ['refused synchronization 1 1'],
  },
  {
    name: 'a client that is exempt',
    files: [
      odd('a', 'early-talker') + ended('a') + odd('b', 'early-talker', 'client', '203.0.113.1') + ended('b'),
    ],
    given: { 'policy.exempt': [{ client: '192.0.2.0/24' }] },
    want: ['reported synchronization 1 1'],
  },
  {
    name: 'a message that was normalized',
    files: [odd('a', 'normalized') + ended('a')],
    want: ['changed smuggling 1 1'],
  },
  {
    name: 'the same, where no rule was in force',
    files: [odd('a', 'end-of-data-lookalike') + ended('a')],
    given: { 'policy.smuggling': 'enforce' },
    want: ['refused smuggling 1 1'],
  },
  {
    name: 'a limit that was only observed',
    files: [odd('a', 'load') + ended('a')],
    given: { 'policy.load': 'observe' },
    want: ['reported load 1 1'],
  },
  {
    name: 'oddities that are of no rule',
    files: [odd('a', 'unsolicited-reply', 'server') + odd('a', 'gap') + ended('a')],
    want: [],
  },
  {
    name: 'a session that goes on in the next file, which is compressed',
    files: [HEAD + odd('a', 'early-talker'), gzipSync(odd('a', 'early-talker') + ended('a'))],
    want: ['reported synchronization 1 2'],
  },
  {
    name: 'a session without its end',
    files: [odd('a', 'early-talker')],
    want: ['reported synchronization 1 1'],
    counts: { sessions: 0 },
  },
  {
    name: 'a line that was cut, at the beginning or the end, and a line of another program',
    files: [
      `${ended('z').slice(9)}${odd('a', 'early-talker')}Nov 27 mx postfix/smtpd[1]: connect\n${ended('a').slice(0, -9)}`,
    ],
    want: ['reported synchronization 1 1'],
    counts: { lines: 4, odd: 3 },
  },
  {
    name: 'lines with CRLF, and empty ones',
    files: [`${odd('a', 'early-talker').trim()}\r\n\r\n\n${ended('a')}`],
    want: ['reported synchronization 1 1'],
    counts: { lines: 2, odd: 0 },
  },
  {
    name: 'a log of another program',
    files: ['Nov 27 mx postfix/smtpd[1]: connect\n'],
    want: [],
    faults: ['log-unknown'],
  },
  { name: 'octets that are no text', files: [Buffer.alloc(999, 0x80)], want: [], faults: ['log-unknown'] },
  {
    name: 'JSON of another form in an own line',
    files: [`{"level":"warn","time":"x","event":"blocked","rule":7,"client.address":null}\n${ended('a')}`],
    want: ['was-refused  1 1'],
  },
  {
    name: 'lines that the log itself left out',
    files: [
      line(undefined, { kind: 'omitted', at: AT, count: 7, of: {}, because: '' }) +
        line(undefined, { kind: 'loss', at: AT, source: 'log', count: 5 }),
    ],
    want: [],
    counts: { omitted: 12 },
  },
];

let files = 0;
const write = (content: string | Buffer): string => {
  files += 1;
  const name = join(dir, `${files}.log`);
  writeFileSync(name, content);
  return name;
};

for (const { name, files: contents, given = {}, all = false, want, counts = {}, faults = [] } of ROWS)
  test(name, async () => {
    const tally = createTally();
    const read = await readLog(contents.map(write), { policy: policyOf(given), all, tally });
    assert.equal(
      tally.rows.map((row) => `${row.effect} ${row.rule} ${row.connections} ${row.times}`),
      want,
    );
    for (const [key, value] of Object.entries(counts))
      assert.is(read.counts[key as keyof typeof read.counts], value, key);
    assert.equal(
      read.faults.map(({ code }) => code),
      faults,
    );
  });

test('the mail of a network is counted beside what was found', async () => {
  const tally = createTally();
  const text = `${ended('a')}${odd('b', 'early-talker')}${ended('b', '192.0.2.200')}${ended('c', '203.0.113.1')}`;
  await readLog([write(text)], { policy: policyOf({}), all: false, tally });
  assert.equal(
    ['192.0.2.0/24', '203.0.113.0/24', '198.51.100.0/24'].map((network) => tally.mailOf(network)),
    [
      { connections: 2, messages: 4, tls: 0 },
      { connections: 1, messages: 2, tls: 0 },
      { connections: 0, messages: 0, tls: 0 },
    ],
  );
});

test('files that are not there', async () => {
  const tally = createTally();
  const { faults } = await readLog([join(dir, 'none'), dir], { policy: policyOf({}), all: false, tally });
  assert.equal(
    faults.map(({ code }) => code),
    ['file-unreadable', 'file-unreadable'],
  );
});

test.run();
