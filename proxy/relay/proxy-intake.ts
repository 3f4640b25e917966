// Takes the PROXY header off a connection that has just been accepted.

import type { Socket } from 'node:net';
import { LONGEST_HEADER, parseProxyHeader, type ProxyHeader } from './proxy-header';

export type Intake =
  | ProxyHeader
  /** `left`: the peer closed it before. */
  | { readonly kind: 'refused'; readonly why: string; readonly left: boolean };

/**
 * `done` is called once, with the socket paused and the octets behind the header put back. After a refusal the
 * socket is still open, unless the peer closed it. The answer, called before that, gives up without `done`.
 */
export function takeProxyHeader(
  socket: Socket,
  timeoutMs: number,
  done: (intake: Intake) => void,
): () => void {
  let bytes: Buffer = Buffer.alloc(0);

  const stop = (): void => {
    clearTimeout(timer);
    socket.off('data', onData);
    socket.off('end', onEnd);
    socket.off('close', onEnd);
    socket.pause();
  };
  const finish = (intake: Intake): void => {
    stop();
    done(intake);
  };
  const refuse = (why: string, left = false): void => finish({ kind: 'refused', why, left });
  const onData = (chunk: Buffer): void => {
    bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
    const parsed = parseProxyHeader(bytes);
    if (parsed.kind === 'invalid') return refuse(parsed.why);
    if (parsed.kind === 'incomplete') return bytes.length < LONGEST_HEADER ? undefined : refuse('too long');
    socket.off('data', onData);
    socket.pause();
    const rest = bytes.subarray(parsed.length);
    if (rest.length > 0) socket.unshift(rest);
    return finish(parsed);
  };
  const onEnd = (): void => refuse('closed before the header was complete', true);
  const timer = setTimeout(() => refuse('no header in time'), timeoutMs);

  socket.on('data', onData);
  socket.on('end', onEnd);
  socket.on('close', onEnd);
  return stop;
}
