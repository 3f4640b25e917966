// What comes together is judged apart: replies in one piece, and verbs behind blanks.

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createFilter, type Filter } from '../../../inspect/policy/filter';
import { NO_RULES, type Rules } from '../../../inspect/policy/rules';
import { createSession } from '../../../inspect/smtp/session';
import { fromLatin1, latin1 } from '../../../inspect/text';

const test = suite('inspect/policy/together');

const RULES: Rules = {
  ...NO_RULES,
  starttls: 'enforce',
  commands: 'enforce',
  refusedCommands: new Set(['VRFY']),
  hiddenKeywords: new Set(['CHUNKING']),
};

/** `C:` and `S:` what each side says; what the other one has got in the end. */
function play(said: readonly string[]): { readonly client: string; readonly server: string } {
  const session = createSession({ started: 0, connected: 0, redact: undefined });
  const filter: Filter = createFilter({ rules: RULES, session });
  const got = { client: '', server: '' };
  for (const each of said) {
    const octets = fromLatin1(each.slice(2));
    for (const step of each.startsWith('C:') ? filter.client(octets, 0) : filter.server(octets, 0)) {
      if (step.kind === 'to-client') got.client += latin1(step.bytes);
      if (step.kind === 'to-server') got.server += latin1(step.bytes);
    }
  }
  return got;
}

const HELLO = '250-mx.example\r\n250-CHUNKING\r\n250 HELP\r\n';
const GREETED = 'S:220 mx.example ESMTP\r\n';

for (const [name, said] of [
  ['EHLO before the greeting', ['C:EHLO a\r\n', `S:220 mx.example ESMTP\r\n${HELLO}`]],
  ['EHLO behind another command', [GREETED, 'C:NOOP\r\nEHLO a\r\n', `S:250 fine\r\n${HELLO}`]],
  ['EHLO twice', [GREETED, 'C:EHLO a\r\nEHLO a\r\n', `S:${HELLO}${HELLO}`]],
] as const) {
  test(`a hidden keyword, ${name}`, () => {
    const { client } = play(said);
    assert.match(client, '250 HELP');
    assert.not.match(client, 'CHUNKING');
  });
}

for (const [name, said] of [
  [
    'behind another reply',
    [GREETED, 'C:NOOP\r\nSTARTTLS\r\n', 'S:250 fine\r\n220 ready\r\n250 INJECTED\r\n'],
  ],
  [
    'behind two replies',
    [GREETED, 'C:NOOP\r\nRSET\r\nSTARTTLS\r\n', 'S:250 a\r\n250 b\r\n220 go\r\n250 INJECTED\r\n'],
  ],
  ['at once with the greeting', ['C:STARTTLS\r\n', 'S:220 mx.example ESMTP\r\n220 go\r\n250 INJECTED\r\n']],
] as const) {
  test(`a response put behind the 220, ${name}`, () => {
    const { client } = play(said);
    assert.match(client, /220 (ready|go)\r\n$/);
  });
}

for (const blanks of [1, 255, 256, 300, 12_000, 12_288, 13_000, 80_000]) {
  for (const blank of [' ', '\t', '\v']) {
    test(`a refused verb behind ${blanks} blanks (${JSON.stringify(blank)})`, () => {
      const line = `${blank.repeat(blanks)}VRFY root\r\n`;
      const pieces = line.match(/[^]{1,9000}/g) ?? [];
      const { client, server } = play([GREETED, ...pieces.map((piece) => `C:${piece}`)]);
      assert.not.match(server, /VRFY/);
      assert.match(client, /\r\n(252|502) /);
    });
  }
}

test.run();
