// Lines of a real Postfix 3.7: what is understood, and what is left alone.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseMessage, type Entry } from '../../../../proxy/report/maillog/entry';
import { createLineReader } from '../../../../proxy/report/maillog/lines';

const NEAR = Date.UTC(2026, 10, 24, 12) * 1000;

function read(...lines: readonly string[]): Entry[] {
  const reader = createLineReader(NEAR);
  const read = [...lines.map((line) => reader.take(line)), reader.end()];
  return read.flatMap((line) => (line ? [parseMessage(line)] : [])).filter((each) => each !== undefined);
}

const HOST = 'Nov 24 09:12:47 mx postfix/smtpd[4]: ';
const SCREEN = 'Nov 24 09:12:59 mx postfix/postscreen[11]: ';

/** [message, client, port, what it says]. */
const SMTPD: readonly (readonly [string, string, number | undefined, Entry['says']])[] = [
  ['connect from localhost[127.0.0.1]', '127.0.0.1', undefined, { kind: 'connect' }],
  ['connect from unknown[2001:DB8::7]', '2001:db8::7', undefined, { kind: 'connect' }],
  ['connect from mail.example[192.0.2.9]:40123', '192.0.2.9', 40123, { kind: 'connect' }],
  [
    'timeout after CONNECT from localhost[127.0.0.1]',
    '127.0.0.1',
    undefined,
    { kind: 'timeout', after: 'CONNECT' },
  ],
  [
    'timeout after DATA (1234 bytes) from localhost[127.0.0.1]',
    '127.0.0.1',
    undefined,
    { kind: 'timeout', after: 'DATA' },
  ],
  [
    'lost connection after EHLO from localhost[127.0.0.1]',
    '127.0.0.1',
    undefined,
    { kind: 'lost', after: 'EHLO' },
  ],
  [
    'disconnect from localhost[127.0.0.1] ehlo=1 starttls=0/1 auth=0/1 noop=1 unknown=0/1 commands=2/5',
    '127.0.0.1',
    undefined,
    {
      kind: 'disconnect',
      tally: {
        ehlo: [1, 1],
        starttls: [0, 1],
        auth: [0, 1],
        noop: [1, 1],
        unknown: [0, 1],
        commands: [2, 5],
      },
    },
  ],
  [
    'NOQUEUE: reject: RCPT from localhost[127.0.0.1]: 554 5.7.1 <nobody@other.example>: Recipient address rejected: ' +
      'Access denied; from=<a@client.example> to=<nobody@other.example> proto=ESMTP helo=<vm.example>',
    '127.0.0.1',
    undefined,
    { kind: 'reject', stage: 'RCPT', code: 554 },
  ],
  [
    'improper command pipelining after CONNECT from localhost[127.0.0.1]: EHLO vm.example\\r\\n',
    '127.0.0.1',
    undefined,
    { kind: 'pipelining', after: 'CONNECT' },
  ],
];

for (const [message, client, port, says] of SMTPD) {
  test(`smtpd: ${message.slice(0, 60)}`, () => {
    const [entry] = read(HOST + message);
    const { at, ...rest } = entry ?? { at: 0 };
    assert.is(at, Date.UTC(2026, 10, 24, 9, 12, 47) * 1000);
    const common = { zoned: false, daemon: 'smtpd', process: 'postfix/smtpd[4]' };
    assert.equal(rest, { ...common, client, ...(port !== undefined && { port }), says });
    assert.not.match(JSON.stringify(entry), /@/, 'no address of an envelope');
  });
}

const POSTSCREEN: readonly (readonly [string, Entry['says']])[] = [
  ['CONNECT from [127.0.0.1]:36076 to [127.0.0.1]:36091', { kind: 'connect' }],
  [
    'PREGREET 12 after 0 from [127.0.0.1]:36076: EHLO early\\r\\n',
    { kind: 'pregreet', octets: 12, after: 0 },
  ],
  ['PASS NEW [127.0.0.1]:36076', { kind: 'pass', how: 'NEW' }],
  ['PASS OLD [127.0.0.1]:36076', { kind: 'pass', how: 'OLD' }],
  ['HANGUP after 2.5 from [127.0.0.1]:36076 in tests after SMTP handshake', { kind: 'hangup', after: 2.5 }],
  ['DISCONNECT [127.0.0.1]:36076', { kind: 'disconnect', tally: {} }],
  [
    'NOQUEUE: reject: RCPT from [127.0.0.1]:36076: 550 5.5.1 Protocol error; from=<a@b>, to=<c@d>, proto=SMTP',
    { kind: 'reject', stage: 'RCPT', code: 550 },
  ],
  ['COMMAND TIME LIMIT from [127.0.0.1]:36076 after EHLO', { kind: 'timeout', after: 'EHLO' }],
];

for (const [message, says] of POSTSCREEN) {
  test(`postscreen: ${message.slice(0, 60)}`, () => {
    const [entry] = read(SCREEN + message);
    assert.equal(
      [entry?.client, entry?.port, entry?.daemon, entry?.says],
      ['127.0.0.1', 36076, 'postscreen', says],
    );
  });
}

const OTHERS: readonly string[] = [
  `${HOST}172F023A2F0: client=localhost[127.0.0.1]`,
  `${HOST}warning: hostname x does not resolve to address 127.0.0.1`,
  'Nov 24 09:12:48 mx postfix/cleanup[9]: 172F023A2F0: message-id=<>',
  'Nov 24 09:12:48 mx sshd[9]: connect from localhost[127.0.0.1]',
  // A name is the peer's own choice.
  `${HOST}warning: x: connect from forged[203.0.113.1]`,
  `${HOST}connect from a b[203.0.113.1]`,
  '',
  'junk',
  '{"MESSAGE": broken',
];

test('lines that are not about a connection are left alone', () => {
  assert.equal(
    OTHERS.flatMap((line) => read(line)),
    [],
  );
});

test.run();
