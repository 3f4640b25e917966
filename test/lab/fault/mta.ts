// The mail servers behind the lab's firewall, all on port 25: run inside the namespace `mta`. Says `ready`.

import { connect, createServer } from 'node:net';
import { startPostfix } from '../peers/postfix';
import { startScripted } from '../peers/scripted';
import { ADDRESS } from '../../kit/topology';

/** Which server listens where. */
export const SERVERS = {
  /** Postfix smtpd, IPv4 and IPv6. */
  postfix: ADDRESS.mta[0],
  postfix6: ADDRESS.mta6,
  /** Postfix postscreen with a teaser of 6 s. */
  postscreen: ADDRESS.mta[1],
  /** Its greeting comes after 6 s. */
  slow: ADDRESS.mta[2],
  /** Postfix behind sockets with a keep-alive of 1 s, as the relay sets it: the kernel probes for us. */
  probing: ADDRESS.mta[3],
  /** The incident's first half: `220-` and nothing more. */
  truncated: ADDRESS.mta[4],
  /** Its greeting comes after 1 s: time for a client to vanish. */
  leisurely: ADDRESS.mta[5],
} as const;

/** Where the relay on the shim listens for those that it stands before. */
export const RELAYED = {
  postfix: ADDRESS.shim[0],
  postscreen: ADDRESS.shim[1],
  slow: ADDRESS.shim[2],
  leisurely: ADDRESS.shim[3],
} as const;

export type Relayed = keyof typeof RELAYED;

const GREETING = '220 mx.dest.example ESMTP\r\n';

async function main(): Promise<void> {
  const postfix = await startPostfix({
    greetWait: 6,
    alsoAt: {
      smtpd: [`${SERVERS.postfix}:25`, `[${SERVERS.postfix6}]:25`],
      postscreen: [`${SERVERS.postscreen}:25`],
    },
  });
  const scripted = (host: string, steps: Parameters<typeof startScripted>[0]['steps']) =>
    startScripted({ host, port: 25, steps });
  await scripted(SERVERS.slow, [{ wait: 6_000 }, { send: GREETING }]);
  await scripted(SERVERS.leisurely, [{ wait: 1_000 }, { send: GREETING }]);
  await scripted(SERVERS.truncated, [{ send: '220-mx.dest.example\r\n' }]);
  await startProbing(SERVERS.probing, postfix.port);
  console.log('ready');
}

function startProbing(host: string, port: number): Promise<void> {
  const server = createServer({ keepAlive: true, keepAliveInitialDelay: 1_000, noDelay: true }, (client) => {
    const onward = connect({ host: '127.0.0.1', port });
    for (const [from, to] of [
      [client, onward],
      [onward, client],
    ] as const) {
      from.pipe(to);
      from.on('error', () => to.destroy());
    }
  });
  return new Promise((resolve) => server.listen(25, host, resolve));
}

if (require.main === module) void main();
