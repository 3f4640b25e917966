// A Haraka of its own, from npm, with a Maildir: the server with STARTTLS whose implementation is nobody else's.

import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { selfSigned } from './selfsigned';
import { makeMaildir, openMaildir } from './maildir';
import { peerPath } from '../../kit/peers';
import { freePort, run, scratch, start } from '../../kit/process';
import { listening, type Server } from './server';

export async function startHaraka(): Promise<Server> {
  const folder = scratch('haraka');
  const port = await freePort();
  const maildir = makeMaildir(join(folder, 'mail'));
  const { key, certificate } = await selfSigned();
  mkdirSync(join(folder, 'config'));
  mkdirSync(join(folder, 'plugins'));
  cpSync(key, join(folder, 'config', 'tls_key.pem'));
  cpSync(certificate, join(folder, 'config', 'tls_cert.pem'));
  // Where they are missing, Haraka computes them with all of a processor's time.
  const parameters = ['genpkey', '-genparam', '-algorithm', 'DH', '-pkeyopt', 'group:ffdhe2048'];
  await run('openssl', [...parameters, '-out', join(folder, 'config', 'dhparams.pem')]);
  for (const [name, text] of [
    ['smtp.ini', `listen=127.0.0.1:${port}\nnodes=0\n`],
    ['connection.ini', connectionIni()],
    ['me', 'mx.dest.example\n'],
    ['host_list', 'dest.example\n'],
    ['log.ini', '[main]\nlevel=NOTICE\n'],
    ['plugins', 'tls\nrcpt_to.in_host_list\nlab_maildir\n'],
  ] as const) {
    writeFileSync(join(folder, 'config', name), text);
  }
  writeFileSync(join(folder, 'plugins', 'lab_maildir.js'), plugin(maildir));
  const haraka = peerPath('haraka', 'node_modules/Haraka/bin/haraka');
  const daemon = start(process.execPath, [haraka, '-c', folder]);
  const log = daemon.output;
  const stop = await listening('Haraka', daemon, { port, folder, log });
  return { host: '127.0.0.1', port, ...openMaildir(maildir), log, stop };
}

// A file of ours replaces Haraka's whole one. Lines over 992 octets it would otherwise break in two.
function connectionIni(): string {
  return readFileSync(peerPath('haraka', 'node_modules/Haraka/config/connection.ini'), 'utf8')
    .replace('bytes=26214400', 'bytes=209715200')
    .replace('data_line_length=992', 'data_line_length=1000');
}

function plugin(maildir: string): string {
  return `const { createWriteStream, renameSync } = require('node:fs');
exports.hook_queue = (next, connection) => {
  const { uuid, message_stream } = connection.transaction;
  const file = createWriteStream('${maildir}/tmp/' + uuid);
  file.once('error', (error) => next(DENYSOFT, error.message));
  file.once('close', () => {
    renameSync('${maildir}/tmp/' + uuid, '${maildir}/new/' + Date.now() + '.' + uuid);
    next(OK);
  });
  message_stream.pipe(file, { line_endings: '\\n' });
};
`;
}
