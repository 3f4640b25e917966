// One of the lab's clients, run inside a namespace: NAME HOST FILE TIMEOUT-MS. Says as JSON how it went.

import { clientNamed } from '../peers/clients';

async function main(): Promise<void> {
  const [name = '', host = '', path = '', timeoutMs = '60000'] = process.argv.slice(2);
  // An URL and an address literal of Postfix have brackets, the rest has none.
  const bracketed = host.includes(':') && ['curl', 'smtp-source'].includes(name) ? `[${host}]` : host;
  const errand = { host: bracketed, port: 25, path, starttls: false, timeoutMs: Number(timeoutMs) };
  console.log(JSON.stringify(await clientNamed(name).deliver(errand)));
}

void main();
