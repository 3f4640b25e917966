// A real postscreen that tests its strangers: ADDRESS [ACTION [WAIT]], in seconds; run inside the namespace `mta`. Says
// `ready` and where its log is.

import { join } from 'node:path';
import { formatEndpoint } from '../../../proxy/system/address';
import { startPostfix, type PostfixOptions } from '../peers/postfix';

async function main(): Promise<void> {
  const [address = '', action = 'enforce', wait = '1'] = process.argv.slice(2);
  const { configuration } = await startPostfix({
    greetWait: Number(wait),
    greetAction: action as NonNullable<PostfixOptions['greetAction']>,
    alsoAt: { postscreen: [formatEndpoint({ address, port: 25 })] },
  });
  console.log(`ready ${join(configuration, '../log/maillog')}\n`);
}

void main();
