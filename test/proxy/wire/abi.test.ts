// Both halves of the ABI are the same: what the compiler made of abi.h, against abi.ts.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as abi from '../../../proxy/wire/abi';
import { skip } from '../../kit/lab';
import { typeOf } from './btf';
import { missing } from './object';

const STRUCTS = [
  ['record', abi.RECORD, undefined],
  ['settings', abi.SETTINGS, abi.SETTINGS_SIZE],
  ['server_key', abi.SERVER_KEY, abi.SERVER_KEY_SIZE],
  ['server', abi.SERVER, abi.SERVER_SIZE],
  ['hand', abi.HAND, abi.HAND_SIZE],
  ['slot', abi.SLOT, abi.PIECE_SIZE - abi.PIECE],
  ['piece', { octets: 0 }, abi.PIECE_SIZE],
  ['positions', abi.POSITIONS, abi.POSITIONS_SIZE],
  ['flow_key', abi.FLOW_KEY, undefined],
  ['index', abi.INDEX, undefined],
  ['set', { tags: 0 }, 4 * abi.WAYS],
] as const;

const ENUMS = [
  ['record_kind', abi.RECORD_KIND],
  ['record_flag', abi.RECORD_FLAG],
  ['policy', abi.POLICY],
  ['leg', abi.LEG],
  ['side_of', abi.SIDE],
  ['counter', abi.COUNTER],
  ['common_key', abi.COMMON_KEY],
] as const;

const why = missing();
if (why !== undefined) skip(test, 'the ABI', why);
else {
  for (const [name, fields, size] of STRUCTS) {
    test(`struct ${name}`, () => {
      const found = typeOf('STRUCT', name);
      const members = (found.members ?? []).filter((member) => !/^zeros?$/.test(member.name));
      const compiled = Object.fromEntries(members.map((member) => [member.name, member.bits_offset / 8]));
      assert.equal({ ...fields }, compiled);
      if (size !== undefined) assert.is(size, found.size);
    });
  }

  for (const [name, values] of ENUMS) {
    test(`enum ${name}`, () => {
      const all = (typeOf('ENUM', name).values ?? []).filter(
        (value) => !/^(COUNTER|COMMON)S$/.test(value.name),
      );
      assert.equal({ ...values }, Object.fromEntries(all.map((value) => [value.name, value.val])));
    });
  }

  test('union common', () => {
    assert.is(typeOf('UNION', 'common').size, abi.COMMON_SIZE);
  });

  test('a flow key fits in front of a stretch', () => {
    assert.ok((typeOf('STRUCT', 'flow_key').size ?? Infinity) <= abi.STRETCH_KEY);
  });
}

test.run();
