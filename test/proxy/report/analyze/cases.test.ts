// Small captures that went wrong once, with the right answer beside each in a table: every row of it is checked here.

import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { skip } from '../../../kit/lab';
import { scratch } from '../../../kit/process';
import { buildLauncher } from '../../launch';

const FOLDER = join(__dirname, '../../../../../shared/cases');
const README = join(FOLDER, 'README.md');

const { dir, launch } = buildLauncher();
const logs = scratch('cases');

/** What `analyze` says: the events, and the text. */
interface Told {
  readonly lines: readonly Line[];
  readonly text: string;
}

type Line = Readonly<Record<string, unknown>>;

let runs = 0;

/** Names of files are those of the folder. */
async function analyze(...args: readonly string[]): Promise<Told> {
  runs += 1;
  const log = join(logs, `${runs}.log`);
  const named = args.map((each) => (existsSync(join(FOLDER, each)) ? join(FOLDER, each) : each));
  const { code, out, err } = await launch(['analyze', ...named, '--log', log]).ended;
  assert.equal([code, err], [0, '']);
  const text = existsSync(log) ? readFileSync(log, 'utf8') : '';
  return {
    lines: text
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Line),
    text: out,
  };
}

/** `verdict certainty where missing`, of each connection the last word, sorted. */
function verdictsOf({ lines }: Told): string[] {
  const standing = new Map<string, string>();
  for (const line of lines) {
    if (line['event'] !== 'verdict') continue;
    standing.delete(`${line['session']} ${line['withdraws']}`);
    const words = [line['verdict'], line['certainty'], line['where'], line['missing_bytes']];
    standing.set(
      `${line['session']} ${line['verdict']}`,
      words.filter((each) => each !== undefined).join(' '),
    );
  }
  return [...standing.values()].sort();
}

const sessionsOf = ({ lines }: Told): readonly Line[] => lines.filter(({ event }) => event === 'session');
const messagesOf = (told: Told): number =>
  sessionsOf(told).reduce((sum, { messages = 0 }) => sum + Number(messages), 0);
/** Without those that say that something was not observed. */
const anomaliesOf = ({ lines }: Told): unknown[] =>
  lines
    .filter(({ event, anomaly }) => event === 'anomaly' && anomaly !== 'gap')
    .map(({ anomaly }) => anomaly);

const ALL_CLEAR = /nothing shows that the path dropped/;

/** By the table's first column. */
const CHECKS: Readonly<Record<string, () => Promise<unknown>>> = {
  'snap-96.pcap': async () => {
    const told = await analyze('snap-96.pcap');
    assert.equal([verdictsOf(told), anomaliesOf(told)], [[], []]);
    assert.match(told.text, /\d+ frames cut at 96 octets/);
  },
  'o-tx.pcap, o-rx.pcap': async () => {
    for (const name of ['o-tx.pcap', 'o-rx.pcap']) {
      const alone = await analyze(name);
      assert.equal([verdictsOf(alone), anomaliesOf(alone)], [[], []]);
      assert.match(alone.text, /one direction only/);
      assert.not.match(alone.text, ALL_CLEAR);
    }
    const orders = [
      ['o-tx.pcap', 'o-rx.pcap'],
      ['o-rx.pcap', 'o-tx.pcap'],
    ];
    for (const files of orders) {
      const told = await analyze(...files);
      assert.equal(
        [sessionsOf(told).length, messagesOf(told), verdictsOf(told), anomaliesOf(told)],
        [6, 6, [], []],
      );
      assert.match(told.text, /all 6 sessions whole/);
    }
  },
  'o-client-late-0.3ms.pcap': async () => {
    const told = await analyze('o-client-late-0.3ms.pcap');
    assert.equal(
      [sessionsOf(told).length, messagesOf(told), verdictsOf(told), anomaliesOf(told)],
      [6, 6, [], []],
    );
  },
  'dup-good.pcap': async () => {
    const told = await analyze('dup-good.pcap', '--ladder', 'all');
    assert.equal([verdictsOf(told), anomaliesOf(told)], [[], []]);
    const again = sessionsOf(told).map((line) => [line['retransmits.client'], line['retransmits.server']]);
    assert.ok(
      again.flat().every((each) => each === 0),
      JSON.stringify(again),
    );
    assert.match(told.text, /every frame is in it twice/);
    assert.not.match(told.text, /[1-9]\d* segments? sent again|\d {2,}sent again/);
  },
  's-linux-to-exchange.pcap': async () => {
    assert.equal(verdictsOf(await analyze('s-linux-to-exchange.pcap')), []);
  },
  's-synscan.pcap': async () => {
    const told = await analyze('s-synscan.pcap');
    assert.equal(verdictsOf(told), []);
    assert.match(told.text, /half-open|did not go on/);
    assert.not.match(told.text, ALL_CLEAR);
  },
  's-pregreet.pcap': async () => {
    const verdicts = verdictsOf(await analyze('s-pregreet.pcap'));
    assert.equal(
      verdicts.map((each) => each.split(' ')[0]),
      ['early-talker'],
    );
  },
  's-proxyv1.pcap': async () => {
    const told = await analyze('s-proxyv1.pcap', '--ladder', 'all');
    const [session = {}, ...more] = sessionsOf(told);
    assert.is(more.length, 0);
    assert.equal([verdictsOf(told), anomaliesOf(told)], [[], ['proxy-header']]);
    assert.is(session['proxy.source.address'], '203.0.113.9');
    assert.match(told.text, /203\.0\.113\.9/);
    // There is no MAIL in it: in step are the greeting, EHLO and QUIT, each with its own reply.
    const phases = session['phases'] as readonly (readonly [string, number, number, number | null])[];
    const replies = phases.flatMap(([phase, , , code]) => (code === null ? [] : [[phase, code]]));
    assert.equal(replies, [
      ['greeting', 220],
      ['hello', 250],
      ['quit', 221],
    ]);
  },
  's-hole.pcap': async () => {
    const told = await analyze('s-hole.pcap', '--ladder', 'all');
    const missing = told.lines.flatMap((line) =>
      line['event'] === 'verdict' ? [line['missing_bytes']] : [],
    );
    assert.equal([...new Set(missing)], [21]);
    const rows = [...told.text.matchAll(/hole: (\d+) octets/g)].map(([, octets]) => octets);
    assert.equal([...new Set(rows)], ['21']);
  },
  's-typed.pcap': async () => {
    assert.not.match((await analyze('s-typed.pcap', '--ladder', 'all')).text, /keep-?alive/i);
  },
  's-inc-outside.pcap': async () => {
    const told = await analyze('s-inc-outside.pcap');
    assert.equal(verdictsOf(told), ['ehlo-dropped suspected beyond 21']);
    assert.match(told.text, /beyond this point/);
    assert.not.match(told.text, /before this point/);
  },
  's-inc-outside-repeats.pcap': async () => {
    const told = await analyze('s-inc-outside-repeats.pcap');
    assert.equal(verdictsOf(told), ['ehlo-dropped proved beyond 21']);
    const proved = told.lines.filter((line) => line['event'] === 'verdict' && line['certainty'] === 'proved');
    assert.is(proved.length, 1, 'it is told once');
    assert.match(told.text, /beyond this point/);
    assert.not.match(told.text, /before this point/);
  },
  'i-inside-5.pcap': async () => {
    const told = await analyze('i-inside-5.pcap');
    assert.match(told.text, /\b5 {2,}greeted, and then nothing came from the client/);
    assert.not.match(told.text, ALL_CLEAR);
    assert.match(told.text, /capture .* at the same time/);
  },
  'p-inside.pcap': async () => {
    const dropped = 'ehlo-dropped proved before 21';
    assert.equal(verdictsOf(await analyze('p-inside.pcap')), [dropped, dropped, dropped]);
  },
  's-refused.pcap': async () => {
    const told = await analyze('s-refused.pcap');
    assert.equal(verdictsOf(told), []);
    assert.match(told.text, /refused/);
    assert.not.match(told.text, ALL_CLEAR);
  },
  'm-clientport2525.pcap': async () => {
    const told = await analyze('m-clientport2525.pcap');
    assert.equal(sessionsOf(told), []);
    assert.match(told.text, /No SMTP connection/);
  },
  'm-open.pcap': async () => {
    const told = await analyze('m-open.pcap', '--ladder', 'all');
    assert.equal(verdictsOf(told), []);
    assert.not.match(told.text, /ended by client, timeout/);
    assert.match(told.text, /still open/);
  },
  'vxlan.pcap, mpls.pcap': async () => {
    for (const name of ['vxlan.pcap', 'mpls.pcap']) {
      const told = await analyze(name);
      assert.equal(
        [sessionsOf(told).length, messagesOf(told), verdictsOf(told)],
        [TUNNELLED[name], TUNNELLED[name], []],
      );
    }
  },
  'q-dup-dmz-wan/-dmz': () => threeEaten('q-dup-dmz'),
  'b4-20ppm-1h-wan/-dmz': async () => {
    const { text } = await threeEaten('b4-20ppm-1h');
    assert.match(text, /drift|ppm/);
  },
  'i-inside-more.pcap with docker-json.log, rfc5424.log': async () => {
    for (const log of ['docker-json.log', 'rfc5424.log']) {
      const { text } = await analyze('i-inside-more.pcap', '--maillog', log, '--ladder', 'none');
      assert.match(text, /\b[1-9]\d* matched/);
    }
  },
};

const TUNNELLED: Readonly<Record<string, number>> = { 'vxlan.pcap': 1, 'mpls.pcap': 1 };

async function threeEaten(name: string): Promise<Told> {
  const told = await analyze('--wan', `${name}-wan.pcap`, '--dmz', `${name}-dmz.pcap`);
  const dropped = 'ehlo-dropped proved here 21';
  assert.equal(verdictsOf(told), [dropped, dropped, dropped]);
  return told;
}

/** Rows that are not right yet. */
const WRONG: ReadonlySet<string> = new Set([]);

/** The first column of a table of the section on captures. */
function filesOf(readme: string): string[] {
  const section = /^## Captures[^]*?(?=^## |$(?![^]))/m.exec(readme)?.[0] ?? '';
  const rows = section.split('\n').filter((line) => line.startsWith('|'));
  return rows.slice(2).map((line) => line.split('|')[1]?.trim() ?? '');
}

const cases = suite('cases');
cases.after(() => {
  rmSync(dir, { recursive: true });
  rmSync(logs, { recursive: true });
});

if (existsSync(README)) {
  const files = filesOf(readFileSync(README, 'utf8'));
  cases('every row of the table is checked, and nothing else', () => {
    assert.ok(files.length > 0);
    assert.equal(Object.keys(CHECKS).sort(), [...files].sort());
  });
  for (const name of files) {
    cases(name, async () => {
      const check = CHECKS[name];
      assert.ok(check, 'no check of this row');
      const wrong: unknown = await check().then(
        () => undefined,
        (error: unknown) => error,
      );
      if (wrong !== undefined && !WRONG.has(name)) throw wrong;
    });
  }
} else skip(cases, 'cases', `no folder ${FOLDER}`);

cases.run();
