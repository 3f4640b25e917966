// What the doctor says of machines: what is missing, what that costs, and what to do.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { isFit, judgeMachine } from '../../../deploy/doctor/checks';
import type { Machine } from '../../../deploy/doctor/probe';
import { toObject, toText } from '../../../deploy/doctor/text';

const [NET_ADMIN, NET_RAW, BIND, SYS_ADMIN, PERFMON, BPF] = [12, 13, 10, 21, 38, 39].map(
  (bit) => 1n << BigInt(bit),
);
const ALL = (1n << 41n) - 1n;

const FINE: Machine = {
  release: '6.1.0-18-amd64',
  user: 0,
  capabilities: ALL,
  bpffs: 'mounted',
  koffi: { kind: 'there', text: 'loads' },
  libbpf: { kind: 'there', text: 'v1.1' },
  libpcap: { kind: 'there', text: 'libpcap.so.0.8' },
  object: { path: '/usr/lib/ehlowire/ehlowire.bpf.o', there: true },
  program: { kind: 'loads' },
  tools: { ip: '/usr/sbin/ip', tc: '/usr/sbin/tc', ethtool: '/usr/sbin/ethtool' },
  lockdown: '[none] integrity confidentiality\n',
  calls: [],
  lro: [],
  pinned: 'nothing',
  relays: [{ pid: 77, clients: { connections: 120, networks: 3, hidden: false } }],
};
const NO_KOFFI = { kind: 'unknown', why: 'cannot look without koffi' } as const;

interface Row {
  readonly name: string;
  readonly machine: Partial<Machine>;
  /** What stands in the wire path's way; empty: nothing. */
  readonly lacks: string;
  /** The finding as it is told: its line, what follows, what to do. */
  readonly says: readonly string[];
}

const ROWS: readonly Row[] = [
  {
    name: 'an old kernel',
    machine: { release: '5.10.0-28-amd64' },
    lacks: 'kernel',
    says: [
      '  missing  kernel                  Linux 5.10.0-28-amd64',
      '           no wire path: the program needs bpf_loop, which is in Linux 5.17 and later',
      '           -> use Debian 12 (Linux 6.1) or newer',
    ],
  },
  {
    name: 'not root',
    machine: {
      user: 1000,
      capabilities: 0n,
      program: { kind: 'refused', code: 'EPERM', text: 'not permitted' },
      pinned: 'unknown',
    },
    lacks: 'rights, eBPF',
    says: [
      '  missing  rights                  user 1000 lacks CAP_NET_ADMIN, CAP_BPF, CAP_PERFMON',
      '           no filter, bridge or transparent socket; no program can be loaded; no program can read packets by pointers',
      '           -> run it as root, or use the systemd units: they give exactly these rights',
      '  unknown  eBPF                    this user cannot see it',
      '           it is not known whether the kernel accepts the program',
      '           -> fix what is missing first',
      '  missing  more rights             user 1000 lacks CAP_NET_RAW, CAP_NET_BIND_SERVICE',
      '           not needed, but: no probes, no live captures, no trace; no relay on a port below 1024',
      '           -> run it as root, or use the systemd units: they give exactly these rights',
      '  unknown  attached                this user cannot see it',
      '           not needed, but: it is not known whether ehlowire is in the kernel',
      '           -> as root: ehlowire status',
    ],
  },
  {
    name: 'a root that was given less',
    machine: {
      capabilities: ALL & ~(BPF ?? 0n) & ~(SYS_ADMIN ?? 0n),
      program: { kind: 'refused', code: 'EPERM', text: '' },
    },
    lacks: 'rights, eBPF',
    says: [
      '  missing  rights                  user 0 lacks CAP_BPF',
      '           no program can be loaded',
      '           -> root has fewer rights here (a container, or a unit with CapabilityBoundingSet): run it on the machine itself',
    ],
  },
  {
    name: 'the capabilities of the systemd unit are enough',
    machine: {
      capabilities: (NET_ADMIN ?? 0n) | (BPF ?? 0n) | (PERFMON ?? 0n) | (NET_RAW ?? 0n) | (BIND ?? 0n),
    },
    lacks: '',
    says: ['  ok       rights                  CAP_NET_ADMIN, CAP_BPF, CAP_PERFMON'],
  },
  {
    name: 'CAP_SYS_ADMIN includes what the kernel says that it includes',
    machine: { capabilities: (NET_ADMIN ?? 0n) | (SYS_ADMIN ?? 0n) | (NET_RAW ?? 0n) | (BIND ?? 0n) },
    lacks: '',
    says: ['  ok       rights                  CAP_NET_ADMIN, CAP_BPF, CAP_PERFMON'],
  },
  {
    name: 'root of a container: all rights, and none over the kernel',
    machine: { program: { kind: 'refused', code: 'EPERM', text: 'operation not permitted' } },
    lacks: 'eBPF',
    says: [
      '  missing  eBPF                    the kernel refuses the program: EPERM',
      '           no wire path; `ehlowire relay` works',
      '           -> root in a container is not enough: run it on the machine itself, or permit bpf(2) in its seccomp profile and start it without a user namespace',
    ],
  },
  {
    name: 'a kernel without eBPF',
    machine: {
      program: { kind: 'refused', code: 'ENOSYS', text: 'function not implemented' },
      bpffs: 'absent',
    },
    lacks: 'bpffs, eBPF',
    says: [
      '  missing  bpffs                   there is no /sys/fs/bpf',
      '           no wire path: without it the program ends with its process',
      '           -> use a kernel with CONFIG_BPF_SYSCALL; in a container, one with /sys',
      '  missing  eBPF                    the kernel refuses the program: ENOSYS',
      '           no wire path; `ehlowire relay` works',
      '           -> use a kernel with CONFIG_BPF_SYSCALL (Debian 12 has it), or a container whose seccomp profile permits bpf(2)',
    ],
  },
  {
    name: 'a verifier that refuses',
    machine: {
      program: { kind: 'refused', code: 'EACCES', text: 'permission denied: R1 invalid mem access' },
    },
    lacks: 'eBPF',
    says: [
      '  missing  eBPF                    the kernel refuses the program: EACCES',
      '           no wire path; `ehlowire relay` works',
      '           -> report it with `uname -a` and this: permission denied: R1 invalid mem access',
    ],
  },
  {
    name: 'no bpffs yet, and root',
    machine: { bpffs: 'unmounted' },
    lacks: '',
    says: [
      '  note     bpffs                   not mounted at /sys/fs/bpf',
      '           ehlowire mounts it when it needs it',
      '           -> nothing to do, or: mount -t bpf bpf /sys/fs/bpf',
    ],
  },
  {
    name: 'no bpffs, and nobody who may mount one',
    machine: { bpffs: 'unmounted', capabilities: ALL & ~(SYS_ADMIN ?? 0n) },
    lacks: 'bpffs',
    says: [
      '  missing  bpffs                   not mounted at /sys/fs/bpf',
      '           no wire path: without it the program ends with its process; only CAP_SYS_ADMIN can mount it',
      '           -> as root: mount -t bpf bpf /sys/fs/bpf',
    ],
  },
  {
    name: 'no koffi: what hangs on it is not known',
    machine: {
      koffi: { kind: 'missing', why: "Cannot find module 'koffi'" },
      ...{
        libbpf: NO_KOFFI,
        libpcap: NO_KOFFI,
        program: { kind: 'not-tried', why: 'cannot try without koffi' },
      },
    },
    lacks: 'koffi, libbpf, eBPF',
    says: [
      "  missing  koffi                   Cannot find module 'koffi'",
      '           no wire path, no live evidence, no transparent relay; `ehlowire relay --upstream` works',
      '           -> npm install koffi, or install the deb package, which contains it',
      '  unknown  libbpf                  cannot look without koffi',
      '           if it is missing: no wire path; `ehlowire relay` works',
      '           -> fix what is missing first',
    ],
  },
  {
    name: 'no libbpf',
    machine: {
      libbpf: { kind: 'missing', why: 'libbpf.so.1: cannot open shared object file' },
      program: { kind: 'not-tried', why: 'cannot try without libbpf' },
    },
    lacks: 'libbpf, eBPF',
    says: [
      '  missing  libbpf                  libbpf.so.1: cannot open shared object file',
      '           no wire path; `ehlowire relay` works',
      '           -> apt install libbpf1',
    ],
  },
  {
    name: 'nobody compiled the program',
    machine: {
      object: { path: '/x/ehlowire.bpf.o', there: false },
      program: { kind: 'not-tried', why: 'cannot try without the compiled program' },
    },
    lacks: 'the compiled program, eBPF',
    says: [
      '  missing  the compiled program    no /x/ehlowire.bpf.o',
      '           no wire path',
      '           -> npm run build:wire (needs clang and libbpf-dev), or install the npm or deb package, which contain it',
    ],
  },
  {
    name: 'no libpcap: the wire path needs none',
    machine: { libpcap: { kind: 'missing', why: 'libpcap.so.0.8: cannot open shared object file' } },
    lacks: '',
    says: [
      '  missing  libpcap                 libpcap.so.0.8: cannot open shared object file',
      '           not needed, but: no `analyze --live`, no probes, and no evidence for relayed connections',
      '           -> apt install libpcap0.8',
    ],
  },
  {
    name: 'no iproute2',
    machine: { tools: { ...FINE.tools, ip: undefined, tc: undefined }, lro: undefined },
    lacks: 'ip, tc',
    says: [
      '  missing  tc                      not installed',
      '           filters cannot be listed or removed',
      '           -> apt install iproute2',
    ],
  },
  {
    name: 'locked down',
    machine: { lockdown: 'none integrity [confidentiality]\n' },
    lacks: 'lockdown',
    says: [
      '  missing  lockdown                confidentiality',
      '           no wire path: the kernel refuses programs that read packets',
      '           -> boot with lockdown=integrity on the kernel command line',
    ],
  },
  {
    name: 'large receive offload',
    machine: { lro: ['eth1', 'eth2'] },
    lacks: '',
    says: [
      '  note     large receive offload   on: eth1, eth2',
      '           the kernel switches it off on a port of a bridge',
      '           -> nothing to do: `leave` switches it on again',
    ],
  },
  {
    name: 'frames pass iptables',
    machine: { calls: ['net.bridge.bridge-nf-call-iptables'] },
    lacks: '',
    says: [
      '  note     bridge-nf               on: bridge-nf-call-iptables',
      '           on your own bridge nothing can be relayed; for a bridge that `ehlowire bridge` makes, ehlowire switches it off',
      '           -> nothing to do, or if no rule needs it: sysctl net.bridge.bridge-nf-call-iptables=0',
    ],
  },
  {
    name: 'something is attached',
    machine: { pinned: { pins: '/sys/fs/bpf/ehlowire' } },
    lacks: '',
    says: [
      '  note     attached                something is pinned in /sys/fs/bpf/ehlowire',
      '           `bridge` or `host` takes it over when it starts',
      '           -> ehlowire status',
    ],
  },
  {
    name: 'a relay whose clients are hidden',
    machine: { relays: [{ pid: 77, clients: { connections: 120, networks: 1, hidden: true } }] },
    lacks: '',
    says: [
      '  note     clients of relay 77     all 120 connections came from one network or address',
      "           if a firewall or proxy in front replaces the clients' addresses with its own, limits by client (policy.limits) hold only where a number is set",
      '           -> to see the clients: let the proxy send the PROXY protocol (`--proxy-protocol in`), switch source NAT off on the firewall, or use `--transparent` or `ehlowire bridge`; if there are no other clients, nothing is to be done',
    ],
  },
];

for (const { name, machine, lacks, says } of ROWS) {
  test(name, () => {
    const checks = judgeMachine({ ...FINE, ...machine });
    const text = toText(checks, false);
    assert.match(text, lacks === '' ? /^Wire path {3}yes: / : new RegExp(`^Wire path   no: ${lacks}\n`));
    assert.match(text, /^Relay path {2}yes: /m);
    assert.ok(text.includes(`\n${says.join('\n')}\n`), text);
    assert.is(isFit(checks), lacks === '');
    assert.is(toObject(checks)['wire'], lacks === '');
  });
}

test('all fine: nothing to do, and nothing more than a line each', () => {
  const text = toText(judgeMachine(FINE), false);
  assert.not.match(text, /missing|unknown|note|->/);
  assert.is(text.split('\n').filter((line) => line.startsWith('  ok ')).length, 17);
});

test('what is missing stands first, and what is needed before what is not', () => {
  const machine = {
    ...FINE,
    lro: ['eth1'],
    lockdown: '[confidentiality]',
    tools: { ...FINE.tools, ethtool: undefined },
  };
  const states = toText(judgeMachine(machine), false)
    .split('\n')
    .flatMap((line) => /^ {2}(\w+) +(\w+)/.exec(line)?.slice(1, 3).join(' ') ?? []);
  assert.equal(states.slice(0, 3), ['missing lockdown', 'missing ethtool', 'note large']);
});

test.run();
