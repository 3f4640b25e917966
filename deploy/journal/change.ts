// What entering changes, each with all that is needed to take it back: the journal's vocabulary.

import type { Family } from '../network/links';

export type Hook = 'ingress' | 'egress';
export type Leg = 'wan' | 'lan';

export type Change =
  /** A bridge was made. Its hardware address is that of a port, for hosts that knew the port by it. */
  | { readonly kind: 'bridge'; readonly name: string; readonly address: string }
  /** An interface was set up. */
  | { readonly kind: 'up'; readonly device: string }
  /** An interface became a bridge's port. */
  | { readonly kind: 'port'; readonly device: string; readonly bridge: string }
  /** Addresses and routes of ports went to the bridge; as words of `ip … add`, addresses without their device. */
  | {
      readonly kind: 'moved';
      readonly to: string;
      readonly addresses: readonly { readonly from: string; readonly words: readonly string[] }[];
      readonly routes: readonly { readonly before: readonly string[]; readonly after: readonly string[] }[];
    }
  /** A rule of policy routing, and a route, were added. */
  | {
      readonly kind: 'rule';
      readonly family: Family;
      readonly priority: number;
      readonly mark: number;
      readonly table: number;
    }
  | { readonly kind: 'route'; readonly family: Family; readonly words: readonly string[] }
  /** A setting below /proc/sys. Without `before` it is that of an interface of ours, and goes with it. */
  | { readonly kind: 'sysctl'; readonly key: string; readonly before?: string; readonly after: string }
  /** A bridge's own wish to hand frames to iptables: 0 became 1. */
  | {
      readonly kind: 'calls';
      readonly bridge: string;
      readonly option: string;
      readonly before: string;
      readonly after: string;
    }
  /** The kernel switches large receive offload off on a port, and never on again. */
  | { readonly kind: 'lro'; readonly device: string }
  /** The program at one hook of an interface. How is known once it is there; until then it may become a filter. */
  | ({
      readonly kind: 'filter';
      readonly device: string;
      readonly hook: Hook;
      readonly leg: Leg;
    } & (
      { readonly by: 'tcx' } | { readonly by?: 'tc'; readonly madeQdisc: boolean; readonly priority?: number }
    ));

export type FilterChange = Extract<Change, { kind: 'filter' }>;

/** Changes that are made together, and taken back together in reverse order. */
export interface Step {
  /** What it is for, in a few words. */
  readonly name: string;
  readonly changes: readonly Change[];
}

/** Changes that `ip -batch` makes, all in one process. */
export type LinkChange = Extract<Change, { kind: 'bridge' | 'up' | 'port' | 'moved' | 'rule' | 'route' }>;

export function isLinkChange(change: Change): change is LinkChange {
  return LINK_KINDS.has(change.kind);
}

const LINK_KINDS: ReadonlySet<Change['kind']> = new Set(['bridge', 'up', 'port', 'moved', 'rule', 'route']);

/** What was entered, and with what. */
export type Attachment =
  | {
      readonly kind: 'bridge';
      readonly wan: string;
      readonly lan: string;
      readonly bridge: string;
      /** By us; else it was there before. */
      readonly made: boolean;
    }
  | { readonly kind: 'host'; readonly device: string };

export interface Journal {
  readonly schema: typeof SCHEMA;
  /** Of the kernel that runs: a reboot undoes everything by itself. */
  readonly boot: string;
  /** The network namespace that was changed. */
  readonly namespace: string;
  /** RFC 3339. */
  readonly since: string;
  readonly place: Attachment;
  /** Where the program's maps are pinned. */
  readonly pins: string;
  /** All steps were made; else entering was cut short, and nothing of it is of use. */
  readonly entered: boolean;
  /** The kernel's numbers of the interfaces by the names that they had when all steps were made: names change. */
  readonly links?: Readonly<Record<string, number>>;
  /** In the order in which they were made. The last one may be made in part only. */
  readonly steps: readonly Step[];
}

/** Of the file. */
export const SCHEMA = 1;
