// Kinds of wrong answers that are known and not mended yet, each with the ways that bring it: the list is to become empty.

import type { Kind, Result } from './matrix';

const KNOWN: readonly (readonly [kind: RegExp, way: RegExp])[] = [
  // A SYN that is captured behind what came of it.
  [/./, /^(stamped up to|one side stamped)/],
  // A frame that the capture lost, and does not say so, is a number that the client's packet counter left out.
  [/^(ehlo|segment)-dropped suspected before by header/, / missing$/],
  [/^client-gone suspected before/, / missing$/],
  [/^(ehlo|segment)-dropped suspected beyond/, / missing$/],
  [
    /^(ehlo-dropped|greeting-lost|segment-dropped) (proved|suspected) before by (sequence|probe)/,
    / missing$/,
  ],
  [/^greeting-slow proved/, / missing$/],
  [/^reset-injected suspected before/, / missing$/],
  // The stamps, which say that a segment is older than the reset, are cut off.
  [/^reset-injected (proved|suspected) before/, /^cut at/],
  [/^ehlo-dropped proved before by sequence/, /^ring records lost, reported$/],
  [/^anomaly greeting-malformed/, / missing$/],
  [/^learned/, / missing$/],
];

/** What nobody knew of. */
export function unknownKinds({ kinds }: Result): readonly Kind[] {
  return kinds.filter(({ kind, ways }) =>
    Object.keys(ways).some((way) => !KNOWN.some(([kinds, ways]) => kinds.test(kind) && ways.test(way))),
  );
}
