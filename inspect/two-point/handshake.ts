// The handshake at two points: of one TCP, or of another TCP in its name.

import type { Direction } from '../events';
import { FLAG } from '../tcp/segment';
import { TTL_JUMP } from '../verdict/thresholds';
import type { Clocks } from './clock';
import { type Passage, synOf, type Trace } from './trace';

export interface HandshakeSign {
  /** The SYN's, or the SYN-ACK's. */
  readonly from: Direction;
  /** It cannot come from rewriting on the way: another TCP made it. */
  readonly strong: boolean;
  readonly note: string;
  readonly outside: Passage;
  readonly inside: Passage;
}

export function handshakeSigns(wan: Trace, dmz: Trace, clocks: Clocks): HandshakeSign[] {
  const signs = (['client', 'server'] as const).flatMap((from) => {
    const [outside, inside] = twinsOf(wan, dmz, from);
    if (!outside || !inside) return [];
    const [sent, came] = from === 'client' ? [outside, inside] : [inside, outside];
    return notesOf(sent, came).map(([strong, note]) => ({
      ...{ from, strong, outside, inside },
      note: `${from === 'client' ? 'SYN' : 'SYN ACK'}: ${note}`,
    }));
  });
  const order = answeredBeforeAsked(wan, dmz, clocks);
  return order ? [...signs, order] : signs;
}

/** Copies with the same stamp, where there are such. */
function twinsOf(wan: Trace, dmz: Trace, from: Direction): [Passage | undefined, Passage | undefined] {
  const [outside, inside] = [wan, dmz].map(({ passages }) =>
    passages.filter((each) => each.from === from && each.flags & FLAG.syn),
  );
  for (const one of outside ?? []) {
    const twin = inside?.find(({ tsval }) => tsval !== undefined && tsval === one.tsval);
    if (twin) return [one, twin];
  }
  return [outside?.[0], inside?.[0]];
}

function notesOf(sent: Passage, came: Passage): [strong: boolean, note: string][] {
  const notes: [boolean, string][] = [];
  if (sent.tsval !== undefined && came.tsval !== undefined && sent.tsval !== came.tsval) {
    notes.push([true, `timestamp ${sent.tsval} where it was sent, ${came.tsval} where it came`]);
  }
  const cut = sent.cut || came.cut;
  if (!cut && sent.windowScale !== came.windowScale) {
    notes.push([true, `window scale ${shown(sent.windowScale)}, then ${shown(came.windowScale)}`]);
  }
  if (!cut && sent.kinds.join() !== came.kinds.join()) {
    notes.push([false, `options ${sent.kinds.join(' ') || 'none'}, then ${came.kinds.join(' ') || 'none'}`]);
  }
  if (sent.window !== came.window) notes.push([false, `window ${sent.window}, then ${came.window}`]);
  const hops = sent.ttl - came.ttl;
  if (hops < 0 || hops > TTL_JUMP) notes.push([hops < 0, `TTL ${sent.ttl}, then ${came.ttl}`]);
  return notes;
}

/** No server answers a SYN that has not come yet: a device before it did. */
function answeredBeforeAsked(wan: Trace, dmz: Trace, clocks: Clocks): HandshakeSign | undefined {
  const [outside, inside] = [synOf(wan, 'server'), synOf(dmz, 'client')];
  if (!outside || !inside) return undefined;
  // The server's own answer comes out behind the question that went in, whatever the clocks say.
  const answer = synOf(dmz, 'server');
  const same =
    answer && (answer.seq === outside.seq || (answer.tsval !== undefined && answer.tsval === outside.tsval));
  if (same) return undefined;
  const { micros, slack } = clocks.atDmz(inside.at);
  const early = inside.at - micros - outside.at;
  if (early <= slack) return undefined;
  const note = `SYN ACK outside ${(early / 1000).toFixed(1)} ms before the SYN came inside`;
  return { from: 'server', strong: true, note, outside, inside };
}

function shown(value: number | undefined): string {
  return value === undefined ? 'none' : String(value);
}
