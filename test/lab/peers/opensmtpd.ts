// An OpenSMTPD of its own, from Debian's unpacked package, with a Maildir. Its paths are compiled in, so it
// sees other folders there.
//
// It strips the eighth bit of a message whose MAIL command does not say BODY=8BITMIME (RFC 6152 §3), which few
// clients do: send it seven-bit messages. It offers no STARTTLS: Debian 12 builds 6.8.0p2 with OpenSSL 3, with
// which its private key never reaches the handshake ("EVP lib", OpenSMTPD issues 1171 and 1239).

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeMaildir, openMaildir } from './maildir';
import { peerPath } from '../../kit/peers';
import { freePort, scratch } from '../../kit/process';
import { startSandbox } from './sandbox';
import { listening, type Server } from './server';

const READER = { name: 'labmail', id: 64_002 };
const USERS = [{ name: 'opensmtpd', id: 64_003 }, { name: 'opensmtpq', id: 64_004 }, READER];

export async function startOpenSmtpd(): Promise<Server> {
  const folder = scratch('opensmtpd');
  const port = await freePort();
  const maildir = makeMaildir(join(folder, 'mail'));
  const configuration = join(folder, 'smtpd.conf');
  writeFileSync(
    configuration,
    `smtp max-message-size "200M"
table users { "@" = ${READER.name} }
listen on 127.0.0.1 port ${port} hostname mx.dest.example
action "inbox" maildir "${maildir}" virtual <users>
match from any for domain "dest.example" action "inbox"
`,
  );
  const daemon = startSandbox({
    folder,
    users: USERS.map((user) => ({ ...user, home: folder })),
    binds: [[peerPath('opensmtpd', 'usr/libexec'), '/usr/libexec']],
    empty: ['/run', '/var/spool', '/var/lib'],
    prepare: ['mkdir -p /var/lib/opensmtpd/empty', 'echo mx.dest.example >/run/mailname'],
    command: [peerPath('opensmtpd', 'usr/sbin/smtpd'), '-d', '-f', configuration],
  });
  const log = daemon.output;
  const stop = await listening('OpenSMTPD', daemon, { port, folder, log });
  return { host: '127.0.0.1', port, ...openMaildir(maildir), log, stop };
}
