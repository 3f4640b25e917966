// Honest dialogues under the default rules: each side gets what the other one sent, octet for octet, and nothing waits for ever.

import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createFilter } from '../../../inspect/policy/filter';
import { NO_RULES, type Rules } from '../../../inspect/policy/rules';
import { createSession } from '../../../inspect/smtp/session';
import { latin1 } from '../../../inspect/text';
import { octets, START } from '../smtp/transcript';

const DEFAULT: Rules = {
  ...NO_RULES,
  smuggling: 'normalize',
  starttls: 'enforce',
  synchronization: 'observe',
  lines: 'observe',
  nul: 'enforce',
  commands: 'enforce',
  refusedCommands: new Set(['VRFY', 'EXPN', 'DEBUG']),
  authBeforeTls: 'observe',
};

/** What a server answers to all that it has so far; each command has one reply, and so has a message. */
function answersTo(sent: string): string {
  let [rest, answers] = [sent, '220-mta\r\n220 ESMTP\r\n'];
  for (;;) {
    const line = /^(.*)\r?\n/.exec(rest);
    if (!line) return answers;
    const [whole, text = ''] = line;
    const [, size] = /^BDAT (\d+)/.exec(text) ?? [];
    const ends = text === 'DATA' ? `\n${rest.slice(whole.length)}`.indexOf('\n.\r\n') : -1;
    if (size !== undefined && rest.length < whole.length + Number(size)) return answers;
    rest = rest.slice(whole.length + Number(size ?? 0));
    answers += text.startsWith('EHLO')
      ? '250-mta\r\n250-CHUNKING\r\n250 PIPELINING\r\n'
      : text === 'DATA'
        ? '354 go\r\n'
        : '250 ok\r\n';
    if (text !== 'DATA') continue;
    if (ends < 0) return answers;
    rest = rest.slice(ends + 3);
    answers += '250 2.0.0 taken\r\n';
  }
}

const unit = fc.constantFrom(
  'NOOP\r\n',
  'RSET\n',
  'HELP a\r\n',
  'XUNKNOWN b\r\n',
  '\r\n',
  'MAIL FROM:<"a b"@c> BODY=8BITMIME\r\n',
  'RCPT TO:<d@e>\r\n'.repeat(40),
  'DATA\r\nSubject: VRFY\r\n\r\n..\r\nVRFY root\r\n.x\xff\r\n.\r\n',
  'DATA\r\n.\r\n',
  'BDAT 12\r\nVRFY a\r\n\r\n.\n',
  'BDAT 0 LAST\r\n',
);

/** Pieces of these sizes come in this order: from the client where true. */
const moves = fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 60 })), { maxLength: 60 });

test('what a client sends in any pieces, waiting for replies or not', () =>
  fc.assert(
    fc.property(fc.array(unit, { maxLength: 8 }), moves, (units, order) => {
      const said = ['EHLO vm\r\n', ...units, 'QUIT\r\n'].join('');
      const filter = createFilter({
        rules: DEFAULT,
        session: createSession({ started: START, connected: START }),
      });
      let [sent, answered, server, client, at] = [0, 0, '', '', START];
      const move = (fromClient: boolean, size: number): void => {
        const [text, from] = fromClient ? [said, sent] : [answersTo(server), answered];
        const bytes = octets(text.slice(from, from + size));
        if (fromClient) sent += bytes.length;
        else answered += bytes.length;
        for (const step of filter[fromClient ? 'client' : 'server'](bytes, (at += 1))) {
          assert.is.not(step.kind, 'blocked');
          if (step.kind === 'to-server') server += latin1(step.bytes);
          if (step.kind === 'to-client') client += latin1(step.bytes);
        }
      };
      for (const [fromClient, size] of order) move(fromClient, size);
      while (sent < said.length) move(true, 7);
      while (answered < answersTo(server).length) move(false, 9);
      assert.is(server, said);
      assert.is(client, answersTo(said));
      assert.is(filter.held(), 0);
    }),
    { numRuns: 300 },
  ));

test.run();
