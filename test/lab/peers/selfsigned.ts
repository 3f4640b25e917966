// One self-signed certificate for all real servers of a test's process, as files.

import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { run, scratch } from '../../kit/process';

export interface SelfSigned {
  /** Paths of PEM files. */
  readonly key: string;
  readonly certificate: string;
}

let made: Promise<SelfSigned> | undefined;

export function selfSigned(): Promise<SelfSigned> {
  made ??= make();
  return made;
}

async function make(): Promise<SelfSigned> {
  const folder = scratch('tls');
  const key = join(folder, 'key.pem');
  const certificate = join(folder, 'cert.pem');
  const outcome = await run('openssl', [
    ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2'],
    ...['-subj', '/CN=mx.dest.example', '-addext', 'subjectAltName=DNS:mx.dest.example,IP:127.0.0.1'],
    ...['-keyout', key, '-out', certificate],
  ]);
  if (outcome.code !== 0) throw new Error(`openssl made no certificate: ${outcome.output}`);
  chmodSync(key, 0o600);
  return { key, certificate };
}
