// The rules in a dialogue: a table, however the octets are cut, and what holds for any dialogue.

import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createFilter } from '../../../inspect/policy/filter';
import { NO_RULES, type Rules } from '../../../inspect/policy/rules';
import type { Step } from '../../../inspect/policy/state';
import { createSession } from '../../../inspect/smtp/session';
import { latin1 } from '../../../inspect/text';
import { CUTS, everySplit, octets, pieces, type Piece, START } from '../smtp/transcript';
import { ROWS } from './filter.table';

interface Outcome {
  readonly server: string;
  readonly client: string;
  readonly reported: readonly string[];
  readonly ended: boolean;
}

function play(rules: Partial<Rules>, fed: readonly Piece[], dryRun = false): Outcome {
  const session = createSession({ started: START, connected: START });
  const filter = createFilter({ rules: { ...NO_RULES, ...rules }, session, dryRun });
  const steps = fed.flatMap(({ from, bytes, at }) => filter[from](bytes, at));
  return outcomeOf(steps);
}

function outcomeOf(steps: readonly Step[]): Outcome {
  let [server, client, ended] = ['', '', false];
  const reported: string[] = [];
  for (const step of steps) {
    assert.not(ended, 'nothing comes behind the end');
    if (step.kind === 'to-server') server += latin1(step.bytes);
    else if (step.kind === 'to-client') client += latin1(step.bytes);
    else if (step.kind === 'end') ended = true;
    else if (step.kind === 'blocked') reported.push(`${step.rule} ${step.action} ${step.direction}`);
    else if (step.kind === 'anomaly') reported.push(`${step.anomaly} ${step.direction}`);
  }
  return { server, client, reported, ended };
}

/** Anomalies that hang on how the octets came, and are the session's. */
const OF_TIMING = /^(?:improper-pipelining|unknown-command|early-talker|unsolicited-reply|service-closing)/;

for (const { name, rules, turns, server, client, reported = [], ended = false, uncut } of ROWS) {
  test(name, () => {
    const whole = play(
      rules,
      pieces(turns, (bytes) => [bytes]),
    );
    assert.equal([whole.server, whole.client, whole.ended], [server, client, ended]);
    assert.equal([...whole.reported].sort(), [...reported].sort());
    if (uncut) return;
    const variants = [...Object.values(CUTS).map((by) => pieces(turns, by)), ...everySplit(turns)];
    for (const variant of variants) {
      const got = play(rules, variant);
      assert.equal([got.server, got.client, got.ended], [server, client, ended]);
      const lasting = (all: readonly string[]): string[] =>
        all.filter((each) => !OF_TIMING.test(each)).sort();
      assert.equal(lasting(got.reported), lasting(reported));
    }
  });
}

for (const { name, rules, turns, uncut } of ROWS) {
  test(`dry run: everything passes: ${name}`, () => {
    const sent = (from: 'C' | 'S'): string =>
      turns.flatMap(([side, text]) => (side === from ? [latin1(octets(text))] : [])).join('');
    const { server, client, ended } = play(
      rules,
      pieces(turns, (bytes) => [bytes]),
      true,
    );
    assert.not(ended);
    assert.is(client, sent('S'));
    // Octets that wait for a reply, which the dialogue of the row does not have, may still be held.
    if (!uncut) assert.ok(sent('C').startsWith(server), `${server} of ${sent('C')}`);
  });
}

const WORDS = [
  'NOOP',
  'RSET',
  'VRFY a',
  'vrfy b',
  ' EXPN c',
  'EHLO vm',
  'MAIL FROM:<a@b>',
  'RCPT TO:<c@d>',
  'DEBUG',
];
const command = fc.constantFrom(...WORDS);
const ENFORCED: Partial<Rules> = {
  commands: 'enforce',
  nul: 'enforce',
  refusedCommands: new Set(['VRFY', 'EXPN', 'DEBUG']),
};

/** A server that answers each whole line with 250, as soon as it has it. */
function converse(rules: Partial<Rules>, sent: readonly Uint8Array[]): Outcome {
  const session = createSession({ started: START, connected: START });
  const filter = createFilter({ rules: { ...NO_RULES, ...rules }, session });
  const steps: Step[] = [...filter.server(octets('220 mta ESMTP\r\n'), START)];
  let [answered, at] = [0, START];
  const settle = (fresh: readonly Step[]): void => {
    steps.push(...fresh);
    const lines = outcomeOf(steps).server.split('\n').length - 1;
    while (answered < lines) {
      answered += 1;
      settle(filter.server(octets('250 ok\r\n'), (at += 1)));
    }
  };
  for (const bytes of sent) settle(filter.client(bytes, (at += 1)));
  return outcomeOf(steps);
}

test('no octet of a refused command reaches the server, each command has its reply, and all else passes', () =>
  fc.assert(
    fc.property(
      fc.array(command, { maxLength: 12 }),
      fc.array(fc.nat(200), { maxLength: 8 }),
      (words, cuts) => {
        const sent = octets(words.map((word) => `${word}\r\n`).join(''));
        const at = [0, ...cuts.filter((cut) => cut < sent.length).sort((a, b) => a - b), sent.length];
        const { server, client } = converse(
          ENFORCED,
          at.slice(1).map((end, i) => sent.subarray(at[i], end)),
        );
        const allowed = words.filter((word) => !/vrfy|expn|debug/i.test(word));
        assert.is(server, allowed.map((word) => `${word}\r\n`).join(''));
        const replies = client.split('\r\n').slice(1, -1);
        assert.is(replies.length, words.length);
        words.forEach((word, i) => assert.is(replies[i]?.startsWith('250 ok'), allowed.includes(word), word));
      },
    ),
  ));

test.run();
