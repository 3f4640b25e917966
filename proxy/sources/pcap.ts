// The classic capture format (draft-ietf-opsawg-pcap): a header of 24 octets, then records; both orders of octets.

import { isKnownLink } from '../../inspect/tcp/link';
import { LARGEST_RECORD, type Chunk, type Format } from './frame';

export const PCAP_HEADER = 24;

/** The format, by the file's first 24 octets; `undefined` where they are another's. */
export function pcapFormat({ view }: Chunk): Format | undefined {
  const big = MAGICS[view.getUint32(0)];
  const little = MAGICS[view.getUint32(0, true)];
  const magic = big ?? little;
  if (!magic) return undefined;
  // The upper bits say whether frames end with their check sequence, which the IP length cuts off anyway.
  const linkType = view.getUint32(20, big === undefined) & 0x03ff_ffff;
  return createPcapFormat(linkType, { ...magic, little: big === undefined });
}

interface Layout {
  readonly little: boolean;
  /** Fractions of a second in a microsecond. */
  readonly perMicro: number;
  /** Octets in front of each frame. */
  readonly head: number;
}

function createPcapFormat(linkType: number, { little, perMicro, head }: Layout): Format {
  const strange = new Map<number, number>();
  const known = isKnownLink(linkType);
  return {
    lost: 0,
    strange,
    read({ view }, start, end, hold) {
      let at = start;
      while (end - at >= head) {
        const captured = view.getUint32(at + 8, little);
        if (captured > LARGEST_RECORD - head) {
          return { kind: 'damage', why: `a packet of ${captured} octets`, offset: at };
        }
        const next = at + head + captured;
        if (next > end) break;
        const fraction = view.getUint32(at + 4, little);
        const time = view.getUint32(at, little) * 1e6 + Math.floor(fraction / perMicro);
        if (known) hold(linkType, at + head, captured, time, view.getUint32(at + 12, little));
        else strange.set(linkType, (strange.get(linkType) ?? 0) + 1);
        at = next;
      }
      return at;
    },
  };
}

const MAGICS: Readonly<Record<number, { readonly perMicro: number; readonly head: number } | undefined>> = {
  0xa1b2c3d4: { perMicro: 1, head: 16 },
  0xa1b23c4d: { perMicro: 1_000, head: 16 },
  // Of old patched Linux systems: 8 octets more in each record.
  0xa1b2cd34: { perMicro: 1, head: 24 },
};
