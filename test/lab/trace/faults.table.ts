// Each fault of a path: how it is made at router k, and what a trace is to say of it.

import {
  both,
  bridging,
  eats,
  eatsForwarding,
  entering,
  further,
  limiting,
  narrow,
  nothing,
  redirecting,
  shakingHands,
  silent,
  silentOnSize,
  terminating,
  translating,
  type Make,
} from './faults';

/** What a trace says, without its sentence: where by one hop, or by the pair around it. */
export interface Finding {
  readonly verdict: string;
  readonly certainty: 'proved' | 'suspected';
  readonly segment?: string;
  readonly hop?: number;
  readonly between?: readonly [number, number];
}

export interface Fault {
  readonly name: string;
  readonly make: Make;
  /** Of a fault at router k; none: the path is fine, or the fault is nobody's business. */
  readonly expected: (k: number) => readonly Finding[];
  /** All segments are tried, not EHLO alone. */
  readonly deep?: true;
  /** It lies in a cable: the server's is one of them, behind the last router. */
  readonly cable?: true;
  /** It needs a router behind k. */
  readonly behind?: true;
  /** The client calls the address that the fault translates. */
  readonly translated?: true;
}

type Place = Pick<Finding, 'hop' | 'between'>;

const before = (k: number): Place => ({ between: [k - 1, k] });
const behind = (k: number): Place => ({ between: [k, k + 1] });
const around = (k: number): Place => ({ between: [k - 1, k + 1] });
const at = (k: number): Place => ({ hop: k });

/** One proved finding, or the same of several segments. */
const proved =
  (verdict: string, place: (k: number) => Place, ...segments: readonly string[]) =>
  (k: number): readonly Finding[] =>
    (segments.length === 0 ? [undefined] : segments).map((segment) => ({
      verdict,
      certainty: 'proved',
      ...(segment !== undefined && { segment }),
      ...place(k),
    }));

const none = (): readonly Finding[] => [];

const dropped = (place: (k: number) => Place): Fault['expected'] => proved('ehlo-dropped', place, 'ehlo');

export const FAULTS: readonly Fault[] = [
  { name: 'clean', make: nothing, expected: none },
  { name: 'clean, all segments', make: nothing, expected: none, deep: true },
  { name: 'EHLO eaten at the entrance', make: eats('EHLO'), expected: dropped(before) },
  { name: 'EHLO eaten behind the TTL', make: eatsForwarding('EHLO'), expected: dropped(behind) },
  {
    name: 'EHLO eaten by a bridge',
    make: bridging('drop-command:verb=EHLO'),
    expected: dropped(before),
    cable: true,
  },
  {
    name: 'EHLO and HELO eaten',
    make: eats('EHLO', 'HELO'),
    expected: (k) => [...dropped(before)(k), ...proved('segment-dropped', before, 'helo', 'ehlo-lower')(k)],
    deep: true,
  },
  {
    name: 'EHLO held 800 ms',
    make: bridging('hold-ehlo:ms=800'),
    expected: proved('ehlo-held', before, 'ehlo'),
  },
  {
    name: 'EHLO masked in place',
    make: bridging('mask-verb'),
    expected: proved('ehlo-altered', before, 'ehlo'),
  },
  { name: 'terminated by HAProxy', make: redirecting, expected: proved('path-terminated', at) },
  { name: 'terminated by a transparent proxy', make: terminating, expected: proved('path-terminated', at) },
  { name: 'SYN proxy', make: shakingHands, expected: proved('path-terminated', at) },
  {
    name: 'sequence numbers rewritten',
    make: bridging('randomise:sack=yes'),
    expected: proved('headers-altered', before),
  },
  {
    name: 'full size dropped by its length',
    make: entering('meta length > 1400 drop'),
    expected: proved('black-hole', before, 'full-size'),
    deep: true,
  },
  {
    name: 'small MTU, its ICMP dropped',
    make: both(narrow, silentOnSize),
    expected: proved('black-hole', behind, 'full-size'),
    deep: true,
  },
  { name: 'small MTU that is reported', make: narrow, expected: none, deep: true },
  { name: 'NAT', make: translating, expected: proved('nat', before), translated: true },
  { name: 'silent router', make: silent, expected: none },
  {
    name: 'silent router, EHLO eaten by the next',
    make: both(silent, further(1, eats('EHLO'))),
    expected: dropped(around),
    behind: true,
  },
  { name: 'ICMP limited as Linux does', make: limiting, expected: none },
  {
    name: 'ICMP limited as Linux does, EHLO eaten',
    make: both(limiting, eats('EHLO')),
    expected: dropped(before),
  },
];
