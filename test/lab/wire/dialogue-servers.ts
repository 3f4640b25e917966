// The servers of the dialogues on port 25: run inside the namespace `mta`, as `POSTFIX EXCHANGE`, their addresses. Says `ready`,
// what the scripted one says, and at SIGINT the log of the real one.

import { join } from 'node:path';
import { startPostfix } from '../peers/postfix';
import { start } from '../../kit/process';
import { selfSigned } from '../peers/selfsigned';
import { awaitWord } from '../../kit/topology';
import { postfixSettings } from '../dialogues.table';

async function main(): Promise<void> {
  const [postfixAt = '', exchangeAt = ''] = process.argv.slice(2);
  const { key, certificate } = await selfSigned();
  const program = join(__dirname, '../exchange.py');
  const exchange = start('python3', ['-u', program, key, certificate, `${exchangeAt}:25`]);
  const postfix = await startPostfix({
    alsoAt: { smtpd: [`${postfixAt}:25`] },
    settings: postfixSettings('198.18.0.0/15'),
  });
  await awaitWord(exchange, 'ready');
  exchange.process.stdout?.pipe(process.stdout);
  console.log('ready');
  // Before the kit's own, which ends the process.
  process.prependListener('SIGINT', () => {
    console.log(postfix.log());
    process.exit();
  });
}

void main();
