// A packet that came while a trace ran: a segment, an ICMP error with its quote, an echo reply.

import { plainText } from '../address';
import type { Micros } from '../events';
import { parseIp } from '../tcp/packet';
import type { Segment } from '../tcp/segment';
import { be16, readFields } from './fields';
import type { IcmpAnswer } from './sent';

export type Received =
  | { readonly kind: 'segment'; readonly segment: Segment }
  | { readonly kind: 'icmp'; readonly error: Omit<IcmpAnswer, 'to'> }
  | {
      readonly kind: 'echo';
      readonly from: string;
      readonly ttl: number;
      readonly at: Micros;
      readonly identifier: number;
      readonly number: number;
    }
  | { readonly kind: 'other' };

/** `packet` begins with its IP header. */
export function readReceived(packet: Uint8Array, at: Micros): Received {
  const fields = readFields(packet);
  if (fields === undefined) return OTHER;
  if (fields.protocol === ICMP || fields.protocol === ICMP6) return readIcmp(packet, fields.headerLength, at);
  const parsed = parseIp(packet, at);
  return parsed.kind === 'segment' ? parsed : OTHER;
}

function readIcmp(packet: Uint8Array, start: number, at: Micros): Received {
  const six = (packet[0] ?? 0) >> 4 === 6;
  const message = packet.subarray(start);
  if (message.length < 8) return OTHER;
  const [type = 0, code = 0] = message;
  const from = six ? plainText(packet, 8, 16) : plainText(packet, 12, 4);
  const ttl = packet[six ? 7 : 8] ?? 0;
  if (type === (six ? 129 : 0)) {
    return { kind: 'echo', from, ttl, at, identifier: be16(message, 4), number: be16(message, 6) };
  }
  const kind = errorOf(six, type, code);
  if (kind === undefined) return OTHER;
  const { quote, labels } = quoteOf(message, six);
  const quoted = readFields(quote);
  if (quoted === undefined) return OTHER;
  const tunnel = labels || (kind === 'expired' && quoted.ttl > 1);
  const mtu = kind === 'too-big' ? { mtu: be16(message, 6) } : {};
  return { kind: 'icmp', error: { kind, from, ttl, at, code, quote, tunnel, ...mtu } };
}

/** RFC 792, RFC 1191 §4, RFC 4443 §3. */
function errorOf(six: boolean, type: number, code: number): IcmpAnswer['kind'] | undefined {
  if (six) return type === 3 ? 'expired' : type === 1 ? 'unreachable' : type === 2 ? 'too-big' : undefined;
  if (type === 11) return 'expired';
  return type === 3 ? (code === NEEDS_FRAGMENTS ? 'too-big' : 'unreachable') : undefined;
}

/**
 * RFC 4884: a length field says where extensions begin, and what is quoted is filled up with zeros to that; some put the
 * extensions behind 128 octets without saying so. Zeros at the end may be such: what they stood for is not known.
 */
function quoteOf(
  message: Uint8Array,
  six: boolean,
): { readonly quote: Uint8Array; readonly labels: boolean } {
  const whole = message.subarray(8);
  const units = six ? (message[4] ?? 0) * 8 : (message[5] ?? 0) * 4;
  const length = units > 0 ? units : hasLabels(whole, EXTENDED) ? EXTENDED : 0;
  if (length === 0 || length > whole.length) return { quote: cutToPacket(whole), labels: false };
  const quote = cutToPacket(whole.subarray(0, length));
  let end = quote.length;
  while (end > LEAST && quote[end - 1] === 0) end -= 1;
  return { quote: quote.subarray(0, end), labels: hasLabels(whole, length) };
}

/** RFC 4884 §7: version 2 of the structure; RFC 4950: class 1 is a stack of MPLS labels. */
function hasLabels(whole: Uint8Array, at: number): boolean {
  return whole.length >= at + 12 && (whole[at] ?? 0) >> 4 === 2 && whole[at + 6] === 1;
}

/** A link may have filled up a short frame; and a packet is not longer than it says. */
function cutToPacket(quote: Uint8Array): Uint8Array {
  const six = (quote[0] ?? 0) >> 4 === 6;
  const length = six ? 40 + be16(quote, 4) : be16(quote, 2);
  return quote.length > length && length >= LEAST ? quote.subarray(0, length) : quote;
}

const OTHER: Received = { kind: 'other' };
const ICMP = 1;
const ICMP6 = 58;
const NEEDS_FRAGMENTS = 4;
const EXTENDED = 128;
/** An IPv4 header and eight octets. */
const LEAST = 28;
