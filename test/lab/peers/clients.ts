// Real mail clients, one table: each delivers a file as it is, and says how that went.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createTransport } from 'nodemailer';
import type { Need } from '../../kit/lab';
import { RECIPIENT, SENDER } from '../../kit/message';
import { discard, run, scratch, type Outcome } from '../../kit/process';
import { deliverByDialogue } from './s_client';
import { writeStuffed } from './stuffing';

export interface Errand {
  readonly host: string;
  readonly port: number;
  /** The message's file, CRLF line ends, dots not stuffed. */
  readonly path: string;
  readonly starttls: boolean;
  readonly from?: string;
  readonly to?: string;
  /** The client is killed after that; default 60 s. Its own time-outs stay as they are. */
  readonly timeoutMs?: number;
}

export interface Result {
  /** The client says that its message was accepted. */
  readonly ok: boolean;
  readonly seconds: number;
  readonly output: string;
  readonly timedOut: boolean;
}

export interface Client {
  readonly name: string;
  readonly needs: readonly Need[];
  /** What it delivers: the file, a message of its own of the file's length, or nothing at all. */
  readonly sends: 'file' | 'own' | 'nothing';
  readonly tls: 'both' | 'plain' | 'only';
  /** It says BODY=8BITMIME (RFC 6152), or the message must be plain ASCII for servers that go by it. */
  readonly says8Bit: boolean;
  /** It needs CHUNKING (RFC 3030). */
  readonly bdat?: true;
  deliver(errand: Errand): Promise<Result>;
}

export const CLIENTS: readonly Client[] = [
  client('swaks', { needs: ['swaks'], deliver: bySwaks }),
  client('curl', { needs: ['curl'], deliver: byCurl }),
  client('nodemailer', { deliver: byNodemailer }),
  client('smtplib', { needs: ['python3'], says8Bit: true, deliver: (it) => bySmtplib(it, '8bitmime') }),
  client('smtplib, BDAT', {
    needs: ['python3'],
    says8Bit: true,
    bdat: true,
    deliver: (it) => bySmtplib(it, '8bitmime', 'bdat'),
  }),
  client('msmtp', { needs: ['msmtp'], deliver: byMsmtp }),
  client('smtp-source', { needs: ['smtp-source'], sends: 'own', tls: 'plain', deliver: bySmtpSource }),
  client('openssl', { needs: ['openssl'], tls: 'only', deliver: (it) => deliverByDialogue(it) }),
  client('posttls-finger', { needs: ['posttls-finger'], sends: 'nothing', deliver: byPosttlsFinger }),
];

/** The row of that name. */
export function clientNamed(name: string): Client {
  const found = CLIENTS.find((it) => it.name === name);
  if (found === undefined) throw new Error(`no client of that name: ${name}`);
  return found;
}

function client(name: string, row: Partial<Client> & Pick<Client, 'deliver'>): Client {
  return { name, needs: [], sends: 'file', tls: 'both', says8Bit: false, ...row };
}

const TIMEOUT = 60_000;

function asResult({ code, seconds, output, timedOut }: Outcome): Result {
  return { ok: code === 0, seconds, output, timedOut };
}

async function runIt(errand: Errand, command: string, ...args: string[]): Promise<Result> {
  return asResult(await run(command, args, { timeoutMs: errand.timeoutMs ?? TIMEOUT }));
}

// swaks reads its data with tokens replaced and dots repaired unless told not to: then the dots are ours.
async function bySwaks(errand: Errand): Promise<Result> {
  const folder = scratch('swaks');
  const stuffed = writeStuffed(join(folder, 'data'), readFileSync(errand.path));
  const tls = errand.starttls ? ['--tls'] : [];
  const result = await runIt(
    ...[errand, 'swaks', '--server', errand.host, '--port', String(errand.port), ...tls],
    ...['--helo', 'client.example', '--from', errand.from ?? SENDER, '--to', errand.to ?? RECIPIENT],
    ...['--no-data-fixup', '--data', `@${stuffed}`, '--suppress-data'],
  );
  discard(folder);
  return result;
}

function byCurl(errand: Errand): Promise<Result> {
  const tls = errand.starttls ? ['--ssl-reqd', '--insecure'] : [];
  return runIt(
    ...[errand, 'curl', '--silent', '--show-error', '--verbose', ...tls],
    ...['--url', `smtp://${errand.host}:${errand.port}/client.example`],
    ...['--mail-from', errand.from ?? SENDER, '--mail-rcpt', errand.to ?? RECIPIENT],
    ...['--upload-file', errand.path],
  );
}

async function byNodemailer(errand: Errand): Promise<Result> {
  const began = performance.now();
  const transport = createTransport({
    host: errand.host,
    port: errand.port,
    secure: false,
    name: 'client.example',
    ignoreTLS: !errand.starttls,
    requireTLS: errand.starttls,
    tls: { rejectUnauthorized: false },
  });
  const envelope = { from: errand.from ?? SENDER, to: errand.to ?? RECIPIENT };
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('killed')), errand.timeoutMs ?? TIMEOUT);
  });
  const end = (ok: boolean, output: string): Result => {
    return { ok, seconds: (performance.now() - began) / 1000, output, timedOut: output === 'killed' };
  };
  try {
    const info = await Promise.race([transport.sendMail({ envelope, raw: { path: errand.path } }), limit]);
    return end(true, info.response);
  } catch (error) {
    return end(false, error instanceof Error ? error.message : String(error));
  } finally {
    clearTimeout(timer);
    transport.close();
  }
}

function bySmtplib(errand: Errand, ...wishes: string[]): Promise<Result> {
  const { host, port, path, from = SENDER, to = RECIPIENT, timeoutMs = TIMEOUT } = errand;
  const script = join(__dirname, 'smtplib_client.py');
  if (errand.starttls) wishes.push('starttls');
  const args = [host, String(port), from, to, path, String(timeoutMs / 1000), ...wishes];
  return runIt(errand, 'python3', script, ...args);
}

async function byMsmtp(errand: Errand): Promise<Result> {
  const tls = errand.starttls ? ['--tls=on', '--tls-starttls=on', '--tls-certcheck=off'] : ['--tls=off'];
  // Without a configuration file, so that nobody's own settings take part.
  const args = [
    ...[
      '--file=/dev/null',
      `--host=${errand.host}`,
      `--port=${errand.port}`,
      '--domain=client.example',
      ...tls,
    ],
    ...['--auth=off', '--debug', `--from=${errand.from ?? SENDER}`, '--', errand.to ?? RECIPIENT],
  ];
  const input = readFileSync(errand.path);
  return asResult(await run('msmtp', args, { timeoutMs: errand.timeoutMs ?? TIMEOUT, input }));
}

// It makes its message itself, of the wanted length, and knows no STARTTLS.
function bySmtpSource(errand: Errand): Promise<Result> {
  const length = readFileSync(errand.path).length;
  return runIt(
    ...[errand, 'smtp-source', '-l', String(length), '-m', '1', '-M', 'client.example'],
    ...['-f', errand.from ?? SENDER, '-t', errand.to ?? RECIPIENT, `${errand.host}:${errand.port}`],
  );
}

// It speaks EHLO, STARTTLS and QUIT and reports; the exit code is 0 whatever happened.
async function byPosttlsFinger(errand: Errand): Promise<Result> {
  const level = errand.starttls ? 'encrypt' : 'none';
  const result = await runIt(
    ...[errand, 'posttls-finger', '-l', level, '-L', 'summary,verbose', '-T', '300', '-t', '30'],
    `[${errand.host}]:${errand.port}`,
  );
  const proof = errand.starttls ? /TLS connection established.*TLSv1/ : /> EHLO/;
  return { ...result, ok: result.ok && proof.test(result.output) && /< 221/.test(result.output) };
}
