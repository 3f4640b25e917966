// What a hostile peer's octets cost: the work is counted, and grows as the octets do, whatever they are.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Direction } from '../../../inspect/events';
import { createGreeter, type GreeterOptions } from '../../../inspect/greeting/greeter';
import { createSession } from '../../../inspect/smtp/session';

type Feed = (bytes: Uint8Array, at: number) => unknown;

interface Row {
  readonly name: string;
  /** Repeated for as long as it takes. */
  readonly octets: string;
  readonly open: () => Feed;
}

const octetsOf = (text: string): Uint8Array => Uint8Array.from(text, (char) => char.charCodeAt(0));

function session(from: Direction, ...said: readonly (readonly [Direction, string])[]): Feed {
  const opened = createSession({ started: 0, connected: 0 });
  said.forEach(([side, text], index) => opened.feed(side, octetsOf(text), index));
  return (bytes, at) => opened.feed(from, bytes, at);
}

function greeter(options: Partial<GreeterOptions>, client: string, ...said: readonly string[]): Feed {
  const all = { mode: 'now' as const, patience: 20e6, hostname: 'shim.example', opened: 0, ...options };
  const opened = createGreeter(all);
  for (const [index, text] of said.entries()) opened.server(octetsOf(text), index);
  if (client !== '') opened.client(octetsOf(client), said.length);
  return (bytes, at) => opened.server(bytes, at);
}

const GREETED = ['server', '220 mx.example\r\n'] as const;
const TLS = [GREETED, ['client', 'STARTTLS\r\n'], ['server', '220 go\r\n']] as const;
const BODY = [GREETED, ['client', 'DATA\r\n'], ['server', '354 go\r\n']] as const;

const ROWS: readonly Row[] = [
  { name: 'dots in a message', octets: '\r\n..\r\n.\n', open: () => session('client', ...BODY) },
  { name: 'bare CRs and dots in a message', octets: '\n.\r\r', open: () => session('client', ...BODY) },
  { name: 'a command line that never ends', octets: 'A', open: () => session('client', GREETED) },
  { name: 'commands', octets: 'NOOP\r\n', open: () => session('client', GREETED) },
  { name: 'octets behind DATA', octets: 'A', open: () => session('client', GREETED, ['client', 'DATA\r\n']) },
  {
    name: 'TLS records of one octet',
    octets: '\x16\x03\x01\0\x01\x01',
    open: () => session('client', ...TLS),
  },
  { name: 'TLS records without octets', octets: '\x16\x03\x01\0\0', open: () => session('client', ...TLS) },
  { name: 'TLS alerts', octets: '\x15\x03\x01\0\x02\x01\0', open: () => session('client', ...TLS) },
  { name: 'a reply that never ends', octets: '250-more\r\n', open: () => session('server', GREETED) },
  { name: 'replies that nobody asked for', octets: '250 x\r\n', open: () => session('server', GREETED) },
  { name: 'a greeting that never ends, judged', octets: '220-x\r\n', open: () => session('server') },
  { name: 'blank lines for a greeting, judged', octets: '\n', open: () => session('server') },
  { name: 'a greeting that never ends', octets: '220-x\r\n', open: () => greeter({ mode: 'learn' }, '') },
  { name: 'junk in a greeting', octets: 'j\n', open: () => greeter({ mode: 'learn' }, '', '220-a\r\n') },
  {
    name: 'a greeting line that never ends',
    octets: 'x',
    open: () => greeter({ mode: 'learn' }, '', '220-'),
  },
  { name: 'bare CRs in a greeting', octets: '\r220-x', open: () => greeter({ mode: 'learn' }, '', '220-') },
  { name: 'late lines', octets: '220-late\r\n', open: () => greeter({}, 'EHLO x\r\n', '220-mx\r\n') },
  {
    name: 'a late line that never ends',
    octets: 'x',
    open: () => greeter({}, 'EHLO x\r\n', '220-mx\r\n', '220-'),
  },
  { name: 'a late refusal that never ends', octets: '554-no\r\n', open: () => greeter({}, '', '220-mx\r\n') },
];

/** Octets that are copied or searched while this runs. */
function workOf(run: () => void): number {
  const { set, slice, indexOf } = Uint8Array.prototype;
  let work = 0;
  const counted: Record<string, (this: Uint8Array, ...rest: never[]) => unknown> = {
    set(this: Uint8Array, from: ArrayLike<number>, offset?: number) {
      work += from.length;
      set.call(this, from, offset);
    },
    slice(this: Uint8Array, start?: number, end?: number) {
      const copy = slice.call(this, start, end);
      work += copy.length;
      return copy;
    },
    indexOf(this: Uint8Array, octet: number, from = 0) {
      const found = indexOf.call(this, octet, from);
      work += (found < 0 ? this.length : found) - from;
      return found;
    },
  };
  Object.assign(Uint8Array.prototype, counted);
  try {
    run();
  } finally {
    Object.assign(Uint8Array.prototype, { set, slice, indexOf });
  }
  return work;
}

function feedAll({ octets, open }: Row, length: number, read: number): number {
  const feed = open();
  const bytes = octetsOf(octets.repeat(Math.ceil(read / octets.length) + 1));
  return workOf(() => {
    for (let fed = 0; fed < length; fed += read) {
      const from = fed % octets.length;
      feed(bytes.subarray(from, from + read), 1_000 + fed);
    }
  });
}

for (const row of ROWS) {
  // Octets of work for one octet.
  for (const [how, read, most] of [
    ['in large reads', 65_536, 32],
    // What is kept of a line is copied with each octet of it, up to its cap.
    ['octet by octet', 1, 32_768],
  ] as const) {
    test(`${row.name}, ${how}`, () => {
      const length = read === 1 ? 12_000 : 20 * read;
      const once = feedAll(row, length, read);
      const twice = feedAll(row, 2 * length, read);
      assert.ok(once <= most * length, `${once / length} for each octet`);
      assert.ok(twice <= 2.5 * once + 100_000, `${once}, and ${twice} for twice as many octets`);
    });
  }
}

test.run();
