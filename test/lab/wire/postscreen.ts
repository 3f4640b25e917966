// A real postscreen that tests its strangers, on the address given: run inside the namespace `mta`. Says `ready` and
// where its log is.

import { join } from 'node:path';
import { startPostfix } from '../../kit/postfix';

async function main(): Promise<void> {
  const [address = ''] = process.argv.slice(2);
  const { configuration } = await startPostfix({ greetWait: 1, alsoAt: { postscreen: [`${address}:25`] } });
  console.log(`ready ${join(configuration, '../log/maillog')}\n`);
}

void main();
