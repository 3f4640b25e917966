import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { findOut, type Finding } from '../../../proxy/cli/check/finding';
import { interview } from '../../../proxy/cli/check/interview';
import { toObject, toText } from '../../../proxy/cli/check/report';
import { isFault } from '../../../proxy/system/fault';
import { ANSWERS, startServer, type Script } from './servers';

const PATIENCE = 400;

interface Row extends Script {
  readonly name: string;
  readonly want: Partial<Finding>;
  /** Lines that the server must have heard. */
  readonly heard?: readonly string[];
  readonly starttls?: boolean | null;
  readonly says?: readonly RegExp[];
  readonly patience?: number;
}

const POLITE = ['EHLO me.example', 'QUIT'];

const ROWS: readonly Row[] = [
  {
    name: 'a good one',
    greeting: [[0, '220 mx.demo ESMTP\r\n']],
    want: { greeting: 'wellformed', defects: [], refused: false, because: 'it is as RFC 5321 wants it' },
    heard: POLITE,
    starttls: true,
  },
  {
    name: 'a lone 220-: the answer to EHLO proves it',
    greeting: [[0, '220-mx.demo\r\n']],
    want: {
      greeting: 'truncated',
      defects: [{ defect: 'truncated', certainty: 'proved' }],
      because: 'the server answered 250 to EHLO: it takes its greeting for complete',
    },
    heard: POLITE,
    starttls: true,
  },
  {
    name: 'a lone 220- and silence: suspected only',
    greeting: [[0, '220-mx.demo\r\n']],
    answers: {},
    want: { greeting: 'truncated', defects: [{ defect: 'truncated', certainty: 'suspected' }] },
    heard: ['EHLO me.example'],
  },
  {
    name: 'a lone 220- and a close: proved',
    greeting: [[0, '220-mx.demo\r\n']],
    closes: true,
    want: {
      greeting: 'truncated',
      defects: [{ defect: 'truncated', certainty: 'proved' }],
      because: 'the server closed without finishing it',
    },
    heard: [],
  },
  {
    name: 'a teaser within patience: no early EHLO, no defect',
    greeting: [
      [0, '220-mx.demo ESMTP\r\n'],
      [150, '220 mx.demo ESMTP\r\n'],
    ],
    want: { greeting: 'wellformed', defects: [] },
    heard: POLITE,
    starttls: true,
  },
  {
    name: 'a teaser beyond patience that takes an early EHLO',
    greeting: [[0, '220-mx.demo ESMTP\r\n']],
    answers: { ...ANSWERS, EHLO: `220 mx.demo ESMTP\r\n${ANSWERS.EHLO}` },
    want: { greeting: 'teaser', defects: [], refused: false },
    heard: POLITE,
    starttls: true,
  },
  {
    name: 'a teaser beyond patience that refuses an early EHLO',
    greeting: [[0, '220-mx.demo ESMTP\r\n']],
    answers: { EHLO: '521 5.5.1 Protocol error\r\n' },
    want: { greeting: 'teaser', defects: [], refused: true },
  },
  {
    name: 'a refusal: no EHLO',
    greeting: [[0, '554 5.7.1 Go away\r\n']],
    want: { greeting: 'wellformed', defects: [], refused: true, because: 'well formed, and a refusal' },
    heard: ['QUIT'],
  },
  {
    name: 'masked by a middlebox',
    greeting: [[0, '220 ****************\r\n']],
    want: { greeting: 'malformed', defects: [{ defect: 'masked', certainty: 'proved' }] },
    heard: POLITE,
    starttls: true,
  },
  {
    name: 'no separator',
    greeting: [[0, '220mx.demo\r\n']],
    want: { greeting: 'malformed', defects: [{ defect: 'no-separator', certainty: 'proved' }] },
    heard: POLITE,
    starttls: true,
  },
  {
    name: 'EHLO refused: HELO, and no extensions',
    greeting: [[0, '220 mx.demo\r\n']],
    answers: { ...ANSWERS, EHLO: '502 5.5.2 Unknown\r\n' },
    want: { greeting: 'wellformed', defects: [] },
    heard: ['EHLO me.example', 'HELO me.example', 'QUIT'],
  },
  {
    name: 'EHLO and HELO refused: nothing is known of STARTTLS, and the name may be the reason',
    greeting: [[0, '220 mx.demo\r\n']],
    answers: { ...ANSWERS, EHLO: '501 5.5.4 bad name\r\n', HELO: '501 5.5.4 bad name\r\n' },
    want: { greeting: 'wellformed', defects: [] },
    heard: ['EHLO me.example', 'HELO me.example', 'QUIT'],
    starttls: null,
    says: [/--name NAME/, /STARTTLS +unknown\n/],
  },
  {
    name: 'one line that comes slowly is no teaser',
    greeting: [
      [0, '220 mx.'],
      [1_100, 'demo ESMTP\r\n'],
    ],
    patience: 5_000,
    want: { greeting: 'wellformed', defects: [], because: 'it is as RFC 5321 wants it, though it came over' },
    heard: POLITE,
    starttls: true,
  },
  {
    name: 'one line that comes slower than the patience is no teaser',
    greeting: [[0, '220 mx.']],
    answers: { ...ANSWERS, EHLO: `demo ESMTP\r\n${ANSWERS.EHLO}` },
    want: { greeting: 'wellformed', defects: [], refused: false },
    heard: POLITE,
    starttls: true,
  },
  {
    name: 'octet by octet',
    greeting: [...'220 mx.demo ESMTP\r\n'].map((octet) => [3, octet] as const),
    want: { greeting: 'wellformed', defects: [] },
    heard: POLITE,
    starttls: true,
  },
];

for (const { name, want, heard, starttls = false, says = [], patience = PATIENCE, ...script } of ROWS) {
  test(name, async () => {
    const server = await startServer(script);
    const address = { host: '127.0.0.1', port: server.port };
    const answer = await interview({
      server: address,
      name: 'me.example',
      connectMs: 5_000,
      patienceMs: patience,
    });
    server.stop();
    if (isFault(answer)) throw new Error(answer.what);
    const finding = findOut(answer, patience);
    for (const [key, value] of Object.entries(want)) {
      const found = finding[key as keyof Finding];
      // How long it took is the machine's.
      if (key === 'because') assert.ok(String(found).startsWith(String(value)), String(found));
      else assert.equal(found, value, key);
    }
    if (heard !== undefined) assert.equal(server.heard, heard);
    assert.is(toObject('t', answer, finding)['starttls'], starttls);
    const text = toText('t', answer, finding, { color: false, patienceMs: patience });
    assert.match(text, /^[\x20-\x7e…§\n]*$/);
    for (const pattern of says) assert.match(text, pattern);
    assert.ok(!server.heard.some((line) => /^(MAIL|RCPT|DATA)/i.test(line)), 'it began a mail');
  });
}

test('what does not come soon is named while it is waited for, once each', async () => {
  const server = await startServer({ greeting: [[0, '220-mx.demo\r\n']], answers: {} });
  const waits: string[] = [];
  const answer = await interview({
    server: { host: '127.0.0.1', port: server.port },
    name: 'me.example',
    connectMs: 5_000,
    patienceMs: 1_700,
    onWait: (what) => waits.push(what),
  });
  server.stop();
  assert.not.ok(isFault(answer));
  assert.equal(waits, ["the greeting's last line", 'the answer to EHLO']);
});

const FAULTS = [
  { name: 'nothing at all', script: { greeting: [] }, code: 'timed-out' },
  { name: 'a close before the greeting', script: { greeting: [], closes: true }, code: 'closed-early' },
];

for (const { name, script, code } of FAULTS) {
  test(`a fault: ${name}`, async () => {
    const server = await startServer(script);
    const address = { host: '127.0.0.1', port: server.port };
    const answer = await interview({ server: address, name: 'x', connectMs: 5_000, patienceMs: PATIENCE });
    server.stop();
    assert.ok(isFault(answer));
    assert.is(answer.code, code);
    assert.equal(server.heard, []);
  });
}

test.run();
