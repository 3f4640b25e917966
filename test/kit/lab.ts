// Suites of the lab: they run where the runner made a namespace, and say why where they do not.
// (Its variables are not named EHLOWIRE_*: ehlowire refuses those that it does not know.)

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { suite as uvuSuite } from 'uvu';
import { openLibbpf } from '../../proxy/native/libbpf';
import { isFault } from '../../proxy/system/fault';
import { OBJECT } from '../../proxy/wire/wire';
import { hasPeer } from './peers';

/** What a lab test may need beside this repository. */
export type Need = keyof typeof FOUND_BY;

const FOUND_BY = {
  postfix: () => inPath('postconf') && inPath('smtp-sink'),
  exim: () => hasPeer('exim', 'usr/sbin/exim4'),
  opensmtpd: () => hasPeer('opensmtpd', 'usr/sbin/smtpd'),
  haraka: () => hasPeer('haraka', 'node_modules/Haraka/bin/haraka'),
  /** Its LMTP server is a package of its own. */
  dovecot: () => existsSync('/usr/lib/dovecot/lmtp'),
  haproxy: () => inPath('haproxy') || existsSync('/usr/sbin/haproxy'),
  swaks: () => inPath('swaks'),
  /** Without it swaks knows IPv4 only. */
  'IO::Socket::INET6': () => spawnSync('perl', ['-MIO::Socket::INET6', '-e1']).status === 0,
  curl: () => inPath('curl'),
  python3: () => inPath('python3'),
  /** A mail server in its library, up to 3.11. */
  smtpd: () => hasModule('smtpd'),
  dkim: () => hasModule('dkim'),
  msmtp: () => inPath('msmtp'),
  openssl: () => inPath('openssl'),
  tcpdump: () => inPath('tcpdump'),
  nftables: () => inPath('nft'),
  ethtool: () => inPath('ethtool'),
  clang: () => inPath('clang'),
  /** Installed, whether it runs or not: a machine of the lab boots it. */
  systemd: () => ['systemd', 'systemd-udevd'].every((name) => existsSync(`/lib/systemd/${name}`)),
  dpkg: () => inPath('dpkg-deb'),
  logrotate: () => inPath('logrotate') || existsSync('/usr/sbin/logrotate'),
  /** A kernel that takes programs, the compiled object, and libbpf. */
  bpf: () => existsSync('/sys/fs/bpf') && existsSync(OBJECT) && !isFault(openLibbpf()),
  'smtp-source': () => inPath('smtp-source'),
  'posttls-finger': () => inPath('posttls-finger'),
};

/** Why a lab test cannot run here, or undefined where it can. */
export function missing(needs: readonly Need[]): string | undefined {
  if (process.env['LAB'] !== 'namespace') {
    return process.env['LAB_WITHOUT'] ?? 'no namespace: run it by `npm run lab`';
  }
  const absent = needs.filter((need) => !FOUND_BY[need]());
  return absent.length > 0 ? `not installed: ${absent.join(', ')} (see .ci/run)` : undefined;
}

interface LabSuite {
  /** A test, or a skipped one where a need is missing. */
  test(name: string, needs: readonly Need[], body: () => Promise<void>): void;
  /** Once before the first test, if there is one that is not skipped. */
  before(body: () => Promise<void>): void;
  /** Once behind the last test, also after a failed one. */
  after(body: () => Promise<void>): void;
  run(): void;
}

export function labSuite(name: string): LabSuite {
  const suite = uvuSuite(name);
  let count = 0;
  const hooks: (() => void)[] = [];
  return {
    test: (testName, needs, body) => {
      const reason = missing(needs);
      if (reason !== undefined) return skip(suite, `${name}: ${testName}`, reason);
      count += 1;
      suite(testName, body);
    },
    before: (body) => void hooks.push(() => suite.before(() => body().catch(giveUp))),
    after: (body) => void hooks.push(() => suite.after(body)),
    run: () => {
      if (count > 0) hooks.forEach((add) => add());
      suite.run();
    },
  };
}

// uvu swallows what a `before` throws and passes over all tests. Nothing can be tested, so nothing need go on.
function giveUp(error: unknown): void {
  console.error(error);
  process.exit(1);
}

/** Skips a test of any suite with a reason, which the runner repeats in its closing list. */
export function skip(suite: { skip(name: string): void }, name: string, reason: string): void {
  suite.skip(name);
  console.log(`${SKIPPED}${name}${BECAUSE}${reason}`);
}

/** How a line begins that the runner repeats though all tests passed: a table that is itself a result. */
export const SHOWN = '│ ';

/** A skipped test's line on standard output: `~ skipped NAME -- REASON`. */
export const SKIPPED = '~ skipped ';
export const BECAUSE = ' -- ';

/** Debian's modules are there for this one alone. */
export const DEBIANS_PYTHON = '/usr/bin/python3';

function hasModule(name: string): boolean {
  return spawnSync(DEBIANS_PYTHON, ['-W', 'ignore', '-c', `import ${name}`]).status === 0;
}

function inPath(program: string): boolean {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  return folders.some((folder) => existsSync(join(folder, program)));
}
