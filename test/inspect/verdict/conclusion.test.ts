// What many connections show together: how many clients of how many networks decide how far it goes.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Certainty, VerdictName } from '../../../inspect/events';
import { causeOf, VERDICT_NAMES } from '../../../inspect/verdict/causes';
import { conclusionOf, shareOf, type Shown } from '../../../inspect/verdict/conclusion';

const DROPPED: Shown = {
  ...{ verdict: 'ehlo-dropped', where: 'before', proof: 'sequence' },
  ...{ sessions: 5, proved: 5, of: 40, clients: 4, networks: 3 },
};

const TABLE: readonly {
  readonly name: string;
  readonly shown: Partial<Shown>;
  readonly certainty: Certainty;
  readonly text: string;
}[] = [
  {
    name: 'several networks: what they share',
    shown: {},
    certainty: 'proved',
    text:
      '4 clients of 3 networks: EHLO dropped before this point in 5 of 40 sessions (12.5 %), proved. Only what these ' +
      "networks share explains it: the path before this point. Show the firewall's vendor the report (--evidence DIR).",
  },
  {
    name: 'one client: it may be its own doing, whatever its numbers prove',
    shown: { sessions: 1, proved: 1, of: 1, clients: 1, networks: 1 },
    certainty: 'suspected',
    text:
      '1 client of one network: EHLO dropped before this point in 1 of 1 session (100.0 %), proved. The client itself or ' +
      'its own path may explain it too: see whether clients of other networks show the same. Show the ' +
      "firewall's vendor the report (--evidence DIR).",
  },
  {
    name: 'several clients of one network',
    shown: { sessions: 2, proved: 1, clients: 2, networks: 1 },
    certainty: 'suspected',
    text:
      '2 clients of one network: EHLO dropped before this point in 2 of 40 sessions (5.0 %), proved in 1. The network’s ' +
      'own path may explain it too: see whether clients of other networks show the same. Show the ' +
      "firewall's vendor the report (--evidence DIR).",
  },
  {
    name: 'suspected in all of them',
    shown: { proved: 0 },
    certainty: 'suspected',
    text:
      '4 clients of 3 networks: EHLO dropped before this point in 5 of 40 sessions (12.5 %), suspected. Only what these ' +
      "networks share explains it: the path before this point. Show the firewall's vendor the report (--evidence DIR).",
  },
  {
    name: 'beyond this point: the octets passed here, and no client is to blame',
    shown: { where: 'beyond', sessions: 1, proved: 1, of: 1, clients: 1, networks: 1 },
    certainty: 'proved',
    text:
      '1 client of one network: EHLO dropped beyond this point in 1 of 1 session (100.0 %), proved. It passed here, so no ' +
      'client explains it. Look between this point and the server; capture there too, and compare (--wan, --dmz); show ' +
      "the firewall's vendor the report (--evidence DIR).",
  },
  {
    name: 'the greeting lost beyond this point: on the clients’ side',
    shown: { verdict: 'greeting-lost', where: 'beyond' },
    certainty: 'proved',
    text:
      '4 clients of 3 networks: the greeting lost beyond this point in 5 of 40 sessions (12.5 %), proved. Only what these ' +
      'networks share explains it: the path beyond this point. Look between this point and the clients; show the ' +
      "firewall's vendor the report (--evidence DIR).",
  },
  {
    name: 'the greeting lost before this point: on the server’s side',
    shown: { verdict: 'greeting-lost', clients: 1, networks: 1 },
    certainty: 'proved',
    text:
      '1 client of one network: the greeting lost before this point in 5 of 40 sessions (12.5 %), proved. Look between the ' +
      'server and this point.',
  },
  {
    name: 'two points: between them, whoever the client was',
    shown: { where: 'here', proof: 'two-point', clients: 1, networks: 1 },
    certainty: 'proved',
    text:
      '1 client of one network: EHLO dropped between the two points in 5 of 40 sessions (12.5 %), proved. Both sides were ' +
      "captured: it happened between the two points. Show the firewall's vendor the report (--evidence DIR).",
  },
  {
    name: 'a client’s own doing',
    shown: {
      verdict: 'client-silent',
      sessions: 1_200,
      proved: 1_200,
      of: 40_000,
      clients: 900,
      networks: 700,
    },
    certainty: 'proved',
    text:
      '900 clients of 700 networks: the client was alive and never spoke in 1,200 of 40,000 sessions (3.0 %), proved. ' +
      'Nothing was dropped; look at the client.',
  },
];

for (const { name, shown, certainty, text } of TABLE) {
  test(name, () => assert.equal(conclusionOf({ ...DROPPED, ...shown }), { certainty, text }));
}

for (const verdict of VERDICT_NAMES) {
  test(`${verdict}: wherever it is, its texts are whole and say where`, () => {
    for (const where of ['before', 'beyond', 'here'] as const) {
      for (const proof of ['sequence', 'header'] as const) {
        const { what, next, recheck, ruledOut, open } = causeOf({ verdict, where, proof });
        assert.not.match(next, /[.]$/);
        for (const sentence of [recheck, ...ruledOut, ...open]) assert.match(sentence, /[.]$/);
        assert.ok(open.length > 0, 'a suspicion names what else there is');
        if (PLACED.has(verdict))
          assert.match(what, { before: /before/, beyond: /beyond/, here: /between/ }[where]);
      }
    }
  });
}

test('a share is never nothing', () => {
  assert.equal([shareOf(0, 0), shareOf(1, 100_000), shareOf(1, 3)], ['0.0 %', '< 0.1 %', '33.3 %']);
});

const PLACED: ReadonlySet<VerdictName> = new Set([
  'ehlo-dropped',
  'greeting-lost',
  'segment-dropped',
  'ehlo-held',
]);

test.run();
