// Log and packets lined up: whose clock, whose connection, and where the two stories differ.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseMessage } from '../../../../proxy/report/maillog/entry';
import { createLineReader } from '../../../../proxy/report/maillog/lines';
import { alignMaillog, type Alignment } from '../../../../proxy/report/maillog/match';
import { maillogRecords, maillogText } from '../../../../proxy/report/maillog/maillog';
import { createLogSessions, type LogSession } from '../../../../proxy/report/maillog/session';
import { createStories, type PacketStory } from '../../../../proxy/report/maillog/story';
import { createTracker } from '../../../../inspect/tracker/tracker';
import { SEEMED_DROPPED } from '../../../inspect/verdict/verdicts.table';
import { ETHERNET, frameOf } from '../evidence/frames';

const NINE = Date.UTC(2026, 10, 24, 9) * 1000;
const SECOND = 1e6;

function sessionsOf(text: string): readonly LogSession[] {
  const reader = createLineReader(NINE);
  const sessions = createLogSessions(NINE - 3600 * SECOND, NINE + 3600 * SECOND);
  for (const line of text.trim().split('\n')) {
    const read = reader.take(line.trim());
    const entry = read && parseMessage(read);
    if (entry) sessions.take(entry);
  }
  return sessions.end();
}

let ids = 0;
function story(address: string, seconds: number, more: Partial<PacketStory> = {}): PacketStory {
  ids += 1;
  const started = NINE + seconds * SECOND;
  return {
    id: ids,
    client: { address, port: 40_000 + ids },
    server: { address: '192.0.2.25', port: 25 },
    started,
    ended: started + 300 * SECOND,
    ...{ whole: true, verdicts: [], commands: {}, partial: false },
    ...more,
  };
}

const EATEN = [{ verdict: 'ehlo-dropped', certainty: 'proved', where: 'before', missingBytes: 9 }] as const;

const TIMEOUT = `
  Nov 24 10:00:10 mx postfix/smtpd[4]: connect from x[198.51.100.7]
  Nov 24 10:05:10 mx postfix/smtpd[4]: timeout after CONNECT from x[198.51.100.7]
  Nov 24 10:05:10 mx postfix/smtpd[4]: disconnect from x[198.51.100.7] commands=0/0
  Nov 24 10:01:00 mx postfix/smtpd[5]: connect from y[198.51.100.8]
  Nov 24 10:01:02 mx postfix/smtpd[5]: disconnect from y[198.51.100.8] ehlo=1 mail=1 rcpt=1 data=1 quit=1 commands=5
`;
const FINE = { ehlo: 1, mail: 1, rcpt: 1, data: 1, quit: 1 };

function kinds({ matches }: Alignment): string[] {
  return matches.map((match) => match.kind);
}

test('the incident: the log says that nothing came, the packets say what was dropped; the zone is found', () => {
  const eaten = story('198.51.100.7', 9.6, { verdicts: EATEN });
  const fine = story('198.51.100.8', 59.7, { commands: FINE, ended: NINE + 62 * SECOND });
  const aligned = alignMaillog(sessionsOf(TIMEOUT), [eaten, fine]);
  assert.equal(kinds(aligned), ['matched', 'matched']);
  const hour = 3600 * SECOND;
  const offset = aligned.offset?.micros ?? 0;
  assert.ok(Math.abs(offset - hour) < SECOND, `${offset}`);
  assert.equal([aligned.offset?.from, aligned.offset?.ambiguous], [2, false]);
  const [first, second] = aligned.matches;
  assert.match(
    first?.kind === 'matched' ? (first.difference ?? '') : '',
    /client sent nothing \(timeout after CONNECT\); it sent 9 octets, dropped before this point/,
  );
  assert.is(second?.kind === 'matched' ? second.difference : 'x', undefined);
});

test('a client that really never spoke: both tell the same', () => {
  const silent = story('198.51.100.7', 9.6, {
    verdicts: [{ verdict: 'client-silent', certainty: 'proved', where: 'before' }],
  });
  const { matches } = alignMaillog(sessionsOf(TIMEOUT), [silent]);
  assert.equal(
    matches
      .filter((match) => match.kind === 'matched')
      .map((match) => match.kind === 'matched' && match.difference),
    [undefined],
  );
});

/** What the log ends with, what the packets say, and the difference that must be told. */
const DIFFERENCES: readonly (readonly [string, string, Partial<PacketStory>, RegExp | undefined])[] = [
  [
    'EHLO passed here and never came there',
    'timeout after CONNECT from x[198.51.100.7]',
    { commands: { ehlo: 1 } },
    /lost behind this point/,
  ],
  [
    'a forged RST',
    'lost connection after EHLO from x[198.51.100.7]',
    {
      commands: { ehlo: 1 },
      verdicts: [{ verdict: 'reset-injected', certainty: 'proved', where: 'before' }],
    },
    /the RST is not the client's/,
  ],
  [
    'who left',
    'lost connection after EHLO from x[198.51.100.7]',
    { commands: { ehlo: 1 }, close: { by: 'server', how: 'fin' } },
    /the server ended it first/,
  ],
  [
    'the client left',
    'lost connection after EHLO from x[198.51.100.7]',
    { commands: { ehlo: 1 }, close: { by: 'client', how: 'rst' } },
    undefined,
  ],
  [
    'other counts',
    'disconnect from x[198.51.100.7] ehlo=2 commands=2',
    { commands: { ehlo: 1 } },
    /ehlo 2 in the log, 1 here/,
  ],
  [
    'hidden by TLS',
    'disconnect from x[198.51.100.7] ehlo=2 commands=2',
    { commands: { ehlo: 1 }, partial: true },
    undefined,
  ],
];

for (const [name, line, packets, want] of DIFFERENCES) {
  test(`difference: ${name}`, () => {
    const head = 'Nov 24 09:00:10 mx postfix/smtpd[4]: ';
    const sessions = sessionsOf(`${head}connect from x[198.51.100.7]\n${head}${line}`);
    const [match] = alignMaillog(sessions, [story('198.51.100.7', 9.9, packets)]).matches;
    assert.is(match?.kind, 'matched');
    const difference = match?.kind === 'matched' ? match.difference : undefined;
    if (want === undefined) assert.is(difference, undefined);
    else assert.match(difference ?? '', want);
  });
}

test('a verdict that was taken back is no part of the story, and explains nothing', () => {
  const tracker = createTracker({ ports: [25], implicitTlsPorts: [] });
  const stories = createStories();
  const told: string[] = [];
  const frames = SEEMED_DROPPED.map(({ segment }) => tracker.frame(ETHERNET, frameOf(segment), segment.at));
  for (const news of [...frames, tracker.end(SEEMED_DROPPED.at(-1)?.segment.at ?? 0)]) {
    stories.observe(news);
    told.push(
      ...news.flatMap(({ events }) => events.flatMap((e) => (e.kind === 'verdict' ? [e.verdict] : []))),
    );
  }
  assert.equal(told, ['ehlo-dropped', 'ehlo-held']);
  assert.equal(
    stories.end().map(({ verdicts }) => verdicts.map(({ verdict }) => verdict)),
    [['ehlo-held']],
  );
});

test('two that began together are told apart by their ends, else they are ambiguous and none is guessed', () => {
  const text = `
    Nov 24 09:00:10 mx postfix/smtpd[4]: connect from x[198.51.100.7]
    Nov 24 09:00:10 mx postfix/smtpd[5]: connect from x[198.51.100.7]
    Nov 24 09:00:20 mx postfix/smtpd[4]: disconnect from x[198.51.100.7] ehlo=1 quit=1 commands=2
    Nov 24 09:01:50 mx postfix/smtpd[5]: disconnect from x[198.51.100.7] ehlo=1 quit=1 commands=2
  `;
  const commands = { ehlo: 1, quit: 1 };
  const short = story('198.51.100.7', 9.8, { commands, ended: NINE + 20 * SECOND });
  const long = story('198.51.100.7', 9.9, { commands, ended: NINE + 110 * SECOND });
  const apart = alignMaillog(sessionsOf(text), [short, long]);
  assert.equal(kinds(apart), ['matched', 'matched']);
  assert.equal(
    apart.matches.map((match) => match.kind === 'matched' && [match.story.id, match.session.ended]),
    [
      [short.id, NINE + 20 * SECOND],
      [long.id, NINE + 110 * SECOND],
    ],
  );
  const alike = [short, { ...long, ended: short.ended }];
  assert.equal(kinds(alignMaillog(sessionsOf(text), alike)), ['ambiguous', 'ambiguous']);
});

test('only here, only there; but nothing is said of what lies outside of the other’s time, or of other servers', () => {
  const text = `
    Nov 24 09:00:10 mx postfix/smtpd[4]: connect from x[198.51.100.7]
    Nov 24 09:00:40 mx postfix/smtpd[5]: connect from z[198.51.100.9]
    Nov 24 09:01:10 mx postfix/smtpd[4]: connect from x[198.51.100.7]
    Nov 24 09:30:00 mx postfix/smtpd[4]: connect from z[198.51.100.9]
  `;
  const known = [story('198.51.100.7', 9.9), story('198.51.100.7', 69.9)];
  const unlogged = story('198.51.100.5', 50);
  const other = story('198.51.100.5', 50, { server: { address: '192.0.2.99', port: 25 } });
  const early = story('198.51.100.5', -100);
  const aligned = alignMaillog(sessionsOf(text), [...known, unlogged, other, early]);
  assert.equal(kinds(aligned), ['matched', 'log-only', 'packets-only', 'matched']);
  const only = aligned.matches.find((match) => match.kind === 'packets-only');
  assert.is(only?.kind === 'packets-only' && only.story.id, unlogged.id);
});

test('postscreen’s port and smtpd’s story are one session', () => {
  const text = `
    Nov 24 09:00:00 mx postfix/postscreen[11]: CONNECT from [198.51.100.7]:51000 to [192.0.2.25]:25
    Nov 24 09:00:06 mx postfix/postscreen[11]: PASS NEW [198.51.100.7]:51000
    Nov 24 09:00:06 mx postfix/smtpd[4]: connect from x[198.51.100.7]
    Nov 24 09:05:06 mx postfix/smtpd[4]: timeout after CONNECT from x[198.51.100.7]
    Nov 24 09:05:06 mx postfix/smtpd[4]: disconnect from x[198.51.100.7] commands=0/0
  `;
  const sessions = sessionsOf(text);
  assert.equal(
    sessions.map(({ port, daemons, says }) => [port, daemons, says.map(({ kind }) => kind)]),
    [[51000, ['postscreen', 'smtpd'], ['connect', 'pass', 'connect', 'timeout', 'disconnect']]],
  );
  const right = story('198.51.100.7', 0.2, {
    client: { address: '198.51.100.7', port: 51000 },
    verdicts: EATEN,
  });
  const other = story('198.51.100.7', 0.1, { client: { address: '198.51.100.7', port: 51001 } });
  const [match] = alignMaillog(sessions, [right, other]).matches;
  assert.is(match?.kind === 'matched' && match.story.id, right.id);
});

test('records and text: named as the event log names things, nothing undefined, no address of an envelope', () => {
  const sessions = sessionsOf(TIMEOUT);
  const aligned = alignMaillog(sessions, [story('198.51.100.7', 9.6, { verdicts: EATEN })]);
  const [record] = maillogRecords(aligned, (id) => `x-${id}`);
  assert.equal(
    [record?.['event'], record?.['match'], record?.['client.address'], record?.['level'], record?.['log']],
    ['maillog', 'matched', '198.51.100.7', 'warn', 'timeout after CONNECT, commands=0'],
  );
  const log = { sessions, lines: 5, understood: 5, omitted: 0 };
  const text = maillogText(aligned, log).join('\n');
  assert.match(text, /clocks: the log is 60m 00s ahead \(from 1 connection/);
  assert.match(text, /1 matched, of them 1 tell another story/);
});

test.run();
