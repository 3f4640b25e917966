// Nothing secret is written: marked secrets wherever an octet can be sent, and everything that is written searched for them.

import { lostBefore } from './report/evidence/dialogue.table';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { SmtpEvent } from '../../inspect/events';
import type { Redaction } from '../../inspect/grammar/argument';
import { createSession } from '../../inspect/smtp/session';
import { createTracker } from '../../inspect/tracker/tracker';
import { createLadders } from '../../proxy/report/analyze/ladder';
import { createLines } from '../../proxy/report/analyze/lines';
import { createJsonRenderer } from '../../proxy/sinks/json';
import type { Recorded } from '../../proxy/sinks/record';
import { createTerminalRenderer } from '../../proxy/sinks/terminal';
import { redactionOf } from '../../proxy/sinks/envelope-address';
import { packetise, type Sent } from '../inspect/tcp/packetise';
import { ROWS } from '../inspect/smtp/session.table';
import { CUTS, everySplit, octets, pieces, run, SECOND, START, type Turn } from '../inspect/smtp/transcript';
import { scratch } from '../kit/process';
import { record } from './report/evidence/frames';
import { ECHOES, SECRET, SECRET_LINES, SECRET_ROWS } from './secrets.table';
import { CONNECTION } from './sinks/records';

const RENDERERS = [createJsonRenderer(), createTerminalRenderer({ color: false })];
const RECORDED: ReadonlySet<string> = new Set(['phase', 'session', 'anomaly']);

/** All lines of the log, in both formats, and the events that they are made of. */
function logOf(events: readonly SmtpEvent[]): string {
  const recorded = events.filter((event): event is SmtpEvent & Recorded => RECORDED.has(event.kind));
  const lines = RENDERERS.flatMap((renderer) =>
    recorded.map((event) => renderer.event('info', CONNECTION, event)),
  );
  return lines.join('') + JSON.stringify(events);
}

const whole = (bytes: Uint8Array): Uint8Array[] => [bytes];
const close = { by: 'client', how: 'fin' } as const;

for (const { name, turns, want = [] } of SECRET_ROWS) {
  test(name, () => {
    const log = logOf(run(pieces(turns, whole)));
    for (const piece of want) assert.ok(log.includes(piece), `${piece} in\n${log}`);
    assert.not.match(log, SECRET);
    for (const variant of [...Object.values(CUTS).map((cut) => pieces(turns, cut)), ...everySplit(turns)]) {
      assert.not.match(logOf(run(variant)), SECRET);
    }
    for (const options of [{ midStream: true }, { serverUnheard: true }]) {
      const heard = turns.filter(([from]) => !('serverUnheard' in options) || from === 'C');
      assert.not.match(logOf(run(pieces(heard, whole), close, options)), SECRET);
    }
  });

  test(`with any turn missed: ${name}`, () => {
    turns.forEach((_turn, missed) => assert.not.match(logOf(withGap(turns, missed)), SECRET));
  });

  test(`in captures, ladders and evidence: ${name}`, () => {
    assert.not.match(analysed(packetise([...turns, ['C', 'QUIT\r\n']])), SECRET);
  });
}

/** The session as it is told when one turn was not seen. */
function withGap(turns: readonly Turn[], missed: number): SmtpEvent[] {
  const session = createSession({ started: START, connected: START });
  const events = turns.flatMap(([who, text], i) => {
    const from = who === 'C' ? 'client' : 'server';
    const bytes = octets(text);
    const at = START + (i + 1) * SECOND;
    return i === missed ? session.gap(from, bytes.length, at) : session.feed(from, bytes, at);
  });
  return [...events, ...session.close(close, START + 99 * SECOND)];
}

/** Log, ladder and evidence of a capture that lacks its last segment of the client: a verdict is due. */
function analysed(sent: readonly Sent[], redact?: Redaction): string {
  const last = sent.findLast(({ from, segment }) => from === 'client' && segment.length > 0);
  const seen = lostBefore(sent, (each) => each === last);
  const tracker = createTracker({ ports: [25], implicitTlsPorts: [], redact });
  let text = '';
  const write = (more: string): void => void (text += more);
  const outputs = RENDERERS.map((renderer) => createLines({ renderer, level: 'debug', write }));
  const ladders = createLadders({
    color: false,
    follow: () => true,
    all: true,
    write,
  });
  const take = (news: ReturnType<typeof tracker.segment>): void => {
    for (const each of [ladders, ...outputs]) each.observe(news);
  };
  for (const { segment } of seen) take(tracker.segment(segment));
  take(tracker.end(START + 99 * SECOND));
  const folder = scratch('secrets');
  record(seen, { folder }, redact);
  const files = readdirSync(folder);
  assert.ok(files.length > 0, 'no evidence was written');
  return text + files.map((file) => readFileSync(join(folder, file), 'latin1')).join('');
}

const ENVELOPE: readonly Turn[] = [
  ['S', '220 mx.example ESMTP\r\n'],
  ['C', 'EHLO vm.example\r\n'],
  ['S', '250 mx.example\r\n'],
  ['C', 'MAIL FROM:<Alice@one.example> SIZE=10\r\n'],
  ['S', '250 2.1.0 <Alice@one.example> sender ok\r\n'],
  ['C', 'RCPT TO:<"bo b"@two.example>\r\n'],
  ['S', '550 5.1.1 bo b: no such user at two.example\r\n'],
  ['C', 'RCPT TO:<alice@one.example>\n'],
  ['S', '550 5.1.1 <alice@one.example>: User unknown\r\n'],
];

const VEILED: readonly [how: Parameters<typeof redactionOf>[0], want: RegExp, never: RegExp][] = [
  ['full', /FROM:<Alice@one.example> SIZE=10.*TO:<\\"bo b\\"@two.example>/s, /SECRET/],
  ['domain', /FROM:<\*@one.example> SIZE=10.*TO:<\*@two.example>.*User unknown/s, /alice|bo b/i],
  [
    'hash',
    /FROM:<(#[0-9a-f]{12})> SIZE=10.*TO:<#[0-9a-f]{12}>.*TO:<\1>.*User unknown/s,
    /alice|bo b|one\.ex|two\.ex/i,
  ],
  ['none', /FROM:<\*> SIZE=10.*TO:<\*>.*User unknown/s, /alice|bo b|one\.ex|two\.ex/i],
];

for (const [how, want, never] of VEILED) {
  test(`log.addresses ${how}: in the log, ladders and evidence, replies too`, () => {
    const log = logOf(run(pieces(ENVELOPE, whole), close, { redact: redactionOf(how) }));
    assert.match(log, want);
    assert.not.match(log, never);
    assert.not.match(analysed(packetise([...ENVELOPE, ['C', 'QUIT\r\n']]), redactionOf(how)), never);
  });
}

const dialogue = fc.record({
  row: fc.constantFrom(...ROWS),
  place: fc.nat(12),
  line: fc.constantFrom(...SECRET_LINES),
  echo: fc.option(fc.constantFrom(...ECHOES)),
  more: fc.option(fc.constantFrom(...SECRET_LINES)),
  again: fc.option(fc.constantFrom(...ECHOES)),
  cut: fc.constantFrom(...Object.values(CUTS)),
  missed: fc.option(fc.nat(12)),
});

test('property: a secret put anywhere into any dialogue, repeated or not, cut and missed, is written nowhere', () => {
  fc.assert(
    fc.property(dialogue, ({ row, place, line, echo, more, again, cut, missed }) => {
      // Before its greeting a server repeats nothing.
      const at = Math.min(Math.max(1, place), row.turns.length);
      const turns: Turn[] = [
        ...row.turns.slice(0, at),
        ['C', line],
        ...(echo === null ? [] : [['S', echo] as const]),
        ...(more === null ? [] : [['C', more] as const]),
        ...(again === null ? [] : [['S', again] as const]),
        ...row.turns.slice(at),
      ];
      assert.not.match(logOf(run(pieces(turns, cut), close, row.options)), SECRET);
      if (missed !== null) assert.not.match(logOf(withGap(turns, missed % turns.length)), SECRET);
    }),
    { numRuns: 2_000 },
  );
});

test.run();
