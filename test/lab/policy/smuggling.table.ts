// What some server has taken for the end of a message: every line end that was ever invented, a dot, and another one.
// The sequences of the published advisories and testers are among them, and so are their neighbours.

/** The only two that end a message are CRLF . CRLF; a row is whatever is not. */
export interface Sequence {
  /** `CRLF NUL . CRLF` */
  readonly name: string;
  readonly octets: string;
  /** Published, so that it is tried in more ways. */
  readonly known: boolean;
}

const BEFORE = ['\n', '\r', '\r\n', '\r\r\n', '\n\r', '\n\n', '\r\r', '\r\n\0', '\n\0', '\r\0', '\r\0\n'];
const AFTER = ['\n', '\r', '\r\n', '\r\r\n', '\n\r', '\0\r\n', '\0\n', '\0\r', '\r\0\n', '\r\0'];

const KNOWN = new Set([
  ...['\n.\n', '\n.\r', '\r.\n', '\r.\r', '\n.\r\n', '\r.\r\n', '\r\n.\n', '\r\n.\r'],
  ...['\r\n\0.\r\n', '\r\n.\0\r\n', '\r\n.\r\r\n', '\r\r\n.\r\r\n', '\n\n.\r\n', '\r\n\0.\n', '\r\n\0.\r'],
]);

export const SEQUENCES: readonly Sequence[] = BEFORE.flatMap((before) =>
  AFTER.map((after) => `${before}.${after}`),
)
  // This one does end it, whatever stands around it.
  .filter((octets) => !octets.includes('\r\n.\r\n'))
  .map((octets) => ({ name: nameOf(octets), octets, known: KNOWN.has(octets) }));

/** How the octets of a trial are cut: before each of these places. */
export interface Cut {
  readonly name: string;
  readonly at: readonly number[];
}

/** One write, and octet by octet: for all. */
function plainCuts(length: number): readonly Cut[] {
  return [
    { name: 'whole', at: [] },
    { name: 'octet by octet', at: Array.from({ length: length + 1 }, (_, i) => i) },
  ];
}

/** Over two writes at every place, its own two ends among them. */
function twoWrites(length: number): readonly Cut[] {
  return Array.from({ length: length + 1 }, (_, at) => ({ name: `cut at ${at}`, at: [at] }));
}

/** Over three writes at every two places. */
function threeWrites(length: number): readonly Cut[] {
  return Array.from({ length: length + 1 }, (_, first) =>
    Array.from({ length: length - first }, (_, i) => first + 1 + i).map((second) => ({
      name: `cut at ${first} and ${second}`,
      at: [first, second],
    })),
  ).flat();
}

/** Places count from the sequence's first octet. */
export function cutsOf({ octets, known }: Sequence): readonly Cut[] {
  const { length } = octets;
  return [...plainCuts(length), ...twoWrites(length), ...(known ? threeWrites(length) : [])];
}

/** Where the sequence stands in its message. */
export const PLACES = ['inside', 'at the start'] as const;
export type Place = (typeof PLACES)[number];

function nameOf(octets: string): string {
  return octets
    .replaceAll('\r\n', ' CRLF ')
    .replaceAll('\r', ' CR ')
    .replaceAll('\n', ' LF ')
    .replaceAll('\0', ' NUL ')
    .replaceAll('.', ' . ')
    .trim()
    .replaceAll(/ +/g, ' ');
}
