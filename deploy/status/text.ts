// The status as text and as one JSON object.

import { createColors } from 'picocolors';
import { isFault } from '../../proxy/system/fault';
import { ABI } from '../../proxy/wire/abi';
import { describeAttachment } from '../attach/attach';
import type { Attachment } from '../journal/change';
import type { ControlProcess } from '../journal/control-process';
import type { RelayStatuses } from '../../proxy/relay/status-file';
import { changesOf, commandOf, howToRestart } from './problems';
import { linesOfRelays } from './relays';
import { printable } from '../../proxy/sinks/wording';
import { linesOfRules } from './rules';
import { learnedLines } from './servers';
import type { Attached, Status } from './status';
import type { WireState } from './wire-state';

type Colors = ReturnType<typeof createColors>;
type OtherNamespace = Extract<Status, { kind: 'other-namespace' }>;

/** Attached without problems, readable, with its process; or never attached, and a relay runs. */
export function isWell(status: Status, { relays }: RelayStatuses = NO_RELAYS): boolean {
  if (status.kind === 'detached')
    return relays.length > 0 && status.before === undefined && status.running === undefined;
  return isHealthy(status) && status.running !== undefined && status.wire.kind === 'state';
}

function isHealthy(status: Status): status is Attached {
  return status.kind === 'attached' && status.problems.length === 0;
}

/** The same keys for every status; what is not known is null. */
export function toObject(status: Status, { relays }: RelayStatuses = NO_RELAYS): Record<string, unknown> {
  const journal = status.kind === 'detached' ? undefined : status.journal;
  const here = status.kind === 'attached' ? status : undefined;
  const there = status.kind === 'other-namespace' ? status : here;
  const wire = there?.wire.kind === 'state' ? there.wire : undefined;
  return {
    attached: there !== undefined,
    healthy: isHealthy(status),
    lost_at_restart: status.kind === 'detached' && status.before !== undefined,
    attached_to: journal?.place ?? null,
    since: journal?.since ?? null,
    pins: journal?.pins ?? null,
    process: there?.running ?? (status.kind === 'detached' ? status.running : undefined) ?? null,
    problems: status.kind === 'other-namespace' ? [elsewhere(status)] : (here?.problems ?? []),
    relays: here?.relays ?? false,
    not_relayed: here?.notRelayed ?? [],
    rules_on_relay: here?.rules ?? [],
    attachments: (journal === undefined ? [] : changesOf(journal)).flatMap((change) =>
      change.kind === 'filter'
        ? [
            {
              device: change.device,
              hook: change.hook,
              by: change.by ?? null,
              priority: change.by === 'tcx' ? null : (change.priority ?? null),
            },
          ]
        : [],
    ),
    abi: wire?.abi ?? null,
    unread: (there && whyUnread(there)) ?? null,
    counters: wire === undefined ? null : namedCounters(wire),
    servers: wire?.servers ?? null,
    servers_not_held: wire?.unheld ?? null,
    learned: wire?.learned.servers ?? null,
    suspects: wire?.learned.suspects ?? null,
    learned_unread: wire?.unlearned ?? null,
    relay_processes: relays,
  };
}

/** First the state, then what to do, then the rest. */
export function toText(status: Status, color: boolean, states: RelayStatuses = NO_RELAYS): string {
  const colors = createColors(color);
  const lines = linesOf(status, colors);
  const relays = linesOfRelays(states);
  // Where only a relay runs, it comes first.
  const all = status.kind === 'detached' ? [relays, lines] : [lines, relays];
  return `${all
    .filter(({ length }) => length > 0)
    .map((part) => part.join('\n'))
    .join('\n\n')}\n`;
}

function linesOf(status: Status, colors: Colors): readonly string[] {
  const { bold, green, red, yellow } = colors;
  switch (status.kind) {
    case 'detached': {
      if (status.running !== undefined) return [beginning(status.running)];
      const was =
        status.before && ` (it was ${describeAttachment(status.before)}, before this machine was restarted)`;
      const enter = status.before ? commandOf(status.before) : 'ehlowire bridge --help';
      return [
        `${bold('Not attached')}${was ?? ''}: nothing of ehlowire is in the network`,
        `  attach it: \`${enter}\`; check this machine first: \`ehlowire doctor\``,
      ];
    }
    case 'bridge-only':
      return bridgeOnlyLines(status.journal.place, colors);
    case 'other-namespace':
      return [
        `${red('Attached in another network namespace,')} ${describeAttachment(status.journal.place)}, since ${status.journal.since}`,
        `  ${red('!')} ${elsewhere(status)}`,
        '',
        row('Process', [processLine(status.running, status.journal.place, colors)]),
        ...wireLines(status, colors),
      ];
    case 'attached': {
      const { journal, problems, running } = status;
      const unseen =
        status.wire.kind === 'state' || status.wire.kind === 'nothing' ? '' : ', as far as can be seen';
      const head =
        problems.length > 0
          ? red('Attached, with problems')
          : unseen
            ? yellow(`Attached${unseen}`)
            : green('Attached');
      return [
        `${head} ${describeAttachment(journal.place)}, since ${journal.since}`,
        ...problems.map((text) => `  ${red('!')} ${text}`),
        '',
        row('Process', [processLine(running, journal.place, colors)]),
        row('Relay', relayLines(status)),
        ...(status.rules.length === 0 ? [] : [row('Rules', linesOfRules(status.rules))]),
        row('Detach', [howToDetach(journal.place)]),
        ...wireLines(status, colors),
      ];
    }
  }
}

function beginning({ pid, does }: ControlProcess): string {
  return does === 'leave'
    ? `Not attached: process ${pid}, \`ehlowire leave\`, has just detached it`
    : `Not attached yet: process ${pid}, \`ehlowire ${does}\`, is attaching it now: ask again in a moment`;
}

function bridgeOnlyLines(place: Attachment, { bold }: Colors): readonly string[] {
  const name = place.kind === 'host' ? place.device : place.bridge;
  const kept = place.kind === 'bridge' && place.made ? 'removes the bridge' : `restores ${name} as it was`;
  return [
    `${bold('Detached')}: ${name} is still a plain bridge; frames are neither recorded nor repaired`,
    `  attach it again: \`${commandOf(place)}\`; \`ehlowire leave\` ${kept}`,
  ];
}

function elsewhere({ journal, running }: OtherNamespace): string {
  const how =
    running === undefined
      ? `find it by \`lsns -t net\` (${journal.namespace}), and \`nsenter -t PID -n ehlowire status\``
      : `\`nsenter -t ${running.pid} -n ehlowire status\``;
  return `it is attached in another network namespace; status and \`leave\` work only there: ${how}`;
}

function processLine(running: ControlProcess | undefined, place: Attachment, { yellow }: Colors): string {
  if (running !== undefined) return `${running.pid}, since ${running.since}, version ${running.version}`;
  return `${yellow('none')}: frames are forwarded and known servers are repaired, but nothing is logged or learned: ${howToRestart(place, running)}`;
}

function relayLines({ relays, notRelayed, running }: Attached): string[] {
  if (!relays) return ['off: all servers stay on the wire path', ...notRelayed];
  if (running === undefined) return ['off until a process runs again: all connections are only forwarded'];
  const limit = notRelayed.map((because) => `not all: ${because}`);
  return ['new servers until their greeting is known, and servers that need the relay', ...limit];
}

function howToDetach(place: Attachment): string {
  if (place.kind === 'host' || !place.made) return '`ehlowire leave`: no connection is interrupted';
  return '`ehlowire leave --keep-bridge`: mail is still forwarded; `ehlowire leave` removes the bridge too';
}

/** Why servers and counters are not shown; undefined: they are, or `problems` says that there are none. */
function whyUnread({ wire, running, journal }: OtherNamespace | Attached): string | undefined {
  if (isFault(wire)) return `servers and counters cannot be read: ${wire.on}: ${wire.fix}`;
  if (wire.kind !== 'other-version') return undefined;
  const whose = running === undefined ? '' : ` (the process says ${running.version})`;
  return (
    `another version of ehlowire attached this${whose}: its tables have version ${wire.versions.join(' and ')}, ` +
    `this one reads ${ABI}: use that version's \`ehlowire status\`, or let this version take over: ${howToRestart(journal.place, running)}`
  );
}

function wireLines(status: OtherNamespace | Attached, colors: Colors): string[] {
  const { yellow, bold } = colors;
  const { wire } = status;
  const unread = whyUnread(status);
  if (unread !== undefined) return [row('Unread', [yellow(unread)])];
  if (wire.kind !== 'state') return [];
  return [
    '',
    bold('Servers'),
    ...serverLines(wire, colors),
    '',
    bold('Learned'),
    ...(wire.unlearned === undefined ? [] : [yellow(`  ! ${printable(wire.unlearned)}`)]),
    ...learnedLines(wire.learned.servers, wire.learned.suspects).map((line) => `  ${line}`),
    '',
    bold('Counters'),
    ...counterLines(wire, colors),
  ];
}

function serverLines({ servers, unheld }: WireState, { yellow }: Colors): string[] {
  const over =
    unheld === 0
      ? []
      : [
          yellow(
            `  ! ${unheld} more servers do not fit into the kernel's table: each is treated like a new server`,
          ),
        ];
  if (servers.length === 0) return ['  none yet', ...over];
  const lines = servers.slice(0, SERVERS).map(({ address, port, policy, contradicted }) => {
    const where = address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
    const back = contradicted
      ? yellow(', repair withdrawn: the greeting continued after its repaired line')
      : '';
    return `  ${where.padEnd(28)}${policy}${back}`;
  });
  const rest = servers.length > SERVERS ? [`  … ${servers.length - SERVERS} more: --json`] : [];
  return [...lines, ...rest, ...over];
}

function counterLines(wire: WireState, { yellow }: Colors): string[] {
  return Object.entries(namedCounters(wire)).map(([name, count]) => {
    const text = `${name.padEnd(24)}${count.toLocaleString('en').padStart(16)}`;
    const alarm = count > 0 ? WARNINGS[name] : undefined;
    return `  ${alarm === undefined ? text : yellow(`${text}  ${alarm}`)}`;
  });
}

/** `COUNT_ELIDED_OCTETS` → `elided_octets`. */
function namedCounters({ counters }: WireState): Record<string, number> {
  return Object.fromEntries(
    Object.entries(counters).map(([name, count]) => [
      name.replace(/^COUNT_/, '').toLowerCase(),
      Number(count),
    ]),
  );
}

function row(name: string, texts: readonly string[]): string {
  return texts.map((text, index) => `  ${(index === 0 ? name : '').padEnd(10)}${text}`).join('\n');
}

const NO_RELAYS: RelayStatuses = { relays: [], closed: [] };
const SERVERS = 20;
/** Counters that should be 0, and what it means when they are not. */
const WARNINGS: Readonly<Record<string, string>> = {
  lost: 'records did not fit into the ring: the log has gaps; mail was forwarded (raise wire.ring)',
  unwatched:
    'connections were not recorded, because the ring was half full when they began; mail was forwarded (raise wire.ring)',
  contradicted: 'repairs were withdrawn: those servers continue after the line that looked like their last',
  no_relay: 'connections should have been relayed and were only forwarded: no relay listened',
};
