// What the kernel or its library refused, as a fault with what to do.

import { createFault, type Fault } from '../system/fault';
import type { BpfTrouble } from '../native/libbpf';

/** Faults: `library-missing`, `wire-refused`. */
export function faultOf({ kind, what, text, code }: BpfTrouble): Fault {
  if (kind === 'no-koffi') return createFault('library-missing', 'koffi', { fix: 'npm install koffi' });
  if (kind === 'no-libbpf') {
    return createFault('library-missing', 'libbpf.so.1', { fix: 'apt install libbpf1' });
  }
  return createFault('wire-refused', what, { fix: code === 'EPERM' ? RIGHTS : text });
}

export const RIGHTS = 'it needs root, or CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON';
