// Captures made by others, with facts that were derived without us: the session machine must tell the same.

import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Direction, SmtpEvent } from '../../../inspect/events';
import { createSession } from '../../../inspect/smtp/session';
import { SECOND } from './transcript';

const FOLDER = join(__dirname, '../../../../shared/captures');

interface FactSession {
  readonly stream: number;
  readonly server: string;
  readonly handshake: { readonly syn_ack: boolean };
  readonly dialogue: readonly (readonly [string, number | null])[];
  readonly messages: number;
  readonly messages_accepted: number;
  readonly data_bytes_each: readonly number[];
  readonly unmatched_replies: readonly number[];
  readonly ehlo: readonly string[];
  readonly client_bytes: number;
  readonly server_bytes: number;
}

interface Segment {
  readonly stream: number;
  readonly from: Direction;
  readonly at: number;
  readonly bytes: Uint8Array;
}

/** TCP payloads in order, each octet once; these captures have no holes and no disorder (their facts say so). */
function segmentsOf(file: string, servers: ReadonlySet<string>): Segment[] {
  const fields = ['tcp.stream', 'frame.time_epoch', 'ip.src', 'tcp.srcport', 'tcp.seq', 'tcp.payload'];
  const text = execFileSync(
    'tshark',
    ['-r', file, '-Y', 'tcp.len > 0', '-T', 'fields', ...fields.flatMap((field) => ['-e', field])],
    { encoding: 'latin1', stdio: ['ignore', 'pipe', 'ignore'], maxBuffer: 1 << 28 },
  );
  const next = new Map<string, number>();
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [stream = '', epoch = '', address = '', port = '', seq = '', payload = ''] = line.split('\t');
      const side = `${stream} ${address}:${port}`;
      const from = servers.has(`${address}:${port}`) ? 'server' : 'client';
      const bytes = Uint8Array.from(Buffer.from(payload, 'hex'));
      const seen = Math.max(0, (next.get(side) ?? Number(seq)) - Number(seq));
      next.set(side, Math.max(next.get(side) ?? 0, Number(seq) + bytes.length));
      const at = Math.round(Number(epoch) * SECOND);
      return { stream: Number(stream), from, at, bytes: bytes.subarray(seen) };
    });
}

/** The facts' dialogue in our words: verbs without their second word, an AUTH exchange as one, no strangers. */
function wanted(dialogue: FactSession['dialogue']): string[] {
  const phases: string[] = [];
  for (const [word, code] of dialogue) {
    const verb = word.split(' ', 1)[0] ?? '';
    if (word === '(auth-data)') phases.pop();
    const name = word === '(auth-data)' ? 'AUTH' : KNOWN.has(verb) ? verb : '?';
    phases.push(`${name} ${code ?? '-'}`);
  }
  return phases;
}

const KNOWN = new Set([
  'EHLO',
  'HELO',
  'AUTH',
  'MAIL',
  'RCPT',
  'DATA',
  'BDAT',
  'RSET',
  'QUIT',
  'STARTTLS',
  'message',
  'tls',
]);

function told(events: readonly SmtpEvent[]): string[] {
  return events.flatMap((event) => {
    if (event.kind !== 'phase' || ['greeting', 'connect', 'close'].includes(event.phase)) return [];
    return [`${event.verb ?? event.phase} ${event.reply?.code ?? '-'}`];
  });
}

function sessionOf(fact: FactSession, segments: readonly Segment[]): SmtpEvent[] {
  const session = createSession({ started: segments[0]?.at ?? 0, serverUnheard: !fact.handshake.syn_ack });
  const events = segments.flatMap(({ from, bytes, at }) => session.feed(from, bytes, at));
  return [...events, ...session.close({ by: 'client', how: 'fin' }, segments[segments.length - 1]?.at ?? 0)];
}

/**
 * Where we say more than the facts do. rset-starttls: STARTTLS was agreed and not one octet of TLS came; the
 * facts count TLS octets, for us the phase was open, and that it came to nothing is what an operator looks for.
 */
const MORE: Readonly<Record<string, readonly string[]>> = { 'rset-starttls': ['tls -'] };

function assertFacts(name: string, fact: FactSession, events: readonly SmtpEvent[]): void {
  assert.equal(told(events), [...wanted(fact.dialogue), ...(MORE[name] ?? [])]);
  const line = events[events.length - 1];
  assert.is(line?.kind, 'session');
  if (line?.kind !== 'session') return;
  assert.equal(line.bytes, { client: fact.client_bytes, server: fact.server_bytes });
  assert.is(line.messages, fact.messages_accepted);
  assert.is(line.hello, fact.ehlo[fact.ehlo.length - 1]);
  const unasked = events.filter((event) => event.kind === 'reply' && event.answers === undefined);
  assert.equal(
    unasked.map((event) => event.kind === 'reply' && event.code),
    fact.unmatched_replies,
  );
}

function missing(): string | undefined {
  if (!existsSync(FOLDER)) return 'no folder shared/captures beside the checkout';
  try {
    execFileSync('tshark', ['--version'], { stdio: 'ignore' });
  } catch {
    return 'no tshark';
  }
  return undefined;
}

const why = missing();
if (why !== undefined) {
  test.skip(`captures of others: ${why}`, () => undefined);
} else {
  for (const name of readdirSync(FOLDER).filter((file) => file.endsWith('.facts.json'))) {
    const facts = JSON.parse(readFileSync(join(FOLDER, name), 'utf8')) as { sessions: FactSession[] };
    const base = name.replace('.facts.json', '');
    test(base, () => {
      const file = readdirSync(FOLDER).find((each) => each.startsWith(`${base}.pcap`)) ?? '';
      const segments = segmentsOf(join(FOLDER, file), new Set(facts.sessions.map(({ server }) => server)));
      for (const fact of facts.sessions) {
        const own = segments.filter(({ stream }) => stream === fact.stream);
        assertFacts(base, fact, sessionOf(fact, own));
      }
    });
  }
}

test.run();
