// HAProxy before the relay, Postfix behind it: a health check crosses both headers, and the server stays UP.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { startRelay } from '../kit/ehlowire';
import { labSuite } from '../kit/lab';
import { startPostfix } from './peers/postfix';
import { freePort, run, scratch, start, until } from '../kit/process';

const suite = labSuite('HAProxy');

for (const [out, upstream] of [
  ['out-v1', 'version 1'],
  ['out-v2', 'version 2'],
] as const) {
  suite.test(
    `its checks, as LOCAL in and ${upstream} out: UP, and marked`,
    ['haproxy', 'postfix'],
    async () => {
      const postfix = await startPostfix({ settings: ['smtpd_upstream_proxy_protocol = haproxy'] });
      const relay = await startRelay(
        [`${postfix.host}:${postfix.port}`],
        ['--proxy-protocol', 'in', '--proxy-protocol', out, '--set', 'relay.trustedProxies=127.0.0.0/8'],
      );
      const folder = scratch('haproxy');
      const [front, stats] = [await freePort(), join(folder, 'stats')];
      const file = join(folder, 'haproxy.cfg');
      writeFileSync(file, configuration(front, relay.ports[0] ?? 0, stats));
      const haproxy = start('haproxy', ['-db', '-f', file]);
      try {
        const lines = (): readonly string[] =>
          relay
            .events()
            .filter((line) => line.event === 'session' && line['proxy.command'] === 'local')
            .map((line) => `${String(line['hello'])} ${String(line['close.by'])}`);
        await until('three checks', () => (lines().length >= 3 ? true : undefined), 30_000);
        assert.ok(
          lines().every((line) => line.startsWith('lb.example ')),
          lines().join('; '),
        );
        const { output } = await run('python3', ['-c', STATS, stats]);
        assert.match(output, /^mx,relay,.*,UP,/m, output);
        assert.not.match(postfix.log(), /proxy protocol|421/i);
      } finally {
        await haproxy.stop('SIGKILL');
        await relay.stop();
        await postfix.stop();
        relay.discard();
      }
    },
  );
}

function configuration(front: number, port: number, stats: string): string {
  return `global
  stats socket ${stats} mode 600
defaults
  mode tcp
  timeout connect 5s
  timeout client 30s
  timeout server 30s
listen mx
  bind 127.0.0.1:${front}
  option smtpchk EHLO lb.example
  server relay 127.0.0.1:${port} check inter 500ms fall 1 rise 1 send-proxy-v2 check-send-proxy
`;
}

const STATS = `import socket, sys
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.sendall(b'show stat\\n')
print(s.makefile().read())`;

suite.run();
