// What the wire learns by looking on: only of greetings that were seen whole, by the right leg, with a client in the way of nothing.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import fc from 'fast-check';
import { FLAG, type Leg } from '../../../inspect/tcp/segment';
import { dialogue, FIRST, LAST, LEGS, watch, type Frame, type Step } from './onlooker';

const { syn, ack, psh, rst, fin } = FLAG;
const look = (at: number): Step => ({ at, we: 'look' });

function handshake(): { readonly talk: ReturnType<typeof dialogue>; readonly opened: readonly Frame[] } {
  const talk = dialogue();
  return { talk, opened: [talk.client(0, syn), talk.server(0.01, syn | ack), talk.client(0.02, ack)] };
}

type Scene = (talk: ReturnType<typeof dialogue>) => readonly Step[];
const ROWS: readonly (readonly [name: string, scene: Scene, want: readonly string[]])[] = [
  [
    'a lone 220- that the client acknowledged, and then the patience: a suspicion',
    (t) => [t.server(1, psh | ack, FIRST), t.client(1.1, ack), look(21), look(21.2)],
    ['stalled'],
  ],
  [
    'the patience counts from the acknowledgement: a server may wait for it',
    (t) => [t.server(1, psh | ack, FIRST), t.client(15, ack), look(30), look(34.9), look(35.1)],
    ['stalled'],
  ],
  [
    'a client that vanishes behind the handshake acknowledges nothing',
    (t) => [t.server(1, psh | ack, FIRST), look(21.2), look(300)],
    [],
  ],
  [
    'a client that closes its window',
    (t) => [t.server(1, psh | ack, FIRST), t.client(1.1, ack, '', 0), look(21.2), look(300)],
    [],
  ],
  [
    'a client with hardly any window',
    (t) => [t.server(1, psh | ack, FIRST), t.client(1.1, ack, '', 20), look(21.2), look(300)],
    [],
  ],
  [
    'a client that spoke',
    (t) => [t.server(1, psh | ack, FIRST), t.client(1.1, psh | ack, 'EHLO bot\r\n'), look(21.2), look(300)],
    [],
  ],
  [
    'a client that spoke and is answered',
    (t) => [
      t.server(1, psh | ack, FIRST),
      t.client(1.1, psh | ack, 'EHLO bot\r\n'),
      t.server(1.2, psh | ack, '250 mx.example\r\n'),
      look(300),
    ],
    [],
  ],
  [
    'a client whose octets never came here, as its number shows',
    (t) => {
      const first = t.server(1, psh | ack, FIRST);
      t.client(1.05, psh | ack, 'EHLO bot\r\n');
      return [first, t.client(1.1, ack), look(21.2), look(300)];
    },
    [],
  ],
  [
    'a client that closed its side',
    (t) => [t.server(1, psh | ack, FIRST), t.client(1.1, fin | ack), look(21.2), look(300)],
    [],
  ],
  [
    'a client that reset',
    (t) => [t.server(1, psh | ack, FIRST), t.client(1.1, ack), t.client(2, rst | ack), look(21.2), look(300)],
    [],
  ],
  [
    'a record of it that found no room',
    (t) => [t.server(1, psh | ack, FIRST), t.client(1.1, ack), { at: 2, we: 'lost a record' }, look(21.2)],
    [],
  ],
  [
    'a record of nobody knows whom',
    (t) => [
      t.server(1, psh | ack, FIRST),
      t.client(1.1, ack),
      { at: 2, we: 'lost somebody’s record' },
      look(21.2),
    ],
    [],
  ],
  [
    'a frame with the server’s address by the clients’ leg',
    (t) => [{ ...t.server(1, psh | ack, FIRST), leg: 'wan' }, t.client(1.1, ack), look(21.2), look(300)],
    [],
  ],
  [
    'and a last line by that leg takes nothing back',
    (t) => [
      t.server(1, psh | ack, FIRST),
      t.client(1.1, ack),
      { ...t.server(2, psh | ack, LAST), leg: 'wan' },
      look(21.2),
    ],
    [],
  ],
  [
    'an honest greeting after a while',
    (t) => [
      t.server(1, psh | ack, FIRST),
      t.client(1.1, ack),
      look(6),
      t.server(7, psh | ack, LAST),
      look(60),
    ],
    ['ended'],
  ],
  [
    'an honest greeting after more than the patience: a suspicion, and then its end',
    (t) => [t.server(1, psh | ack, FIRST), t.client(1.1, ack), look(21.2), t.server(26, psh | ack, LAST)],
    ['stalled', 'ended'],
  ],
  [
    'an idle timeout behind a lone 220- is no end of a greeting',
    (t) => [
      t.server(1, psh | ack, FIRST),
      t.client(1.1, ack),
      look(21.2),
      t.server(300, psh | ack, '421 timeout\r\n'),
    ],
    ['stalled'],
  ],
];

for (const [name, scene, want] of ROWS) {
  test(name, () => {
    const { talk, opened } = handshake();
    assert.equal(watch([...opened, ...scene(talk)]), want);
  });
}

test('one interface has no legs, and learns all the same', () => {
  const { talk, opened } = handshake();
  const steps = [...opened, talk.server(1, psh | ack, FIRST), talk.client(1.1, ack), look(21.2)];
  assert.equal(watch(steps, 'one'), ['stalled']);
});

test('a connection whose beginning was not seen teaches nothing', () => {
  const { talk } = handshake();
  assert.equal(watch([talk.server(1, psh | ack, FIRST), talk.client(1.1, ack), look(21.2)]), []);
});

/**
 * An honest server that sends its last line as soon as `wait` is over, the client has acknowledged the first (Nagle) and has
 * room for it; a client that does anything; an observer that loses anything.
 */
const client = fc.record({
  acknowledges: fc.option(fc.integer({ min: 0, max: 60 }), { nil: undefined }),
  window: fc.constantFrom(0, 10, 1_000, 64_240),
  speaks: fc.option(fc.integer({ min: 0, max: 60 }), { nil: undefined }),
  ends: fc.option(fc.tuple(fc.integer({ min: 0, max: 60 }), fc.constantFrom(rst | ack, fin | ack)), {
    nil: undefined,
  }),
  nagle: fc.boolean(),
  wait: fc.integer({ min: 1, max: 18 }),
  /** Which of its segments we miss, and how we hear of it. */
  lost: fc.array(fc.nat(8), { maxLength: 3 }),
  heard: fc.constantFrom('lost a record', 'lost somebody’s record'),
  astray: fc.option(fc.nat(8), { nil: undefined }),
});

test('no client, and no loss that we know of, makes an honest server a suspect', () => {
  fc.assert(
    fc.property(client, (c) => {
      const { talk, opened } = handshake();
      const wants: { at: number; make: () => Frame | undefined }[] = [];
      let acked = false;
      let gone = false;
      let said = false;
      wants.push({ at: 1, make: () => talk.server(1, psh | ack, FIRST) });
      if (c.acknowledges !== undefined) {
        const at = 1.1 + c.acknowledges;
        wants.push({
          at,
          make: () => {
            if (gone) return undefined;
            acked = true;
            return talk.client(at, ack, '', c.window);
          },
        });
      }
      for (let at = 1 + c.wait; at < 120; at += 0.5) {
        wants.push({
          at,
          make: () => {
            if (said || gone || (c.nagle && !acked) || (acked && c.window < LAST.length)) return undefined;
            said = true;
            return talk.server(at, psh | ack, LAST);
          },
        });
      }
      if (c.speaks !== undefined) {
        const at = 1.2 + c.speaks;
        wants.push({
          at,
          make: () => (gone ? undefined : talk.client(at, psh | ack, 'EHLO bot\r\n', c.window)),
        });
      }
      if (c.ends !== undefined) {
        const [after, flags] = c.ends;
        const at = 1.3 + after;
        wants.push({
          at,
          make: () => {
            if (gone) return undefined;
            gone = true;
            return talk.client(at, flags);
          },
        });
      }
      wants.sort((a, b) => a.at - b.at);
      const frames: Frame[] = [...opened, ...wants.flatMap(({ make }) => make() ?? [])];
      const seen: Step[] = frames.flatMap((frame, i): Step[] => {
        if (c.lost.includes(i)) return [{ at: frame.at, we: c.heard }];
        const leg: Leg = c.astray === i ? (LEGS[frame.from] === 'wan' ? 'lan' : 'wan') : LEGS[frame.from];
        return [{ ...frame, leg }];
      });
      for (let at = 2.05; at < 130; at += 1) seen.push(look(at));
      seen.sort((a, b) => a.at - b.at);
      assert.not.ok(watch(seen).includes('stalled'));
    }),
    { numRuns: 2_000 },
  );
});

test.run();
