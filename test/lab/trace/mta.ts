// The mail server at the end of the paths: run inside the namespace `mta`. Says `ready`.

import { startExim } from '../peers/exim';
import { startPostfix } from '../peers/postfix';

/** Postfix is where a mail server is; Exim is beside it. */
export const PORTS = { postfix: 25, exim: 26 } as const;

/** Sessions without mail, and whatever is wrong with one. */
const TOLD = [
  ...['smtp_connection', 'smtp_no_mail', 'smtp_incomplete_transaction', 'smtp_protocol_error'],
  ...['smtp_syntax_error', 'lost_incoming_connection'],
];

async function main(): Promise<void> {
  await Promise.all([
    startPostfix({ alsoAt: { smtpd: [`0.0.0.0:${PORTS.postfix}`, `[::]:${PORTS.postfix}`] } }),
    // The address of IPv6 takes IPv4 along.
    startExim({
      alsoAt: [`[::]:${PORTS.exim}`],
      settings: [`log_selector = ${TOLD.map((each) => `+${each}`).join(' ')}`],
    }),
  ]);
  console.log('ready');
}

if (require.main === module) void main();
