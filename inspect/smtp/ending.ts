// The end of a connection: everything that is still open is told, then its whole story.

import type { Close, Direction, Micros } from '../events';
import { tellEarly } from './early';
import { endPending, endTls, openStretch, type State } from './state';

/** Ends what is open, tells `close` and the session's own line. */
export function endSession(state: State, close: Close, at: Micros): void {
  const { client, server } = state.sides;
  // The end was not observed: the reply to EHLO, which may allow it (PIPECONNECT), can still follow.
  if (close.how !== 'open') tellEarly(state);
  tellRest(state, 'client');
  tellRest(state, 'server');
  while (state.pending.length > 0) endPending(state, at, undefined, close.how === 'open');
  endTls(state, at);
  // The time between the last octet and the end is the close's own.
  state.out.push(state.timeline.end('close', Math.max(client.lastAt, server.lastAt), at, { close }));
  state.closed = true;
  const tls = state.tls.facts();
  state.out.push(
    state.timeline.summary(at, {
      ...(state.proxy && { proxy: state.proxy }),
      ...(state.hello !== undefined && { hello: state.hello }),
      ...((tls.version ?? tls.sni) !== undefined && { tls }),
      messages: state.messages,
      bytes: { client: client.position, server: server.position },
      close,
    }),
  );
}

/** Octets that no event has told yet: what was only counted, or an unfinished line, reply or message. */
export function tellRest(state: State, from: Direction): void {
  const { position, opaque, lastAt } = state.sides[from];
  const open = opaque ?? openStretch(state, from);
  if (!open || open.start === position) return;
  const span = { start: open.start, end: position };
  state.out.push({ kind: opaque ? 'opaque' : 'fragment', from, span, started: open.started, at: lastAt });
}
