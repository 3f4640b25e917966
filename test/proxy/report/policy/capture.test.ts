// The dry run of a capture: what the rules would do to it, and that less of it seen is less said.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createTracker } from '../../../../inspect/tracker/tracker';
import { policyOf } from '../../../../proxy/config/reload';
import { createDryRun, type DryRun } from '../../../../proxy/report/policy/capture';
import { createTally, type Row as Found } from '../../../../proxy/report/policy/tally';
import { packetise, type Sent } from '../../../inspect/tcp/packetise';
import type { Turn } from '../../../inspect/smtp/transcript';

type Given = Readonly<Record<string, unknown>>;

const HELLO: readonly Turn[] = [
  ['S', '220 mx.example ESMTP\r\n'],
  ['C', 'EHLO client.example\r\n'],
  ['S', '250-mx.example\r\n250-PIPELINING\r\n250 STARTTLS\r\n'],
];
const BYE: readonly Turn[] = [
  ['C', 'QUIT\r\n'],
  ['S', '221 bye\r\n'],
];
const say = (command: string, reply: string): readonly Turn[] => [
  ['C', command],
  ['S', reply],
];
const message = (text: string): readonly Turn[] => [
  ...say('MAIL FROM:<a@client.example>\r\n', '250 ok\r\n'),
  ...say('RCPT TO:<b@mx.example>\r\n', '250 ok\r\n'),
  ...say('DATA\r\n', '354 go on\r\n'),
  ...say(text, '250 taken\r\n'),
];

interface Row {
  readonly name: string;
  readonly turns: readonly Turn[];
  readonly given?: Given;
  readonly all?: boolean;
  /** `effect rule`, each of one connection. */
  readonly want: readonly string[];
  readonly messages?: number;
  readonly counts?: Partial<DryRun['counts']>;
}

const HONEST: readonly Turn[] = [...HELLO, ...message('Subject: x\r\n\r\n..dot\r\ntext\r\n.\r\n'), ...BYE];
const SMUGGLED: readonly Turn[] = [...HELLO, ...message('x\r\n\ny\n.\r\nMAIL\r\n.\r\n'), ...BYE];
const VRFY: readonly Turn[] = [...HELLO, ...say('VRFY root\r\n', '252 perhaps\r\n'), ...BYE];
const EARLY: readonly Turn[] = [
  ['C', 'HELO client.example\r\n'],
  ['S', '220 mx.example ESMTP\r\n'],
  ['S', '250 mx.example\r\n'],
  ...BYE,
];
const TLS: readonly Turn[] = [
  ...HELLO,
  ...say('STARTTLS\r\n', '220 go on\r\n'),
  ['C', '\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00'],
  ['S', '\x16\x03\x03\x00\x05\x02\x00\x00\x01\x00'],
];
const EXEMPT = { 'policy.exempt': [{ client: '198.18.0.0/24', rules: ['commands'] }] };

const ROWS: readonly Row[] = [
  { name: 'honest mail meets no rule', turns: HONEST, want: [], messages: 1, counts: { judged: 1 } },
  {
    name: 'nor where all are enforced, but TLS for all',
    turns: HONEST,
    all: true,
    want: ['refused require-tls'],
  },
  { name: 'a refused command', turns: VRFY, want: ['refused commands'] },
  {
    name: 'the same where it is only observed',
    turns: VRFY,
    given: { 'policy.commands': 'observe' },
    want: ['reported commands'],
  },
  { name: 'the same where it is off', turns: VRFY, given: { 'policy.commands': 'off' }, want: [] },
  { name: 'a client that is exempt', turns: VRFY, given: EXEMPT, want: [] },
  {
    name: 'a client that is exempt is so with all rules, too',
    turns: VRFY,
    given: EXEMPT,
    all: true,
    want: ['refused require-tls'],
  },
  { name: 'a bare LF by default', turns: SMUGGLED, want: ['changed smuggling'], messages: 1 },
  {
    name: 'a bare LF where it is refused',
    turns: SMUGGLED,
    given: { 'policy.smuggling': 'enforce' },
    want: ['refused smuggling'],
  },
  {
    name: 'a bare LF where the rule is off, and all are tried',
    turns: SMUGGLED,
    given: { 'policy.smuggling': 'off' },
    all: true,
    want: ['refused require-tls', 'refused smuggling'],
  },
  { name: 'early talk by default', turns: EARLY, want: ['reported synchronization'] },
  {
    name: 'early talk where it is refused',
    turns: EARLY,
    given: { 'policy.synchronization': 'enforce' },
    want: ['refused synchronization'],
  },
  {
    name: 'NUL in a command',
    turns: [...HELLO, ...say('NOOP \0x\r\n', '501 no\r\n'), ...BYE],
    want: ['refused nul'],
  },
  { name: 'TLS cannot be judged', turns: TLS, want: [], counts: { judged: 0, tls: 1 } },
  {
    name: 'plain octets behind STARTTLS',
    turns: [...HELLO, ...say('STARTTLS\r\nNOOP\r\n', '220 go on\r\n')],
    want: ['refused starttls'],
  },
];

interface Played {
  readonly found: readonly Found[];
  readonly counts: DryRun['counts'];
  readonly messages: number;
}

function play(sent: readonly Sent[], given: Given = {}, all = false): Played {
  const tally = createTally();
  const run = createDryRun({ policy: policyOf(given), all, tally, redact: undefined });
  const tracker = createTracker({ ports: [25, 465], implicitTlsPorts: [465] });
  for (const { segment } of sent) run.observe(tracker.segment(segment));
  run.observe(tracker.end(sent.at(-1)?.segment.at ?? 0));
  return { found: tally.rows, counts: run.counts, messages: tally.mailOf('198.18.0.0/24').messages };
}

const names = ({ found }: Played): string[] => found.map(({ effect, rule }) => `${effect} ${rule}`).sort();

for (const { name, turns, given, all, want, messages, counts = {} } of ROWS)
  for (const mss of [1460, 7, 1])
    test(`${name}, in segments of ${mss}`, () => {
      const played = play(packetise(turns, { mss }), given, all);
      assert.equal(names(played), [...want].sort());
      for (const row of played.found) {
        assert.is(row.network, '198.18.0.0/24');
        assert.is(row.connections, 1);
        assert.is(row.example.client.address, '198.18.0.1');
      }
      if (messages !== undefined) assert.is(played.messages, messages);
      for (const [key, value] of Object.entries(counts))
        assert.is(played.counts[key as keyof typeof counts], value, key);
    });

for (const { name, turns, given, all } of ROWS)
  test(`less seen is less said: ${name}`, () => {
    const sent = packetise(turns, { mss: 40 });
    const whole = names(play(sent, given, all));
    const none = (at: number): Sent[] => sent.filter((_, index) => index !== at);
    const tries: [string, readonly Sent[]][] = sent.flatMap((each, at) => [
      [`without segment ${at}`, none(at)],
      [`from segment ${at} on`, sent.slice(at)],
      [`up to segment ${at}`, sent.slice(0, at + 1)],
      [`segment ${at} cut`, sent.map((other) => (other === each ? cut(each) : other))],
      [`segment ${at} twice`, [...sent.slice(0, at + 1), each, ...sent.slice(at + 1)]],
    ]);
    for (const side of ['client', 'server'] as const)
      tries.push([`${side} alone`, sent.filter(({ from }) => from === side)]);
    for (const [how, seen] of tries) {
      const more = names(play(seen, given, all)).filter((each) => !whole.includes(each));
      assert.equal(more, [], how);
    }
  });

/** Its headers, and half of what it carries. */
function cut({ from, segment }: Sent): Sent {
  return { from, segment: { ...segment, payload: segment.payload.subarray(0, segment.payload.length >> 1) } };
}

test('what waits for an answer is not kept without end', () => {
  const turns: readonly Turn[] = [
    ...HELLO,
    ...say('MAIL FROM:<a@b.example>\r\nRCPT TO:<b@mx.example>\r\nDATA\r\n', ''),
  ];
  const flood: Turn = ['C', 'x'.repeat(1 << 16)];
  const played = play(packetise([...turns.slice(0, 4), ...Array.from({ length: 40 }, () => flood)]));
  assert.equal([names(played), played.counts.partly], [[], 1]);
});

test('TLS from the first octet on is not judged', () => {
  const sent = packetise(VRFY).map(({ from, segment }) => ({
    from,
    segment: from === 'client' ? { ...segment, destinationPort: 465 } : { ...segment, sourcePort: 465 },
  }));
  const played = play(sent);
  assert.equal([names(played), played.counts.tls], [[], 1]);
});

test.run();
