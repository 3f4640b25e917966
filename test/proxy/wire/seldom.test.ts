// What seldom happens to a connection: the story stays the one that the segments tell, no proof stands on what the
// program did not tell, and no message comes to user space.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Direction } from '../../../inspect/events';
import { FLAG } from '../../../inspect/tcp/segment';
import type { WireRecord } from '../../../proxy/wire/records';
import type { Turn } from '../../inspect/smtp/transcript';
import { packetise, segment, type Sent } from '../../inspect/tcp/packetise';
import { skip } from '../../kit/lab';
import { frameOf } from '../report/evidence/frames';
import { buildFrame } from '../sources/frames';
import { createHold } from './flow';
import { loadProgram, missing, type Program, track } from './program';
import { direct, story } from './story';

const TCP = 6;
const HELLO: readonly Turn[] = [
  ['S', '220 mx.example ESMTP\r\n'],
  ['C', 'EHLO vm\r\n'],
  ['S', '250-mx.example\r\n250 STARTTLS\r\n'],
];
const ENVELOPE: Turn = ['C', 'MAIL FROM:<a@example>\r\nRCPT TO:<b@example>\r\nDATA\r\n'];
const OPENING: readonly Turn[] = [...HELLO, ENVELOPE, ['S', '250 Ok\r\n250 Ok\r\n354 go\r\n']];
const CLOSING: readonly Turn[] = [
  ['S', '250 2.0.0 queued\r\n'],
  ['C', 'QUIT\r\n'],
  ['S', '221 2.0.0 Bye\r\n'],
];
/** More than a client that is taken for one in a dialogue says without an answer. */
const LARGE: Turn = ['C', `${'private words\r\n'.repeat(9_000)}.\r\n`];
/** What of it is copied until the program no more takes it for a dialogue. */
const COPIED = 72_000;

/** Octets of the client's that came to user space. */
function shown(records: readonly WireRecord[]): number {
  return records.reduce((sum, record) => {
    if (record.kind === 'odd' || record.from !== 'client') return sum;
    return sum + (record.kind === 'segment' ? record.segment.payload : record.elided.end).length;
  }, 0);
}

/** What comes behind `sent`: each where the last one ended, or so many octets `ahead` of that. */
function behind(sent: readonly Sent[]) {
  const end = (from: Direction): number => {
    const found = [...sent].reverse().find((each) => each.from === from);
    if (!found) throw new Error(`nothing of the ${from}`);
    return found.segment.seq + found.segment.length;
  };
  const at = sent[sent.length - 1]?.segment.at ?? 0;
  const next = { client: end('client'), server: end('server') };
  return (from: Direction, flags: number, payload = new Uint8Array(0), ahead = 0): Sent => {
    const seq = (next[from] + ahead) >>> 0;
    const ack = (from === 'client' ? next.server : next.client) >>> 0;
    next[from] = seq + payload.length;
    return { from, segment: segment(from, { seq, ack, flags, payload, at }) };
  };
}

function send(program: Program, sent: readonly Sent[]): void {
  for (const { from, segment: each } of sent) program.run(from, frameOf(each));
}

/** An IPv6 extension header (RFC 8200 §4): what the one before it calls it, and its octets. */
interface Extension {
  readonly kind: number;
  readonly octets: Uint8Array;
}

/** Destination options: one after the other of one octet each (Pad1). */
function options(length: number): Extension {
  const octets = new Uint8Array(length);
  octets.set([TCP, length / 8 - 1]);
  return { kind: 60, octets };
}

/** `field`: offset and flag. */
function fragment(field: number): Extension {
  return { kind: 44, octets: Uint8Array.of(TCP, 0, field >> 8, field & 255, 0, 0, 0, 1) };
}

function asIpv6(frame: Uint8Array, extension?: Extension): Uint8Array {
  const [tcp, before] = [frame.subarray(34), extension?.octets ?? new Uint8Array(0)];
  const out = new Uint8Array(54 + before.length + tcp.length);
  const view = new DataView(out.buffer);
  out.set(frame.subarray(0, 12));
  view.setUint16(12, 0x86dd);
  out[14] = 0x60;
  view.setUint16(18, before.length + tcp.length);
  out[20] = extension?.kind ?? TCP;
  out.set([0xfd, frame[29] ?? 0], 22);
  out.set([0xfd, frame[33] ?? 0], 38);
  out.set(before, 54);
  out.set(tcp, 54 + before.length);
  return out;
}

const why = missing();
if (why !== undefined) skip(test, 'what seldom happens', why);
else {
  let isn = 1;
  const play = (turns: readonly Turn[], fin = true): Sent[] => {
    isn += 9_000_011;
    return [...packetise(turns, { isn: { client: isn >>> 0, server: (isn * 3) >>> 0 }, fin })];
  };
  const shared = loadProgram();
  test.after(() => shared.close());
  /** `ports`: with a program of its own, that is asked for these. */
  const scene = (name: string, body: (program: Program) => void, ports?: readonly number[]): void => {
    test(name, () => {
      const program = ports === undefined ? shared : loadProgram(ports);
      try {
        program.records();
        body(program);
      } finally {
        if (program !== shared) program.close();
      }
    });
  };

  const TOLD: readonly (readonly [name: string, turns: readonly Turn[]])[] = [
    [
      'a 354 in two segments',
      [...HELLO, ENVELOPE, ['S', '250 Ok\r\n250 Ok\r\n35'], ['S', '4 go\r\n'], LARGE, ...CLOSING],
    ],
    [
      'a reply amid the message',
      [...OPENING, ['C', 'hello\r\n'.repeat(3_000)], ['S', '552 too large\r\n'], LARGE, ...CLOSING],
    ],
    [
      'BDAT in two segments',
      [...HELLO, ['C', 'BDAT 1350'], ['C', `00 LAST\r\n${'z'.repeat(135_000)}`], ...CLOSING],
    ],
  ];
  for (const [name, turns] of TOLD) {
    scene(`${name}, and a large message`, (program) => {
      const sent = play(turns);
      send(program, sent);
      const records = program.records();
      assert.equal(story(track(records)), direct(sent));
      assert.ok(shown(records) < COPIED, `${shown(records)}`);
    });
  }

  scene('each segment of a session in turn passes while its side is in hand', (program) => {
    const hold = createHold(program);
    for (let held = 1, count = 2; held < count; held += 1) {
      const sent = play([...OPENING, LARGE, ...CLOSING]);
      count = sent.length;
      sent.forEach(({ from, segment: each }, i) => {
        const isHeld = i === held && hold(from, true);
        program.run(from, frameOf(each));
        if (isHeld) hold(from, false);
      });
      const records = program.records();
      assert.equal(story(track(records)), direct(sent), `segment ${held}`);
      assert.ok(shown(records) < COPIED, `segment ${held}: ${shown(records)}`);
    }
  });

  const HARMLESS: readonly (readonly [name: string, again: (before: readonly Sent[]) => Sent | undefined])[] =
    [
      [
        'a copy of the 354',
        (before) => before.find(({ segment: { payload } }) => Buffer.from(payload).includes('354')),
      ],
      ['a window of 0', (before) => behind(before)('server', FLAG.ack)],
      ['a late copy of the SYN', ([first]) => first],
    ];
  for (const [name, again] of HARMLESS) {
    for (const busy of [false, true]) {
      scene(`${name} amid a message${busy ? ', and its side is in hand' : ''}`, (program) => {
        const hold = createHold(program);
        const sent = play([...OPENING, LARGE, ...CLOSING]);
        const at = sent.findIndex(({ segment: each }) => each.length > 1_000) + 2;
        const found = again(sent.slice(0, at));
        if (!found) throw new Error('no such segment');
        const copy = { ...found, segment: { ...found.segment, window: 0 } };
        send(program, sent.slice(0, at));
        const held = busy && hold(copy.from, true);
        program.run(copy.from, frameOf(copy.segment).fill(0, 48, 50));
        if (held) hold(copy.from, false);
        send(program, sent.slice(at));
        const records = program.records();
        assert.equal(story(track(records)), direct([...sent.slice(0, at), copy, ...sent.slice(at)]));
        assert.ok(shown(records) < 3_000, `${shown(records)}`);
      });
    }
  }

  scene('TLS beyond 2 GiB: nothing of it is copied, and so it stays', (program) => {
    const hello = `\x16\x03\x01${'x'.repeat(500)}`;
    const sent = play(
      [...HELLO, ['C', 'STARTTLS\r\n'], ['S', '220 go\r\n'], ['C', hello], ['S', hello]],
      false,
    );
    send(program, sent);
    const then = behind(sent);
    // The first octets are: the handshake is to be seen.
    for (let i = 0; i < 20; i += 1) send(program, [then('client', FLAG.ack, RANDOM)]);
    for (let half = 0; half < 10; half += 1) {
      program.records();
      for (let i = 0; i < 10; i += 1) send(program, [then('client', FLAG.ack, RANDOM)]);
      assert.is(program.records().length, 0, `behind ${half / 2} GiB`);
      send(program, [then('client', FLAG.ack, RANDOM, 1 << 29)]);
    }
  });

  scene('a segment that is far ahead moves nothing', (program) => {
    const sent = play(OPENING, false);
    send(program, sent);
    const then = behind(sent);
    program.records();
    send(program, [behind(sent)('client', FLAG.ack, RANDOM, 1_500_000_000)]);
    for (let i = 0; i < 100; i += 1) send(program, [then('client', FLAG.ack, RANDOM)]);
    assert.ok(shown(program.records()) < 3_000);
  });

  scene(
    'a client whose port is asked for as well',
    (program) => {
      const sent = play([...OPENING, LARGE, ...CLOSING]).map(({ from, segment: each }) => ({
        from,
        segment: { ...each, ...(from === 'client' ? { sourcePort: 2_525 } : { destinationPort: 2_525 }) },
      }));
      send(program, sent);
      const records = program.records();
      assert.equal(story(track(records, [25, 2_525])), direct(sent, [25, 2_525]));
      assert.ok(shown(records) < 3_000);
    },
    [25, 2_525],
  );

  /** Greeted, and then an EHLO that nobody hears, and the client resets: said, unless it was not told. */
  const UNHEARD = (
    program: Program,
    ehlo: (frame: Uint8Array) => void,
    asIs = (frame: Uint8Array) => frame,
  ) => {
    const sent = play([['S', '220 mx.example ESMTP\r\n']], false);
    const then = behind(sent);
    for (const { from, segment: each } of sent) program.run(from, asIs(frameOf(each)));
    ehlo(frameOf(then('client', FLAG.ack | FLAG.psh, Buffer.from('EHLO vm\r\n')).segment));
    program.run('client', asIs(frameOf(then('client', FLAG.ack | FLAG.rst).segment)));
    return story(track(program.records())).filter((line) => line.startsWith('ehlo-dropped'));
  };

  scene('(control) an EHLO that the program did not see is seen to be dropped', (program) => {
    assert.equal(
      UNHEARD(program, () => undefined),
      ['ehlo-dropped proved'],
    );
  });

  scene('one whose record found no room, and whose connection made room for others', (program) => {
    const told = UNHEARD(program, (frame) => {
      program.whileFull(() => {
        program.run('client', frame);
        for (let i = 0; i < FLOOD; i += 1) program.run('client', synOf(i));
      });
    });
    assert.equal(told, []);
  });

  scene('one in fragments', (program) => {
    assert.equal(
      UNHEARD(program, (frame) => {
        frame[20] = MORE_FRAGMENTS;
        program.run('client', frame);
      }),
      [],
    );
  });

  scene('(control) the fragment of another connection', (program) => {
    const told = UNHEARD(program, (frame) => {
      frame[20] = MORE_FRAGMENTS;
      frame[35] = 1;
      program.run('client', frame);
    });
    assert.equal(told, ['ehlo-dropped proved']);
  });

  const UNTOLD: readonly (readonly [name: string, extension: Extension])[] = [
    ['one behind more headers than a record holds', options(256)],
    ['one in fragments, IPv6', fragment(1)],
  ];
  for (const [name, extension] of UNTOLD) {
    scene(name, (program) => {
      const told = UNHEARD(
        program,
        (frame) => program.run('client', asIpv6(frame, extension)),
        (frame) => asIpv6(frame),
      );
      assert.equal(told, []);
    });
  }

  scene('IPv6 in fragments that are whole', (program) => {
    const sent = play([...OPENING, LARGE, ...CLOSING]);
    for (const { from, segment: each } of sent) program.run(from, asIpv6(frameOf(each), fragment(0)));
    assert.equal(story(track(program.records())), direct(sent));
  });
}

/** A SYN of somebody else's. */
function synOf(i: number): Uint8Array {
  const from = `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`;
  return buildFrame({ from, fromPort: 40_000, to: '198.18.0.2', toPort: 25, seq: i, flags: FLAG.syn });
}

/** The flag, where IPv4 has it. */
const MORE_FRAGMENTS = 0x20;
/** More connections than the table holds. */
const FLOOD = 100_000;
const RANDOM = new Uint8Array(1_400).fill(7);

test.run();
