// Kinds of wrong answers that are known and not mended yet, each with the ways that bring it: the list is to become empty.

import type { Kind, Result } from './matrix';

/** All of them: what the capture lost without a word of it, together with what else looks as the loss would. */
const KNOWN: readonly (readonly [kind: RegExp, way: RegExp])[] = [
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
  [/^anomaly greeting-malformed/, / missing$/],
  [/^learned/, / missing$/],
];

/** What nobody knew of. */
export function unknownKinds({ kinds }: Result): readonly Kind[] {
  return kinds.filter(({ kind, ways }) =>
    Object.keys(ways).some((way) => !KNOWN.some(([kinds, ways]) => kinds.test(kind) && ways.test(way))),
  );
}
