// The mail server at the end of the paths: run inside the namespace `mta`. Says `ready`.

import { startExim } from '../peers/exim';
import { startPostfix } from '../peers/postfix';

/** Postfix is where a mail server is; Exim is beside it. */
export const PORTS = { postfix: 25, exim: 26 } as const;

async function main(): Promise<void> {
  await Promise.all([
    startPostfix({ alsoAt: { smtpd: [`0.0.0.0:${PORTS.postfix}`, `[::]:${PORTS.postfix}`] } }),
    // The address of IPv6 takes IPv4 along.
    startExim({ alsoAt: [`[::]:${PORTS.exim}`] }),
  ]);
  console.log('ready');
}

if (require.main === module) void main();
