// A status for a person at 3 a.m., and as one JSON object.

import { createColors } from 'picocolors';
import { describePlace } from '../place';
import type { Status } from './status';
import type { WireState } from './wire-state';

type Colors = ReturnType<typeof createColors>;

export function toObject({
  journal,
  running,
  broken,
  notRelayed,
  relays,
  wire,
  forgotten,
}: Status): Record<string, unknown> {
  return {
    in_place: journal !== undefined,
    whole: journal !== undefined && broken.length === 0,
    forgotten,
    place: journal?.place ?? null,
    since: journal?.since ?? null,
    pins: journal?.pins ?? null,
    process: running ?? null,
    broken,
    relays,
    not_relayed: notRelayed,
    attachments: (journal?.steps ?? [])
      .flatMap(({ changes }) => changes)
      .flatMap((change) =>
        change.kind === 'filter'
          ? [{ device: change.device, hook: change.hook, priority: change.priority ?? null }]
          : [],
      ),
    abi: wire?.abi ?? null,
    counters: wire === undefined ? null : namedCounters(wire),
    servers: wire?.servers ?? null,
  };
}

/** The verdict first, then what to do, then the rest. */
export function toText(status: Status, color: boolean): string {
  const colors = createColors(color);
  const { journal, broken } = status;
  if (journal === undefined) return nowhere(status, colors);
  const whole = broken.length === 0;
  const head = `${describePlace(journal.place)}, since ${journal.since}`;
  const lines = [
    `${whole ? colors.green('In place') : colors.red('In place, and not whole')} ${head}`,
    ...broken.map((text) => `  ${colors.red('!')} ${text}`),
    '',
    row('Process', [processLine(status, colors)]),
    row('Relay', relayLines(status)),
    row('Way out', [wayOut(journal.place)]),
    ...(status.wire === undefined ? [] : ['', ...wireLines(status.wire, colors)]),
  ];
  return `${lines.join('\n')}\n`;
}

function nowhere({ forgotten }: Status, { bold }: Colors): string {
  const why = forgotten ? ' (it was, before the machine was started anew)' : '';
  return `${bold('Not in place')}${why}: nothing of ehlowire is in the network. \`ehlowire bridge --help\`, \`ehlowire doctor\`\n`;
}

function processLine({ running }: Status, { yellow }: Colors): string {
  if (running !== undefined) return `${running.pid}, since ${running.since}, version ${running.version}`;
  return `${yellow('none')}: frames cross and known servers are repaired, but nothing is written or learned`;
}

function relayLines({ relays, notRelayed }: Status): string[] {
  if (!relays) return ['nothing is relayed', ...notRelayed];
  return ['servers not met before, until their greeting is known, and those that need it', ...notRelayed];
}

function wayOut(place: NonNullable<Status['journal']>['place']): string {
  if (place.kind === 'host' || !place.made) return '`ehlowire leave`: no connection is interrupted';
  return '`ehlowire leave --keep-bridge`: mail goes on crossing; `ehlowire leave` removes the bridge too';
}

function wireLines(wire: WireState, { yellow, bold }: Colors): string[] {
  const counters = namedCounters(wire);
  const shown = Object.entries(counters).map(([name, count]) => {
    const text = `${name.padEnd(24)}${count.toLocaleString('en').padStart(16)}`;
    return `  ${ALARMING.has(name) && count > 0 ? yellow(text) : text}`;
  });
  const servers = wire.servers.slice(0, SERVERS).map(({ address, port, policy, contradicted }) => {
    const where = address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
    return `  ${where.padEnd(28)}${policy}${contradicted ? yellow(', taken back: its greeting went on behind a repair') : ''}`;
  });
  const more = wire.servers.length > SERVERS ? [`  … ${wire.servers.length - SERVERS} more: --json`] : [];
  return [
    bold('Servers'),
    ...(servers.length === 0 ? ['  none yet'] : servers),
    ...more,
    '',
    bold('Counters'),
    ...shown,
  ];
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

const SERVERS = 20;
/** What should be nought. */
const ALARMING: ReadonlySet<string> = new Set(['lost', 'contradicted', 'no_relay']);
