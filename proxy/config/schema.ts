// The configuration's keys: default, format and documentation of each; CONFIG.md is generated from here.

import { FORMATS, MINUTE, SECOND, type Setting } from './formats';
import { POLICY_SETTINGS } from './policy-schema';
import { REPAIRS } from './servers';
import { TIMEOUTS } from './timeouts';
import { WIRE } from './wire';

const FORMATS_OF_LOG = ['auto', 'json', 'pretty'] as const;
const WATCHES = ['auto', 'off'] as const;
export const LEVELS = ['debug', 'info', 'warn', 'error'] as const;

export const ADDRESSES = ['full', 'domain', 'hash', 'none'] as const;

export const SETTINGS: readonly Setting[] = [
  {
    key: 'log.file',
    format: 'file',
    default: null,
    shown: 'standard output',
    doc:
      'Where the event log goes. Opened for appending; SIGHUP opens it anew, for logrotate. Flag `--log`. One ' +
      'connection may write 200 lines, 20 of them of commands that bring no message nearer, connections without a greeting 50 a second, refusals 10; `omitted` counts the rest.',
  },
  {
    key: 'log.format',
    format: FORMATS_OF_LOG,
    default: 'auto',
    doc: 'JSON lines, or aligned text for a person. `auto`: text on a terminal, else JSON. Flag `--json`.',
  },
  {
    key: 'log.level',
    format: LEVELS,
    default: 'info',
    doc:
      'The least level that is written. Phases, sessions and notes are `info`; repairs, anomalies, refusals ' +
      'and upstream trouble `warn`; losses and failures `error`.',
  },
  {
    key: 'log.addresses',
    format: ADDRESSES,
    default: 'full',
    doc:
      'How the addresses of MAIL and RCPT are written, in the log, on a terminal, in ladders and in evidence. `full`: ' +
      'as they are. `domain`: `<*@example.com>`. `hash`: `<#3f9a1c2b7d05>`, the same for one address as long as the ' +
      'process runs; its key is random and never stored, so that a reader of the log cannot test a list of addresses. ' +
      '`none`: `<*>`. Where it is not `full`, texts of replies keep only words that cannot be a name, and evidence is cut ' +
      'behind the verb. `analyze` obeys it too.',
  },
  {
    key: 'greeting.repair',
    format: REPAIRS,
    default: 'learn',
    doc:
      'What to do with a greeting that stalls clients. `learn`: a client that waits has it completed after ' +
      '`greeting.patience`; all clients at once as soon as ehlowire has connected to the server itself and seen ' +
      'the same. It looks again every ten minutes, and an honest last line ends the repair. Where it cannot ' +
      'connect, clients of three networks must show the same. `now`: at once, for a server known to be broken; ' +
      'never in front of postscreen, whose honest `220-` is followed by the rest. `never`: only report. Flag `--repair`.',
  },
  {
    key: 'greeting.servers',
    format: 'servers',
    default: [],
    doc:
      'What `greeting.repair` is for single servers: a list of `{"server": ADDR:PORT, "repair": WORD}`, with the IP ' +
      'address and port as the log writes them. It outranks `--repair` and what a listener says, on the relay and on ' +
      'the wire, and what was learned: `now` for one whose clients wait though ehlowire itself is greeted well, ' +
      '`never` for one that is to be left alone, `learn` where all others have another word.',
  },
  {
    key: 'greeting.patience',
    format: 'duration',
    default: 20 * SECOND,
    shown: '"20s"',
    doc:
      'How long a greeting of an unknown server may lack its last line before ehlowire completes it. postscreen ' +
      'waits 6 s by default and 15 to 20 s have been seen; less makes good clients early talkers. `ehlowire check` and the ' +
      'connections by which ehlowire verifies a server wait as long.',
  },
  {
    key: 'greeting.hostname',
    format: 'host',
    default: null,
    shown: "this machine's name",
    doc: "The name in a completing line where the server's own greeting has none, and in `ehlowire check`'s EHLO.",
  },
  {
    key: 'servers.file',
    format: 'file',
    default: null,
    shown:
      "servers.json beside `deploy.journal`; of other users than root in a service's state directory or ~/.local/state",
    doc: 'The file that keeps what is learned of servers. Processes with the same file share it. `off`: none is kept.',
  },
  {
    key: 'evidence.watch',
    format: WATCHES,
    default: 'auto',
    doc:
      "Whether the relay also looks at its connections' segments, to prove what the path did to them. `auto`: " +
      'where libpcap is there and we may capture (root or CAP_NET_RAW); else a note says what stays unseen.',
  },
  {
    key: 'evidence.interface',
    format: 'interface',
    default: 'any',
    doc:
      'The interface to watch. On a machine that bridges, name the one that clients come in by: `any` sees a ' +
      'frame twice there. Transparent connections are watched only on a named one, which no server is behind.',
  },
  {
    key: 'evidence.probe',
    format: WATCHES,
    default: 'auto',
    doc: 'Whether the kernel asks watched peers that are silent where they are (TCP keep-alive). Costs one empty segment each way.',
  },
  {
    key: 'evidence.probeAfter',
    format: 'duration',
    default: 3 * SECOND,
    shown: '"3s"',
    doc:
      "After how much silence the relay's kernel asks, in whole seconds, and then every 10 s: the answer proves what was " +
      'dropped. The wire path asks 3 s, 10 s and 30 s after the greeting.',
  },
  {
    key: 'evidence.folder',
    format: 'file',
    default: null,
    shown: 'none; as a service `/var/lib/ehlowire/evidence` (relay: `/var/lib/ehlowire-relay/evidence`)',
    doc:
      'Where `relay`, `bridge` and `host` write a capture and a page for each connection with a verdict, as `analyze ' +
      '--evidence` does: headers and dialogue, no message, no credentials; `off`: none. Flag `--evidence`. Of each verdict 20 at once and ' +
      'then one each 10 s; the oldest of the most frequent verdict goes first. The relay needs `evidence.watch`.',
  },
  {
    key: 'evidence.connections',
    format: 'count',
    default: 500,
    doc: 'Connections that the folder holds at the most, each with its two files.',
  },
  {
    key: 'evidence.mebibytes',
    format: 'count',
    default: 64,
    doc: 'What all files in the folder take together at the most, in MiB.',
  },
  {
    key: 'relay.listeners',
    format: 'listeners',
    default: [],
    doc:
      'What to relay: a list of `{"listen": ADDR:PORT, "upstream": HOST:PORT}`, each with an optional ' +
      '`"proxyProtocol"` (`in`, `out-v1`, `out-v2`, or `in` and one of the others with a comma) and an optional ' +
      'own `"repair"`. `"tls": "implicit"` says that its connections are TLS from the first octet on, as at ' +
      'port 465; otherwise (`"auto"`) their first octets tell. With `"transparent": true` in place of the upstream it takes connections that the ' +
      'kernel diverts to it, whatever server they are addressed to, and calls that server with the ' +
      "client's own address. Flags `--listen` and `--upstream` in pairs, or `--listen` and `--transparent`, " +
      'replace the list.',
  },
  {
    key: 'relay.trustedProxies',
    format: 'networks',
    default: [],
    doc:
      'Addresses or networks (CIDR) that may send a PROXY header to a listener with `proxyProtocol` `in`; ' +
      'every other client of such a listener is refused.',
  },
  {
    key: 'relay.workers',
    format: 'workers',
    default: null,
    shown: 'one for each processor, up to 4',
    doc:
      'Processes that take the connections of all listeners; they share the log, all limits and what is learned of servers. ' +
      '1: the process itself. A relay with a transparent listener, and that of `bridge`, is one process.',
  },
  {
    key: 'relay.maxConnections',
    format: 'count',
    default: 8_192,
    doc: 'Connections at a time, over all listeners. A further client gets 421, where none gives way (`policy.limits.busyWait`).',
  },
  {
    key: 'relay.drain',
    format: 'duration',
    default: MINUTE,
    shown: '"1min"',
    doc: 'After SIGTERM, how long the connections that are open may still take. A second SIGTERM ends them at once.',
  },
  {
    key: 'relay.mark',
    format: 'mark',
    default: 0,
    shown: '0, none',
    doc:
      'Firewall mark (SO_MARK) of all packets that transparent listeners and their connections send, so that ' +
      'rules can tell them from those to be diverted. A text may be hexadecimal.',
  },
  {
    key: 'relay.state',
    format: 'file',
    default: null,
    shown: '/run/ehlowire; of other users than root, a folder of their own',
    doc: 'The folder in which a relay that runs tells `ehlowire status` what it does, in its own file.',
  },
  ...TIMEOUTS,
  ...POLICY_SETTINGS,
  ...WIRE,
  {
    key: 'deploy.bridge',
    format: 'interface',
    default: 'ehlowire0',
    doc: 'The name of the bridge that `ehlowire bridge` makes where none joins the two interfaces yet.',
  },
  {
    key: 'deploy.journal',
    format: 'file',
    default: '/var/lib/ehlowire/journal.json',
    doc:
      'Where every change to the network is written down before it is made, for `ehlowire leave` to undo. The file ' +
      'that names the running process lies beside it. All commands must be given the same one.',
  },
  {
    key: 'deploy.mark',
    format: 'mark',
    default: 0x4548_0000,
    shown: '0x45480000',
    doc:
      'Firewall mark of the frames that the bridge hands to the relay, on this machine only. No other program may use it, ' +
      "and it must differ from `relay.mark`; the relay's own sockets have the number before it where `relay.mark` is 0. " +
      '0: nothing is handed to a relay.',
  },
  {
    key: 'deploy.table',
    format: 'table',
    default: 4548,
    doc: 'The routing table that delivers those frames to this machine. It must be empty.',
  },
  {
    key: 'deploy.priority',
    format: 'count',
    default: 100,
    doc: 'Where the rule for that mark stands among the rules of `ip rule`.',
  },
];

/** `relay.maxConnections` → `EHLOWIRE_RELAY_MAX_CONNECTIONS`. */
export function envName(key: string): string {
  return `${ENV_PREFIX}${key.replace(/[A-Z]/g, '_$&').replaceAll('.', '_').toUpperCase()}`;
}

export const ENV_PREFIX = 'EHLOWIRE_';

/** What a key takes, in words. */
export function allowed({ format }: Setting): string {
  return typeof format === 'string' ? FORMATS[format].takes : format.map((word) => `"${word}"`).join(', ');
}

/** The schema in convict's own shape. */
export function convictSchema(): Record<string, unknown> {
  const root: Record<string, unknown> = {};
  for (const setting of SETTINGS) {
    const names = setting.key.split('.');
    const last = names.pop() ?? '';
    let node = root;
    for (const name of names) node = (node[name] ??= {}) as Record<string, unknown>;
    node[last] = { ...setting, env: envName(setting.key), nullable: setting.default === null };
  }
  return root;
}
