// What there is to play: each row, as it is seen from each place, in as few playings as keep these apart.

import type { Expected } from './evaluate';
import type { Row } from './row';

/** Where ehlowire stands. */
export type Vantage =
  /** It reads a recording of the shim afterwards. */
  | 'inside'
  /** It reads a recording of the firewall's other side. */
  | 'outside'
  /** It is the relay on the shim. */
  | 'live'
  /** It reads recordings of both sides of the firewall. */
  | 'two points'
  /** In the kernel: on the shim's bridge, or on the mail server's own interface. */
  | 'bridge'
  | 'host'
  /** The same, where the cards divide and add up. */
  | 'bridge, offloads'
  | 'host, offloads';

/** A row, seen from one place. */
export interface Task {
  readonly row: Row;
  readonly vantage: Vantage;
  readonly expected: readonly Expected[];
}

/**
 * What a topology has beside its servers: a relay, or the wire path twice, of which one asks silent clients. Never
 * both: a relay's own connections cross the wire, and what the wire asks is answered in recordings.
 */
export type Equipment =
  'relay' | 'bridge asks' | 'host asks' | 'offloads, bridge asks' | 'offloads, host asks';

/** A row, played once for all that can be seen of it at a time. */
export interface Playing {
  readonly row: Row;
  /** Any of these will do. */
  readonly on: readonly Equipment[];
  readonly serves: readonly Vantage[];
  readonly offloads?: boolean;
}

/** What there is to see of these rows. */
export function tasksOf(rows: readonly Row[]): readonly Task[] {
  return rows.flatMap((row) => {
    const wire = row.wire ?? row.live ?? row.inside;
    const columns: readonly (readonly [Vantage, readonly Expected[] | undefined])[] = [
      ['inside', row.inside],
      ['outside', row.outside],
      ['live', row.live],
      ['two points', row.twoPoint],
      ['bridge', wire],
      ['host', wire],
      ['bridge, offloads', row.offloads && wire],
      ['host, offloads', row.offloads && wire],
    ];
    return columns.flatMap(([vantage, expected]) => (expected ? [{ row, vantage, expected }] : []));
  });
}

export function nameOf({ row, vantage }: Task): string {
  return `${row.kind === 'control' ? '(control) ' : ''}${row.name}${vantage === 'inside' ? '' : ` [${vantage}]`}`;
}

/** The playings that these tasks need; the long ones first, so that none of them is alone at the end. */
export function playingsOf(tasks: readonly Task[]): readonly Playing[] {
  const rows = [...new Set(tasks.map(({ row }) => row))];
  return rows
    .flatMap((row) => {
      const wanted = tasks.flatMap((task) => (task.row === row ? [task.vantage] : []));
      return (row.asked ? ASKED : UNASKED).flatMap((plan): Playing[] => {
        const serves = plan.serves.filter((vantage) => wanted.includes(vantage));
        return serves.length > 0 ? [{ ...plan, row, serves }] : [];
      });
    })
    .sort((a, b) => patience(b.row) - patience(a.row));
}

type Plan = Omit<Playing, 'row'>;

const LIVE: Plan = { on: ['relay'], serves: ['live'] };

/** Nobody asks: the same segments for the recordings and for both programs in the kernel. */
const UNASKED: readonly Plan[] = [
  { on: ['bridge asks', 'host asks'], serves: ['inside', 'outside', 'two points', 'bridge', 'host'] },
  LIVE,
  { on: ['bridge asks', 'host asks'], serves: ['bridge, offloads', 'host, offloads'], offloads: true },
];

/** Each asks for itself, and nobody beside the recordings. */
const ASKED: readonly Plan[] = [
  { on: ['relay'], serves: ['inside', 'outside', 'two points'] },
  LIVE,
  { on: ['bridge asks'], serves: ['bridge'] },
  { on: ['host asks'], serves: ['host'] },
  { on: ['bridge asks'], serves: ['bridge, offloads'], offloads: true },
  { on: ['host asks'], serves: ['host, offloads'], offloads: true },
];

/** Roughly how long a row lasts, in seconds: what its client waits. */
function patience({ client }: Row): number {
  if (client.kind !== 'script') return client.patience / 2;
  return client.steps.reduce((sum, step) => sum + (step.startsWith('wait:') ? Number(step.slice(5)) : 0), 0);
}
