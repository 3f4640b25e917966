// A status for a person at 3 a.m., and as one JSON object.

import { createColors } from 'picocolors';
import { isFault } from '../../proxy/system/fault';
import { ABI } from '../../proxy/wire/abi';
import { describePlace } from '../attach/attach';
import type { Place } from '../journal/journal';
import type { Running } from '../journal/control-process';
import type { RelayStates } from '../../proxy/relay/state';
import { changesOf, commandOf, howToRestart } from './problems';
import { linesOfRelays } from './relays';
import { learnedLines } from './servers';
import type { InPlace, Status } from './status';
import type { WireState } from './wire-state';

type Colors = ReturnType<typeof createColors>;
type Elsewhere = Extract<Status, { kind: 'elsewhere' }>;

/** In place, whole, seen in full, and in somebody's charge; or nothing was in place, and a relay runs. */
export function isWell(status: Status, { relays }: RelayStates = NO_RELAYS): boolean {
  if (status.kind === 'nowhere')
    return relays.length > 0 && status.before === undefined && status.running === undefined;
  return isWhole(status) && status.running !== undefined && status.wire.kind === 'state';
}

function isWhole(status: Status): status is InPlace {
  return status.kind === 'in-place' && status.broken.length === 0;
}

/** The same keys for every status; what is not known is null. */
export function toObject(status: Status, { relays }: RelayStates = NO_RELAYS): Record<string, unknown> {
  const journal = status.kind === 'nowhere' ? undefined : status.journal;
  const here = status.kind === 'in-place' ? status : undefined;
  const there = status.kind === 'elsewhere' ? status : here;
  const wire = there?.wire.kind === 'state' ? there.wire : undefined;
  return {
    in_place: there !== undefined,
    whole: isWhole(status),
    forgotten: status.kind === 'nowhere' && status.before !== undefined,
    place: journal?.place ?? null,
    since: journal?.since ?? null,
    pins: journal?.pins ?? null,
    process: there?.running ?? (status.kind === 'nowhere' ? status.running : undefined) ?? null,
    broken: status.kind === 'elsewhere' ? [elsewhere(status)] : (here?.broken ?? []),
    relays: here?.relays ?? false,
    not_relayed: here?.notRelayed ?? [],
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
    relay_processes: relays,
  };
}

/** The verdict first, then what to do, then the rest. */
export function toText(status: Status, color: boolean, states: RelayStates = NO_RELAYS): string {
  const colors = createColors(color);
  const lines = linesOf(status, colors);
  const relays = linesOfRelays(states);
  // Of one who only relays, the relay comes first.
  const all = status.kind === 'nowhere' ? [relays, lines] : [lines, relays];
  return `${all
    .filter(({ length }) => length > 0)
    .map((part) => part.join('\n'))
    .join('\n\n')}\n`;
}

function linesOf(status: Status, colors: Colors): readonly string[] {
  const { bold, green, red, yellow } = colors;
  switch (status.kind) {
    case 'nowhere': {
      if (status.running !== undefined) return [onItsWay(status.running)];
      const was =
        status.before && ` (it was ${describePlace(status.before)}, before the machine was started anew)`;
      const enter = status.before ? commandOf(status.before) : 'ehlowire bridge --help';
      return [
        `${bold('Not in place')}${was ?? ''}: nothing of ehlowire is in the network`,
        `  \`${enter}\` puts it in; \`ehlowire doctor\` says whether this machine can`,
      ];
    }
    case 'plain':
      return plainLines(status.journal.place, colors);
    case 'elsewhere':
      return [
        `${red('In place, and not here')} ${describePlace(status.journal.place)}, since ${status.journal.since}`,
        `  ${red('!')} ${elsewhere(status)}`,
        '',
        row('Process', [processLine(status.running, status.journal.place, colors)]),
        ...wireLines(status, colors),
      ];
    case 'in-place': {
      const { journal, broken, running } = status;
      const unseen =
        status.wire.kind === 'state' || status.wire.kind === 'nothing' ? '' : ', as far as can be seen';
      const head =
        broken.length > 0
          ? red('In place, and not whole')
          : unseen
            ? yellow(`In place${unseen}`)
            : green('In place');
      return [
        `${head} ${describePlace(journal.place)}, since ${journal.since}`,
        ...broken.map((text) => `  ${red('!')} ${text}`),
        '',
        row('Process', [processLine(running, journal.place, colors)]),
        row('Relay', relayLines(status)),
        row('Way out', [wayOut(journal.place)]),
        ...wireLines(status, colors),
      ];
    }
  }
}

function onItsWay({ pid, does }: Running): string {
  return does === 'leave'
    ? `Not in place: process ${pid}, \`ehlowire leave\`, has just taken it out`
    : `Not in place yet: process ${pid}, \`ehlowire ${does}\`, is on its way there: ask again in a moment`;
}

function plainLines(place: Place, { bold }: Colors): readonly string[] {
  const name = place.kind === 'host' ? place.device : place.bridge;
  const kept =
    place.kind === 'bridge' && place.made ? 'removes the bridge' : `gives ${name} back as it was found`;
  return [
    `${bold('Taken out')}: ${name} goes on as a plain bridge, and frames are neither seen nor repaired`,
    `  \`${commandOf(place)}\` puts it in again; \`ehlowire leave\` ${kept}`,
  ];
}

function elsewhere({ journal, running }: Elsewhere): string {
  const how =
    running === undefined
      ? `find it by \`lsns -t net\` (${journal.namespace}), and \`nsenter -t PID -n ehlowire status\``
      : `\`nsenter -t ${running.pid} -n ehlowire status\``;
  return `it is in place in another network namespace, and only there it can be judged or left: ${how}`;
}

function processLine(running: Running | undefined, place: Place, { yellow }: Colors): string {
  if (running !== undefined) return `${running.pid}, since ${running.since}, version ${running.version}`;
  return `${yellow('none')}: frames cross and known servers are repaired, but nothing is written or learned: ${howToRestart(place, running)}`;
}

function relayLines({ relays, notRelayed, running }: InPlace): string[] {
  if (!relays) return ['nothing: all servers stay on the wire', ...notRelayed];
  if (running === undefined) return ['nothing until there is a process again: all connections cross'];
  const limit = notRelayed.map((because) => `not all: ${because}`);
  return ['servers not met before, until their greeting is known, and those that need it', ...limit];
}

function wayOut(place: Place): string {
  if (place.kind === 'host' || !place.made) return '`ehlowire leave`: no connection is interrupted';
  return '`ehlowire leave --keep-bridge`: mail goes on crossing; `ehlowire leave` removes the bridge too';
}

/** Why servers and counters are not shown; undefined: they are, or `broken` says that there are none. */
function whyUnread({ wire, running, journal }: Elsewhere | InPlace): string | undefined {
  if (isFault(wire)) return `servers and counters cannot be read: ${wire.on}: ${wire.fix}`;
  if (wire.kind !== 'other-version') return undefined;
  const whose = running === undefined ? '' : ` (the process says ${running.version})`;
  return (
    `another version of ehlowire put this in${whose}: its tables are of version ${wire.versions.join(' and ')}, and ` +
    `this one reads ${ABI}: ask by that one's \`ehlowire status\`, or let this one take over: ${howToRestart(journal.place, running)}`
  );
}

function wireLines(status: Elsewhere | InPlace, colors: Colors): string[] {
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
            `  ! ${unheld} more found no room in the kernel's table: each is treated like a server not met before`,
          ),
        ];
  if (servers.length === 0) return ['  none yet', ...over];
  const lines = servers.slice(0, SERVERS).map(({ address, port, policy, contradicted }) => {
    const where = address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
    const back = contradicted ? yellow(', taken back: its greeting went on behind a repair') : '';
    return `  ${where.padEnd(28)}${policy}${back}`;
  });
  const rest = servers.length > SERVERS ? [`  … ${servers.length - SERVERS} more: --json`] : [];
  return [...lines, ...rest, ...over];
}

function counterLines(wire: WireState, { yellow }: Colors): string[] {
  return Object.entries(namedCounters(wire)).map(([name, count]) => {
    const text = `${name.padEnd(24)}${count.toLocaleString('en').padStart(16)}`;
    const alarm = count > 0 ? ALARMING[name] : undefined;
    return `  ${alarm === undefined ? text : yellow(`${text}  ${alarm}`)}`;
  });
}

/** `COUNT_LEFT_OUT_OCTETS` → `left_out_octets`. */
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

const NO_RELAYS: RelayStates = { relays: [], closed: [] };
const SERVERS = 20;
/** What should be nought, and what it means that it is not. */
const ALARMING: Readonly<Record<string, string>> = {
  lost: 'records found no room: the log has gaps, mail has not (wire.ring)',
  unwatched:
    'connections were not recorded, as the ring was half full when they began: the log lacks them, mail crossed (wire.ring)',
  contradicted: 'repairs were taken back: those servers go on behind the line that seemed their last',
  no_relay: 'connections were to be relayed, and crossed: no relay listened',
};
