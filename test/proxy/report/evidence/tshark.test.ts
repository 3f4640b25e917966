// Evidence as others open it: by tshark, with the filters that the page gives.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { skip } from '../../../kit/lab';
import { scratch } from '../../../kit/process';
import { hasTshark, tshark } from '../../../kit/tshark';
import { DROPPED, HIDDEN } from './dialogue.table';
import { record } from './frames';

if (!hasTshark()) skip(test, 'tshark reads the files', 'not installed: tshark');
else {
  test('the page’s own filters find the frames: all of them, and those with a comment', () => {
    const folder = scratch('evidence');
    record(DROPPED, { folder });
    const [page = '', capture = ''] = readdirSync(folder)
      .sort()
      .map((file) => join(folder, file));
    const filters = /```\n([^`]+)\n```/.exec(readFileSync(page, 'utf8'))?.[1]?.split('\n') ?? [];
    const counts = filters.map((filter) => tshark(capture, '-Y', filter).trim().split('\n').length);
    const commented = readFileSync(page, 'utf8').match(/\*\*←\*\*/g)?.length;
    assert.equal(counts, [commented, DROPPED.length]);
  });

  test('headers are whole: each frame has its numbers, flags and options, also where it has no octets', () => {
    const folder = scratch('evidence');
    record(DROPPED, { folder });
    const capture = join(folder, readdirSync(folder).find((file) => file.endsWith('.pcapng')) ?? '');
    const fields = [
      'tcp.seq_raw',
      'tcp.ack_raw',
      'tcp.options.timestamp.tsval',
      'ip.ttl',
      'tcp.window_size_value',
    ];
    const read = tshark(capture, '-T', 'fields', ...fields.flatMap((field) => ['-e', field]));
    const want = DROPPED.map(({ segment: { seq, ack, options, ttl, window } }) =>
      [seq, ack, options.timestamps?.[0], ttl, window].join('\t'),
    );
    assert.equal(read.trimEnd().split('\n'), want);
  });

  test('tshark opens it: comments at the frames that the page names, times to the microsecond, lengths of the wire', () => {
    const folder = scratch('evidence');
    record(DROPPED, { folder });
    const base = readdirSync(folder).find((file) => file.endsWith('.pcapng')) ?? '';
    const file = join(folder, base);
    assert.ok(existsSync(file));
    const rows = tshark(
      file,
      '-Y',
      'frame.comment',
      '-T',
      'fields',
      '-e',
      'frame.number',
      '-e',
      'frame.comment',
    )
      .trim()
      .split('\n');
    assert.ok(rows.length >= 2, rows.join('\n'));
    assert.match(
      rows[1] ?? '',
      /ehlo-dropped \(proved\): (bare ACK: SEQ is what its sender sends next|later octets; those before)/,
    );
    const page = readFileSync(file.replace(/pcapng$/, 'md'), 'utf8');
    for (const row of rows) {
      const [number] = row.split('\t');
      assert.match(page, new RegExp(`^\\| ${number} \\| .*(?:missing|hole|beyond)`, 'm'));
    }
    const times = tshark(
      file,
      '-T',
      'fields',
      '-e',
      'frame.time_epoch',
      '-e',
      'frame.len',
      '-e',
      'frame.cap_len',
    )
      .trim()
      .split('\n')
      .map((line) => line.split('\t'));
    assert.is(times.length, DROPPED.length);
    assert.is(times[1]?.[0], '1700000000.010000000');
    assert.ok(
      times.some(([, length, kept]) => Number(length) > Number(kept)),
      'bodies are cut',
    );
    assert.is(tshark(file, '-Y', `frame contains "${HIDDEN}"`), '');
  });
}

test.run();
