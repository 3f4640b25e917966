import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createReceivers } from '../../../inspect/measure/receiver';
import { joinOctets } from '../../../inspect/octets';
import { latin1 } from '../../../inspect/text';
import { CUTS, octets } from '../smtp/transcript';

interface Row {
  readonly name: string;
  readonly client: string;
  /** The first octets of each reply. */
  readonly codes: readonly string[];
  readonly messages?: number;
  readonly closes?: boolean;
}

const SEND = 'MAIL FROM:<>\r\nRCPT TO:<a@b>\r\nDATA\r\n';
const TAKES = ['250 ', '250 ', '354 '];

const ROWS: readonly Row[] = [
  { name: 'EHLO', client: 'EHLO x\r\n', codes: ['250-', '250-', '250-', '250 '] },
  { name: 'HELO', client: 'HELO x\r\n', codes: ['250 '] },
  { name: 'a verb and more letters', client: 'DATAS\r\nNOOPX y\r\n', codes: ['502 ', '502 '] },
  {
    name: 'verbs in any case',
    client: 'ehlo x\r\nnoop\r\n',
    codes: ['250-', '250-', '250-', '250 ', '250 '],
  },
  { name: 'a message', client: `${SEND}x\r\n.\r\n`, codes: [...TAKES, '250 '], messages: 1 },
  { name: 'an empty message', client: `${SEND}.\r\n`, codes: [...TAKES, '250 '], messages: 1 },
  { name: 'a dot on a line of more is no end', client: `${SEND}x\r\n..\r\n.x\r\n`, codes: TAKES },
  { name: 'a bare LF is no end', client: `${SEND}x\n.\n\r\n`, codes: TAKES },
  {
    name: 'all in one write',
    client: `EHLO x\r\n${SEND}x\r\n.\r\n${SEND}y\r\n.\r\nQUIT\r\n`,
    codes: ['250-', '250-', '250-', '250 ', ...TAKES, '250 ', ...TAKES, '250 ', '221 '],
    ...{ messages: 2, closes: true },
  },
  { name: 'what it does not know', client: 'STARTTLS\r\nAUTH x\r\n?\r\n', codes: ['502 ', '502 ', '502 '] },
  { name: 'nothing behind QUIT', client: 'QUIT\r\nNOOP\r\n', codes: ['221 '], closes: true },
  { name: 'an endless line', client: `${'x'.repeat(100_000)}\r\nNOOP\r\n`, codes: ['502 ', '250 '] },
];

function play(pieces: readonly Uint8Array[]): Omit<Row, 'name' | 'client'> {
  const receiver = createReceivers('sink.example').create();
  const answers = [];
  for (const piece of pieces) {
    const answer = receiver.feed(piece);
    answers.push(answer);
    if (answer.closes) break;
  }
  const said = latin1(joinOctets(answers.flatMap((answer) => answer.octets)));
  return {
    codes: said
      .split('\r\n')
      .slice(0, -1)
      .map((line) => line.slice(0, 4)),
    messages: answers.reduce((sum, { messages }) => sum + messages, 0),
    closes: answers.some(({ closes }) => closes),
  };
}

for (const { name, client, codes, messages = 0, closes = false } of ROWS) {
  for (const [cut, cutter] of Object.entries(CUTS)) {
    test(`${name}, ${cut}`, () => assert.equal(play(cutter(octets(client))), { codes, messages, closes }));
  }
}

test('property: octets of any kind are answered, and never thrown at', () => {
  fc.assert(fc.property(fc.array(fc.uint8Array({ maxLength: 60 })), (pieces) => void play(pieces)));
});

test.run();
