// What this machine has: asked without changing anything.

import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { release } from 'node:os';
import { join } from 'node:path';
import { readCapabilities } from '../../proxy/system/capabilities';
import { errno, isFault } from '../../proxy/system/fault';
import { KOFFI, openLibbpf } from '../../proxy/native/libbpf';
import type { ClientsSeen } from '../../inspect/policy/clients';
import type { Config } from '../../proxy/config/config';
import { readRelayStatuses } from '../../proxy/relay/status-file';
import { BPFFS, isBpffs } from '../../proxy/wire/attachment';
import { OBJECT } from '../../proxy/wire/wire';
import { NF_CALLS, nfSysctl, readLinks } from '../network/links';
import { readSysctl } from '../network/sysctl';
import { runTool } from '../network/tools';

export interface Machine {
  /** As `uname -r`. */
  readonly release: string;
  readonly user: number | undefined;
  /** By the numbers of linux/capability.h; undefined: not to be seen. */
  readonly capabilities: bigint | undefined;
  /** `absent`: there is no place for one. */
  readonly bpffs: 'mounted' | 'unmounted' | 'absent';
  readonly koffi: Part;
  readonly libbpf: Part;
  readonly libpcap: Part;
  readonly object: { readonly path: string; readonly there: boolean };
  readonly program:
    | { readonly kind: 'loads' }
    | { readonly kind: 'not-tried'; readonly why: string }
    /** `code`: the errno's name, or empty. */
    | { readonly kind: 'refused'; readonly code: string; readonly text: string };
  /** Where they are. */
  readonly tools: Readonly<Record<'ip' | 'tc' | 'ethtool', string | undefined>>;
  /** `[none] integrity confidentiality`; undefined: this kernel has none. */
  readonly lockdown: string | undefined;
  /** Sysctls by which frames of all bridges pass iptables, those that are on. */
  readonly calls: readonly string[];
  /** Interfaces whose large receive offload is on; undefined: it cannot be read. */
  readonly lro: readonly string[] | undefined;
  /** Whether something of ehlowire is pinned. */
  readonly pinned: 'nothing' | 'unknown' | { readonly pins: string };
  /** Those that run, as far as they say something of their clients. */
  readonly relays: readonly { readonly pid: number; readonly clients: ClientsSeen }[];
}

export type Part =
  | { readonly kind: 'there'; readonly text: string }
  | { readonly kind: 'missing'; readonly why: string }
  /** What it takes to look is missing itself. */
  | { readonly kind: 'unknown'; readonly why: string };

export function readMachine(config: Config): Machine {
  const { pins } = config.wire;
  return {
    release: release(),
    user: process.getuid?.(),
    capabilities: readCapabilities(),
    bpffs: bpffs(),
    koffi: koffi(),
    libbpf: libbpf(),
    libpcap: libpcap(),
    object: { path: OBJECT, there: existsSync(OBJECT) },
    program: tryProgram(),
    tools: { ip: whereIs('ip'), tc: whereIs('tc'), ethtool: whereIs('ethtool') },
    lockdown: readText('/sys/kernel/security/lockdown'),
    calls: NF_CALLS.map(nfSysctl)
      .filter((key) => (readSysctl(key) ?? '0') !== '0')
      .map((key) => key.replaceAll('/', '.')),
    lro: receiveOffloads(),
    pinned: pinned(pins),
    relays: readRelayStatuses(config).relays.flatMap(({ pid, clients }) => (clients ? { pid, clients } : [])),
  };
}

function bpffs(): Machine['bpffs'] {
  try {
    return isBpffs(BPFFS) ? 'mounted' : 'unmounted';
  } catch {
    return 'absent';
  }
}

function koffi(): Part {
  try {
    createRequire(__filename)('koffi');
    return { kind: 'there', text: 'loads' };
  } catch (error) {
    return { kind: 'missing', why: firstLine(error) };
  }
}

function libbpf(): Part {
  const lib = openLibbpf();
  if (!isFault(lib)) return { kind: 'there', text: lib.version };
  return lib.on === KOFFI ? WITHOUT_KOFFI : { kind: 'missing', why: firstLine(lib.cause) };
}

function libpcap(): Part {
  let load: (name: string) => unknown;
  try {
    load = (createRequire(__filename)('koffi') as { load(name: string): unknown }).load;
  } catch {
    return WITHOUT_KOFFI;
  }
  try {
    load(LIBPCAP);
    return { kind: 'there', text: LIBPCAP };
  } catch (error) {
    return { kind: 'missing', why: firstLine(error) };
  }
}

/** Loads the program with a ring of one page, the smallest, pins nothing, and lets go of it. */
function tryProgram(): Machine['program'] {
  const bpf = openLibbpf();
  if (isFault(bpf))
    return { kind: 'not-tried', why: `cannot try without ${bpf.on === KOFFI ? KOFFI : 'libbpf'}` };
  if (!existsSync(OBJECT)) return { kind: 'not-tried', why: 'cannot try without the compiled program' };
  const object = bpf.load({ object: OBJECT, sizes: { ring: 1 } });
  if (isFault(object)) return { kind: 'refused', code: errno(object.cause), text: firstLine(object.cause) };
  object.close();
  return { kind: 'loads' };
}

function whereIs(name: string): string | undefined {
  return PATHS.map((folder) => join(folder, name)).find(isProgram);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function receiveOffloads(): readonly string[] | undefined {
  const links = readLinks();
  if (isFault(links)) return undefined;
  const on: string[] = [];
  for (const { name } of links.filter(({ type }) => type === 'ether')) {
    const answer = runTool('ethtool', ['-k', name]);
    if (isFault(answer)) {
      if (answer.code === 'tool-missing') return undefined;
    } else if (/^large-receive-offload: on/m.test(answer)) on.push(name);
  }
  return on;
}

function pinned(pins: string): Machine['pinned'] {
  if (existsSync(pins)) return { pins };
  try {
    accessSync(BPFFS, constants.X_OK);
    return 'nothing';
  } catch {
    // A bpffs is root's own, and of what lies in it others see nothing.
    return existsSync(BPFFS) ? 'unknown' : 'nothing';
  }
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

const LIBPCAP = 'libpcap.so.0.8';
const WITHOUT_KOFFI: Part = { kind: 'unknown', why: 'cannot look without koffi' };
const PATHS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];
