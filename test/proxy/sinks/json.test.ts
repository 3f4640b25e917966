import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createJsonRenderer, toNote } from '../../../proxy/sinks/json';
import type { Recorded } from '../../../proxy/sinks/record';
import { levelOf } from '../../../proxy/sinks/sink';
import * as records from './records';

const { AT, CONNECTION } = records;
const TIME = '2026-05-04T03:02:01.000123Z';

const ROWS: readonly { event: Recorded; level: string; want: Record<string, unknown> }[] = [
  {
    event: records.GREETING,
    level: 'info',
    want: {
      phase: 'greeting',
      started: '2026-05-04T03:01:40.996123Z',
      duration_ms: 20004,
      since_connect_ms: 0.812,
      waited_ms: 0,
      'reply.code': 220,
      'reply.lines': 1,
      'reply.text': 'mx.demo ESMTP',
      greeting: 'truncated',
      defects: ['truncated'],
    },
  },
  {
    event: records.RCPT,
    level: 'info',
    want: {
      phase: 'rcpt',
      verb: 'RCPT',
      argument: 'TO:<a@b.example>',
      started: '2026-05-04T03:02:00.996912Z',
      duration_ms: 3.211,
      since_connect_ms: 30,
      waited_ms: 1500,
      'reply.code': 550,
      'reply.enhanced': '5.1.1',
      'reply.lines': 2,
      'reply.text': 'User unknown',
    },
  },
  {
    event: records.MESSAGE,
    level: 'info',
    want: {
      phase: 'message',
      started: '2026-05-04T03:02:00.950123Z',
      duration_ms: 50,
      since_connect_ms: 40,
      waited_ms: 0,
      'reply.code': 250,
      'reply.enhanced': '2.0.0',
      'reply.lines': 1,
      'reply.text': 'Ok: queued as X',
      bytes: 12_345,
      transfer_ms: 47.001,
    },
  },
  {
    event: records.TLS,
    level: 'info',
    want: {
      phase: 'tls',
      started: '2026-05-04T03:02:00.999223Z',
      duration_ms: 0.9,
      since_connect_ms: 50,
      waited_ms: 0.01,
      tls: { version: 'TLSv1.3', sni: 'mx.demo' },
    },
  },
  {
    event: records.CLOSE,
    level: 'info',
    want: {
      phase: 'close',
      started: '2026-05-04T03:02:01.000023Z',
      duration_ms: 0.1,
      since_connect_ms: 60,
      waited_ms: 0,
      'close.by': 'client',
      'close.how': 'fin',
    },
  },
  {
    event: records.SESSION,
    level: 'info',
    want: {
      started: '2026-05-04T03:02:00.940023Z',
      duration_ms: 60.1,
      phases: [
        ['connect', 0, 0.812, null],
        ['greeting', 0.812, 2, 220],
      ],
      hello: 'client.example',
      tls: { version: 'TLSv1.3' },
      messages: 1,
      'bytes.client': 13_000,
      'bytes.server': 532,
      'close.by': 'client',
      'close.how': 'fin',
    },
  },
  {
    event: records.SEGMENT_SESSION,
    level: 'info',
    want: {
      started: '2026-05-04T03:02:00.940023Z',
      duration_ms: 60.1,
      phases: [
        ['connect', 0, 0.812, null],
        ['greeting', 0.812, 2, 220],
      ],
      hello: 'client.example',
      tls: { version: 'TLSv1.3' },
      messages: 1,
      'bytes.client': 13_000,
      'bytes.server': 532,
      'retransmits.client': 2,
      'retransmits.server': 0,
      rtt_ms: 0.812,
      verdicts: ['ehlo-dropped'],
      'close.by': 'client',
      'close.how': 'fin',
    },
  },
  {
    event: records.VERDICT,
    level: 'warn',
    want: {
      verdict: 'ehlo-dropped',
      certainty: 'proved',
      proof: 'probe',
      where: 'before',
      missing_bytes: 9,
      held_ms: 802.5,
      summary: 'The first command (EHLO) was sent and never arrived here.',
      evidence: [
        {
          time: '2026-05-04T03:02:01.000000Z',
          from: 'client',
          seq: 9,
          ack: 22,
          length: 0,
          flags: 'ACK',
          ttl: 64,
          tsval: 4_031_306_899,
          note: 'answer to a probe',
        },
      ],
    },
  },
  { event: records.CAPTURE_LOSS, level: 'error', want: { source: 'capture', segments: 17 } },
  {
    event: records.REPAIR,
    level: 'warn',
    want: {
      defect: 'truncated',
      before: '220-mx.demo\\r\\n',
      after: '220 mx.demo ESMTP\\r\\n',
      held_ms: 20000.25,
    },
  },
  {
    event: records.LEARNED,
    level: 'warn',
    want: { greeting: 'truncated', policy: 'relay', way: 'verified', because: 'no last line came in 20 s' },
  },
  {
    event: { ...records.LEARNED, greeting: 'wellformed' } as Recorded,
    level: 'info',
    want: { greeting: 'wellformed', policy: 'relay', way: 'verified', because: 'no last line came in 20 s' },
  },
  {
    event: records.ANOMALY,
    level: 'warn',
    want: { anomaly: 'bare-lf', direction: 'client', detail: 'EHLO x\\n' },
  },
  {
    event: records.BLOCKED,
    level: 'warn',
    want: { rule: 'load', action: 'refuse', direction: 'client' },
  },
  {
    event: records.LOSS,
    level: 'error',
    want: { source: 'log', lines: 312, of: { phase: 300, session: 12 } },
  },
  {
    event: { kind: 'loss', at: AT, source: 'ring', count: 5 },
    level: 'error',
    want: { source: 'ring', segments: 5 },
  },
];

const { event: render, note } = createJsonRenderer();

for (const { event, level, want } of ROWS) {
  const name = event.kind === 'phase' ? event.phase : event.kind;
  const common = {
    level,
    time: TIME,
    event: event.kind,
    session: 'mc3x1k2a-7',
    path: 'relay',
    'client.address': '198.51.100.7',
    'client.port': 40_123,
    'server.address': '2001:db8::5',
    'server.port': 25,
  };
  test(`${name}: one line, its fields in the order of the vocabulary`, () => {
    const line = render(levelOf(event), CONNECTION, event);
    // As text: the order counts too.
    assert.is(line, `${JSON.stringify({ ...common, ...want })}\n`);
  });
}

test('without a connection its fields are left out', () => {
  const line = render('error', undefined, records.LOSS);
  assert.equal(Object.keys(JSON.parse(line) as object), ['level', 'time', 'event', 'source', 'lines', 'of']);
});

test('phases beyond the cap are counted', () => {
  const event = { ...records.SESSION, phasesOmitted: 3 } as Recorded;
  assert.match(render('info', CONNECTION, event), '"phases_omitted":3,');
});

test('a note: its own fields behind the common ones', () => {
  assert.equal(toNote(AT, 'listening', { listen: '*:25' }), {
    time: TIME,
    event: 'listening',
    listen: '*:25',
  });
  assert.is(
    note(AT, 'warn', 'draining', { left: 2, why: undefined }),
    `{"level":"warn","time":"${TIME}","event":"draining","left":2}\n`,
  );
});

const HOSTILE = [
  'a\r\nb',
  '\u001b[2J',
  '\u009b31m',
  '\u2028x',
  '\u202e',
  '"}\n{"level":"info"',
  '\u0000',
  'x'.repeat(200) + '\u0085',
];

for (const text of HOSTILE) {
  test(`one line of harmless characters, and the same text when parsed: ${JSON.stringify(text).slice(0, 20)}`, () => {
    const line = render('warn', CONNECTION, { ...records.ANOMALY, detail: text } as Recorded);
    assert.match(line, /^[\x20-\x7e]*\n$/);
    assert.is((JSON.parse(line) as { detail: string }).detail, text);
  });
}

test.run();
