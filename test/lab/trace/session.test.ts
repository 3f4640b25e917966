// What a trace leaves behind at real mail servers: a session as `ehlowire check` has it, and nothing else.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { formatAddress } from '../../../proxy/system/address';
import { labSuite, type Need } from '../../kit/lab';
import { launcher } from '../../kit/launcher';
import { scratch, until } from '../../kit/process';
import { PORTS } from './mta';
import { CLIENT, FAMILIES, serverBehind, type Family } from './path';
import { prepare, QUICKLY, raise, trace, type Stage } from './stage';

const lab = labSuite('trace, at the server');
const NEEDS: readonly Need[] = ['postfix', 'exim', 'python3', 'nftables', 'ethtool'];
const ROUTERS = 3;
const NAME = ['--name', 'client.example'] as const;
const folder = scratch('trace-session');
let stage: Stage;

lab.before(async () => {
  prepare();
  stage = await raise(0, folder);
});
lab.after(() => stage.fall());

/** Where each writes, below a folder of its own, and its first and last words of a session. */
const LOGS = {
  postfix: { files: ['log/maillog'], first: / connect from /g, last: / disconnect from /g },
  exim: {
    files: ['log/mainlog', 'log/rejectlog', 'log/paniclog'],
    first: /SMTP connection from \S+ \(TCP\/IP connection count/g,
    last: /no MAIL in SMTP connection from /g,
  },
} as const;
type Server = keyof typeof LOGS;

function logOf(server: Server): string {
  const own = readdirSync(folder).find((each) => each.startsWith(`ehlowire-${server}-`)) ?? '';
  return LOGS[server].files
    .map((name) => join(folder, own, name))
    .map((file) => (existsSync(file) ? readFileSync(file, 'utf8') : ''))
    .join('');
}

/** What a server wrote of this client meanwhile, once all of its sessions have ended: times, processes and ports are left out. */
async function writtenDuring(
  server: Server,
  family: Family,
  act: () => Promise<{ code: number | null; output: string }>,
): Promise<readonly string[]> {
  const { first, last } = LOGS[server];
  const before = logOf(server).length;
  const { code, output } = await act();
  assert.is(code, 0, output);
  const own = (): string => logOf(server).slice(before);
  await until(`the last word of ${server}`, () => {
    const [begun, ended] = [own().match(first)?.length ?? 0, own().match(last)?.length ?? 0];
    return (begun > 0 && begun === ended) || undefined;
  });
  return own()
    .split('\n')
    .filter((line) => line.includes(CLIENT[family]))
    .map((line) => line.replace(/^.*?\[\d+\]: |^\S+ \S+ /, '').replace(/ D=\S+|:\d{4,5}\b/g, ''));
}

for (const server of ['postfix', 'exim'] as const) {
  for (const family of FAMILIES) {
    const host = formatAddress({ host: serverBehind(ROUTERS, family), port: PORTS[server] });

    lab.test(`${server}, IP${family}: its log of a trace is that of a check`, NEEDS, async () => {
      const run = (command: string) => stage.path.run('cli', 60_000, launcher(), command, host, ...NAME);
      const checked = await writtenDuring(server, family, () => run('check'));
      const traced = await writtenDuring(server, family, () => trace(stage.path, host, ...QUICKLY, ...NAME));
      assert.equal(traced, checked);
      assert.match(checked.join('\n'), /ehlo=1 quit=1 commands=2|C=EHLO,QUIT/);
    });

    lab.test(
      `${server}, IP${family}: of all segments, sessions that end with QUIT, and no complaint`,
      NEEDS,
      async () => {
        const traced = await writtenDuring(server, family, () =>
          trace(stage.path, host, ...QUICKLY, ...NAME, '--deep'),
        );
        const ends = traced.filter((line) => ` ${line}`.match(LOGS[server].last));
        for (const end of ends) assert.match(end, /quit=1|QUIT$/);
        assert.not.match(traced.join('\n'), /lost|warning|error|reject|improper|timeout|unknown command/i);
      },
    );
  }
}

lab.run();
