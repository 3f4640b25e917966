// A segment is found in whatever carries it; no octets and no cut make the walk throw, err or read too far.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join as path } from 'node:path';
import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parsePacket } from '../../../inspect/tcp/packet';
import type { Segment } from '../../../inspect/tcp/segment';
import { pcapFile } from '../../proxy/sources/frames';
import { join, OTHERS, ROWS, type Row } from './layers.table';

function segmentOf({ link, frame }: Pick<Row, 'link' | 'frame'>, wire?: number): Segment | undefined {
  const packet = parsePacket(link, frame, 7, wire);
  return packet.kind === 'segment' ? packet.segment : undefined;
}

for (const row of ROWS) {
  test(row.name, () => {
    const segment = segmentOf(row);
    assert.ok(segment, parsePacket(row.link, row.frame, 7).kind);
    if (!segment) return;
    assert.is(Buffer.from(segment.payload).toString(), 'EHLO');
    assert.equal([segment.sourcePort, segment.destinationPort, segment.seq], [40_000, 25, 0x01020304]);
    assert.equal([segment.vlans, segment.tunnels ?? []], [row.vlans ?? [], row.tunnels ?? []]);
  });
}

for (const { name, link, frame, want } of OTHERS) {
  test(`${name}: ${want}`, () => assert.is(parsePacket(link, frame, 0).kind, want));
}

test('a frame cut anywhere: the same segment, with fewer octets, or none', () => {
  for (const row of ROWS) {
    for (let keep = 0; keep < row.frame.length; keep += 1) {
      const cut = segmentOf({ ...row, frame: row.frame.subarray(0, keep) }, row.frame.length);
      if (!cut) continue;
      assert.equal([cut.sourcePort, cut.seq, cut.length], [40_000, 0x01020304, 4], `${row.name} ${keep}`);
      assert.is(cut.payload.length, Math.max(0, keep - (row.frame.length - 4)), row.name);
    }
  }
});

test('property: what stands behind the packet is not read', () => {
  fc.assert(
    fc.property(fc.constantFrom(...ROWS), fc.uint8Array({ maxLength: 30 }), (row, padding) => {
      // Only IP's own length tells padding from the packet.
      const segment = segmentOf({ ...row, frame: join(row.frame, padding) });
      assert.equal(segment, segmentOf(row));
    }),
    { numRuns: 1000 },
  );
});

test('property: no octets and no cut make it throw', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...ROWS, ...OTHERS),
      fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { maxLength: 6 }),
      fc.nat(240),
      fc.nat(300),
      ({ link, frame }, edits, keep, wire) => {
        const octets = frame.slice(0, keep);
        for (const [at, value] of edits) if (at < octets.length) octets[at] = value;
        const segment = segmentOf({ link, frame: octets }, wire);
        assert.ok(!segment || segment.payload.length <= segment.length);
      },
    ),
    { numRuns: 20_000 },
  );
});

test('property: no octets of any link type make it throw', () => {
  const links = [...new Set(ROWS.map(({ link }) => link))];
  fc.assert(
    fc.property(fc.constantFrom(...links), fc.uint8Array({ maxLength: 120 }), (link, frame) => {
      segmentOf({ link, frame });
    }),
    { numRuns: 5_000 },
  );
});

/** Where it is installed: that the rows are what their names say. */
function tshark(rows: readonly Row[], link: number, as: string): string[] | undefined {
  const dir = mkdtempSync(path(tmpdir(), 'ehlowire-layers-'));
  const file = path(dir, 'rows.pcap');
  const fields = ['tcp.srcport', 'tcp.dstport', 'tcp.seq_raw'].flatMap((field) => ['-e', field]);
  try {
    writeFileSync(
      file,
      pcapFile(
        rows.map(({ frame }, at) => ({ at, frame })),
        { linkType: link },
      ),
    );
    const out = execFileSync(
      'tshark',
      ['-n', '-r', file, ...(as === '' ? [] : ['-d', as]), '-T', 'fields', ...fields],
      {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      },
    );
    return out.trimEnd().split('\n');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  } finally {
    rmSync(dir, { recursive: true });
  }
}

test('tshark finds the same segment, where it is installed', () => {
  const groups = new Map<string, Row[]>();
  for (const row of ROWS) {
    const key = `${row.link} ${row.tshark ?? ''}`;
    if (row.tshark !== false) groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  for (const rows of groups.values()) {
    const [{ link = 1, tshark: as = '' } = {}] = rows;
    const got = tshark(rows, link, as || '');
    if (!got) return;
    const missed = rows.filter((_row, i) => got[i] !== `40000\t25\t${0x01020304}`);
    assert.equal(
      missed.map(({ name }) => name),
      [],
    );
  }
});

test.run();
