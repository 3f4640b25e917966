// What can go wrong outside of this program, as values: a closed catalogue, one line and an exit code for each.

/** Every failure that an operator can meet. Tests and callers match on these, never on texts. */
export type FaultCode = keyof typeof CATALOGUE;

export interface Fault {
  readonly kind: 'fault';
  readonly code: FaultCode;
  /** What failed. */
  readonly what: string;
  /** On what: an address, a file, a key. */
  readonly on: string;
  /** What to do about it. */
  readonly fix: string;
  readonly cause?: unknown;
}

/** How a command ends: an exit code, or what went wrong, which has its own. */
export type Outcome = number | Fault | readonly Fault[];

interface Entry {
  readonly what: string;
  readonly fix: string;
  readonly exit: 1 | 2;
}

/** Texts may be sharpened where the caller knows more; the code stays. */
export function createFault(
  code: FaultCode,
  on: string,
  more: { readonly what?: string; readonly fix?: string; readonly cause?: unknown } = {},
): Fault {
  const { what, fix }: Entry = CATALOGUE[code];
  return { kind: 'fault', code, what, on, fix, ...more };
}

export function isFault(value: unknown): value is Fault {
  return typeof value === 'object' && value !== null && (value as { kind?: unknown }).kind === 'fault';
}

export function isFaults(value: unknown): value is readonly Fault[] {
  return Array.isArray(value) && value.every(isFault);
}

/** `<what failed>: <on what>: <what to do>`, one line whatever the parts hold. */
export function formatFault({ what, on, fix }: Fault): string {
  return [what, on, fix].map(oneLine).join(': ');
}

/** 1 failed, 2 wrong usage or configuration. */
export function exitCode(fault: Fault): number {
  return CATALOGUE[fault.code].exit;
}

/** The errno name of a node error (`EADDRINUSE`), or an empty text. */
export function errno(error: unknown): string {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' ? code : '';
}

/** Why a listener could not be opened on an address. */
export function listenFault(on: string, error: unknown): Fault {
  return createFault(LISTEN[errno(error)] ?? 'listen-failed', on, withErrno(error));
}

/** Why no connection to an address came about. */
export function connectFault(on: string, error: unknown): Fault {
  return createFault(CONNECT[errno(error)] ?? 'connect-failed', on, withErrno(error));
}

const LISTEN: Readonly<Record<string, FaultCode>> = {
  EADDRINUSE: 'port-in-use',
  EACCES: 'port-forbidden',
  EPERM: 'port-forbidden',
  EADDRNOTAVAIL: 'address-unavailable',
  EAFNOSUPPORT: 'address-unavailable',
  EINVAL: 'address-unavailable',
  ENOTFOUND: 'name-unknown',
  EAI_AGAIN: 'name-unresolved',
};

const CONNECT: Readonly<Record<string, FaultCode>> = {
  ECONNREFUSED: 'refused',
  ETIMEDOUT: 'timed-out',
  EHOSTUNREACH: 'unreachable',
  ENETUNREACH: 'unreachable',
  EADDRNOTAVAIL: 'unreachable',
  ENOTFOUND: 'name-unknown',
  EAI_AGAIN: 'name-unresolved',
  EAI_NODATA: 'name-unknown',
  EAI_NONAME: 'name-unknown',
  ECONNRESET: 'closed-early',
  EPIPE: 'closed-early',
};

const CATALOGUE = {
  'bad-flag': { exit: 2, what: 'wrong usage', fix: 'see --help' },
  'bad-config': { exit: 2, what: 'bad configuration', fix: 'see CONFIG.md' },
  'bad-address': { exit: 2, what: 'bad address', fix: 'write HOST:PORT, [IPV6]:PORT or :PORT' },
  'file-unreadable': { exit: 2, what: 'cannot read file', fix: 'check that it exists and may be read' },
  'maillog-unknown': {
    exit: 1,
    what: 'no line of the mail log was understood',
    fix: 'logs of Postfix, Exim and sendmail are read: as files, from syslog, the journal and containers',
  },
  'log-unknown': {
    exit: 2,
    what: 'not a log of ehlowire',
    fix: 'name one in JSON lines: log.file, --log, or --json',
  },
  'capture-empty': { exit: 1, what: 'empty capture', fix: 'it has not one octet: capture again' },
  'capture-unknown': { exit: 2, what: 'not a capture', fix: 'name a pcap or pcapng file' },
  'capture-cut': {
    exit: 1,
    what: 'capture cut short',
    fix: 'its last packet is incomplete; the packets before it were used',
  },
  'capture-damaged': { exit: 1, what: 'capture damaged', fix: 'what came before was used' },
  'link-unknown': {
    exit: 1,
    what: 'link type not known',
    fix: 'those frames were left out: capture on an Ethernet interface, or on "any"',
  },
  'capture-forbidden': {
    exit: 1,
    what: 'no permission to capture',
    fix: 'run it as root, or give it CAP_NET_RAW: setcap cap_net_raw=+ep "$(readlink -f "$(which node)")"',
  },
  'interface-unknown': { exit: 1, what: 'no such interface', fix: 'see `ip link`' },
  'probe-refused': { exit: 1, what: 'cannot send a probe', fix: 'see `ehlowire doctor`' },
  'raw-forbidden': {
    exit: 1,
    what: 'no permission to send packets with a TTL',
    fix: 'run it as root, or give it CAP_NET_RAW: setcap cap_net_raw=+ep "$(readlink -f "$(which node)")"',
  },
  'packet-refused': { exit: 1, what: 'cannot send a packet', fix: 'see the rules of the local firewall' },
  'capture-failed': { exit: 1, what: 'cannot capture', fix: 'the system refused it' },
  'library-missing': { exit: 1, what: 'library missing', fix: 'install it' },
  'file-not-json': { exit: 2, what: 'not valid JSON', fix: 'correct the syntax' },
  'file-damaged': { exit: 1, what: 'cannot use file', fix: 'look at what it is, and name another one' },
  'file-unwritable': {
    exit: 1,
    what: 'cannot write file',
    fix: 'check that the folder exists and may be written',
  },
  'servers-unread': {
    exit: 1,
    what: 'cannot read what was learned of servers',
    fix: 'it is learned again',
  },
  'port-in-use': {
    exit: 1,
    what: 'port in use',
    fix: 'another program listens there: find it with `ss -ltnp`, stop it or choose another port',
  },
  'port-forbidden': {
    exit: 1,
    what: 'no permission for the port',
    fix: 'use a port above 1023, or allow it: setcap cap_net_bind_service=+ep "$(readlink -f "$(which node)")"',
  },
  'address-unavailable': {
    exit: 1,
    what: 'address not available',
    fix: 'no interface of this machine has it: see `ip address`',
  },
  'listen-failed': { exit: 1, what: 'cannot listen', fix: 'the system refused it' },
  'worker-ended': { exit: 1, what: 'a worker process ended', fix: 'see what it wrote to standard error' },
  'name-unknown': {
    exit: 1,
    what: 'no such host',
    fix: 'check the spelling and /etc/hosts, or give an IP address',
  },
  'name-unresolved': {
    exit: 1,
    what: 'cannot resolve host',
    fix: 'the name server did not answer: check /etc/resolv.conf, or give an IP address',
  },
  refused: {
    exit: 1,
    what: 'connection refused',
    fix: 'nothing listens there: is the mail server running?',
  },
  'timed-out': {
    exit: 1,
    what: 'timed out',
    fix: 'no answer: a firewall may drop the packets, or the host is down',
  },
  unreachable: { exit: 1, what: 'unreachable', fix: 'no route to it: see `ip route get`' },
  'closed-early': {
    exit: 1,
    what: 'connection closed early',
    fix: "see the server's own log for the reason",
  },
  'connect-failed': { exit: 1, what: 'cannot connect', fix: 'the system refused it' },
  'upstream-is-relay': {
    exit: 2,
    what: 'upstream is the relay itself',
    fix: "it would call itself: give the mail server's own address, and the relay another port",
  },
  'transparent-forbidden': {
    exit: 1,
    what: 'no permission for transparent sockets',
    fix: 'run it as root, or allow it: setcap cap_net_admin,cap_net_bind_service=+ep "$(readlink -f "$(which node)")"',
  },
  'log-unwritable': {
    exit: 1,
    what: 'cannot write log',
    fix: 'check that the directory exists and may be written',
  },
  'evidence-unwritable': {
    exit: 1,
    what: 'cannot write evidence',
    fix: 'check that the folder exists and may be written',
  },
  'log-closed': {
    exit: 1,
    what: 'log closed',
    fix: 'the reader of standard output went away, and nothing is recorded any more: use --log FILE',
  },
  'wire-refused': { exit: 1, what: 'the wire path cannot run', fix: 'see `ehlowire doctor`' },
  'tool-missing': { exit: 1, what: 'tool missing', fix: 'see `ehlowire doctor`' },
  'network-refused': { exit: 1, what: 'cannot change the network', fix: 'see `ehlowire doctor`' },
  'bridge-conflict': { exit: 2, what: 'no bridge can be made', fix: 'see `ip -d link`' },
  'mtu-differs': { exit: 2, what: 'the ports differ in MTU', fix: 'give both the same' },
  'no-way-to-relay': { exit: 2, what: 'nothing can be relayed here', fix: 'use --path wire' },
  'rule-needs-relay': {
    exit: 2,
    what: 'a rule needs the relay',
    fix: 'on the wire nothing is held or changed: use --path auto or relay, or set it to observe, or leave it out',
  },
  'already-attached': { exit: 1, what: 'already attached', fix: '`ehlowire leave` first' },
  'already-running': { exit: 1, what: 'already running', fix: 'see `ehlowire status`' },
  'other-namespace': {
    exit: 1,
    what: 'the journal tells of another network namespace',
    fix: 'run it in that one, or name another journal: --set deploy.journal=FILE',
  },
  'journal-damaged': {
    exit: 1,
    what: 'cannot read the journal',
    fix: 'it tells what to undo: look at it, undo by hand (runbook, "By hand"), then remove it',
  },
  'leave-refused': {
    exit: 1,
    what: 'not left, and nothing was changed',
    fix: 'see `ehlowire status`',
  },
  'journal-unwritable': { exit: 1, what: 'cannot write the journal', fix: 'without it nothing is changed' },
} as const satisfies Readonly<Record<string, Entry>>;

/** An errno that the catalogue does not know is at least named. */
function withErrno(error: unknown): { what?: string; fix?: string; cause: unknown } {
  const code = errno(error);
  if (code === '' || code in LISTEN || code in CONNECT) return { cause: error };
  return { fix: `the system said ${code}`, cause: error };
}

function oneLine(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ').trim();
}
