// Machines that cannot have the wire path: `doctor` says what is missing, and the relay works.

import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { clientNamed } from '../peers/clients';
import type { LogLine } from '../../kit/ehlowire';
import { labSuite, type Need } from '../../kit/lab';
import { makeMessage, writeMessage } from '../../kit/message';
import { run, scratch, start, until } from '../../kit/process';
import { startScripted } from '../peers/scripted';

const NEEDS: readonly Need[] = ['swaks', 'python3', 'bpf'];
const LAUNCHER = join(__dirname, '../../../ehlowire');
/** In a view of the machine of its own, where a file or a folder is not what it was. */
const hide = (mount: string): string =>
  `exec unshare --mount sh -ec '${mount}; exec "$0" "$@"' ${LAUNCHER} "$@"`;

const MACHINES = [
  {
    name: 'without root',
    line: `exec setpriv --reuid=65534 --regid=65534 --clear-groups ${LAUNCHER} "$@"`,
    missing: /missing +rights +user 65534 lacks CAP_NET_ADMIN, CAP_BPF, CAP_PERFMON\n/,
  },
  {
    name: 'without libbpf',
    line: hide(
      'for each in /usr/lib/*/libbpf.so.1; do mount --bind /dev/null "$(readlink -f "$each")"; done',
    ),
    missing: /missing +libbpf/,
  },
  {
    name: 'root that may load no programs, as in a container',
    line: `exec setpriv --bounding-set=-bpf,-perfmon,-sys_admin ${LAUNCHER} "$@"`,
    missing: /missing +rights +user 0 lacks CAP_BPF, CAP_PERFMON\n/,
  },
  {
    name: 'root of a user namespace: all capabilities, and none over the kernel',
    line: `exec unshare --user --map-root-user ${LAUNCHER} "$@"`,
    missing: /missing +eBPF +the kernel refuses the program: EPERM\n/,
  },
  ...(
    [
      ['a seccomp profile that refuses bpf(2)', 'EPERM'],
      ['a kernel without eBPF', 'ENOSYS'],
    ] as const
  ).map(([name, errno]) => ({
    name,
    line: `exec python3 ${join(__dirname, 'no_bpf.py')} ${errno} ${LAUNCHER} "$@"`,
    missing: new RegExp(`missing +eBPF +the kernel refuses the program: ${errno}\\n`),
  })),
];

const lab = labSuite('wire, not possible');
const folder = scratch('without');

for (const [index, { name, line, missing }] of MACHINES.entries()) {
  lab.test(`${name}: said, and relayed all the same`, NEEDS, async () => {
    const launcher = join(folder, `ehlowire-${index}`);
    writeFileSync(launcher, `#!/bin/sh\n${line}\n`);
    chmodSync(launcher, 0o755);
    const doctor = await run(launcher, ['doctor']);
    assert.match(doctor.output, missing);
    assert.match(doctor.output, /^Wire path +no/m);
    assert.match(doctor.output, /^Relay path +yes/m);

    const server = await startScripted({ steps: [{ send: '220-mx.dest.example ESMTP\r\n' }] });
    const upstream = `127.0.0.1:${server.port}`;
    const args = ['relay', '--json', '--listen', '127.0.0.1:0', '--upstream', upstream, '--repair', 'now'];
    const relay = start(launcher, args);
    const port = await until('the relay to listen', () => portOf(relay.output()), 30_000);
    const path = writeMessage(join(folder, 'message.eml'), makeMessage({ octets: 2_000, eightBit: false }));
    const errand = { host: '127.0.0.1', port, path, starttls: false, timeoutMs: 30_000 };
    const { ok, output } = await clientNamed('swaks').deliver(errand);
    assert.ok(ok, `${output}\n${relay.output()}`);
    assert.is(server.delivered().length, 1);
    assert.is((await relay.stop()).code, 0);
    await server.stop();
  });
}

function portOf(output: string): number | undefined {
  const lines = output.split('\n').filter((line) => line.startsWith('{'));
  const found = lines.map((line) => JSON.parse(line) as LogLine).find(({ event }) => event === 'listening');
  return found === undefined ? undefined : Number(String(found['listen']).split(':').at(-1));
}

lab.run();
