// Which clients these are: their own word for it.

import { readFileSync } from 'node:fs';
import type { Client } from './peers/clients';
import { run } from '../kit/process';

const ASK: Readonly<Record<string, readonly string[]>> = {
  smtplib: ['python3', '--version'],
  curl: ['curl', '--version'],
  swaks: ['swaks', '--version'],
  msmtp: ['msmtp', '--version'],
  'posttls-finger': ['postconf', '-dh', 'mail_version'],
  'smtp-source': ['postconf', '-dh', 'mail_version'],
};

export async function clientVersions(
  clients: readonly Client[],
): Promise<(readonly [name: string, version: string])[]> {
  return Promise.all(clients.map(async ({ name }) => [name, await versionOf(name)] as const));
}

async function versionOf(name: string): Promise<string> {
  if (name === 'nodemailer') {
    const facts = readFileSync(require.resolve('nodemailer/package.json'), 'utf8');
    return (JSON.parse(facts) as { version: string }).version;
  }
  const [command, ...args] = ASK[name] ?? [];
  if (command === undefined) return '?';
  const { output } = await run(command, args);
  return /\d+(?:\.\d+)+|\d{8}/.exec(output)?.[0] ?? '?';
}
