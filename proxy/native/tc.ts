// The structs of libbpf and the kernel for programs at tc, as octets in host order.

/** Where an interface's frames meet programs. */
export interface TcHook {
  readonly device: number;
  readonly hook: 'ingress' | 'egress';
}

/** One tc filter of the clsact qdisc. */
export interface TcFilter extends TcHook {
  readonly priority: number;
}

/** `struct bpf_link_create_opts`, its flags only. */
export function linkOpts(): Buffer {
  const opts = Buffer.alloc(16);
  opts.writeBigUInt64LE(16n, 0);
  opts.writeUInt32LE(BEFORE, 8);
  return opts;
}

/** `struct bpf_tc_hook`. */
export function hookOf(device: number, point: keyof typeof POINTS): Buffer {
  const hook = Buffer.alloc(24);
  hook.writeBigUInt64LE(24n, 0);
  hook.writeInt32LE(device, 8);
  hook.writeUInt32LE(POINTS[point], 12);
  return hook;
}

/** `struct bpf_tc_opts`: of a filter of ours that is queried or attached. */
export function optsOf({ priority }: TcFilter, program = 0, replace = false): Buffer {
  const opts = Buffer.alloc(32);
  opts.writeBigUInt64LE(32n, 0);
  opts.writeInt32LE(program, 8);
  opts.writeUInt32LE(replace ? REPLACE : 0, 12);
  opts.writeUInt32LE(HANDLE, 20);
  opts.writeUInt32LE(priority, 24);
  return opts;
}

/** What a query wrote into `struct bpf_tc_opts`. */
export function programOf(opts: Buffer): number {
  return opts.readUInt32LE(TC_PROG_ID);
}

/** Of `struct bpf_link_info`: its interface's index, 0 where that is gone; undefined: it is no link of tcx. */
export function deviceOfLink(info: Buffer): number | undefined {
  return info.readUInt32LE(0) === LINK_TCX ? info.readUInt32LE(LINK_DEVICE) : undefined;
}

/** `enum bpf_attach_type`. */
export const TCX = { ingress: 46, egress: 47 } as const;
/** BPF_F_BEFORE, and before none in particular: before all. */
const BEFORE = 1 << 3;
/** `enum bpf_link_type`, and `tcx.ifindex` in `struct bpf_link_info`. */
const LINK_TCX = 11;
const LINK_DEVICE = 16;
/** `enum bpf_tc_attach_point`. */
const POINTS = { ingress: 1, egress: 2, both: 3 } as const;
const REPLACE = 1;
const TC_PROG_ID = 16;
/** Of our filter among those of its priority. */
const HANDLE = 1;
