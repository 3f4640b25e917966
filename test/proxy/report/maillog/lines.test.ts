// The same line of a log in every form that logs come in.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as fc from 'fast-check';
import { parseMessage, type Entry } from '../../../../proxy/report/maillog/entry';
import { createLineReader } from '../../../../proxy/report/maillog/lines';

const NEAR = Date.UTC(2026, 10, 24, 12) * 1000;

function read(lines: readonly string[], near = NEAR): Entry[] {
  const reader = createLineReader(near);
  const got = [...lines.map((line) => reader.take(line)), reader.end()];
  return got.flatMap((line) => (line ? [parseMessage(line)] : [])).filter((each) => each !== undefined);
}

const SAID = 'connect from mail.example[192.0.2.9]';
const SECOND = Date.UTC(2026, 10, 24, 9, 12, 47) * 1000;
const FRACTION = SECOND + 123_456;
const PROGRAM = 'postfix/smtpd[4]';
const json = (object: unknown): string => JSON.stringify(object);
const UNIX = (SECOND + 123_456) / 1e6;
const JOURNAL = {
  __REALTIME_TIMESTAMP: String(FRACTION),
  SYSLOG_IDENTIFIER: 'postfix/smtpd',
  SYSLOG_PID: '4',
  MESSAGE: SAID,
};

/** [form, its lines, when, whether it has a zone, the process]. */
const FORMS: readonly (readonly [string, readonly string[], number, boolean, string?])[] = [
  ['syslog', [`Nov 24 09:12:47 mx ${PROGRAM}: ${SAID}`], SECOND, false],
  ['syslog, a day of one digit', [`Nov  4 09:12:47 mx ${PROGRAM}: ${SAID}`], SECOND - 20 * 86_400e6, false],
  ['syslog, microseconds', [`Nov 24 09:12:47.123456 mx ${PROGRAM}: ${SAID}`], FRACTION, false],
  ['syslog, a year before', [`2026 Nov 24 09:12:47 mx ${PROGRAM}: ${SAID}`], SECOND, false],
  ['syslog, a year behind', [`Nov 24 2026 09:12:47 mx ${PROGRAM}: ${SAID}`], SECOND, false],
  ['syslog without a host', [`Nov 24 09:12:47 ${PROGRAM}: ${SAID}`], SECOND, false],
  [
    'syslog without the process',
    [`Nov 24 09:12:47 mx postfix/smtpd: ${SAID}`],
    SECOND,
    false,
    'postfix/smtpd',
  ],
  [
    'another instance',
    [`Nov 24 09:12:47 mx postfix-in/smtpd[4]: ${SAID}`],
    SECOND,
    false,
    'postfix-in/smtpd[4]',
  ],
  [
    'a service of its own',
    [`Nov 24 09:12:47 mx postfix/submission/smtpd[4]: ${SAID}`],
    SECOND,
    false,
    'postfix/submission/smtpd[4]',
  ],
  ['a priority', [`<22>Nov 24 09:12:47 mx ${PROGRAM}: ${SAID}`], SECOND, false],
  ['a priority and no host', [`<22>Nov 24 09:12:47 ${PROGRAM}: ${SAID}`], SECOND, false],
  ['FreeBSD -vv', [`Nov 24 09:12:47 <mail.info> mx ${PROGRAM}: ${SAID}`], SECOND, false],
  ['FreeBSD -v', [`Nov 24 09:12:47 <2.6> mx ${PROGRAM}: ${SAID}`], SECOND, false],
  ['RFC 5424', [`<22>1 2026-11-24T09:12:47.123456+00:00 mx postfix/smtpd 4 - - ${SAID}`], FRACTION, true],
  [
    'RFC 5424 in a file, without priority',
    [`1 2026-11-24T09:12:47.123456Z mx postfix/smtpd 4 - - ${SAID}`],
    FRACTION,
    true,
  ],
  [
    'RFC 5424, structured data',
    [`<22>1 2026-11-24T10:12:47+01:00 mx postfix/smtpd 4 ID47 [a@1 b="\\]"][c@2] ${SAID}`],
    SECOND,
    true,
  ],
  ['RFC 3339', [`2026-11-24T09:12:47.123456+00:00 mx ${PROGRAM}: ${SAID}`], FRACTION, true],
  ['RFC 3339, another zone', [`2026-11-24T10:12:47.123456+01:00 mx ${PROGRAM}: ${SAID}`], FRACTION, true],
  ['RFC 3339, no host', [`2026-11-24T09:12:47Z ${PROGRAM}: ${SAID}`], SECOND, true],
  ['date and time', [`2026-11-24 09:12:47 mx ${PROGRAM}: ${SAID}`], SECOND, false],
  [
    'date and time, comma and milliseconds',
    [`2026-11-24 09:12:47,123 mx ${PROGRAM}: ${SAID}`],
    SECOND + 123_000,
    false,
  ],
  ['date, time and zone', [`2026-11-24 10:12:47 +0100 mx ${PROGRAM}: ${SAID}`], SECOND, true],
  ["journalctl's short-iso", [`2026-11-24T10:12:47+0100 mx ${PROGRAM}: ${SAID}`], SECOND, true],
  [
    "journalctl's short-iso-precise",
    [`2026-11-24T10:12:47.123456+01:00 mx ${PROGRAM}: ${SAID}`],
    FRACTION,
    true,
  ],
  ["journalctl's short-full", [`Tue 2026-11-24 09:12:47 UTC mx ${PROGRAM}: ${SAID}`], SECOND, true],
  [
    "journalctl's short-full, a zone by its name",
    [`Tue 2026-11-24 09:12:47 CET mx ${PROGRAM}: ${SAID}`],
    SECOND,
    false,
  ],
  ["journalctl's short-unix", [`${UNIX.toFixed(6)} mx ${PROGRAM}: ${SAID}`], FRACTION, true],
  [
    "journalctl's with-unit",
    [`Tue 2026-11-24 09:12:47 UTC mx postfix@-.service[4]: ${SAID}`],
    SECOND,
    true,
    'postfix@-.service[4]',
  ],
  ["journalctl's json", [json(JOURNAL)], FRACTION, true],
  ["journalctl's json, octets", [json({ ...JOURNAL, MESSAGE: [...Buffer.from(SAID)] })], FRACTION, true],
  ["journalctl's json-pretty", JSON.stringify(JOURNAL, null, '\t').split('\n'), FRACTION, true],
  ["journalctl's json-seq", [`\x1e${json(JOURNAL)}`], FRACTION, true],
  ["journalctl's json-sse", [`data: ${json(JOURNAL)}`, ''], FRACTION, true],
  [
    "journalctl's export",
    [...Object.entries(JOURNAL).map(([name, value]) => `${name}=${value}`), ''],
    FRACTION,
    true,
  ],
  [
    "journalctl's verbose",
    [
      `Tue 2026-11-24 09:12:47.123456 UTC [s=1;i=2;b=3;m=4;t=${FRACTION.toString(16)};x=5]`,
      ...Object.entries(JOURNAL)
        .slice(1)
        .map(([name, value]) => `    ${name}=${value}`),
    ],
    FRACTION,
    true,
  ],
  [
    "Docker's json-file",
    [
      json({
        log: `Nov 24 09:12:47 mx ${PROGRAM}: ${SAID}\n`,
        stream: 'stdout',
        time: '2026-11-24T09:12:47.123456789Z',
      }),
    ],
    FRACTION + 1,
    true,
  ],
  [
    "Docker's json-file, no time of its own",
    [json({ log: `${PROGRAM}: ${SAID}\n`, time: '2026-11-24T09:12:47.123456Z' })],
    FRACTION,
    true,
  ],
  [
    'docker logs -t',
    [`2026-11-24T09:12:47.123456000Z Nov 24 09:12:40 mx ${PROGRAM}: ${SAID}`],
    FRACTION,
    true,
  ],
  ['compose', [`mail-1  | Nov 24 09:12:47 mx ${PROGRAM}: ${SAID}`], SECOND, false],
  ['compose, in colour', [`\x1b[36mmail-1  |\x1b[0m Nov 24 09:12:47 mx ${PROGRAM}: ${SAID}`], SECOND, false],
  ['CRI', [`2026-11-24T09:12:47.123456000Z stdout F Nov 24 09:12:40 mx ${PROGRAM}: ${SAID}`], FRACTION, true],
  [
    'CRI, no time of its own',
    [`2026-11-24T10:12:47.123456+01:00 stdout F ${PROGRAM}: ${SAID}`],
    FRACTION,
    true,
  ],
  ['kubectl --prefix', [`[pod/mail-0/postfix] Nov 24 09:12:47 mx ${PROGRAM}: ${SAID}`], SECOND, false],
  [
    'JSON of another collector',
    [
      json({
        '@timestamp': '2026-11-24T09:12:47.123456Z',
        message: `Nov 24 09:12:47 mx ${PROGRAM}: ${SAID}`,
      }),
    ],
    FRACTION,
    true,
  ],
  ['JSON with seconds of Unix', [json({ ts: UNIX, msg: `${PROGRAM}: ${SAID}` })], FRACTION, true],
];

for (const [name, lines, at, zoned, process = PROGRAM] of FORMS) {
  test(`form: ${name}`, () => {
    const [entry, ...more] = read(lines);
    assert.equal(more, []);
    assert.equal(entry && [entry.daemon, entry.client, entry.says, entry.zoned, entry.process], [
      'smtpd',
      '192.0.2.9',
      { kind: 'connect' },
      zoned,
      process,
    ]);
    assert.ok(Math.abs((entry?.at ?? 0) - at) <= 1, `${entry?.at} ${at}`);
  });
}

const NONE: readonly (readonly [string, string])[] = [
  ['another program', `Nov 24 09:12:47 mx dovecot[4]: ${SAID}`],
  ['no time at all', `${PROGRAM}: ${SAID}`],
  ['a month that is none', `Nuv 24 09:12:47 mx ${PROGRAM}: ${SAID}`],
  ['JSON of something else', json({ a: 1 })],
  ['half a JSON object', '{"log": "Nov 24'],
  ['RFC 5424 of another program', `<22>1 2026-11-24T09:12:47Z mx cron 4 - - ${SAID}`],
];
for (const [name, line] of NONE) test(`no form: ${name}`, () => assert.equal(read([line]), []));

test('a stamp without a year is of the year that brings it nearest', () => {
  const january = Date.UTC(2027, 0, 1) * 1000;
  const [entry] = read([`Dec 31 23:59:59 mx ${PROGRAM}: ${SAID}`], january);
  assert.is(entry?.at, january - 1e6);
});

test('property: no line makes it throw, and nothing is kept of it that is no line of a log', () => {
  const words = fc.constantFrom(
    'Nov 24 09:12:47 ',
    '<22>1 ',
    '{',
    '}',
    '"log":',
    'mx ',
    '[4]: ',
    ' | ',
    'stdout F ',
    '\x1e',
  );
  const line = fc.array(fc.oneof(words, fc.string({ maxLength: 12 })), { maxLength: 8 });
  fc.assert(
    fc.property(fc.array(line, { maxLength: 6 }), (lines) => void read(lines.map((each) => each.join('')))),
  );
});

test.run();
