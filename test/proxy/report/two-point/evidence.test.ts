// Evidence of two points: for every verdict both captures and one page; read again, they say the same.

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Micros, Point, VerdictEvent } from '../../../../inspect/events';
import { VERDICT_NAMES } from '../../../../inspect/verdict/causes';
import { surveyTwoPoints, type Survey } from '../../../../inspect/two-point/survey';
import { readPoints } from '../../../../proxy/report/two-point/point';
import { recordings } from '../../../lab/degraded/recordings';
import { byTime, later, type Frame } from '../../../lab/degraded/frame';
import { framesBy, hasTshark } from '../../../kit/tshark';
import { skip } from '../../../kit/lab';
import { scratch } from '../../../kit/process';
import { packetise, type Sent } from '../../../inspect/tcp/packetise';
import { ROWS } from '../../../inspect/verdict/verdicts.table';
import { SECOND } from '../../../inspect/smtp/transcript';
import { DIALOGUE, HIDDEN } from '../evidence/dialogue.table';
import { ETHERNET, frameOf } from '../evidence/frames';
import { tell, type Play, type Told } from './tell';

/** The two captures that a page stands beside. */
function capturesOf(folder: string, page: string): Readonly<Record<Point, string>> {
  const of = (point: Point): string => join(folder, page.replace(/\.md$/, `-${point}.pcapng`));
  return { wan: of('wan'), dmz: of('dmz') };
}

function pagesIn(folder: string): string[] {
  return readdirSync(folder).filter((file) => file.endsWith('.md'));
}

/** All that a verdict says in words and numbers, without times. */
function sayings(verdicts: readonly VerdictEvent[]): string[] {
  return verdicts.map(({ verdict, certainty, where, proof, missingBytes, came, held, evidence }) =>
    [verdict, certainty, where, proof, missingBytes, came, held, evidence.length].join(' '),
  );
}

async function readAgain(folder: string, page: string, together = false): Promise<VerdictEvent[]> {
  const { wan, dmz, unchanged } = await readPoints(capturesOf(folder, page), { ports: [25] });
  const survey = surveyTwoPoints(wan, dmz, together, unchanged);
  return survey.judgements.flatMap(({ verdicts }) => verdicts);
}

/** Those of the connection that a page is named after. */
function saidOf(page: string, { judgements }: Survey): readonly VerdictEvent[] {
  const own = judgements.find(({ pair: { wan } }) =>
    page.includes(`-${wan.client.address.replaceAll(':', '-')}-${wan.client.port}-`),
  );
  return own?.verdicts ?? [];
}

/** Without the last two, the time and how many segments show it: other connections know the clocks a little better. */
const withoutTime = (saying: string): string => saying.replace(/ \S* \S*$/, '');

const verdictsOf = ({ judgements }: Survey): VerdictEvent[] => judgements.flatMap(({ verdicts }) => verdicts);

function framesOf(sent: readonly Sent[], by: Micros = 0): Frame[] {
  return sent.map(({ from, segment }) => {
    const octets = frameOf(segment);
    return { at: segment.at + by, link: ETHERNET, octets, length: octets.length, from };
  });
}

/** What one end does by itself: the same at both points, a little later at the second. */
function ownPlays(): Play[] {
  const before = new Map<string, number>();
  return ROWS.filter(
    ({ want }) => want.length === 1 && OWN.test(want[0] ?? '') && isFresh(before, want[0]),
  ).map(({ name, sent, until = 0 }) => {
    const inside = sent.map(({ from, segment }) => {
      const at = segment.at + (from === 'client' ? 300 : -300);
      return { from, segment: { ...segment, at } };
    });
    const first = sent[0]?.segment.at ?? 0;
    const end = Math.max(first + until * SECOND, sent.at(-1)?.segment.at ?? 0) + 1_000;
    const ran = (frames: Frame[]): Frame[] => [...frames, ...strangers(end)];
    return { name, wan: ran(framesOf(sent)), dmz: ran(framesOf(inside)) };
  });
}

/** Two of each are enough: what one point says of evidence is tried with one point. */
function isFresh(before: Map<string, number>, said = ''): boolean {
  const count = (before.get(said) ?? 0) + 1;
  before.set(said, count);
  return count <= 2;
}

const OWN = /^(client-silent|client-gone|early-talker|greeting-truncated|greeting-malformed|greeting-slow) /;

/** Another connection's frame, of no SMTP: the capture still ran. */
function strangers(at: Micros): Frame[] {
  const [each] = packetise([['S', '220 x\r\n']]);
  if (!each) return [];
  const segment = { ...each.segment, sourcePort: 50_000, destinationPort: 443, at };
  return framesOf([{ from: 'client', segment }]);
}

async function recordedPlays(): Promise<Play[]> {
  return (await recordings()).flatMap(({ row, inside, outside }): Play[] =>
    outside ? [{ name: row.name, wan: outside, dmz: inside }] : [],
  );
}

/** The other clock is wrong by this. */
const AHEAD: Micros = 42 * SECOND;

test('read again, the two captures say the same, and the page says so: every play, every verdict', async () => {
  const names = new Set<string>();
  for (const play of [...(await recordedPlays()), ...ownPlays()]) {
    for (const [together, ahead] of [
      [false, 0],
      [true, 0],
      [false, AHEAD],
    ] as const) {
      const dmz = play.dmz.map((frame) => later(frame, ahead));
      const { folder, survey, written } = await tell({ ...play, dmz, together });
      const said = verdictsOf(survey);
      const pages = written ? pagesIn(folder) : [];
      assert.is(pages.length, said.length > 0 ? 1 : 0, play.name);
      for (const page of pages) {
        assert.equal(sayings(await readAgain(folder, page, together)), sayings(said), play.name);
        const text = readFileSync(join(folder, page), 'utf8');
        assert.match(text, /They say the same by themselves/, play.name);
        assert.is(text.includes(' --together\n'), together, play.name);
        for (const { verdict, certainty, summary } of said) {
          names.add(verdict);
          assert.ok(text.includes(`${verdict} (${certainty})`), play.name);
          assert.ok(text.includes(`- ${summary}`), play.name);
        }
        assert.not.match(text, /undefined|NaN|Infinity|\(not kept\)/, play.name);
      }
    }
  }
  assert.equal(
    VERDICT_NAMES.filter((name) => !names.has(name)),
    [],
  );
});

test('many connections at once: of each that has a verdict a page, and its two captures say the same again', async () => {
  const plays = await recordedPlays();
  const all = {
    name: 'all',
    wan: byTime(plays.flatMap(({ wan }) => wan)),
    dmz: byTime(plays.flatMap(({ dmz }) => dmz.map((frame) => later(frame, AHEAD)))),
  };
  const { folder, survey, written } = await tell(all);
  const flagged = survey.judgements.filter(({ verdicts }) => verdicts.length > 0);
  const pages = pagesIn(folder);
  assert.equal([pages.length, written?.counts], [flagged.length, { written: flagged.length, leftOut: 0 }]);
  assert.ok(flagged.length > 20);
  for (const page of pages) {
    const text = readFileSync(join(folder, page), 'utf8');
    // Which of the two: whether other connections are needed to know that the captures ran.
    const vouched = !text.includes('They say the same by themselves');
    assert.is(text.includes(' --together\n'), vouched, page);
    assert.equal(
      sayings(await readAgain(folder, page, vouched)).map(withoutTime),
      sayings(saidOf(page, survey)).map(withoutTime),
      page,
    );
    assert.match(text, new RegExp(`in \\d+ of ${plays.length} sessions`), page);
  }
});

if (!hasTshark()) skip(test, 'tshark reads both captures', 'not installed: tshark');
else {
  test('tshark opens both; the page’s filters find exactly the frames that it names, and all of the connection', async () => {
    const before = new Set<string>();
    for (const play of await recordedPlays()) {
      const { folder, survey } = await tell(play);
      const key = verdictsOf(survey)
        .map(({ verdict, came }) => `${verdict} ${came}`)
        .join();
      // One play of each kind: every call of tshark takes half a second.
      if (key === '' || before.has(key)) continue;
      before.add(key);
      const [page = ''] = pagesIn(folder);
      const text = readFileSync(join(folder, page), 'utf8');
      const blocks = [...text.matchAll(/(Outside|Inside), `([^`]+)`:\n\n```\n([^\n]+)\n([^\n]+)\n```/g)];
      assert.is(blocks.length, 2, play.name);
      for (const [, point = '', file = '', comments = '', all = ''] of blocks) {
        const capture = join(folder, file);
        const numbers = (filter: string): string[] => framesBy(capture, filter);
        const rows = [...text.matchAll(new RegExp(`^\\| ${point.toLowerCase()} \\| (\\d+) \\|`, 'gm'))];
        const named = [...new Set(rows.map(([, number = '']) => number))];
        assert.equal(numbers(comments).sort(), named.sort(), `${play.name}: ${file}`);
        assert.equal(numbers(all), numbers('!_ws.malformed'), `${play.name}: ${file}`);
      }
    }
  });
}

const DROPPED = 'EHLO dropped twice';

async function dropped(): Promise<Play> {
  const play = (await recordedPlays()).find(({ name }) => name === DROPPED);
  if (!play) throw new Error('no such play');
  return play;
}

test('one page, one story: both points, their clocks, what became of each segment, and one closing sentence', async () => {
  const play = await dropped();
  const dmz = play.dmz.map((frame) => later(frame, AHEAD));
  const { folder } = await tell({ ...play, dmz });
  const [page = ''] = pagesIn(folder);
  assert.equal(
    readdirSync(folder).sort(),
    ['-dmz.pcapng', '-wan.pcapng', '.md'].map((end) => page.replace(/\.md$/, end)),
  );
  const text = readFileSync(join(folder, page), 'utf8');
  for (const want of [
    /^# SMTP from 198\.18\.0\.16 to 198\.19\.0\.4, captured at two points: ehlo-dropped \(proved\)$/m,
    /The two clocks: inside is 42\.000 s ahead, to within 1\.\d+ ms, by segments of 1 connection/,
    /^\| 0\.001303 s \| 6 \| client \| PSH ACK 0 \+21 \| {2}\| {2}\| \*\*dropped between the points\*\* \|$/m,
    /^\| 0\.418013 s \| 8 \| client \| PSH ACK 0 \+21 \| 0\.418\d+ s \| 6 \| {2}\|$/m,
    /Octets that came late: \*\*21\*\*\. Late by: \*\*416\.9 ms\*\*/,
    /^ehlowire analyze --wan \S+-ehlo-dropped-wan\.pcapng --dmz \S+-ehlo-dropped-dmz\.pcapng$/m,
    /## Conclusion\n\n1 client of one network: EHLO dropped between the two points in 1 of 1 session \(100\.0 %\), proved\. Both sides were captured: it happened between the two points\. [^\n]+\n$/,
  ]) {
    assert.match(text, want);
  }
});

test('where no segment bounds the clocks the page says so', async () => {
  const play = (await recordedPlays()).find(({ name }) => name === 'TCP terminated by a proxy');
  if (!play) throw new Error('no such play');
  const { folder } = await tell(play);
  const [page = ''] = pagesIn(folder);
  assert.match(readFileSync(join(folder, page), 'utf8'), /but no bound of that is known/);
});

test('captures that can be read only once: the same files', async () => {
  const play = await dropped();
  const [twice, once] = [await tell(play), await tell(play, { once: true })];
  const all = ({ folder }: Told): string[] =>
    readdirSync(folder).map((file) => readFileSync(join(folder, file), 'latin1'));
  assert.equal(all(once), all(twice));
});

test('no verdict, or nothing in common: no folder, no page', async () => {
  const play = await dropped();
  const folder = join(scratch('points'), 'none');
  assert.is((await tell({ ...play, dmz: play.wan }, { folder })).written, undefined);
  assert.is((await tell({ ...play, dmz: [] }, { folder })).written, undefined);
  assert.throws(() => readdirSync(folder), /ENOENT/);
});

test('bounded: what is over the limit is counted; a file in the way is one fault', async () => {
  const play = await dropped();
  assert.equal((await tell(play, { most: 0 })).written, {
    counts: { written: 0, leftOut: 1 },
    fault: undefined,
  });
  const folder = scratch('points');
  const [name = ''] = pagesIn((await tell(play)).folder);
  mkdirSync(join(folder, name.replace(/\.md$/, '-dmz.pcapng')));
  const { written } = await tell(play, { folder });
  assert.is(written?.fault?.code, 'evidence-unwritable');
  assert.equal(written?.counts, { written: 0, leftOut: 1 });
  const file = join(scratch('points'), 'file');
  writeFileSync(file, '');
  let message = '';
  await tell(play, { folder: join(file, 'below') }).catch((error: Error) => (message = error.message));
  assert.match(message, /file\/below/);
});

/** All that is in the files of a folder. */
function textIn(folder: string): string {
  return readdirSync(folder)
    .map((file) => readFileSync(join(folder, file), 'latin1'))
    .join('');
}

test('nothing hidden is written at either point: whichever segment is dropped or changed between them', async () => {
  const sent = packetise(DIALOGUE);
  const payloads = sent.flatMap(({ segment }, i) => (segment.length > 0 ? [i] : []));
  let pages = 0;
  for (const i of payloads) {
    const masked = sent.map((each, n) => {
      const { payload } = each.segment;
      const changed = payload.map((octet) => (octet === 0x53 ? 0x58 : octet));
      return n === i ? { ...each, segment: { ...each.segment, payload: changed } } : each;
    });
    for (const other of [sent.filter((_, n) => n !== i), masked]) {
      const [wan, dmz] = sent[i]?.from === 'client' ? [sent, other] : [other, sent];
      const { folder, written } = await tell({
        ...{ name: `${i}`, together: true },
        wan: framesOf(wan),
        dmz: framesOf(dmz, 300),
      });
      if (!written) continue;
      pages += written.counts.written;
      const text = textIn(folder);
      // Three octets of it would be a leak: segments may cut the word.
      assert.not.match(text, /S3C|3CR|CR3|R3T/, `${i}`);
      assert.not.ok(text.includes(HIDDEN));
    }
  }
  assert.ok(pages > 10, `${pages} pages: the test says something`);
});

test.run();
