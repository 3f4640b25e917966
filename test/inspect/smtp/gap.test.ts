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
    'reply 250 data',
    'phase data 250',
    'reply 354 to nothing',
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
