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
  readdressing,
  redirecting,
  shakingHands,
  silent,
  silentOnSize,
  terminating,
  translating,
  TLS_BEGINS,
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

export type Expected = (k: number, n: number) => readonly Finding[];

export interface Fault {
  readonly name: string;
  readonly make: Make;
  /** Of a fault at router k of n; none: the path is fine, or the fault is too small for a verdict. */
  readonly expected: Expected;
  /** What it may say beside that: true, and of the same device. */
  readonly may?: Expected;
  /** All segments are tried, not EHLO alone. */
  readonly deep?: true;
  /** It lies in a cable: the server's is one of them, behind the last router. */
  readonly cable?: true;
  /** It needs a router behind k. */
  readonly behind?: true;
  /** Routers answer seldom: it is traced as slowly as it is by itself. */
  readonly slowly?: true;
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
  (verdict: string, place: (k: number) => Place, ...segments: readonly string[]): Expected =>
  (k) =>
    (segments.length === 0 ? [undefined] : segments).map((segment) => ({
      verdict,
      certainty: 'proved',
      ...(segment !== undefined && { segment }),
      ...place(k),
    }));

/** In the server's cable, where no hop is behind it, the session's own EHLO is all that shows it. */
const suspectedAtTheServer =
  (verdict: string, elsewhere: Expected): Expected =>
  (k, n) =>
    k <= n ? elsewhere(k, n) : [{ verdict, certainty: 'suspected', segment: 'ehlo', ...before(k) }];

const none: Expected = () => [];

const dropped = (place: (k: number) => Place): Expected => proved('ehlo-dropped', place, 'ehlo');

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
    expected: (k, n) => [
      ...dropped(before)(k, n),
      ...proved('segment-dropped', before, 'helo', 'ehlo-lower')(k, n),
    ],
    deep: true,
  },
  {
    name: 'EHLO held 800 ms',
    make: bridging('hold-ehlo:ms=800'),
    expected: suspectedAtTheServer('ehlo-held', proved('ehlo-held', before, 'ehlo')),
    cable: true,
  },
  {
    name: 'EHLO masked in place',
    make: bridging('mask-verb'),
    expected: proved('ehlo-altered', before, 'ehlo'),
  },
  { name: 'terminated by HAProxy', make: redirecting, expected: proved('path-terminated', at) },
  { name: 'terminated by a transparent proxy', make: terminating, expected: proved('path-terminated', at) },
  {
    name: 'SYN proxy',
    make: shakingHands,
    expected: proved('path-terminated', at),
    // It knows the server by other sequence numbers than the client does.
    may: proved('headers-altered', behind),
  },
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
  {
    name: 'NAT without a memory',
    make: readdressing,
    expected: proved('nat', before),
    translated: true,
  },
  {
    name: 'STARTTLS eaten',
    make: eats('STAR'),
    expected: proved('segment-dropped', before, 'starttls'),
    deep: true,
  },
  {
    name: 'MAIL eaten',
    make: eats('MAIL'),
    expected: proved('segment-dropped', before, 'mail-size'),
    deep: true,
  },
  {
    name: 'TLS handshake eaten',
    make: entering(`${TLS_BEGINS} drop`),
    expected: proved('segment-dropped', before, 'tls-hello'),
    deep: true,
  },
  {
    name: 'connection reset at EHLO',
    make: bridging('inject-rst:to=client'),
    expected: suspectedAtTheServer('reset-injected', proved('reset-injected', at)),
    cable: true,
  },
  {
    name: 'MSS made smaller',
    make: entering('tcp flags syn tcp option maxseg size set 1300'),
    expected: proved('headers-altered', before),
  },
  {
    name: 'SACK taken out of SYN',
    make: entering('tcp flags syn reset tcp option sack-perm'),
    expected: proved('headers-altered', before),
  },
  {
    name: 'DSCP changed',
    make: entering('ip dscp set cs1', 'ip6 dscp set cs1'),
    expected: proved('headers-altered', before),
  },
  { name: 'one EHLO lost', make: bridging('drop-command:verb=EHLO,times=1'), expected: none },
  { name: 'a rough road', make: bridging('rough-road:loss=5,late=0,seed=1'), expected: none },
  { name: 'a long way', make: bridging('slow:ms=150'), expected: none },
  { name: 'silent router', make: silent, expected: none },
  {
    name: 'silent router, EHLO eaten by the next',
    make: both(silent, further(1, eats('EHLO'))),
    expected: dropped(around),
    behind: true,
  },
  { name: 'ICMP limited as Linux does', make: limiting, expected: none, slowly: true },
  {
    name: 'ICMP limited as Linux does, EHLO eaten',
    make: both(limiting, eats('EHLO')),
    expected: dropped(before),
    slowly: true,
  },
];
