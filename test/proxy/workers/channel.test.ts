// The stream between a worker and the primary: whatever its pieces, lines and messages come whole and in their order.

import { PassThrough } from 'node:stream';
import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openChannel } from '../../../proxy/workers/channel';

type Sent = { readonly message: unknown } | { readonly line: string };

/** What is sent, as octets. */
async function octetsOf(all: readonly Sent[]): Promise<Buffer> {
  const stream = new PassThrough();
  const channel = openChannel<unknown, unknown>(stream as never, silent());
  const pieces: Buffer[] = [];
  stream.removeAllListeners('data');
  stream.on('data', (octets: Buffer) => pieces.push(octets));
  for (const each of all) {
    if ('line' in each) channel.pass(`${each.line}\n`);
    else channel.send(each.message);
  }
  await channel.close();
  return Buffer.concat(pieces);
}

function silent() {
  return { message: () => undefined, lines: () => undefined, ended: () => undefined };
}

/** What comes of octets that arrive in pieces of these sizes, again and again. */
async function received(octets: Buffer, sizes: readonly number[]): Promise<Sent[]> {
  const stream = new PassThrough();
  const got: Sent[] = [];
  const ended = new Promise<void>((resolve) => {
    openChannel<unknown, unknown>(stream as never, {
      message: (message) => got.push({ message }),
      lines: (lines) => {
        for (const line of lines.split('\n').slice(0, -1)) got.push({ line });
      },
      ended: resolve,
    });
  });
  for (let at = 0, turn = 0; at < octets.length; turn += 1) {
    const end = at + (sizes[turn % sizes.length] ?? 1);
    stream.write(octets.subarray(at, end));
    at = end;
  }
  stream.end();
  await ended;
  return got;
}

const line = fc.stringMatching(/^[ -~à-ž…]{1,60}$/).map((text) => ({ line: text }));
const message = fc.jsonValue().map((value) => ({ message: JSON.parse(JSON.stringify(value)) as unknown }));

test('lines and messages, cut anywhere', () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof(line, message), { maxLength: 20 }),
      fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 5 }),
      async (all, sizes) => {
        assert.equal(await received(await octetsOf(all), sizes), all);
      },
    ),
    { numRuns: 60 },
  ));

test('a worker that falls silent in the middle of a line has said nothing with it', async () => {
  assert.equal(await received(Buffer.from('whole\ncut'), [4]), [{ line: 'whole' }]);
});

test('so much waits that lines are left out, and messages are not', async () => {
  const stream = new PassThrough();
  stream.cork();
  const channel = openChannel<unknown, unknown>(stream as never, silent());
  const big = `${'x'.repeat(1 << 20)}\n`;
  const taken = Array.from({ length: 12 }, () => channel.pass(big));
  assert.ok(taken[0]);
  assert.not.ok(taken.at(-1));
  assert.ok(channel.waiting() < 10 << 20);
  stream.destroy();
});

test.run();
