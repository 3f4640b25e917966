// What may stand before a client's first octets: a PROXY header. It is no command, and nothing answers it.

import type { Micros, ProxyFacts } from '../events';
import { describeProxy, type ProxyHeader } from '../grammar/proxy-header';
import type { Piece } from './octet-queue';
import { quoteParsed } from '../grammar/quote';
import { report, type LeadingHeader, type State } from './state';

/** Takes a chunk while `state.preface` is there; the answer is what to read as a dialogue, if anything. */
export function readHeader(
  state: State,
  header: LeadingHeader,
  bytes: Uint8Array,
  at: Micros,
): readonly Piece[] {
  const side = state.sides.client;
  const { reader, pieces } = header;
  const parsed = reader.take(bytes);
  if (parsed.kind === 'incomplete' && state.mode.kind !== 'opaque') {
    pieces.push({ bytes: new Uint8Array(bytes), at });
    side.position += bytes.length;
    return NOTHING;
  }
  state.header = undefined;
  side.position = 0;
  if (parsed.kind !== 'header' || state.mode.kind === 'opaque') return [...pieces, { bytes, at }];
  const { length } = parsed;
  const started = pieces[0]?.at ?? at;
  takeHeader(state, parsed, started, at);
  side.position = length;
  // Where TLS follows, its octets are counted from here.
  if (side.opaque) side.opaque = { start: length, started: at };
  return reader.held().length > length ? [{ bytes: reader.held().subarray(length), at }] : NOTHING;
}

/** No header: the answer is what was kept of it, to be read as a dialogue. */
export function dropHeader(state: State): readonly Piece[] {
  const { pieces = NOTHING } = state.header ?? {};
  state.header = undefined;
  state.sides.client.position = 0;
  return pieces;
}

function takeHeader(state: State, header: ProxyHeader, started: Micros, at: Micros): void {
  const facts = factsOf(header);
  // One that was agreed on and taken off before outranks what its sender was sent.
  state.proxy ??= facts;
  // A server that knows of no such header takes its lines for commands.
  state.headerReplies = header.version === 1 ? 1 : LINES_2;
  state.out.push({
    kind: 'proxy',
    from: 'client',
    span: { start: 0, end: header.length },
    started,
    at,
    ...facts,
  });
  report(state, 'proxy-header', 'client', at, quoteParsed(describeProxy(facts)));
}

/** What is worth keeping of a header. */
export function factsOf({ version, command, source, destination }: ProxyFacts): ProxyFacts {
  return { version, command, ...(source && { source }), ...(destination && { destination }) };
}

const NOTHING: readonly Piece[] = [];
/** CRLF CRLF NUL CRLF, and `QUIT`, which is answered otherwise. */
const LINES_2 = 3;
