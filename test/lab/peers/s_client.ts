// `openssl s_client -starttls smtp`: STARTTLS by somebody else's hand, and a dialogue of ours inside.

import { readFileSync } from 'node:fs';
import type { Errand, Result } from './clients';
import { RECIPIENT, SENDER } from '../../kit/message';
import { start } from '../../kit/process';
import { stuff } from './stuffing';

/** Delivers the message over TLS, waiting for each reply; ok when all were as wished. `flags`: further ones of s_client. */
export async function deliverByDialogue(errand: Errand, flags: readonly string[] = []): Promise<Result> {
  const child = start(
    'openssl',
    [
      ...['s_client', '-starttls', 'smtp', '-name', 'client.example', '-quiet', '-ign_eof'],
      ...['-connect', `${errand.host}:${errand.port}`, ...flags],
    ],
    { stdio: ['pipe', 'pipe', 'pipe'] },
  );
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    child.process.kill('SIGKILL');
  }, errand.timeoutMs ?? 60_000);
  const content = Buffer.concat([stuff(readFileSync(errand.path)), Buffer.from('.\r\n')]);
  const turns: readonly (readonly [want: RegExp, say: string | Buffer])[] = [
    [/^250 /, `MAIL FROM:<${errand.from ?? SENDER}>\r\n`],
    [/^250 /, `RCPT TO:<${errand.to ?? RECIPIENT}>\r\n`],
    [/^250 /, 'DATA\r\n'],
    [/^354 /, content],
    [/^250 /, 'QUIT\r\n'],
    [/^221 /, ''],
  ];
  let turn = 0;
  let unread = '';
  child.process.stdin?.on('error', () => undefined);
  // s_client reads it once TLS stands, and shows its own EHLO's reply on the other output.
  child.process.stdin?.write('EHLO client.example\r\n');
  child.process.stdout?.on('data', (chunk: Buffer) => {
    unread += chunk.toString('latin1');
    for (let end = unread.indexOf('\n'); end >= 0; end = unread.indexOf('\n')) {
      const line = unread.slice(0, end);
      unread = unread.slice(end + 1);
      // A last line of a reply, or a continuation that says nothing yet.
      if (!/^\d{3} /.test(line)) continue;
      const [want, say] = turns[turn] ?? [];
      if (want?.test(line) !== true || say === undefined) return void child.process.kill();
      turn += 1;
      child.process.stdin?.write(say);
    }
  });
  const outcome = await child.ended;
  clearTimeout(timer);
  return { ok: turn === turns.length, seconds: outcome.seconds, output: outcome.output, timedOut };
}
