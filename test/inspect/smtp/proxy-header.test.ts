// A PROXY header in front of a dialogue: taken whole however it is cut, shown, never answered, and all in step behind it.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { ProxyFacts, SmtpEvent } from '../../../inspect/events';
import { formatLocalHeader, formatProxyHeader } from '../../../inspect/grammar/proxy-header';
import { createGreeter } from '../../../inspect/greeting/greeter';
import { createSession, type SessionOptions } from '../../../inspect/smtp/session';
import { latin1 } from '../../../inspect/text';
import { CUTS, everySplit, octets, pieces, run, START, tell, totals, type Turn, untiled } from './transcript';

const CLIENT = { address: '198.51.100.7', port: 4321 };
const SERVER = { address: '203.0.113.25', port: 25 };
const V1 = latin1(formatProxyHeader(1, CLIENT, SERVER));
/** With extensions that hold line ends, as binary data may. */
const V2 = latin1(formatProxyHeader(2, CLIENT, SERVER, Uint8Array.from([0xee, 0, 6, 13, 10, 46, 13, 10, 0])));
const V2_SIX = latin1(formatProxyHeader(2, { address: '2001:db8::a0d', port: 3338 }, SERVER));
const LOCAL = latin1(formatLocalHeader());
const UNKNOWN = 'PROXY UNKNOWN\r\n';

const GREETING: Turn = ['S', '220 mx.example ESMTP\r\n'];
const REST: readonly Turn[] = [
  GREETING,
  ['C', 'EHLO vm\r\n'],
  ['S', '250 mx.example\r\n'],
  ['C', 'QUIT\r\n'],
  ['S', '221 bye\r\n'],
];
const GREETED = ['reply 220 greeting', 'phase greeting 220'];
const HELLOED = ['command EHLO vm', 'reply 250 hello', 'phase hello 250'];
const IN_STEP = [...GREETED, ...HELLOED, 'command QUIT', 'reply 221 quit', 'phase quit 221'];
const taken = (header: string): string[] => [`proxy client ${header.length}`, 'anomaly proxy-header client'];

interface Row {
  readonly name: string;
  readonly turns: readonly Turn[];
  readonly want: readonly string[];
  readonly proxy?: ProxyFacts | undefined;
  readonly options?: Partial<SessionOptions>;
}

const BOTH = { command: 'proxy', source: CLIENT, destination: SERVER } as const;

const ROWS: readonly Row[] = [
  {
    name: 'v1',
    turns: [['C', V1], ...REST],
    want: [...taken(V1), ...IN_STEP],
    proxy: { version: 1, ...BOTH },
  },
  {
    name: 'v1 without addresses',
    turns: [['C', UNKNOWN], ...REST],
    want: [...taken(UNKNOWN), ...IN_STEP],
    proxy: { version: 1, command: 'proxy' },
  },
  {
    name: 'v2, with line ends in its extensions',
    turns: [['C', V2], ...REST],
    want: [...taken(V2), ...IN_STEP],
    proxy: { version: 2, ...BOTH },
  },
  {
    name: 'v2 of IPv6, with line ends in address and port',
    turns: [['C', V2_SIX], ...REST],
    want: [...taken(V2_SIX), ...IN_STEP],
    proxy: {
      version: 2,
      command: 'proxy',
      source: { address: '2001:db8::a0d', port: 3338 },
      destination: SERVER,
    },
  },
  {
    name: 'v2 LOCAL: a health check',
    turns: [['C', LOCAL], ...REST],
    want: [...taken(LOCAL), ...IN_STEP],
    proxy: { version: 2, command: 'local' },
  },
  {
    name: 'a client that speaks right behind its header is an early talker, by what is behind it',
    turns: [['C', `${V1}EHLO vm\r\n`], GREETING, ['S', '250 mx.example\r\n']],
    want: [
      ...[...taken(V1), 'command EHLO vm', ...GREETED],
      ...['anomaly early-talker client', ...HELLOED.slice(1)],
    ],
    proxy: { version: 1, ...BOTH },
  },
  {
    name: "v1, and a server that takes it for a command: its refusal is nobody's answer",
    turns: [['C', V1], GREETING, ['S', '500 5.5.1 what?\r\n'], ...REST.slice(1)],
    want: [...taken(V1), ...GREETED, 'reply 500 5.5.1 to nothing', ...IN_STEP.slice(2)],
    proxy: { version: 1, ...BOTH },
  },
  {
    name: 'the same, and EHLO is sent before the refusal comes',
    turns: [
      ['C', V1],
      GREETING,
      ['C', 'EHLO vm\r\n'],
      ['S', '502 5.5.2 what?\r\n'],
      ['S', '250 mx.example\r\n'],
    ],
    want: [...taken(V1), ...GREETED, 'command EHLO vm', 'reply 502 5.5.2 to nothing', ...HELLOED.slice(1)],
    proxy: { version: 1, ...BOTH },
  },
  {
    name: 'v2, and a server that takes its lines for commands',
    turns: [['C', V2], GREETING, ['S', '500 a\r\n500 b\r\n500 c\r\n'], ...REST.slice(1)],
    want: [...taken(V2), ...GREETED, ...Array<string>(3).fill('reply 500 to nothing'), ...IN_STEP.slice(2)],
    proxy: { version: 2, ...BOTH },
  },
  {
    name: 'a server that knows of headers and refuses EHLO refuses EHLO',
    turns: [
      ['C', V1],
      GREETING,
      ['C', 'EHLO vm\r\n'],
      ['S', '554 5.7.1 no\r\n'],
      ['C', 'NOOP\r\n'],
      ['S', '500 no\r\n'],
    ],
    want: [
      ...taken(V1),
      ...GREETED,
      ...['command EHLO vm', 'reply 554 5.7.1 hello', 'phase hello 554'],
      ...['command NOOP', 'reply 500 other', 'phase other 500'],
    ],
    proxy: { version: 1, ...BOTH },
  },
  {
    name: 'it begins like a header and is none',
    turns: [['C', 'PROXY is no verb\r\n'], GREETING, ['S', '500 no\r\n']],
    want: [
      ...['anomaly early-talker client', 'command ? (16 octets, printable)', 'anomaly proxy-header client'],
      ...GREETED,
      ...['reply 500 other', 'phase other 500'],
    ],
  },
  {
    name: 'blank lines are no header',
    turns: [GREETING, ['C', '\r\n'], ['S', '500 no\r\n'], ...REST.slice(1)],
    want: [
      ...GREETED,
      ...['command ? (0 octets, printable)', 'anomaly unknown-command client'],
      ...['reply 500 other', 'phase other 500', ...IN_STEP.slice(2)],
    ],
  },
  {
    name: 'only the beginning of a header',
    turns: [['C', V2.slice(0, 20)]],
    want: ['fragment client 20', 'phase greeting'],
  },
  {
    name: 'one was agreed on: another that the client sends changes nothing of it',
    turns: [['C', V1], ...REST],
    want: [...taken(V1), ...IN_STEP],
    proxy: { version: 2, command: 'local' },
    options: { proxy: { version: 2, command: 'local' } },
  },
  {
    name: 'TLS from the first octet behind it on',
    turns: [['C', `${V2}\x16\x03\x01\x00\x01\x01`]],
    want: [...taken(V2), 'opaque client 6', 'phase tls'],
    proxy: { version: 2, ...BOTH },
    options: { implicitTls: true },
  },
];

for (const { name, turns, want, proxy, options = {} } of ROWS) {
  test(name, () => {
    const close = { by: 'client', how: 'fin' } as const;
    const whole = run(
      pieces(turns, (bytes) => [bytes]),
      close,
      options,
    );
    const judge = (events: readonly SmtpEvent[], how: string): void => {
      assert.equal(events.map(tell).slice(1, -2), want, how);
      assert.equal(untiled(events, totals(turns)), [], how);
      const session = events.at(-1);
      assert.equal(session?.kind === 'session' && session.proxy, proxy, how);
    };
    judge(whole, 'whole');
    for (const [cut, by] of Object.entries(CUTS)) judge(run(pieces(turns, by), close, options), cut);
    for (const variant of everySplit(turns)) judge(run(variant, close, options), 'split');
  });
}

test('a hole in a header: less is seen, and the dialogue behind it is read', () => {
  const session = createSession({ started: START, connected: START });
  const events = [
    ...session.feed('client', octets(V1.slice(0, 20)), START),
    ...session.gap('client', 10, START),
    ...session.feed('client', octets(V1.slice(30)), START),
    ...session.feed('server', octets('220 mx ESMTP\r\n'), START),
    ...session.feed('client', octets('EHLO vm\r\n'), START),
    ...session.feed('server', octets('250-mx\r\n250-PIPELINING\r\n250 SIZE\r\n'), START),
  ].map(tell);
  assert.ok(events.includes('phase hello 250'), events.join('; '));
  assert.not.ok(events.some((each) => each.startsWith('proxy')));
});

test('a greeter does not take a header for a client that spoke', () => {
  for (const header of [V1, V2, LOCAL]) {
    for (let cut = 0; cut <= header.length; cut += 1) {
      const options = { mode: 'learn', patience: 2_000_000, hostname: 'gw', opened: START } as const;
      const [plain, behind] = [createGreeter(options), createGreeter(options)];
      behind.client(octets(header.slice(0, cut)), START);
      behind.client(octets(header.slice(cut)), START);
      const story = [plain, behind].map((greeter) => [
        greeter.server(octets('220-mx.example\r\n'), START + 1_000),
        greeter.idle(START + 3_000_000),
        greeter.server(octets('250 what?\r\n'), START + 4_000_000),
      ]);
      assert.equal(story[1], story[0], `${cut} octets`);
    }
  }
});

test.run();
