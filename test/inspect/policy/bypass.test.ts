// Ways around the rules: what a server may read otherwise than the grammar has it, and octets that are no commands.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createFilter } from '../../../inspect/policy/filter';
import { NO_RULES, type Rules } from '../../../inspect/policy/rules';
import { createSession } from '../../../inspect/smtp/session';
import { latin1 } from '../../../inspect/text';
import { CUTS, everySplit, pieces, type Piece, START, type Turn } from '../smtp/transcript';

const DEFAULT: Rules = {
  ...NO_RULES,
  smuggling: 'normalize',
  starttls: 'enforce',
  synchronization: 'observe',
  lines: 'observe',
  nul: 'enforce',
  commands: 'enforce',
  refusedCommands: new Set(['VRFY', 'EXPN', 'DEBUG', 'XEXCH50']),
};

const HI: Turn = ['S', '220 mta\r\n'];
const EHLO: readonly Turn[] = [
  HI,
  ['C', 'EHLO vm\r\n'],
  ['S', '250-mta\r\n250-PIPELINING\r\n250 STARTTLS\r\n'],
];
const CHUNKING: readonly Turn[] = [HI, ['C', 'EHLO vm\r\n'], ['S', '250-mta\r\n250 CHUNKING\r\n']];
const MAIL: readonly Turn[] = [
  ['C', 'MAIL FROM:<a@b>\r\n'],
  ['S', '250 ok\r\n'],
  ['C', 'RCPT TO:<c@d>\r\n'],
  ['S', '250 ok\r\n'],
];
const NO_CHUNK: Turn = ['S', '501 no\r\n'];
const GO: Turn = ['S', '354 go\r\n'];
const REFUSED = 'VRFY root\r\n';
const hidden = (keyword: string): Partial<Rules> => ({ hiddenKeywords: new Set([keyword]) });

/** The last turn is the client's, and what it ends with is not to reach the server. */
const ROWS: readonly (readonly [
  name: string,
  rules: Partial<Rules>,
  turns: readonly Turn[],
  never: RegExp,
])[] = [
  [
    'DATA behind a blank: its message ends at its end',
    {},
    [...EHLO, ...MAIL, ['C', ' DATA\r\n'], GO, ['C', `x\r\n.\r\n${REFUSED}`]],
    /VRFY/,
  ],
  [
    'DATA behind a blank: its message is one',
    {},
    [...EHLO, ...MAIL, ['C', '\tDATA\r\n'], GO, ['C', 'x\n.\nMAIL FROM:<x@y>\n']],
    /\n\.\r?\n/,
  ],
  [
    'DATA before CR CRLF',
    {},
    [...EHLO, ...MAIL, ['C', 'DATA\r\r\n'], GO, ['C', `x\r\n.\r\n${REFUSED}`]],
    /VRFY/,
  ],
  [
    'a message that an unknown command is asked for',
    {},
    [...EHLO, ...MAIL, ['C', 'DATAX\r\n'], GO, ['C', REFUSED]],
    /VRFY/,
  ],
  [
    'a message that another command is asked for',
    {},
    [...EHLO, ['C', 'NOOP\r\n'], GO, ['C', 'x\n.\nMAIL\n']],
    /MAIL/,
  ],
  [
    'STARTTLS behind a blank: what is pipelined behind it',
    {},
    [...EHLO, ['C', ' STARTTLS\r\nEHLO injected\r\n'], ['S', '220 go\r\n'], ['C', '\x16\x03']],
    /injected/,
  ],
  ['a chunk where CHUNKING is not offered', {}, [...EHLO, ...MAIL, ['C', `BDAT 11\r\n${REFUSED}`]], /VRFY/],
  [
    'a chunk behind HELO',
    {},
    [...CHUNKING, ['C', 'HELO vm\r\n'], ['S', '250 mta\r\n'], ['C', `BDAT 11\r\n${REFUSED}`]],
    /VRFY/,
  ],
  [
    'a chunk of 2^32 + 1 octets',
    {},
    [...CHUNKING, ...MAIL, ['C', `BDAT 4294967297\r\nX${REFUSED}`], NO_CHUNK, ['C', REFUSED]],
    /VRFY/,
  ],
  [
    'a chunk of 2^31 octets',
    {},
    [...CHUNKING, ...MAIL, ['C', `BDAT 2147483648\r\n${REFUSED}`], NO_CHUNK],
    /VRFY/,
  ],
  [
    'a chunk whose size is signed',
    {},
    [...CHUNKING, ...MAIL, ['C', `BDAT +5 LAST\r\nABCDE${REFUSED}`]],
    /ABCDE|VRFY/,
  ],
  [
    'a chunk whose size may be octal',
    {},
    [...CHUNKING, ...MAIL, ['C', `BDAT 010 LAST\r\n${REFUSED}`], NO_CHUNK],
    /VRFY/,
  ],
  [
    'a chunk whose size is hexadecimal',
    {},
    [...CHUNKING, ...MAIL, ['C', `BDAT 0x5\r\nABCDE${REFUSED}`]],
    /ABCDE|VRFY/,
  ],
  ['blanks in BDAT', {}, [...CHUNKING, ...MAIL, ['C', `BDAT\t5  LAST\r\nABCDE${REFUSED}`]], /VRFY/],
  ['BDAT behind a blank', {}, [...CHUNKING, ...MAIL, ['C', ` BDAT 5 LAST\r\nABCDE${REFUSED}`]], /VRFY/],
  ['the first octet is a CR', {}, [HI, ['C', '\r'], ['C', REFUSED]], /VRFY/],
  ['the first octets are CRLF CR', {}, [HI, ['C', '\r\n\r'], ['C', REFUSED]], /VRFY/],
  ['what may become a PROXY header', {}, [HI, ['C', 'PROX'], ['C', `\r${REFUSED}`]], /VRFY/],
  ['a CR in a PROXY header', {}, [HI, ['C', `PROXY UNKNOWN x\r${REFUSED}`]], /VRFY/],
  [
    'what begins as TLS, before the greeting',
    {},
    [['C', '\x16\x03\x01\0\x05hello'], HI, ['C', `\r\n${REFUSED}`]],
    /VRFY/,
  ],
  ['a command in what begins as TLS', {}, [['C', `\x16\x03\x01\0\x40hello\r\n${REFUSED}`]], /VRFY r/],
  ['an alert, and a command', {}, [['C', `\x15\r\n${REFUSED}`]], /VRFY r/],
  ['what begins as SSL 2', {}, [['C', '\x80\x2e\x01'], HI, ['C', `\r\n${REFUSED}`]], /VRFY/],
  [
    'TLS that begins once more',
    { starttls: 'observe' },
    [
      ...EHLO,
      ['C', 'STARTTLS\r\n'],
      ['S', '220 go\r\n'],
      ['C', 'NOOP\r\n'],
      ['S', '250 ok\r\n'],
      ['C', `\x16\x03\r\n${REFUSED}`],
    ],
    /VRFY r/,
  ],
  ['what begins as TLS, behind the greeting', {}, [HI, ['C', `\x16\x03\x01\r\n${REFUSED}`]], /VRFY/],
  [
    'a CR in a line of AUTH',
    {},
    [...EHLO, ['C', 'AUTH LOGIN\r\n'], ['S', '334 x\r\n'], ['C', `abc\r${REFUSED}`]],
    /VRFY/,
  ],
  [
    'a CR before a command that needs TLS',
    { requireTls: true },
    [...EHLO, ['C', 'NOOP\rMAIL FROM:<a@b>\r\n']],
    /MAIL/,
  ],
  ['a CR before AUTH', { authBeforeTls: 'enforce' }, [...EHLO, ['C', 'NOOP\rAUTH PLAIN x\r\n']], /AUTH/],
  ['a CR before a hidden command', hidden('CHUNKING'), [...CHUNKING, ['C', 'NOOP\rBDAT 5\r\n']], /BDAT/],
  ['a CR before DATA', {}, [...EHLO, ['C', 'NOOP\rDATA\r\n']], /DATA/],
  ['a hidden parameter: TAB', hidden('DSN'), [...EHLO, ['C', 'RCPT\tTO:<a@b> NOTIFY=NEVER\r\n']], /NOTIFY/],
  [
    'a hidden parameter: TAB before the path',
    hidden('DSN'),
    [...EHLO, ['C', 'RCPT TO:\t<a@b> NOTIFY=NEVER\r\n']],
    /NOTIFY/,
  ],
  [
    'a hidden parameter: VT before it',
    hidden('DSN'),
    [...EHLO, ['C', 'RCPT TO:<a@b>\x0bNOTIFY=NEVER\r\n']],
    /NOTIFY/,
  ],
  [
    'a hidden parameter: a blank first',
    hidden('DSN'),
    [...EHLO, ['C', ' RCPT TO:<a@b> NOTIFY=NEVER\r\n']],
    /NOTIFY/,
  ],
  [
    'a hidden parameter: `TO :`',
    hidden('DSN'),
    [...EHLO, ['C', 'RCPT TO : <a@b> NOTIFY=NEVER\r\n']],
    /NOTIFY/,
  ],
  [
    'a hidden parameter: an open quote',
    hidden('DSN'),
    [...EHLO, ['C', 'RCPT TO:<a"@b> NOTIFY=NEVER\r\n']],
    /NOTIFY/,
  ],
  [
    'a hidden parameter: an open path',
    hidden('DSN'),
    [...EHLO, ['C', 'RCPT TO:<a@b NOTIFY=NEVER\r\n']],
    /NOTIFY/,
  ],
  [
    'a hidden parameter: no blank before it',
    hidden('DSN'),
    [...EHLO, ['C', 'RCPT TO:<a@b>NOTIFY=NEVER\r\n']],
    /NOTIFY/,
  ],
  ['a NUL in a verb', { nul: 'off' }, [HI, ['C', 'V\0RFY root\r\n']], /V/],
  ['octets that are no ASCII before a verb', {}, [HI, ['C', `\xef\xbb\xbf${REFUSED}`]], /VRFY/],
  [
    'what is no word, and a list of those that are allowed',
    { allowedCommands: new Set(['EHLO']) },
    [HI, ['C', '"VRFY" root\r\n']],
    /VRFY/,
  ],
];

/** What the server gets. Where the connection is closed the client's other octets go nowhere. */
function play(rules: Partial<Rules>, fed: readonly Piece[]): string {
  const session = createSession({ started: START, connected: START });
  const filter = createFilter({ rules: { ...DEFAULT, ...rules }, session });
  let server = '';
  for (const { from, bytes, at } of fed)
    for (const step of filter[from](bytes, at)) if (step.kind === 'to-server') server += latin1(step.bytes);
  return server;
}

for (const [name, rules, turns, never] of ROWS) {
  test(name, () => {
    const variants = [...Object.values(CUTS).map((by) => pieces(turns, by)), ...everySplit(turns)];
    for (const variant of variants) assert.not.match(play(rules, variant), never);
  });
}

/** What the client says last reaches the server, whole. */
const PASS: readonly (readonly [name: string, turns: readonly Turn[]])[] = [
  [
    'lines that end in CR CRLF',
    [
      ...EHLO,
      ['C', 'MAIL FROM:<a@b>\r\r\n'],
      ['S', '250 ok\r\n'],
      ['C', 'DATA\r\r\n'],
      GO,
      ['C', 'x\r\n.\r\n'],
    ],
  ],
  [
    'TLS behind STARTTLS CR CRLF',
    [...EHLO, ['C', 'STARTTLS\r\r\n'], ['S', '220 go\r\n'], ['C', '\x16\x03\x01\0\x02ab']],
  ],
  [
    'TLS from the first octet on',
    [
      ['C', '\x16\x03\x01\0\x02\r\n'],
      ['S', '\x16\x03\x03\0\x02ab'],
      ['C', '\x17\x03\x03\0\x06VRFY r'],
    ],
  ],
  ['a chunk of the largest size', [...CHUNKING, ...MAIL, ['C', `BDAT 2147483647 LAST\r\n${REFUSED}`]]],
  [
    'a chunk whose CHUNKING an EHLO in the same group offers',
    [HI, ['C', 'EHLO vm\r\nBDAT 2\r\nab'], ['S', '250-mta\r\n250 CHUNKING\r\n'], ['C', 'NOOP\r\n']],
  ],
  [
    'a line of AUTH that ends in CR CRLF',
    [...EHLO, ['C', 'AUTH LOGIN\r\n'], ['S', '334 x\r\n'], ['C', 'abc\r\r\n']],
  ],
  [
    'an extension of ten octets in a PROXY header',
    [
      ['C', '\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x19\x0a\0\0\x01\x0a\0\0\x02\0\x01\0\x19\x02\0\x0amx.example'],
      HI,
      ['C', 'NOOP\r\n'],
    ],
  ],
];

for (const [name, turns] of PASS) {
  test(`passes: ${name}`, () => {
    const last = latin1(pieces(turns.slice(-1), (bytes) => [bytes])[0]?.bytes ?? new Uint8Array());
    const variants = [...Object.values(CUTS).map((by) => pieces(turns, by)), ...everySplit(turns)];
    for (const variant of variants) assert.ok(play({}, variant).endsWith(last));
  });
}

test('a FIN behind lines that are held: a last line without its end follows them', () => {
  const session = createSession({ started: START, connected: START });
  const filter = createFilter({ rules: DEFAULT, session });
  let server = '';
  const feed = (steps: ReturnType<typeof filter.clientEnd>): void => {
    for (const step of steps) if (step.kind === 'to-server') server += latin1(step.bytes);
  };
  for (const { from, bytes, at } of pieces([...EHLO, ['C', 'RSET\r\nDATA\r\nNOOP\r\nQUIT']], (all) => [all]))
    feed(filter[from](bytes, at));
  feed(filter.clientEnd(START));
  assert.ok(filter.held() > 0);
  for (const { bytes, at } of pieces(
    [
      ['S', '250 ok\r\n'],
      ['S', '503 no\r\n'],
    ],
    (all) => [all],
  ))
    feed(filter.server(bytes, at));
  assert.ok(server.endsWith('DATA\r\nNOOP\r\nQUIT'));
  assert.is(filter.held(), 0);
});

test.run();
