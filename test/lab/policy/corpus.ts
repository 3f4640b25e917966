// A thousand messages of chance, each signed (RFC 6376) by a library that is not ours.

import { generateKeyPairSync } from 'node:crypto';
import DKIM from 'nodemailer/lib/dkim';
import { createChance, type Chance } from '../degraded/chance';
import { RECIPIENT, SENDER } from '../../kit/message';

export interface Corpus {
  /** CRLF, dots not stuffed, signed. */
  readonly messages: readonly Buffer[];
  /** For the DNS record, base64 of its DER form. */
  readonly publicKey: string;
}

export async function makeCorpus(count: number, seed: string): Promise<Corpus> {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const signer = new DKIM({
    domainName: 'client.example',
    keySelector: 'lab',
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  });
  const chance = createChance(seed);
  const messages: Buffer[] = [];
  for (let nth = 0; nth < count; nth += 1) messages.push(await sign(signer, makeMessage(chance, nth)));
  return { messages, publicKey: publicKey.export({ type: 'spki', format: 'der' }).toString('base64') };
}

async function sign(signer: DKIM, message: Buffer): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of signer.sign(message)) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function makeMessage(chance: Chance, nth: number): Buffer {
  const header = [
    `From: Alice <${SENDER}>`,
    `To: <${RECIPIENT}>`,
    `Subject: ${Array.from({ length: 1 + chance.below(12) }, () => word(chance)).join(chance.below(4) === 0 ? '\r\n ' : ' ')}`,
    `Date: Mon, 24 Nov 2025 08:00:00 +0000`,
    `Message-Id: <corpus-${nth}@client.example>`,
    'MIME-Version: 1.0',
    'Content-Type: text/plain; charset=iso-8859-1',
    'Content-Transfer-Encoding: 8bit',
  ];
  const body = Array.from({ length: chance.below(60) }, () => makeLine(chance));
  return Buffer.from([...header, '', ...body, ''].join('\r\n'), 'latin1');
}

/** What signatures, dots and line ends get wrong stands among the words. */
function makeLine(chance: Chance): string {
  const kind = chance.below(10);
  if (kind === 0) return '';
  if (kind === 1) return '.'.repeat(1 + chance.below(3));
  if (kind === 2) return `.${word(chance)}`;
  if (kind === 3) return `${' '.repeat(chance.below(3))}.${' '.repeat(chance.below(3))}`;
  if (kind === 4) return 'l'.repeat(chance.below(998));
  if (kind === 5) return `${word(chance)}${' '.repeat(chance.below(4))}\t`;
  return Array.from({ length: 1 + chance.below(14) }, () => word(chance)).join(' ');
}

function word(chance: Chance): string {
  const length = 1 + chance.below(9);
  const one = (): number => (chance.below(30) === 0 ? 0xc0 + chance.below(0x3f) : 0x61 + chance.below(26));
  return String.fromCharCode(...Array.from({ length }, one));
}
