// What a machine's parts mean for the wire path: one check each, and what to do where something is missing.

import { hasCapability } from '../../proxy/system/capabilities';
import { describeHidden } from '../../proxy/relay/origin';
import type { Machine, Part } from './probe';

export type Check = {
  /** What was looked at. */
  readonly what: string;
  /** What was found. */
  readonly found: string;
  /** The wire path needs it. */
  readonly needed: boolean;
} & (
  | { readonly state: 'ok' }
  | {
      /** `unknown`: it could not be seen from here. */
      readonly state: 'missing' | 'unknown' | 'note';
      /** What follows from it. */
      readonly costs: string;
      readonly fix: string;
    }
);

/** The wire path can be used: all that it needs is there. */
export function isFit(checks: readonly Check[]): boolean {
  return obstacles(checks).length === 0;
}

/** What the wire path needs and lacks, or may lack. */
export function obstacles(checks: readonly Check[]): readonly Check[] {
  return checks.filter(({ needed, state }) => needed && state !== 'ok' && state !== 'note');
}

export function judgeMachine(machine: Machine): readonly Check[] {
  return [
    kernel(machine),
    ...rights(machine),
    bpffs(machine),
    koffi(machine),
    libbpf(machine),
    object(machine),
    program(machine),
    libpcap(machine),
    tool(machine, 'ip', 'iproute2', 'nothing can be attached, bridged or undone', true),
    tool(machine, 'tc', 'iproute2', 'filters cannot be listed or removed', true),
    tool(machine, 'ethtool', 'ethtool', '`leave` cannot switch large receive offload on again', false),
    lockdown(machine),
    iptables(machine),
    receiveOffload(machine),
    pinned(machine),
    ...machine.relays.map(clientsOf),
  ];
}

function kernel({ release }: Machine): Check {
  const [major = 0, minor = 0] = release.split('.').map(Number);
  const base = { what: 'kernel', found: `Linux ${release}`, needed: true };
  if (major > 5 || (major === 5 && minor >= 17)) return { ...base, state: 'ok' };
  const costs = 'no wire path: the program needs bpf_loop, which is in Linux 5.17 and later';
  return { ...base, state: 'missing', costs, fix: 'use Debian 12 (Linux 6.1) or newer' };
}

/** Those that the wire path needs, and the others. */
function rights(machine: Machine): readonly Check[] {
  return [rightsOf(machine, 'rights', true), rightsOf(machine, 'more rights', false)];
}

function rightsOf({ capabilities, user }: Machine, what: string, needed: boolean): Check {
  if (capabilities === undefined) {
    const costs = 'it is not known whether this user may change the network';
    const fix = 'mount /proc, or run it as root';
    return { what, state: 'unknown', found: 'no /proc/self/status', needed, costs, fix };
  }
  const asked = CAPABILITIES.filter((each) => each.needed === needed);
  const lacks = asked.filter((each) => !may(capabilities, each));
  const names = (list: readonly Capability[]): string => list.map(({ name }) => name).join(', ');
  if (lacks.length === 0) return { what, state: 'ok', found: names(asked), needed };
  return {
    what,
    state: 'missing',
    found: `user ${user ?? '?'} lacks ${names(lacks)}`,
    needed,
    costs: lacks.map(({ costs }) => costs).join('; '),
    fix:
      user === 0
        ? 'root has fewer rights here (a container, or a unit with CapabilityBoundingSet): run it on the machine itself'
        : 'run it as root, or use the systemd units: they give exactly these rights',
  };
}

function may(capabilities: bigint, { bit, part }: Capability): boolean {
  return hasCapability(capabilities, bit) || (part && hasCapability(capabilities, ADMIN));
}

function bpffs({ bpffs: state, capabilities }: Machine): Check {
  const what = 'bpffs';
  const fix = `mount -t bpf bpf ${BPFFS}`;
  const found = `not mounted at ${BPFFS}`;
  if (state === 'mounted') return { what, state: 'ok', found: `at ${BPFFS}`, needed: true };
  if (state === 'absent') {
    const costs = 'no wire path: without it the program ends with its process';
    const better = 'use a kernel with CONFIG_BPF_SYSCALL; in a container, one with /sys';
    return { what, state: 'missing', found: `there is no ${BPFFS}`, needed: true, costs, fix: better };
  }
  return capabilities === undefined || hasCapability(capabilities, ADMIN)
    ? {
        what,
        state: 'note',
        found,
        needed: false,
        costs: 'ehlowire mounts it when it needs it',
        fix: `nothing to do, or: ${fix}`,
      }
    : {
        ...{ what, state: 'missing', found, needed: true, fix: `as root: ${fix}` },
        costs: 'no wire path: without it the program ends with its process; only CAP_SYS_ADMIN can mount it',
      };
}

function koffi({ koffi: part }: Machine): Check {
  const costs = 'no wire path, no live evidence, no transparent relay; `ehlowire relay --upstream` works';
  const fix = 'npm install koffi, or install the deb package, which contains it';
  return found('koffi', true, part, costs, fix);
}

function libbpf({ libbpf: part }: Machine): Check {
  return found('libbpf', true, part, 'no wire path; `ehlowire relay` works', 'apt install libbpf1');
}

function libpcap({ libpcap: part }: Machine): Check {
  const costs = 'no `analyze --live`, no probes, and no evidence for relayed connections';
  return found('libpcap', false, part, costs, 'apt install libpcap0.8');
}

function found(what: string, needed: boolean, part: Part, costs: string, fix: string): Check {
  if (part.kind === 'there') return { what, state: 'ok', found: part.text, needed };
  if (part.kind === 'missing') return { what, state: 'missing', found: part.why, needed, costs, fix };
  return {
    what,
    state: 'unknown',
    found: part.why,
    needed,
    costs: `if it is missing: ${costs}`,
    fix: FIRST,
  };
}

function object({ object: { path, there } }: Machine): Check {
  const base = { what: 'the compiled program', needed: true };
  if (there) return { ...base, state: 'ok', found: path };
  const fix =
    'npm run build:wire (needs clang and libbpf-dev), or install the npm or deb package, which contain it';
  return { ...base, state: 'missing', found: `no ${path}`, costs: 'no wire path', fix };
}

/** The proof of all the above: the program was loaded and unloaded. */
function program({ program: part, capabilities = 0n }: Machine): Check {
  const base = { what: 'eBPF', needed: true };
  if (part.kind === 'loads') return { ...base, state: 'ok', found: 'the kernel accepts the program' };
  if (part.kind === 'not-tried') {
    return {
      ...base,
      state: 'unknown',
      found: part.why,
      costs: 'it is not known whether the kernel accepts the program',
      fix: FIRST,
    };
  }
  const { code, text } = part;
  const entitled = CAPABILITIES.every((each) => !each.needed || may(capabilities, each));
  if (code === 'EPERM' && !entitled) {
    return {
      ...base,
      state: 'unknown',
      found: 'this user cannot see it',
      costs: 'it is not known whether the kernel accepts the program',
      fix: FIRST,
    };
  }
  return {
    ...base,
    state: 'missing',
    found: `the kernel refuses the program: ${code === '' ? text : code}`,
    costs: 'no wire path; `ehlowire relay` works',
    fix: REFUSED[code] ?? `report it with \`uname -a\` and this: ${text}`,
  };
}

function tool(
  { tools }: Machine,
  name: 'ip' | 'tc' | 'ethtool',
  pack: string,
  costs: string,
  needed: boolean,
): Check {
  const path = tools[name];
  if (path !== undefined) return { what: name, state: 'ok', found: path, needed };
  return { what: name, state: 'missing', found: 'not installed', costs, fix: `apt install ${pack}`, needed };
}

function lockdown({ lockdown: text }: Machine): Check {
  const base = { what: 'lockdown', needed: true };
  const mode = /\[(\w+)\]/.exec(text ?? '')?.[1] ?? 'none';
  if (mode !== 'confidentiality')
    return { ...base, state: 'ok', found: text === undefined ? 'not in this kernel' : mode };
  const costs = 'no wire path: the kernel refuses programs that read packets';
  return {
    ...base,
    state: 'missing',
    found: mode,
    costs,
    fix: 'boot with lockdown=integrity on the kernel command line',
  };
}

function iptables({ calls }: Machine): Check {
  const base = { what: 'bridge-nf', needed: false };
  if (calls.length === 0) return { ...base, state: 'ok', found: 'bridged frames do not pass iptables' };
  return {
    ...base,
    state: 'note',
    found: `on: ${calls.map((key) => key.replace(/^.*\./, '')).join(', ')}`,
    costs:
      'on your own bridge nothing can be relayed; for a bridge that `ehlowire bridge` makes, ehlowire switches it off',
    fix: `nothing to do, or if no rule needs it: sysctl ${calls.map((key) => `${key}=0`).join(' ')}`,
  };
}

function receiveOffload({ lro }: Machine): Check {
  const base = { what: 'large receive offload', needed: false };
  if (lro === undefined) {
    const costs = 'where it is on, the kernel switches it off for a port of a bridge';
    return { ...base, state: 'unknown', found: 'cannot look without ip and ethtool', costs, fix: FIRST };
  }
  if (lro.length === 0) return { ...base, state: 'ok', found: 'off on all interfaces' };
  const costs = 'the kernel switches it off on a port of a bridge';
  return {
    ...base,
    state: 'note',
    found: `on: ${lro.join(', ')}`,
    costs,
    fix: 'nothing to do: `leave` switches it on again',
  };
}

function clientsOf({ pid, clients }: Machine['relays'][number]): Check {
  const base = { what: `clients of relay ${pid}`, needed: false };
  if (clients.hidden) return { ...base, state: 'note', ...describeHidden(clients) };
  const few = clients.networks < 3 ? ', too few to tell' : '';
  return { ...base, state: 'ok', found: `${clients.connections} connections${few}` };
}

function pinned({ pinned: state }: Machine): Check {
  const base = { what: 'attached', needed: false };
  if (state === 'nothing') return { ...base, state: 'ok', found: 'nothing of ehlowire is in the kernel' };
  if (state === 'unknown') {
    const costs = 'it is not known whether ehlowire is in the kernel';
    return {
      ...base,
      state: 'unknown',
      found: 'this user cannot see it',
      costs,
      fix: 'as root: ehlowire status',
    };
  }
  const costs = '`bridge` or `host` takes it over when it starts';
  return {
    ...base,
    state: 'note',
    found: `something is pinned in ${state.pins}`,
    costs,
    fix: 'ehlowire status',
  };
}

type Capability = (typeof CAPABILITIES)[number];

/** linux/capability.h; `part`: CAP_SYS_ADMIN includes it (capabilities(7)). */
const CAPABILITIES = [
  {
    name: 'CAP_NET_ADMIN',
    bit: 12,
    needed: true,
    part: false,
    costs: 'no filter, bridge or transparent socket',
  },
  { name: 'CAP_BPF', bit: 39, needed: true, part: true, costs: 'no program can be loaded' },
  {
    name: 'CAP_PERFMON',
    bit: 38,
    needed: true,
    part: true,
    costs: 'no program can read packets by pointers',
  },
  {
    name: 'CAP_NET_RAW',
    bit: 13,
    needed: false,
    part: false,
    costs: 'no probes, no live captures, no trace',
  },
  {
    name: 'CAP_NET_BIND_SERVICE',
    bit: 10,
    needed: false,
    part: false,
    costs: 'no relay on a port below 1024',
  },
] as const;
/** CAP_SYS_ADMIN */
const ADMIN = 21;
const BPFFS = '/sys/fs/bpf';
/** Something that is listed above it is missing. */
const FIRST = 'fix what is missing first';
const REFUSED: Readonly<Record<string, string>> = {
  EPERM:
    'root in a container is not enough: run it on the machine itself, or permit bpf(2) in its seccomp profile and start it without a user namespace',
  ENOSYS:
    'use a kernel with CONFIG_BPF_SYSCALL (Debian 12 has it), or a container whose seccomp profile permits bpf(2)',
  ENOMEM: 'the kernel has no memory for the tables: see `free -m` and the limit of the unit or container',
};
