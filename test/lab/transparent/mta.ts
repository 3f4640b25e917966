// The mail servers behind the router, on port 25 of two addresses each: run inside the namespace `mta`. Says `ready`.

import { startPostfix } from '../peers/postfix';
import { AT } from '../peers/router';
import { startScripted } from '../peers/scripted';

async function main(): Promise<void> {
  await startPostfix({
    alsoAt: { smtpd: [`${AT.mta.v4}:25`, `[${AT.mta.v6}]:25`] },
    // Its log tells whom it sees.
    settings: ['smtpd_client_port_logging = yes', 'default_process_limit = 100'],
  });
  for (const host of [AT.other.v4, AT.other.v6]) {
    await startScripted({ host, port: 25, steps: [{ send: '220-mx.dest.example\r\n' }] });
  }
  console.log('ready');
}

void main();
