// Takes the PROXY header off a connection that has just been accepted.

import type { Socket } from 'node:net';
import { createProxyReader, NO_HEADER, type ProxyHeader } from '../../inspect/grammar/proxy-header';
import { latin1 } from '../../inspect/text';
import { isHttp, VERBS } from '../../inspect/grammar/grammar';

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
  const reader = createProxyReader();

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
    const parsed = reader.take(chunk);
    if (parsed.kind === 'incomplete') return undefined;
    if (parsed.kind === 'invalid') return refuse(whyOf(parsed.why, reader.held()));
    socket.off('data', onData);
    socket.pause();
    const rest = reader.held().subarray(parsed.length);
    if (rest.length > 0) socket.unshift(Buffer.from(rest));
    return finish(parsed);
  };
  const cut = (what: string, left: boolean): void => refuse(`${what}: ${describeSoFar(reader.held())}`, left);
  const onEnd = (): void => cut('closed before the header was complete', true);
  const timer = setTimeout(() => cut('no header in time', false), timeoutMs);

  socket.on('data', onData);
  socket.on('end', onEnd);
  socket.on('close', onEnd);
  return stop;
}

/** A header that is wrong says so itself; of anything else its kind. */
function whyOf(why: string, held: Uint8Array): string {
  return why === NO_HEADER ? `${NO_HEADER}: ${describeOpening(held)} came` : why;
}

function describeSoFar(held: Uint8Array): string {
  return held.length === 0 ? 'nothing came' : `only the beginning of one came, ${held.length} octets`;
}

/** `an SMTP command (EHLO)`, `a TLS ClientHello`, …; `nothing` of nothing. */
function describeOpening(bytes: Uint8Array): string {
  if (bytes.length === 0) return 'nothing';
  if (bytes[0] === TLS_HANDSHAKE && (bytes.length === 1 || bytes[1] === TLS_MAJOR))
    return 'a TLS ClientHello';
  const text = latin1(bytes.subarray(0, LOOKED_AT));
  const verb = /^[A-Za-z]+(?=[ \t\r\n]|$)/.exec(text)?.[0].toUpperCase() ?? '';
  if (Object.hasOwn(VERBS, verb)) return `an SMTP command (${verb})`;
  if (isHttp(text)) return 'an HTTP request';
  if (text.startsWith('SSH-')) return 'an SSH greeting';
  if (text.startsWith('PROXY ')) return 'a PROXY v1 header';
  if (text.startsWith('\r\n\r\n\0\r\n')) return 'a PROXY v2 header';
  if (/^proxy /i.test(text)) return 'a PROXY v1 header in lower case';
  return /^[\t\r\n -~]*$/.test(text) ? 'text that is no SMTP command' : 'binary octets';
}

const TLS_HANDSHAKE = 0x16;
const TLS_MAJOR = 0x03;
/** Any verb and the beginning of a request line. */
const LOOKED_AT = 64;
