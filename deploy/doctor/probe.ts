// What this machine has, one finding each: asked without changing anything.

import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { release } from 'node:os';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { BPFFS, isBpffs } from '../../proxy/wire/bpffs';
import { isTrouble, openLibbpf } from '../../proxy/native/libbpf';
import { OBJECT } from '../../proxy/wire/object';
import { runTool } from '../network/tools';
import { readLinks, NF_CALLS, nfSysctl } from '../network/links';
import { readSysctl } from '../network/sysctl';
import { isFault } from '../../proxy/fault';

export interface Finding {
  /** What was looked at. */
  readonly what: string;
  /** `unknown`: it could not be seen from here. */
  readonly state: 'ok' | 'missing' | 'unknown' | 'note';
  /** What was found. */
  readonly found: string;
  /** What it costs, where it is not ok. */
  readonly costs?: string;
  readonly mend?: string;
  /** The wire path needs it. */
  readonly needed: boolean;
}

export function examine(pins: string): readonly Finding[] {
  return [
    kernel(),
    ...capabilities(),
    bpffs(),
    koffi(),
    libbpf(),
    object(),
    libpcap(),
    tool('ip', 'iproute2', 'nothing can be attached, bridged or undone', true),
    tool('tc', 'iproute2', 'filters cannot be seen or taken away', true),
    tool('ethtool', 'ethtool', 'large receive offload is not given back after `leave`', false),
    lockdown(),
    iptables(),
    receiveOffload(),
    pinned(pins),
  ];
}

function kernel(): Finding {
  const [major = 0, minor = 0] = release().split('.').map(Number);
  const fine = major > 5 || (major === 5 && minor >= 17);
  const base = { what: 'kernel', found: release(), needed: true };
  if (fine) return { ...base, state: 'ok' };
  return {
    ...base,
    state: 'missing',
    costs: 'no wire path: bpf_loop came with 5.17',
    mend: 'Debian 12 (6.1) or newer',
  };
}

function capabilities(): readonly Finding[] {
  const effective = capabilityBits();
  if (effective === undefined) {
    return [{ what: 'capabilities', state: 'unknown', found: 'no /proc/self/status', needed: true }];
  }
  return CAPABILITIES.map(({ name, bit, costs, needed }): Finding => {
    const has = ((effective >> BigInt(bit)) & 1n) === 1n;
    if (has) return { what: name, state: 'ok', found: 'we have it', needed };
    return {
      what: name,
      state: 'missing',
      found: 'not for this user',
      costs,
      mend: 'run as root, or by the systemd unit',
      needed,
    };
  });
}

function capabilityBits(): bigint | undefined {
  try {
    const [, hex] = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
    return hex === undefined ? undefined : BigInt(`0x${hex}`);
  } catch {
    return undefined;
  }
}

function bpffs(): Finding {
  const base = { what: 'bpffs', needed: true };
  try {
    if (isBpffs(BPFFS)) return { ...base, state: 'ok', found: `at ${BPFFS}` };
    return {
      ...base,
      state: 'note',
      found: `not mounted at ${BPFFS}`,
      costs: 'with CAP_SYS_ADMIN it is mounted when needed',
      mend: `mount -t bpf bpf ${BPFFS}`,
      needed: false,
    };
  } catch {
    return {
      ...base,
      state: 'missing',
      found: `no ${BPFFS}`,
      costs: 'the program cannot outlive its process: no wire path',
      mend: 'a kernel with CONFIG_BPF_SYSCALL, and sysfs',
    };
  }
}

function koffi(): Finding {
  const base = { what: 'koffi', needed: true };
  try {
    createRequire(__filename)('koffi');
    return { ...base, state: 'ok', found: 'loads' };
  } catch (error) {
    const costs = 'no wire path, no live evidence, no transparent relay; `relay` with --upstream goes on';
    return { ...base, state: 'missing', found: firstLine(error), costs, mend: 'npm install koffi' };
  }
}

function libbpf(): Finding {
  const base = { what: 'libbpf', needed: true };
  const lib = openLibbpf();
  if (!isTrouble(lib)) return { ...base, state: 'ok', found: lib.version };
  if (lib.kind === 'no-koffi') return { ...base, state: 'unknown', found: 'cannot look without koffi' };
  return {
    ...base,
    state: 'missing',
    found: firstLine(lib.text),
    costs: 'no wire path; `relay` goes on',
    mend: 'apt install libbpf1',
  };
}

function object(): Finding {
  const base = { what: 'the compiled program', needed: true };
  if (existsSync(OBJECT)) return { ...base, state: 'ok', found: OBJECT };
  return {
    ...base,
    state: 'missing',
    found: `no ${OBJECT}`,
    costs: 'no wire path',
    mend: 'npm run build (needs clang and libbpf-dev), or the package',
  };
}

function libpcap(): Finding {
  const base = { what: 'libpcap', needed: false };
  let load: (name: string) => unknown;
  try {
    load = (createRequire(__filename)('koffi') as { load(name: string): unknown }).load;
  } catch {
    return { ...base, state: 'unknown', found: 'cannot look without koffi' };
  }
  try {
    load('libpcap.so.0.8');
    return { ...base, state: 'ok', found: 'libpcap.so.0.8' };
  } catch (error) {
    const costs = 'no `analyze --live`, no probes, and the relay does not see its segments';
    return { ...base, state: 'missing', found: firstLine(error), costs, mend: 'apt install libpcap0.8' };
  }
}

function tool(name: string, pack: string, costs: string, needed: boolean): Finding {
  const found = PATHS.map((folder) => join(folder, name)).find(isProgram);
  if (found !== undefined) return { what: name, state: 'ok', found, needed };
  return { what: name, state: 'missing', found: 'not installed', costs, mend: `apt install ${pack}`, needed };
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function lockdown(): Finding {
  const base = { what: 'lockdown', needed: true };
  const text = readText('/sys/kernel/security/lockdown');
  const mode = /\[(\w+)\]/.exec(text ?? '')?.[1] ?? 'none';
  if (mode !== 'confidentiality')
    return { ...base, state: 'ok', found: text === undefined ? 'not seen' : mode };
  return {
    ...base,
    state: 'missing',
    found: mode,
    costs: 'the kernel refuses programs that read packets',
    mend: 'boot with lockdown=integrity',
  };
}

function iptables(): Finding {
  const on = NF_CALLS.map(nfSysctl).filter((key) => (readSysctl(key) ?? '0') !== '0');
  const base = { what: 'bridge-nf', needed: false };
  if (on.length === 0) return { ...base, state: 'ok', found: 'bridged frames do not pass iptables' };
  const costs =
    'on a bridge that is there, nothing can be relayed; `bridge` switches it off for a bridge that it makes';
  return {
    ...base,
    state: 'note',
    found: `on (${on.map((key) => key.split('/').at(-1)).join(', ')})`,
    costs,
    mend: 'if no rule needs it: sysctl net.bridge.bridge-nf-call-iptables=0',
  };
}

function receiveOffload(): Finding {
  const base = { what: 'large receive offload', needed: false };
  const links = readLinks();
  if (isFault(links)) return { ...base, state: 'unknown', found: 'ip is missing' };
  const on = links
    .filter(({ type }) => type === 'ether')
    .filter(({ name }) => {
      const answer = runTool('ethtool', ['-k', name]);
      return !isFault(answer) && /^large-receive-offload: on/m.test(answer);
    });
  if (on.length === 0) return { ...base, state: 'ok', found: 'off on all interfaces' };
  const names = on.map(({ name }) => name).join(', ');
  return {
    ...base,
    state: 'note',
    found: `on: ${names}`,
    costs: 'the kernel switches it off on a port of a bridge; `leave` switches it on again',
  };
}

function pinned(pins: string): Finding {
  const there = existsSync(pins);
  return {
    what: 'pins',
    state: 'ok',
    found: there ? `something is pinned in ${pins}: see \`ehlowire status\`` : 'nothing is pinned',
    needed: false,
  };
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function firstLine(error: unknown): string {
  return String(error instanceof Error ? error.message : error).split('\n')[0] ?? '';
}

const PATHS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];
/** linux/capability.h */
const CAPABILITIES = [
  { name: 'CAP_NET_ADMIN', bit: 12, needed: true, costs: 'no filter, bridge or transparent socket' },
  { name: 'CAP_BPF', bit: 39, needed: true, costs: 'no program can be loaded' },
  {
    name: 'CAP_PERFMON',
    bit: 38,
    needed: true,
    costs: 'the program reads packets by pointers, which the verifier refuses without',
  },
  { name: 'CAP_NET_RAW', bit: 13, needed: false, costs: 'no probes, no live captures' },
  { name: 'CAP_SYS_ADMIN', bit: 21, needed: false, costs: 'a bpffs that is not there cannot be mounted' },
  { name: 'CAP_NET_BIND_SERVICE', bit: 10, needed: false, costs: 'the relay cannot listen below port 1024' },
] as const;
