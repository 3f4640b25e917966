// Real servers without a defence of their own against smuggling, as far as their settings let them.

import { join } from 'node:path';
import { DEBIANS_PYTHON, missing, type Need } from '../../kit/lab';
import { RECIPIENT, SENDER } from '../../kit/message';
import { freePort, scratch, start } from '../../kit/process';
import { startExim } from '../peers/exim';
import { startHaraka } from '../peers/haraka';
import { fromOctets, type Delivered, type Mailbox } from '../peers/maildir';
import { startOpenSmtpd } from '../peers/opensmtpd';
import { startPostfix } from '../peers/postfix';
import { listening, type Server } from '../peers/server';
import { openTalker } from './talker';

export type VictimName = 'postfix' | 'exim' | 'haraka' | 'opensmtpd' | 'smtpd';

interface Victim {
  readonly name: VictimName;
  readonly needs: readonly Need[];
}

export const VICTIMS: readonly Victim[] = [
  { name: 'postfix', needs: ['postfix'] },
  { name: 'exim', needs: ['exim'] },
  { name: 'haraka', needs: ['haraka'] },
  { name: 'opensmtpd', needs: ['opensmtpd'] },
  { name: 'smtpd', needs: ['smtpd'] },
];

const STARTS: Readonly<Record<VictimName, () => Promise<Server>>> = {
  // Its defence, and the one against its consequence, which are off by default in 3.7.
  postfix: () =>
    startPostfix({ settings: ['smtpd_forbid_bare_newline = no', 'smtpd_forbid_unauth_pipelining = no'] }),
  exim: () => startExim(),
  haraka: startHaraka,
  opensmtpd: startOpenSmtpd,
  smtpd: startSmtpd,
};

export interface Victims {
  readonly names: readonly VictimName[];
  readonly ports: readonly number[];
  /** `direct` delivers a small message of that subject, past any relay. */
  named(name: VictimName): { readonly mailbox: Mailbox; direct(subject: string): Promise<void> };
  stop(): Promise<void>;
}

export async function startVictims(): Promise<Victims> {
  const names = VICTIMS.filter(({ needs }) => missing(needs) === undefined).map(({ name }) => name);
  const started = await Promise.allSettled(names.map((name) => STARTS[name]()));
  const servers = started.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const stop = async (): Promise<void> => void (await Promise.all(servers.map((server) => server.stop())));
  const failed = started.find((result) => result.status === 'rejected');
  if (failed !== undefined) {
    await stop();
    throw failed.reason;
  }
  return {
    names,
    ports: servers.map(({ port }) => port),
    named: (name) => {
      const mailbox = servers[names.indexOf(name)];
      if (mailbox === undefined) throw new Error(`${name} was not started`);
      return { mailbox, direct: (subject) => deliver(mailbox.port, subject) };
    },
    stop,
  };
}

async function deliver(port: number, subject: string): Promise<void> {
  const talker = openTalker(port);
  await talker.reply();
  const lines = ['EHLO direct.example', `MAIL FROM:<${SENDER}>`, `RCPT TO:<${RECIPIENT}>`, 'DATA'];
  for (const line of [...lines, `Subject: ${subject}\r\n\r\n.`, 'QUIT']) {
    await talker.say(`${line}\r\n`);
    const answer = await talker.reply();
    if (!/^[23]/.test(answer)) throw new Error(`${line}: ${answer}`);
  }
  talker.hangUp();
}

/** The server of Python's standard library, up to 3.11. */
async function startSmtpd(): Promise<Server> {
  const port = await freePort();
  const daemon = start(DEBIANS_PYTHON, [
    '-W',
    'ignore',
    '-u',
    join(__dirname, 'smtpd_server.py'),
    String(port),
  ]);
  const delivered = (): readonly Delivered[] =>
    daemon
      .output()
      .split('\n')
      .filter((line) => line.startsWith('mail '))
      .map((line, i) => fromOctets(String(i), Buffer.from(line.slice(5), 'base64')));
  const stop = await listening('smtpd', daemon, { port, folder: scratch('smtpd'), log: daemon.output });
  return { host: '127.0.0.1', port, delivered, drop: () => undefined, log: daemon.output, stop };
}
