// Loops as kernels before 6.7 take them: the way back is a jump, never the next instruction (their check_cfg).

import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { OBJECT } from '../../../proxy/wire/wire';
import { skip } from '../../kit/lab';
import { functionsOf, type Code } from './elf';
import { missing } from './program';

// The instruction set, RFC 9669 section 3 and 4.
const SIZE = 8;
const [JMP, JMP32, CLASS] = [0x05, 0x06, 0x07];
const [JA, CALL, EXIT, OPERATION] = [0x00, 0x80, 0x90, 0xf0];
const LOAD_64 = 0x18;

interface Edge {
  readonly to: number;
  readonly isJump: boolean;
}

/** Where the instruction at `at` goes on; `at` and `to` in instructions. */
function edgesOf(code: Code, at: number): readonly Edge[] {
  const opcode = code[at * SIZE] ?? 0;
  const jump = {
    to: at + 1 + new DataView(code.buffer, code.byteOffset).getInt16(at * SIZE + 2, true),
    isJump: true,
  };
  const group = opcode & CLASS;
  if (group !== JMP && group !== JMP32) return [{ to: at + (opcode === LOAD_64 ? 2 : 1), isJump: false }];
  switch (opcode & OPERATION) {
    case EXIT:
      return [];
    case CALL:
      return [{ to: at + 1, isJump: false }];
    case JA:
      return [jump];
    default:
      return [{ to: at + 1, isJump: true }, jump];
  }
}

/** The instructions that fall through into a loop's head which is on the way to them. */
function fallsBack(code: Code): readonly number[] {
  const found: number[] = [];
  const state = new Map<number, 'open' | 'done'>([[0, 'open']]);
  const path = [{ at: 0, edges: [...edgesOf(code, 0)] }];
  for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
    const edge = top.edges.pop();
    if (edge === undefined) {
      state.set(top.at, 'done');
      path.pop();
    } else if (!state.has(edge.to)) {
      state.set(edge.to, 'open');
      path.push({ at: edge.to, edges: [...edgesOf(code, edge.to)] });
    } else if (state.get(edge.to) === 'open' && !edge.isJump) found.push(top.at);
  }
  return found;
}

const insn = (opcode: number, offset = 0): readonly number[] => [
  opcode,
  0,
  offset & 255,
  (offset >> 8) & 255,
  0,
  0,
  0,
  0,
];
const [MOV, JEQ, GOTO, LEAVE] = [0xb7, 0x15, 0x05, 0x95];

const LOOPS: readonly (readonly [
  name: string,
  code: readonly (readonly number[])[],
  found: readonly number[],
])[] = [
  ['back by a condition', [insn(MOV), insn(MOV), insn(JEQ, -2), insn(LEAVE)], []],
  ['back by a jump', [insn(JEQ, 2), insn(MOV), insn(GOTO, -3), insn(LEAVE)], []],
  // Its body lies in front of its head: 0 goes to 2, 1 falls into 2, 2 goes back to 1.
  ['back by falling through', [insn(GOTO, 1), insn(MOV), insn(JEQ, -2), insn(LEAVE)], [1]],
];
for (const [name, code, found] of LOOPS) {
  test(`the check itself: ${name}`, () => assert.equal(fallsBack(Uint8Array.from(code.flat())), found));
}

const why = missing();
if (why !== undefined) skip(test, 'loops', why);
else {
  const functions = functionsOf(readFileSync(OBJECT));
  for (const [name, code] of functions) {
    test(`${name}`, () => assert.equal(fallsBack(code), []));
  }
  test('all of it was read', () => {
    assert.ok(functions.has('ehlowire_wan') && functions.has('ehlowire_lan'));
  });
}

test.run();
