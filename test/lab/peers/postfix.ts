// A Postfix of its own: an smtpd port, a postscreen port, a Maildir.

import { chownSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { selfSigned, type SelfSigned } from './selfsigned';
import { makeMaildir, openMaildir } from './maildir';
import { freePort, run, scratch } from '../../kit/process';
import { startSandbox } from './sandbox';
import { listening, type Server } from './server';

export interface PostfixOptions {
  /** Seconds between postscreen's teaser and the rest of the greeting; default 2. */
  readonly greetWait?: number;
  /** The teaser's text; default Postfix's own banner. An empty one switches the teaser off. */
  readonly greetBanner?: string;
  /** What postscreen does to a client that talks before its turn; default enforce. */
  readonly greetAction?: 'enforce' | 'drop' | 'ignore';
  /** Further addresses, `host:port`, of smtpd and of postscreen. */
  readonly alsoAt?: { readonly smtpd?: readonly string[]; readonly postscreen?: readonly string[] };
  /** Further lines of main.cf, `name = value`. */
  readonly settings?: readonly string[];
}

/** `port` is smtpd without anything before it. */
export interface Postfix extends Server {
  readonly postscreenPort: number;
  /** Its configuration's folder, for programs that read main.cf (`MAIL_CONFIG`). */
  readonly configuration: string;
}

/** Starts Postfix in the foreground below a scratch folder; needs root and Debian's postfix. */
export async function startPostfix(options: PostfixOptions = {}): Promise<Postfix> {
  const folder = scratch('postfix');
  const host = '127.0.0.1';
  const [port, postscreenPort] = [await freePort(), await freePort()];
  const maildir = makeMaildir(join(folder, 'mail', 'inbox'));
  const logFile = join(folder, 'log', 'maillog');
  const daemons = (await run('postconf', ['-dh', 'daemon_directory'])).output.trim();
  await makeFolders(folder);
  const configuration = join(folder, 'etc');
  writeFileSync(join(configuration, 'main.cf'), mainCf(folder, options, await selfSigned()));
  writeFileSync(
    join(configuration, 'master.cf'),
    masterCf(
      [`${host}:${port}`, ...(options.alsoAt?.smtpd ?? [])],
      [`${host}:${postscreenPort}`, ...(options.alsoAt?.postscreen ?? [])],
    ),
  );
  const master = startSandbox({
    folder,
    // Without it a switched-off log service at start would send the first lines to the system's log.
    environment: { MAIL_CONFIG: configuration, MAIL_LOGTAG: 'postfix' },
    command: [join(daemons, 'master'), '-c', configuration, '-d'],
  });
  const log = (): string => (existsSync(logFile) ? readFileSync(logFile, 'utf8') : '') + master.output();
  const stop = await listening('Postfix', master, { port, folder, log });
  return { host, port, postscreenPort, configuration, ...openMaildir(maildir), log, stop };
}

// master(8) creates none of them, `postfix check` does and touches the system's own folders as well.
async function makeFolders(folder: string): Promise<void> {
  const id = async (...args: string[]): Promise<number> => Number((await run('id', args)).output);
  const [user, group] = [await id('-u', 'postfix'), await id('-g', 'postfix')];
  const postdrop = Number((await run('getent', ['group', 'postdrop'])).output.split(':')[2]);
  const make = (path: string, mode: number, uid: number, gid: number): void => {
    mkdirSync(join(folder, path), { recursive: true, mode });
    chownSync(join(folder, path), uid, gid);
  };
  make('etc', 0o755, 0, 0);
  make('log', 0o755, user, group);
  make('data', 0o700, user, group);
  make('queue', 0o755, 0, 0);
  make('queue/pid', 0o755, 0, 0);
  for (const name of QUEUES) make(`queue/${name}`, 0o700, user, group);
  make('queue/maildrop', 0o730, user, postdrop);
  make('queue/public', 0o710, user, postdrop);
}

const QUEUES = 'incoming active bounce defer deferred flush hold corrupt private saved trace'.split(' ');

function mainCf(folder: string, options: PostfixOptions, tls: SelfSigned): string {
  return [
    'compatibility_level = 3.6',
    `queue_directory = ${folder}/queue`,
    `data_directory = ${folder}/data`,
    `maillog_file = ${folder}/log/maillog`,
    `maillog_file_prefixes = ${folder}/log`,
    'myhostname = mx.dest.example',
    'mydestination =',
    'inet_protocols = all',
    // A peer inside mynetworks is trusted with more than a stranger; here all are strangers.
    'mynetworks = 192.0.2.1/32',
    'smtpd_peername_lookup = no',
    'smtpd_relay_restrictions = permit_auth_destination, reject',
    'smtpd_client_connection_rate_limit = 0',
    'smtpd_client_connection_count_limit = 0',
    'alias_maps =',
    'alias_database =',
    'virtual_mailbox_domains = dest.example',
    `virtual_mailbox_base = ${folder}/mail`,
    'virtual_mailbox_maps = static:inbox/',
    'virtual_uid_maps = static:65534',
    'virtual_gid_maps = static:65534',
    'virtual_mailbox_limit = 0',
    'message_size_limit = 209715200',
    // Nothing but trace headers may be added.
    'local_header_rewrite_clients =',
    `smtpd_tls_chain_files = ${tls.key}, ${tls.certificate}`,
    'smtpd_tls_security_level = may',
    'smtpd_tls_loglevel = 1',
    'smtpd_tls_session_cache_database =',
    'postscreen_access_list =',
    // Without a cache every client is tested as if it were new.
    'postscreen_cache_map =',
    `postscreen_greet_wait = ${options.greetWait ?? 2}s`,
    `postscreen_greet_action = ${options.greetAction ?? 'enforce'}`,
    ...(options.greetBanner === undefined ? [] : [`postscreen_greet_banner = ${options.greetBanner}`]),
    ...(options.settings ?? []),
    '',
  ].join('\n');
}

function masterCf(smtpd: readonly string[], postscreen: readonly string[]): string {
  const services = [
    ...smtpd.map((address) => `${address} inet n - n - - smtpd`),
    ...postscreen.map((address) => `${address} inet n - n - 1 postscreen`),
  ];
  return `${services.join('\n')}
smtpd pass - - n - - smtpd
dnsblog unix - - n - 0 dnsblog
tlsproxy unix - - n - 0 tlsproxy
tlsmgr unix - - n 1000? 1 tlsmgr
anvil unix - - n - 1 anvil
proxymap unix - - n - - proxymap
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
smtp unix - - n - - smtp
virtual unix - n n - - virtual
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
`;
}
