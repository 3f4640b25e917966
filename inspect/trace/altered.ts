// Altered: a hop quotes what it received, and that differs from what was sent.

import { readFields, type Fields } from './fields';
import { triedOf } from './hops';
import type { Answer, IcmpAnswer, Place, Test, Trace, TraceVerdict } from './sent';
import { between, listText, placeText, TEST_TEXTS } from './texts';

/** One verdict for each pair of hops and kind of change. */
export function judgeAltered(trace: Trace): readonly TraceVerdict[] {
  const found = changesOf(trace);
  const groups = new Map<string, Found[]>();
  for (const each of found) {
    const key = `${each.kind} ${each.from} ${each.to} ${each.kind === 'octets' ? each.test : ''}`;
    groups.set(key, [...(groups.get(key) ?? []), each]);
  }
  return [...groups.values()].map((group) => verdictOf(trace, group));
}

type Kind = 'address' | 'header' | 'octets';

interface Field {
  readonly name: string;
  readonly kind: Kind;
  /** Absent where it is not in the octets that are there. */
  readonly of: (fields: Fields) => string | number | undefined;
  /** No fault of the path. */
  readonly harmless?: boolean;
}

/** Lengths, checksums, fragment fields and the IP identification are left out: hops quote them as they have them by then. */
const FIELDS: readonly Field[] = [
  { name: 'source address', kind: 'address', of: ({ source }) => source },
  { name: 'destination address', kind: 'address', of: ({ destination }) => destination },
  { name: 'source port', kind: 'address', of: ({ sourcePort }) => sourcePort },
  { name: 'destination port', kind: 'address', of: ({ destinationPort }) => destinationPort },
  { name: 'DSCP', kind: 'header', of: ({ trafficClass }) => trafficClass >> 2, harmless: true },
  { name: 'ECN', kind: 'header', of: ({ trafficClass }) => trafficClass & 3, harmless: true },
  { name: 'sequence number', kind: 'header', of: ({ seq }) => seq },
  { name: 'acknowledgement number', kind: 'header', of: ({ ack }) => ack },
  { name: 'flags', kind: 'header', of: ({ flags }) => flags },
  { name: 'window', kind: 'header', of: ({ window }) => window },
  { name: 'MSS', kind: 'header', of: ({ options }) => options && (options.mss ?? ABSENT), harmless: true },
  { name: 'window scale', kind: 'header', of: ({ options }) => options && (options.windowScale ?? ABSENT) },
  {
    name: 'timestamps',
    kind: 'header',
    of: ({ options }) => options && (options.timestamps?.join(' ') ?? ABSENT),
  },
  { name: 'options', kind: 'header', of: ({ options }) => options?.kinds.join(' ') },
];

interface Found {
  readonly name: string;
  readonly kind: Kind;
  readonly harmless: boolean;
  readonly test: Test;
  readonly from: number;
  readonly to: number;
  /** Only one answer shows it. */
  readonly once: boolean;
}

function changesOf(trace: Trace): readonly Found[] {
  const quotes = quotesOf(trace);
  const tests = [...new Set(quotes.map(({ test }) => test))];
  const whole = tests.flatMap((test) => {
    const own = quotes.filter((each) => each.test === test);
    return [...FIELDS, OCTETS].flatMap((field) => spotOf(field, test, own));
  });
  // An option that is gone takes its value with it.
  const gone = (each: Found): boolean =>
    IN_OPTIONS.has(each.name) &&
    whole.some(({ name, test, to }) => name === 'options' && test === each.test && to === each.to);
  return narrowest(whole.filter((each) => !gone(each)));
}

/** The same change in several tests is one: where it was seen between the nearest hops. Octets are each test's own. */
function narrowest(found: readonly Found[]): readonly Found[] {
  const best = new Map<string, Found>();
  for (const each of found) {
    const key = each.kind === 'octets' ? `octets ${each.test}` : each.name;
    const known = best.get(key);
    if (known === undefined || each.to - each.from < known.to - known.from || (known.once && !each.once)) {
      best.set(key, each);
    }
  }
  return [...best.values()];
}

interface Quote {
  readonly test: Test;
  readonly ttl: number;
  readonly own: Fields;
  readonly quoted: Fields;
}

function quotesOf(trace: Trace): readonly Quote[] {
  return triedOf(trace).flatMap(({ test, ttl, answers }) =>
    answers.filter(isQuoting).flatMap((answer) => {
      const sent = trace.sent.find(({ number }) => number === answer.to);
      const own = sent && readFields(sent.packet);
      const quoted = readFields(answer.quote);
      return own && quoted && test !== 'echo' ? [{ test, ttl, own, quoted }] : [];
    }),
  );
}

function isQuoting(answer: Answer): answer is IcmpAnswer {
  return answer.kind === 'expired' || answer.kind === 'unreachable' || answer.kind === 'too-big';
}

/**
 * The first hop from which on all quotes that go far enough show the change. A quote that differs at one hop and not behind it
 * is that hop's own way to quote.
 */
function spotOf({ name, kind, of, harmless = false }: Field, test: Test, quotes: readonly Quote[]): Found[] {
  const telling = quotes.filter(({ own, quoted }) => {
    const sent = of(own);
    return sent !== undefined && sent !== ABSENT && of(quoted) !== undefined;
  });
  const isChanged = ({ own, quoted }: Quote): boolean => !isSame(kind, of(own), of(quoted));
  const plain = Math.max(0, ...telling.filter((each) => !isChanged(each)).map(({ ttl }) => ttl));
  const behind = telling.filter(({ ttl }) => ttl > plain);
  if (behind.length === 0) return [];
  const to = Math.min(...behind.map(({ ttl }) => ttl));
  return [{ name, kind, harmless, test, from: plain, to, once: behind.length === 1 }];
}

/** Octets are as latin1 text: what is quoted may end before what was sent. */
const OCTETS: Field = {
  name: 'octets',
  kind: 'octets',
  of: ({ payload }) => (payload.length > 0 ? String.fromCharCode(...payload.subarray(0, 1_024)) : undefined),
};

function isSame(kind: Kind, own: string | number | undefined, quoted: string | number | undefined): boolean {
  if (kind !== 'octets' || typeof own !== 'string' || typeof quoted !== 'string') return own === quoted;
  const length = Math.min(own.length, quoted.length);
  return own.slice(0, length) === quoted.slice(0, length);
}

function verdictOf(trace: Trace, group: readonly Found[]): TraceVerdict {
  const [{ kind, from, to, test } = NONE] = group;
  const what = [...new Set(group.map(({ name }) => name))];
  const place = between(from, to);
  const once = group.every((each) => each.once);
  const certainty = once ? 'suspected' : 'proved';
  const where = placeText(place, trace.distance);
  const common = { certainty, test, place, what } as const;
  if (kind === 'address') {
    const message = `Addresses are translated (NAT) ${where}: hop ${to} received another ${listText(what)}.`;
    return { ...common, verdict: 'nat', harmless: true, message };
  }
  if (kind === 'octets') {
    const message = `${upper(TEST_TEXTS[test])} is changed ${where}: hop ${to} received other octets than were sent.`;
    return { ...common, verdict: EHLOS.has(test) ? 'ehlo-altered' : 'segment-altered', message };
  }
  const message = `The TCP or IP header is changed ${where}: hop ${to} received another ${listText(what)}.`;
  const harmless = group.every((each) => each.harmless);
  return { ...common, verdict: 'headers-altered', ...(harmless && { harmless }), message };
}

/** The server's own address on ICMP errors of hops before it: a device translates it, and them. */
export function judgeTranslated(trace: Trace): readonly TraceVerdict[] {
  const hops = triedOf(trace)
    .filter(({ ttl }) => ttl < (trace.distance ?? Infinity))
    .filter(({ answers }) => answers.some(({ kind, from }) => kind === 'expired' && from === trace.server));
  if (hops.length === 0) return [];
  const to = Math.min(...hops.map(({ ttl }) => ttl));
  const place: Place = between(to - 1, to);
  return [
    {
      ...{ verdict: 'nat', certainty: 'proved', test: 'control', place, harmless: true },
      what: ['destination address'],
      message:
        `The server's address is translated (NAT) ${placeText(place, trace.distance)}: ` +
        `hop ${to} answers in the server's name that the TTL was over.`,
    },
  ];
}

function upper(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Of an option that the packet has not. */
const ABSENT = -1;
const NONE: Pick<Found, 'kind' | 'from' | 'to' | 'test'> = {
  kind: 'header',
  from: 0,
  to: 0,
  test: 'control',
};
const EHLOS: ReadonlySet<Test> = new Set(['ehlo', 'helo', 'ehlo-lower', 'ehlo-split']);
const IN_OPTIONS: ReadonlySet<string> = new Set(['MSS', 'window scale', 'timestamps']);
