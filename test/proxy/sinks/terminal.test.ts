import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { stripVTControlCharacters } from 'node:util';
import type { Recorded } from '../../../proxy/sinks/record';
import { createTerminalRenderer } from '../../../proxy/sinks/terminal';
import { clip, formatBytes, formatDuration, printable } from '../../../proxy/sinks/wording';
import * as records from './records';

const HEAD = '03:02:01.000  198.51.100.7     #7      ';

const ROWS: readonly { event: Recorded; want: string }[] = [
  { event: records.GREETING, want: `greeting    20.004 s  220  mx.demo ESMTP  (truncated)` },
  {
    event: records.RCPT,
    want: `rcpt        3.211 ms  550  RCPT TO:<a@b.example>  5.1.1 User unknown  after 1.500 s of the client's own time`,
  },
  {
    event: records.MESSAGE,
    want: `message      50.0 ms  250  12.3 kB  sent in 47.0 ms  2.0.0 Ok: queued as X`,
  },
  { event: records.TLS, want: `tls         0.900 ms       TLSv1.3 mx.demo` },
  { event: records.CLOSE, want: `close       0.100 ms       ended by client, fin` },
  {
    event: records.SESSION,
    want: `session      60.1 ms       client.example  TLSv1.3  1 message  13.0 kB from client, 532 B from server  ended by client, fin`,
  },
  {
    event: records.SEGMENT_SESSION,
    want: `session      60.1 ms       client.example  TLSv1.3  1 message  13.0 kB from client, 532 B from server  round trip 0.812 ms  2 + 0 segments sent again  ehlo-dropped  ended by client, fin`,
  },
  {
    event: records.VERDICT,
    want: `VERDICT                    ehlo-dropped proved by probe  The first command (EHLO) was sent and never arrived here.`,
  },
  { event: records.CAPTURE_LOSS, want: `LOSS                       17 segments missed` },
  {
    event: records.REPAIR,
    want: `REPAIR      20.000 s       truncated: 220-mx.demo\\r\\n became 220 mx.demo ESMTP\\r\\n`,
  },
  { event: records.LEARNED, want: `LEARNED                    truncated, relay: no last line came in 20 s` },
  { event: records.ANOMALY, want: `ANOMALY                    bare-lf from client  EHLO x\\n` },
  { event: records.BLOCKED, want: `BLOCKED                    load: refuse client` },
  {
    event: records.LOSS,
    want: `LOSS                       312 lines of this log left out: 300 phase, 12 session`,
  },
];

for (const { event, want } of ROWS) {
  test(`a line for a person: ${want.split(' ')[0] ?? ''}`, () => {
    const line = createTerminalRenderer({ color: false }).event('info', records.CONNECTION, event);
    assert.is(line, `${HEAD}${want}\n`);
  });
  test(`the same in colour: ${want.split(' ')[0] ?? ''}`, () => {
    const line = createTerminalRenderer({ color: true }).event('info', records.CONNECTION, event);
    assert.is.not(line, stripVTControlCharacters(line));
    assert.is(stripVTControlCharacters(line).trimEnd(), `${HEAD}${want}`);
  });
}

test('columns keep the width of the longest address', () => {
  const renderer = createTerminalRenderer({ color: false });
  const six = { ...records.CONNECTION, client: { address: '2001:db8:aaaa:bbbb::17', port: 1 } };
  const column = (line: string): number => line.indexOf('ended by');
  const wide = column(renderer.event('info', six, records.CLOSE));
  assert.is(column(renderer.event('info', records.CONNECTION, records.CLOSE)), wide);
});

test('a note', () => {
  const line = createTerminalRenderer({ color: false }).note(records.AT, 'info', 'listening', {
    listen: '*:25',
    upstream: '10.0.0.5:25',
    none: undefined,
  });
  assert.is(
    line,
    '03:02:01.000  -                        listening                  listen: *:25  upstream: 10.0.0.5:25\n',
  );
});

test('a name that is longer than its column does not move the text', () => {
  const line = createTerminalRenderer({ color: false }).note(records.AT, 'warn', 'upstream-unresolved', {
    on: 'x',
  });
  assert.is(line, '03:02:01.000  -                        upstream-unresolved        on: x\n');
});

const HOSTILE = ['a\r\nb', '\u001b[2J', '\u009b31m', '\u2028', '\u202e', '\u0000', '\u0007', '\ud800'];

for (const text of HOSTILE) {
  const events: Recorded[] = [
    { ...records.ANOMALY, detail: text } as Recorded,
    { ...records.RCPT, argument: text, reply: { code: 250, lines: 1, text } } as Recorded,
    { ...records.TLS, tls: { version: 'TLSv1.3', sni: text } } as Recorded,
    { ...records.SESSION, hello: text } as Recorded,
    { ...records.REPAIR, before: text, after: text } as Recorded,
    { ...records.VERDICT, summary: text } as Recorded,
    { ...records.LEARNED, because: text } as Recorded,
    { ...records.BLOCKED, rule: text, action: text, detail: text } as Recorded,
    { ...records.LOSS, of: { [text]: 1 } } as Recorded,
  ];
  test(`nothing of a peer's reaches the terminal as a control: ${JSON.stringify(text)}`, () => {
    const renderer = createTerminalRenderer({ color: false });
    for (const event of events)
      assert.match(renderer.event('warn', records.CONNECTION, event), /^[\x20-\x7e]*\n$/);
    assert.match(renderer.note(records.AT, 'warn', text, { [text]: text }), /^[\x20-\x7e]*\n$/);
  });
}

const WORDS: readonly (readonly [got: string, want: string])[] = [
  [formatDuration(0), '0.000 ms'],
  [formatDuration(9_999), '9.999 ms'],
  [formatDuration(812_449), '812.4 ms'],
  [formatDuration(999_960), '1.000 s'],
  [formatDuration(59_999_000), '59.999 s'],
  [formatDuration(60_000_000), '1m 00s'],
  [formatDuration(303_400_000), '5m 03s'],
  [formatDuration(-1_500), '-1.500 ms'],
  [formatBytes(0), '0 B'],
  [formatBytes(999), '999 B'],
  [formatBytes(1_000), '1.0 kB'],
  [formatBytes(4_200_000), '4.2 MB'],
  [clip('x'.repeat(130)), `${'x'.repeat(119)}…`],
  [printable('Grüße 😀'), 'Grüße 😀'],
];

for (const [got, want] of WORDS) test(`in words: ${want}`, () => assert.is(got, want));

test.run();
