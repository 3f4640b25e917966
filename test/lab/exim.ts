// Two Exims that agree on more than RFC 5321: PRDR, and a pipelined connect from the second connection on.
// As a program, inside a namespace: `serve ADDRESS` (says `ready`) or `send HOST data|bdat` (says its log).

import * as assert from 'node:assert/strict';
import { startExim } from './peers/exim';
import { run, until } from '../kit/process';
import type { Server } from './peers/server';
import { forward } from './wire/parity/mta';

export const CONTENTS = ['data', 'bdat'] as const;
export type Content = (typeof CONTENTS)[number];

/** Sessions of one client: only the second knows what the server offers. */
export const TIMES = 2;

/** Of each session: two recipients, and one of them is refused behind the message. */
export const PHASES = ['greeting 220', 'hello 250', 'mail 250', 'rcpt 250', 'rcpt 250'] as const;

/**
 * How lines of the client's log show that it used a pipelined connect, and PRDR. (The server notes the former only where
 * the octets are there before its greeting is.)
 */
export const [PIPELINED, PRDR] = [/=> taken@.* L\*/, /=> taken@.* PRDR/];

export function startEximServer(): Promise<Server> {
  return startExim({
    settings: [
      ...['prdr_enable', 'pipelining_connect_advertise_hosts = *'],
      'acl_smtp_data_prdr = prdr',
      // A section of its own stands behind the main options.
      ...['', 'begin acl', 'prdr:', '  deny local_parts = refused', '  accept'],
    ],
  });
}

/** Sends messages, one after another, by an Exim that uses whatever is offered but TLS; says what its log has. */
export async function sendByExim(target: { host: string; port: number }, content: Content): Promise<string> {
  const chunking = `hosts_try_chunking = ${content === 'bdat' ? '*' : ':'}`;
  const transport = ['hosts_avoid_tls = *', 'hosts_pipe_connect = *', 'hosts_try_prdr = *', chunking];
  const exim = await startExim({
    settings: ['log_selector = +pipelining'],
    smarthost: { ...target, transport },
  });
  for (let nth = 1; nth <= TIMES; nth++) {
    // Without a sender nobody is told of the recipient that is refused.
    const { code, output } = await run('swaks', [
      ...['--server', exim.host, '--port', String(exim.port), '--from', '<>'],
      ...['--to', 'taken@dest.example,refused@dest.example', '--body', 'hello'],
    ]);
    assert.equal(code, 0, output);
    const refused = (): number => exim.log().split('** refused@dest.example').length - 1;
    await until('the refused recipient', () => refused() >= nth || undefined, 60_000).catch((error) => {
      throw new Error(`${error}: ${exim.log()}`);
    });
  }
  const log = exim.log();
  await exim.stop();
  return log;
}

async function main(): Promise<void> {
  const [what, host = '', content = 'data'] = process.argv.slice(2);
  if (what === 'send') return console.log(await sendByExim({ host, port: 25 }, content as Content));
  const { port } = await startEximServer();
  await forward(host, port);
  console.log('ready');
}

if (require.main === module) void main();
