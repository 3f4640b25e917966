// Evidence files: what a vendor's engineer opens, and what nobody must find in them.

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openEvidence } from '../../../../proxy/report/evidence/evidence';
import { isFault } from '../../../../proxy/system/fault';
import { FLAG } from '../../../../inspect/tcp/segment';
import { advance } from '../../../../inspect/tcp/seq';
import { packetise, type Sent } from '../../../inspect/tcp/packetise';
import { SEEMED_DROPPED } from '../../../inspect/verdict/verdicts.table';
import type { Turn } from '../../../inspect/smtp/transcript';
import { scratch } from '../../../kit/process';
import { DIALOGUE, HIDDEN, LATE } from './dialogue.table';
import { record } from './frames';

function without(sent: readonly Sent[], is: (each: Sent) => boolean, count: number): Sent[] {
  let left = count;
  return sent.filter((each) => !(is(each) && left-- > 0));
}

test('the files: named by time and client, the octets that prove it and no other', () => {
  const folder = scratch('evidence');
  const { counts, fault } = record(LATE, { folder });
  assert.equal([counts, fault], [{ written: 1, leftOut: 0 }, undefined]);
  const base = '20231114T221320.000000Z-198.18.0.1-40000-segment-dropped';
  assert.equal(readdirSync(folder).sort(), [`${base}.md`, `${base}.pcapng`]);
  const capture = readFileSync(join(folder, `${base}.pcapng`), 'latin1');
  for (const shown of [
    'EHLO client.example\r\n',
    '250-AUTH LOGIN PLAIN\r\n',
    'DATA\r\n',
    '354 go\r\n',
    'BDAT 52 LAST\r\n',
    'RCPT TO:<b@mx.example>\r\n',
    '535 ',
    '334 ',
    '235 ',
  ]) {
    assert.ok(capture.includes(shown), `shows ${JSON.stringify(shown)}`);
  }
  for (const hidden of [HIDDEN, 'PLAIN S', 'GSSAPI', 'Subject'])
    assert.not.ok(capture.includes(hidden), hidden);
  const page = readFileSync(join(folder, `${base}.md`), 'utf8');
  for (const hidden of [HIDDEN, 'a@client', 'b@mx', 'undefined', 'NaN'])
    assert.not.ok(page.includes(hidden), hidden);
  assert.match(page, /Octets sent and not arrived: \*\*6\*\*/);
});

test('a verdict that was taken back stands nowhere: not in a name, not on the page, not in the capture', () => {
  const folder = scratch('evidence');
  record(SEEMED_DROPPED, { folder });
  const files = readdirSync(folder).sort();
  assert.equal(
    files.map((file) => file.replace(/^.*-40000-/, '')),
    ['ehlo-held.md', 'ehlo-held.pcapng'],
  );
  for (const file of files) {
    const text = readFileSync(join(folder, file), 'utf8');
    assert.match(text, /ehlo-held \(proved\)/, file);
    assert.not.match(text, /ehlo-dropped|beyond|were sent, and are not in the capture/, file);
  }
});

test('in doubt nothing: behind a gap the client’s words may be a message', () => {
  const folder = scratch('evidence');
  const lost = without(packetise(DIALOGUE), ({ segment }) => segment.payload[0] === 0x44, 1);
  const late = without(lost, ({ segment }) => segment.length === 17 && segment.payload[0] === 0x45, 1);
  record([...late], { folder });
  for (const file of readdirSync(folder)) {
    assert.not.ok(readFileSync(join(folder, file), 'latin1').includes(HIDDEN), file);
  }
});

/** Loss, duplicates, swaps, and copies that hold other octets than those they repeat. */
function disturb(sent: readonly Sent[], dice: readonly number[]): Sent[] {
  const out: Sent[] = [];
  sent.forEach((each, i) => {
    const roll = dice[i % dice.length] ?? 0;
    const { segment } = each;
    if (segment.length > 0 && roll % 11 === 0) return;
    if (roll % 7 === 0 && out.length > 0) out.splice(out.length - 1, 0, each);
    else out.push(each);
    if (segment.length > 1 && roll % 5 === 0)
      out.push({ ...each, segment: { ...segment, at: segment.at + 300_000 } });
    if (segment.length > 8 && roll % 13 === 0) {
      const payload = Uint8Array.from(Buffer.from(HIDDEN.repeat(30).slice(0, segment.length)));
      out.push({ ...each, segment: { ...segment, payload, at: segment.at + 1 } });
    }
    if (segment.length > 4 && roll % 17 === 0) {
      const payload = segment.payload.subarray(3);
      out.push({
        ...each,
        segment: { ...segment, seq: advance(segment.seq, 3), payload, length: payload.length },
      });
    }
  });
  return out;
}

test('property: whatever is lost, repeated, overtaken or forged, nothing hidden is written', () => {
  let written = 0;
  const dice = fc.array(fc.nat(1000), { minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(dice, fc.constantFrom(1460, 60, 11), fc.boolean(), (rolls, mss, whole) => {
      const all = disturb(packetise(DIALOGUE, { mss }), rolls);
      const sent = whole ? all : all.slice(6);
      const folder = scratch('evidence');
      written += record(sent, { folder }).counts.written;
      for (const file of readdirSync(folder)) {
        const text = readFileSync(join(folder, file), 'latin1');
        // Three octets of it would be a leak: segments may cut the word.
        assert.not.ok(/S3C|3CR|CR3|R3T/.test(text), `${file} ${JSON.stringify(rolls)}`);
      }
    }),
    {
      numRuns: 300,
      examples: [
        // The SYN-ACK overtakes the SYN, and a forged copy is all that is left of the greeting.
        [[364], 60, true],
        // The first segment waits for SYNs that are not there, and a forged copy comes behind it.
        [[0, 455, 7], 1460, false],
      ],
    },
  );
  assert.ok(written > 60, `${written} of 300 had a verdict: the property says something`);
});

/** A reply that is too large to be held is read, and a copy of its first octets holds others. */
test('where a copy was read and is not held, nobody can compare: of no other copy an octet is shown', () => {
  const folder = scratch('evidence');
  const long = Array.from({ length: 30 }, (_, i) => `250-EXTENSION${i} with some words more\r\n`).join('');
  const sent = packetise([
    ['S', '220 mx.example ESMTP\r\n'],
    ['C', 'EHLO client.example\r\n'],
    ['S', `${long}250 CHUNKING\r\n`],
    ['C', 'QUIT\r\n'],
    ['S', '221 bye\r\n'],
  ]);
  const at = sent.findIndex(({ segment }) => segment.length > 1_024);
  const { from, segment } = sent[at] as Sent;
  const payload = Uint8Array.from(Buffer.from(`250-EXTENSION ${HIDDEN}`));
  const forged = { from, segment: { ...segment, payload, length: payload.length, at: segment.at + 1 } };
  record([...sent.slice(0, at + 1), forged, ...sent.slice(at + 1)], { folder });
  const capture = readdirSync(folder).find((file) => file.endsWith('.pcapng')) ?? 'none was written';
  const text = readFileSync(join(folder, capture), 'latin1');
  assert.ok(text.includes('EHLO client.example'), 'what has no other copy is shown');
  assert.not.ok(text.includes(HIDDEN));
});

test('a masked command shows its mask, and not what the mask left', () => {
  const folder = scratch('evidence');
  const turns: readonly Turn[] = [
    ['S', '220 mx.example ESMTP\r\n'],
    ['C', `XXXX ${HIDDEN}\r\n`],
    ['S', '500 5.5.1 what\r\n'],
  ];
  record(packetise(turns), { folder });
  const files = readdirSync(folder).map((file) => readFileSync(join(folder, file), 'latin1'));
  assert.is(files.length, 2);
  assert.ok(files.some((text) => text.includes('XXXX')));
  assert.not.ok(files.some((text) => text.includes(HIDDEN)));
});

test('a truncated greeting is shown: it is the evidence', () => {
  const folder = scratch('evidence');
  const sent = packetise([['S', '220-mx.example\r\n']], { fin: false });
  const last = sent[sent.length - 1]?.segment;
  const first = sent[1]?.segment;
  if (!last || !first) throw new Error('no segments');
  const ack = { ...first, seq: advance(first.seq, 17), ack: last.seq, flags: FLAG.ack, at: last.at + 30e6 };
  record([...sent, { from: 'server', segment: ack }], { folder });
  const capture = readdirSync(folder).find((file) => file.endsWith('greeting-truncated.pcapng'));
  assert.ok(capture, readdirSync(folder).join());
  assert.ok(readFileSync(join(folder, capture ?? ''), 'latin1').includes('220-mx.example\r\n'));
});

test('a limit on connections; a second pass records only those asked for', () => {
  assert.equal(record(LATE, { folder: scratch('evidence'), most: 0 }).counts, { written: 0, leftOut: 1 });
  assert.equal(record(LATE, { folder: scratch('evidence'), memory: 0 }).counts, { written: 0, leftOut: 1 });
  const none = record(LATE, { folder: scratch('evidence'), only: new Set([7]) });
  assert.equal(none.counts, { written: 0, leftOut: 0 });
  assert.equal(record(LATE, { folder: scratch('evidence'), only: new Set([1]) }).counts.written, 1);
});

test('a folder that is a file, or goes away, or is full: one fault, and the analysis goes on', () => {
  const folder = scratch('evidence');
  writeFileSync(join(folder, 'file'), '');
  const fault = openEvidence({ folder: join(folder, 'file', 'below') });
  assert.ok(isFault(fault) && fault.code === 'evidence-unwritable');
  const base = '20231114T221320.000000Z-198.18.0.1-40000-segment-dropped.pcapng';
  mkdirSync(join(folder, base));
  const { fault: met, counts } = record(LATE, { folder });
  assert.is(met?.code, 'evidence-unwritable');
  assert.equal(counts, { written: 0, leftOut: 1 });
  assert.equal(
    readdirSync(folder).filter((file) => file.includes('part')),
    [],
  );
});

test.run();
