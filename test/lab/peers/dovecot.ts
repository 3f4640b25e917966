// A Dovecot of its own that takes mail by LMTP on TCP (RFC 2033): every recipient exists.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, scratch } from '../../kit/process';
import { startSandbox } from './sandbox';
import { listening } from './server';

export interface Dovecot {
  readonly port: number;
  log(): string;
  /** Ends it at once and removes its folder. */
  stop(): Promise<void>;
}

/** Starts it in the foreground below a scratch folder; needs root and Debian's dovecot-lmtpd. */
export async function startDovecot(): Promise<Dovecot> {
  const folder = scratch('dovecot');
  const port = await freePort();
  const logFile = join(folder, 'log');
  mkdirSync(join(folder, 'mail'), { mode: 0o777 });
  const configuration = join(folder, 'dovecot.conf');
  writeFileSync(configuration, configurationOf(folder, logFile, port));
  const daemon = startSandbox({
    folder,
    // Whatever the umask was.
    prepare: [`chmod 755 ${folder}`, `chmod 777 ${join(folder, 'mail')}`],
    command: ['/usr/sbin/dovecot', '-F', '-c', configuration],
  });
  const log = (): string => (existsSync(logFile) ? readFileSync(logFile, 'utf8') : '') + daemon.output();
  return { port, log, stop: await listening('Dovecot', daemon, { port, folder, log }) };
}

function configurationOf(folder: string, logFile: string, port: number): string {
  return `
base_dir = ${folder}/run
state_dir = ${folder}/run
log_path = ${logFile}
protocols = lmtp
ssl = no
mail_location = maildir:${folder}/mail/%u
passdb {
  driver = static
  args = nopassword=y
}
userdb {
  driver = static
  args = uid=nobody gid=nogroup home=${folder}/mail/%u allow_all_users=yes
}
service lmtp {
  inet_listener lmtp {
    address = 127.0.0.1
    port = ${port}
  }
}
`;
}
