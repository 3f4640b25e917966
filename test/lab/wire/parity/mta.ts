// The mail servers of the parity test, on port 25: run inside the namespace `mta`. Says `ready`.

import { connect, createServer } from 'node:net';
import { startExim } from '../../peers/exim';
import { startPostfix } from '../../peers/postfix';
import { ADDRESS } from '../../../kit/topology';

export const SERVERS = { postfix: ADDRESS.mta[0], exim: ADDRESS.mta[1] } as const;

/** Whom Exim knows. */
export const USER = { name: 'user', password: 'correct' } as const;

/** A section of its own stands behind the main options. */
const AUTHENTICATORS = `begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_condition = \${if and{{eq{$auth2}{${USER.name}}}{eq{$auth3}{${USER.password}}}}}
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = \${if and{{eq{$auth1}{${USER.name}}}{eq{$auth2}{${USER.password}}}}}`;

async function main(): Promise<void> {
  await startPostfix({ alsoAt: { smtpd: [`${SERVERS.postfix}:25`] } });
  const exim = await startExim({ settings: [AUTHENTICATORS] });
  await forward(SERVERS.exim, exim.port);
  console.log('ready');
}

/** Exim listens where its configuration says, on loopback. */
export function forward(host: string, port: number): Promise<void> {
  const server = createServer({ noDelay: true, allowHalfOpen: true }, (client) => {
    const onward = connect({ host: '127.0.0.1', port, noDelay: true, allowHalfOpen: true });
    for (const [from, to] of [
      [client, onward],
      [onward, client],
    ] as const) {
      from.pipe(to);
      from.on('error', () => to.resetAndDestroy());
    }
  });
  return new Promise((resolve) => server.listen(25, host, resolve));
}

if (require.main === module) void main();
