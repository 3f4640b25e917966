// What Exim and sendmail say of a connection: lines as they write them.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { formatFault, isFault } from '../../../../proxy/system/fault';
import type { Entry } from '../../../../proxy/report/maillog/entry';
import { parseMessage } from '../../../../proxy/report/maillog/entry';
import { createLineReader } from '../../../../proxy/report/maillog/lines';
import { type Maillog, readMaillog, shapeOf } from '../../../../proxy/report/maillog/maillog';

const dir = mkdtempSync(join(tmpdir(), 'ehlowire-maillog-'));
test.after(() => rmSync(dir, { recursive: true }));

const AT = Date.UTC(2026, 10, 24, 9, 12, 47) * 1000;
const EXIM = '2026-11-24 09:12:47 ';
const SENDMAIL = 'Nov 24 09:12:47 mx sm-mta[6978]: n2HBoYaC006978: ';

type Said = Pick<Entry, 'daemon' | 'says'> & Partial<Entry>;
const ip = '192.0.2.9';

const LINES: readonly (readonly [line: string, want: Said | undefined])[] = [
  [
    `${EXIM}SMTP connection from [${ip}]:40123 I=[192.0.2.1]:25 (TCP/IP connection count = 1)`,
    { daemon: 'exim', client: ip, port: 40_123, says: { kind: 'connect' } },
  ],
  [
    `${EXIM}[4711] SMTP connection from [2001:DB8::7] (TCP/IP connection count = 2)`,
    { daemon: 'exim', client: '2001:db8::7', says: { kind: 'connect' } },
  ],
  [
    `${EXIM}SMTP command timeout on connection from mail.example [${ip}]:40123 I=[192.0.2.1]:25 D=5m`,
    { daemon: 'exim', client: ip, port: 40_123, lasted: 300e6, says: { kind: 'timeout', after: '' } },
  ],
  [
    `${EXIM}SMTP command timeout on TLS connection from (vm) [${ip}]`,
    { daemon: 'exim', client: ip, says: { kind: 'timeout', after: '' } },
  ],
  [
    `${EXIM}1kF8a9-0001xY-2b SMTP data timeout (message abandoned) on connection from mail.example (vm) [${ip}] F=<a@b.example>`,
    { daemon: 'exim', client: ip, says: { kind: 'timeout', after: 'DATA' } },
  ],
  [
    `${EXIM}unexpected disconnection while reading SMTP command from (vm) [${ip}] (error: Connection reset by peer) D=1m2s`,
    { daemon: 'exim', client: ip, lasted: 62e6, says: { kind: 'lost', after: '' } },
  ],
  [
    `${EXIM}unexpected disconnection while reading SMTP command from localhost ([192.168.103.193]) [::1]`,
    { daemon: 'exim', client: '::1', says: { kind: 'lost', after: '' } },
  ],
  [
    `${EXIM}SMTP connection from mail.example (vm) [${ip}]:40123 I=[192.0.2.1]:25 lost D=0.120s`,
    { daemon: 'exim', client: ip, port: 40_123, lasted: 120_000, says: { kind: 'lost', after: '' } },
  ],
  [
    `${EXIM}SMTP connection from mail.example [${ip}]:40123 I=[192.0.2.1]:25 D=2s closed by QUIT`,
    { daemon: 'exim', client: ip, port: 40_123, lasted: 2e6, says: { kind: 'disconnect', tally: {} } },
  ],
  [
    `${EXIM}SMTP connection from mail.example [${ip}] closed by QUIT`,
    { daemon: 'exim', client: ip, says: { kind: 'disconnect', tally: {} } },
  ],
  [
    `${EXIM}SMTP protocol synchronization error (input sent without waiting for greeting): rejected connection from H=[${ip}] input="EHLO secret"`,
    { daemon: 'exim', client: ip, says: { kind: 'pipelining', after: 'CONNECT' } },
  ],
  [
    `${EXIM}no MAIL in SMTP connection from mail.example [${ip}] D=3s C=EHLO,QUIT`,
    { daemon: 'exim', client: ip, lasted: 3e6, says: { kind: 'disconnect', tally: {} } },
  ],
  [
    `Nov 24 09:12:47 mx exim[12]: ${EXIM}SMTP connection from [${ip}] (TCP/IP connection count = 1)`,
    { daemon: 'exim', client: ip, process: 'exim[12]', says: { kind: 'connect' } },
  ],
  [`${EXIM}no host name found for IP address ${ip}`, undefined],
  [`${EXIM}1kF8a9-0001xY-2b <= a@b.example H=mail.example [${ip}] P=esmtp S=100`, undefined],
  [
    `Nov 24 09:12:47 mx sendmail[4]: NOQUEUE: connect from mail.example [${ip}]`,
    { daemon: 'sendmail', client: ip, process: 'sendmail[4]', says: { kind: 'connect' } },
  ],
  [
    `${SENDMAIL}lost input channel from mail.example [${ip}] to MTA after rcpt`,
    { daemon: 'sendmail', client: ip, says: { kind: 'lost', after: 'RCPT' } },
  ],
  [
    `${SENDMAIL}lost input channel from [${ip}] (may be forged) to MTA after startup`,
    { daemon: 'sendmail', client: ip, says: { kind: 'lost', after: 'CONNECT' } },
  ],
  [
    `${SENDMAIL}timeout waiting for input from mail.example during server cmd read`,
    { daemon: 'sendmail', says: { kind: 'timeout', after: '' } },
  ],
  [
    `${SENDMAIL}rejecting commands from mail.example [${ip}] due to pre-greeting traffic after 0 seconds`,
    { daemon: 'sendmail', client: ip, says: { kind: 'pipelining', after: 'CONNECT' } },
  ],
  [
    `${SENDMAIL}mail.example [${ip}] did not issue MAIL/EXPN/VRFY/ETRN during connection to MTA`,
    { daemon: 'sendmail', client: ip, says: { kind: 'disconnect', tally: {} } },
  ],
  [
    `${SENDMAIL}from=<a@b.example>, size=100, class=0, nrcpts=1, proto=ESMTP, daemon=MTA, relay=mail.example [${ip}]`,
    { daemon: 'sendmail', client: ip, says: { kind: 'mail' } },
  ],
  [`${SENDMAIL}to=<a@b.example>, delay=00:00:01, stat=Sent`, undefined],
];
for (const [line, want] of LINES) {
  test(`line: ${line.slice(0, 100)}`, () => {
    const read = createLineReader(AT).take(line);
    const entry = read && parseMessage(read);
    const process = line.startsWith(SENDMAIL) ? 'sm-mta[6978]' : '';
    assert.equal(entry, want && { at: AT, zoned: false, process, ...want });
    assert.not.match(JSON.stringify(entry ?? ''), /@|secret/, 'nothing of an envelope');
  });
}

async function readAll(octets: string | Buffer, name = 'log'): Promise<Maillog | string> {
  const file = join(dir, name);
  writeFileSync(file, octets);
  const log = await readMaillog(file, AT - 600e6, AT + 600e6);
  return isFault(log) ? formatFault(log).replaceAll(`${dir}/`, '') : log;
}

test('an end without a beginning lines up by its end, or by how long it lasted', async () => {
  const log = await readAll(
    [
      `${EXIM}SMTP command timeout on connection from [${ip}] D=5m`,
      `${EXIM}SMTP command timeout on connection from [192.0.2.10]`,
      `${SENDMAIL}timeout waiting for input from mail.example during server cmd read`,
      `${SENDMAIL}mail.example [192.0.2.11] did not issue MAIL/EXPN/VRFY/ETRN during connection to MTA`,
    ].join('\n'),
  );
  if (typeof log === 'string') throw new Error(log);
  assert.equal(
    log.sessions.map(({ client, started, ended, endOnly }) => [
      client,
      started - AT,
      (ended ?? 0) - AT,
      endOnly,
    ]),
    [
      [ip, -300e6, 0, undefined],
      ['192.0.2.10', 0, 0, true],
      ['192.0.2.11', 0, 0, true],
    ],
  );
});

test('gzip is read', async () => {
  const log = await readAll(
    gzipSync(`Nov 24 09:12:47 mx postfix/smtpd[4]: connect from a[${ip}]\n`),
    'log.gz',
  );
  assert.is(typeof log === 'string' ? log : log.understood, 1);
});

const UNKNOWN: readonly (readonly [name: string, octets: string, says: RegExp])[] = [
  ['empty', '', /: it is empty: logs of Postfix, Exim and sendmail are read/],
  [
    'no form',
    'root:$6$Secret$hash:19000:0\n',
    /of 1 line none has a form that is known; the first looks like: x{4}:\$9\$x{6}\$x{4}:9{5}:9: /,
  ],
  [
    'another program',
    'Nov 24 09:12:47 mx cron[4]: (root) CMD (secret --password=Hunter2)\n',
    /of 1 line none is about a connection; the first looks like: Nov 99 99:99:99 xx x{4}\[9\]: /,
  ],
];
for (const [name, octets, says] of UNKNOWN) {
  test(`not understood: ${name}`, async () => {
    const got = await readAll(octets);
    assert.match(String(got), says);
    assert.not.match(String(got), /secret|Secret|Hunter/);
  });
}

test('a log that is compressed otherwise: what to do', async () => {
  const got = await readAll(Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0, 0]), 'log.xz');
  assert.match(String(got), /it is compressed \(xz\): xz -dc .* > mail\.log$/);
});

test('the shape of a line has no word of it but those of log forms', () => {
  assert.is(
    shapeOf('Nov 24 mx postfix/smtpd[12]: pass=Hé a@b.c'),
    'Nov 99 xx postfix/smtpd[99]: xxxx=x? x@x.x',
  );
  assert.is(shapeOf('x'.repeat(500)), `${'x'.repeat(12)}…`);
});

test.run();
