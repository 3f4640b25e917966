// What would keep a place from being left as it was found: looked for before anything is taken back, so that a
// refusal leaves all in force.

import { createFault, type Fault } from '../../proxy/system/fault';
import type { Address, Link } from '../network/links';
import type { Change, Step } from './change';

/** The network as it is now. */
export interface Now {
  readonly links: readonly Pick<Link, 'name' | 'index' | 'kind' | 'master' | 'parent'>[];
  addresses(device: string): readonly Pick<Address, 'family' | 'prefix' | 'scope' | 'dynamic' | 'words'>[];
  sysctl(key: string): string | undefined;
  /** Whether this process may change it. */
  isWritable(key: string): boolean;
}

/** `steps`: those that are to be taken back. Empty: nothing is in the way. Each says what to do about it. */
export function findObstacles(steps: readonly Step[], now: Now): readonly Fault[] {
  const changes = steps.flatMap((step) => step.changes);
  return changes.flatMap((change) => {
    switch (change.kind) {
      case 'bridge':
        return bridgeObstacles(change.name, changes, now);
      case 'moved':
        return homeless(change, now);
      case 'sysctl':
        return isOurs(change, now) && !now.isWritable(change.key) ? [readOnly(change.key)] : [];
      default:
        return [];
    }
  });
}

/** Another process changed it since: its value stays. */
export function findStrange(steps: readonly Step[], now: Now): readonly string[] {
  return steps
    .flatMap((step) => step.changes)
    .flatMap((change) => {
      if (change.kind !== 'sysctl' || change.before === undefined) return [];
      const value = now.sysctl(change.key);
      if (value === undefined || value === change.before || value === change.after) return [];
      const name = change.key.replaceAll('/', '.');
      return [`${name} stays ${value}: another process set it since (it was ${change.before})`];
    });
}

function isOurs({ key, before, after }: Extract<Change, { kind: 'sysctl' }>, now: Now): boolean {
  return before !== undefined && before !== after && now.sysctl(key) === after;
}

function readOnly(key: string): Fault {
  const fix = 'it may not be written here: run this as root, where /proc/sys can be written';
  return createFault('leave-refused', key.replaceAll('/', '.'), { fix });
}

/** The bridge goes, and with it what others put there. */
function bridgeObstacles(name: string, changes: readonly Change[], now: Now): readonly Fault[] {
  const { links } = now;
  if (links.find((link) => link.name === name)?.kind !== 'bridge') return [];
  const own = changes.flatMap((change) =>
    change.kind === 'port' && change.bridge === name ? [change.device] : [],
  );
  const ports = links.filter((link) => link.master === name && !own.includes(link.name));
  const above = links.filter((link) => link.parent === name);
  return [
    ...ports.map((port) =>
      createFault('leave-refused', `${port.name} is a port of ${name}, and not by ehlowire`, {
        fix: `\`ip link set ${port.name} nomaster\`, then leave again`,
      }),
    ),
    ...above.map((link) =>
      createFault('leave-refused', `${link.name} stands on ${name}, and would go with it`, {
        fix: `\`ip link delete ${link.name}\`, then leave again`,
      }),
    ),
    ...strangers(name, changes, now).map(({ prefix }) =>
      createFault(
        'leave-refused',
        `${name} has the address ${prefix}, not by ehlowire, and it would go with it`,
        {
          fix: `\`ip address delete ${prefix} dev ${name}\`, then leave again`,
        },
      ),
    ),
  ];
}

/** Addresses that the bridge was given by others. What a router on the link advertised comes again wherever it is heard. */
function strangers(name: string, changes: readonly Change[], now: Now) {
  const moved = changes.flatMap((change) => (change.kind === 'moved' ? change.addresses : []));
  return now
    .addresses(name)
    .filter(
      ({ family, scope, dynamic, words }) =>
        (family === 4 || (scope === 'global' && !dynamic)) &&
        !moved.some((each) => each.words[0] === words[0]),
    );
}

/** An address whose interface is gone has no place to go back to, and who came in by it would be cut off. */
function homeless(
  { to, addresses }: Extract<Change, { kind: 'moved' }>,
  { links, ...now }: Now,
): readonly Fault[] {
  const isGone = (name: string): boolean => !links.some((link) => link.name === name);
  if (isGone(to)) return [];
  const there = now.addresses(to);
  const lost = addresses.filter(
    ({ from, words }) => isGone(from) && there.some((each) => each.words[0] === words[0]),
  );
  return lost.map(({ from, words: [address = ''] }) =>
    createFault('leave-refused', `${from} is gone, and its address ${address} would be lost`, {
      fix: `put ${from} back, or give it up: \`ip address delete ${address} dev ${to}\`; then leave again`,
    }),
  );
}
