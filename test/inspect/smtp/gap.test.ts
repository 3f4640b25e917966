// Octets that never came: the session says so, and finds back into step where the dialogue lets it.

import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createSession } from '../../../inspect/smtp/session';
import { octets, START, tell, TOKENS, untiled } from './transcript';

test('after a gap the session says so and finds back into step', () => {
  const session = createSession({ started: START, connected: START });
  const feed = (from: 'client' | 'server', text: string) => session.feed(from, octets(text), START);
  const told = [
    feed('server', '220 mx ESMTP\r\n'),
    feed('client', 'MAIL FROM:<a@x>\r\nRC'),
    session.gap('client', 13, START),
    feed('client', '@x>\r\nDATA\r\n'),
    feed('server', '250 ok\r\n250 ok\r\n354 go\r\n'),
  ].flatMap((events) => events.map(tell));
  assert.equal(told.slice(4), [
    'anomaly gap client',
    'fragment client 2',
    'gap client 13',
    'fragment client 5',
    'command DATA',
    'reply 250 mail',
    'phase mail 250',
    'reply 250 to nothing',
    'reply 354 data',
    'phase data 354',
  ]);
});

test('a gap that swallowed the end of data: the reply shows that the message had ended', () => {
  const session = createSession({ started: START, connected: START });
  const feed = (from: 'client' | 'server', text: string) => session.feed(from, octets(text), START);
  feed('server', '220 mx ESMTP\r\n');
  feed('client', 'DATA\r\n');
  feed('server', '354 go\r\n');
  feed('client', 'half');
  session.gap('client', 100, START);
  const told = [
    ...feed('server', '250 ok\r\n'),
    ...feed('client', 'QUIT\r\n'),
    ...feed('server', '221 bye\r\n'),
  ];
  assert.equal(told.map(tell), [
    'reply 250 message',
    'phase message 250 104 B',
    'command QUIT',
    'reply 221 quit',
    'phase quit 221',
  ]);
});

/** What each command is answered with: `1 250`, or `1 -` where no reply is named. */
interface Told {
  readonly key: string;
  readonly code: number | undefined;
}

const ANSWERS: Readonly<Record<string, readonly string[]>> = {
  EHLO: ['250-mx\r\n250-PIPELINING\r\n250 HELP\r\n'],
  MAIL: ['250 2.1.0 Ok\r\n', '452 4.3.1 full\r\n'],
  RCPT: ['250 2.1.5 Ok\r\n', '550 5.1.1 who\r\n', '251 2.1.5 Ok\r\n'],
  RSET: ['250 2.0.0 Ok\r\n'],
  NOOP: ['250 2.0.0 Ok\r\n'],
  VRFY: ['252 2.0.0 cannot\r\n', '502 5.5.1 no\r\n'],
  DATA: ['354 go\r\n', '503 5.5.1 no\r\n'],
  QUIT: ['221 2.0.0 Bye\r\n'],
};

const ASKED: Readonly<Record<string, (n: number) => string>> = {
  EHLO: (n) => `EHLO h${n}.example\r\n`,
  MAIL: (n) => `MAIL FROM:<u${n}@x>\r\n`,
  RCPT: (n) => `RCPT TO:<u${n}@x>\r\n`,
  RSET: () => 'RSET\r\n',
  NOOP: () => 'NOOP\r\n',
  VRFY: () => 'VRFY a\r\n',
  DATA: () => 'DATA\r\n',
  QUIT: () => 'QUIT\r\n',
};

test('property: with holes anywhere no command gets a reply that is not its own', () => {
  const pipelined = fc.constantFrom('MAIL', 'RCPT', 'RCPT', 'RSET');
  const last = fc.constantFrom('EHLO', 'MAIL', 'RCPT', 'NOOP', 'VRFY', 'DATA', 'QUIT', 'RSET');
  const group = fc.record({ verbs: fc.array(pipelined, { maxLength: 4 }), last, dice: fc.nat(5) });
  const hole = fc.record({ turn: fc.nat(30), from: fc.nat(60), length: fc.integer({ min: 1, max: 90 }) });
  fc.assert(
    fc.property(
      fc.array(group, { minLength: 2, maxLength: 8 }),
      fc.array(hole, { minLength: 1, maxLength: 3 }),
      (groups, holes) => {
        const turns: [from: 'client' | 'server', text: string][] = [['server', '220 mx ESMTP\r\n']];
        const truth: Told[] = [];
        let n = 0;
        for (const { verbs, last: end, dice } of groups) {
          let asked = '';
          let said = '';
          let body = false;
          for (const verb of [...verbs, end]) {
            n += 1;
            const line = ASKED[verb]?.(n) ?? '';
            const choices = ANSWERS[verb] ?? [];
            const reply = choices[(dice + n) % choices.length] ?? '';
            asked += line;
            said += reply;
            truth.push({ key: line.trim(), code: Number(reply.slice(0, 3)) });
            if (verb === 'DATA') body = reply.startsWith('354');
          }
          turns.push(['client', asked], ['server', said]);
          if (body) {
            turns.push(['client', `Subject: ${n}\r\n\r\nNOOP\r\n.\r\n`], ['server', `250 2.0.0 queued\r\n`]);
            truth.push({ key: 'message', code: 250 });
          }
        }
        const session = createSession({ started: START, connected: START });
        const events = turns.flatMap(([from, text], i) => {
          const cut = holes.find(({ turn }) => turn % turns.length === i);
          if (!cut) return session.feed(from, octets(text), START);
          const start = Math.min(cut.from, text.length - 1);
          const end = Math.min(text.length, start + cut.length);
          return [
            ...session.feed(from, octets(text.slice(0, start)), START),
            ...session.gap(from, end - start, START),
            ...session.feed(from, octets(text.slice(end)), START),
          ];
        });
        // Every reply that a phase names is, in this order, that of a command with these words.
        let next = 0;
        for (const event of events) {
          if (event.kind !== 'phase' || event.phase === 'connect' || event.phase === 'greeting') continue;
          const { verb, argument, phase, reply } = event;
          if (!reply) continue;
          const key = phase === 'message' ? 'message' : (verb ?? '');
          const at = truth.findIndex((each, i) => {
            const [word = ''] = each.key.split(' ');
            const named = /u[0-9]+@x|h[0-9]+/.exec(argument ?? '')?.[0];
            return (
              i >= next &&
              (key === '?' || word === key) &&
              each.code === reply.code &&
              (named === undefined || each.key.includes(named))
            );
          });
          assert.ok(at >= 0, `${key} ${argument ?? ''} ${reply.code} in ${JSON.stringify(turns)}`);
          next = at + 1;
        }
      },
    ),
    { numRuns: 1000 },
  );
});

test('property: gaps anywhere never throw, and the spans still tile', () => {
  const move = fc.tuple(
    fc.constantFrom('client' as const, 'server' as const),
    fc.oneof(fc.constantFrom(...TOKENS), fc.nat(2000)),
  );
  fc.assert(
    fc.property(fc.array(move, { maxLength: 40 }), (moves) => {
      const session = createSession({ started: START, connected: START });
      const total = { client: 0, server: 0 };
      const events = moves.flatMap(([from, what]) => {
        total[from] += typeof what === 'number' ? what : what.length;
        return typeof what === 'number'
          ? session.gap(from, what, START)
          : session.feed(from, octets(what), START);
      });
      events.push(...session.close({ by: 'server', how: 'rst' }, START));
      assert.equal(untiled(events, total), []);
    }),
    { numRuns: 400 },
  );
});

test.run();
