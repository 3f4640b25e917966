// What a stranger begins with, as a class: enough to find the mistake, and never a quote.

import { latin1 } from '../text';
import { isHttp, VERBS } from '../grammar/grammar';

/** `an SMTP command (EHLO)`, `a TLS ClientHello`, …; `nothing` of nothing. */
export function describeOpening(bytes: Uint8Array): string {
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
