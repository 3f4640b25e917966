import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { rmSync } from 'node:fs';
import { buildLauncher } from '../launch';

const { dir, launch } = buildLauncher();
test.after(() => rmSync(dir, { recursive: true }));

/** What must be there, in this order. */
const STORY = [
  'greets with "220-mx.demo"',
  '1. A client, straight to the server',
  'Not delivered after',
  'Greeting never received',
  '2. ehlowire in between',
  '#1      connect',
  '#1      REPAIR',
  '#1      message',
  '#1      session',
  'Delivered after',
  '3. Now it connects to the server itself',
  '#2      LEARNED',
  '4. The same again',
  '#3      REPAIR',
  '#3      session',
  'Delivered after',
  'Next:',
  'ehlowire check',
  'ehlowire relay',
];

test('the demo tells its story and ends, whatever the environment says', async () => {
  const { code, out, err } = await launch(['demo'], { EHLOWIRE_GREETING_REPAIR: 'never' }).ended;
  assert.is(err, '');
  let from = 0;
  for (const part of STORY) {
    const at = out.indexOf(part, from);
    assert.ok(
      at >= 0,
      `"${part}" is missing behind ${JSON.stringify(out.slice(Math.max(0, from - 40), from))}`,
    );
    from = at + part.length;
  }
  assert.not.match(out, '\u001b');
  assert.is(code, 0);
});

test.run();
