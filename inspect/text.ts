// Octets as text: one octet one character, and the escaped, capped quotes that go into logs.

/** One octet, one character (ISO 8859-1): nothing is lost, nothing is decoded. Shape: U+0000 to U+00FF. */
export function latin1(bytes: Uint8Array): string {
  let text = '';
  for (let start = 0; start < bytes.length; start += CHUNK) {
    const chunk = start === 0 && bytes.length <= CHUNK ? bytes : bytes.subarray(start, start + CHUNK);
    // A spread would walk the octets one by one.
    text += Reflect.apply(String.fromCharCode, undefined, chunk) as string;
  }
  return text;
}

/** The octets of such a text; all its characters must be below U+0100. */
export function fromLatin1(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/**
 * Octets as printable ASCII with the escapes of C: `\r` `\n` `\t` `\\`, and `\xNN` for other controls and
 * 8-bit. At most `cap` characters; where something was left out the last one is `…`. No escape is cut.
 */
export function escapeText(bytes: Uint8Array, cap: number): string {
  if (bytes.length <= cap && isPlain(bytes)) return latin1(bytes);
  let text = '';
  // The longest text that still leaves room for the mark.
  let cut = '';
  for (const byte of bytes) {
    text += escapeOctet(byte);
    if (text.length > cap) return cap > 0 ? `${cut}…` : '';
    if (text.length < cap) cut = text;
  }
  return text;
}

/** Nothing in it has to be escaped: nearly all text that there is. */
function isPlain(bytes: Uint8Array): boolean {
  for (let i = 0; i < bytes.length; i += 1) {
    const byte = bytes[i] ?? 0;
    if (byte < SPACE || byte > TILDE || byte === BACKSLASH) return false;
  }
  return true;
}

function escapeOctet(byte: number): string {
  const named = NAMED[byte];
  if (named !== undefined) return named;
  if (byte >= SPACE && byte <= TILDE) return String.fromCharCode(byte);
  return `\\x${byte.toString(16).padStart(2, '0')}`;
}

const SPACE = 0x20;
const TILDE = 0x7e;
const BACKSLASH = 0x5c;
const NAMED: Readonly<Record<number, string>> = { 0x09: '\\t', 0x0a: '\\n', 0x0d: '\\r', 0x5c: '\\\\' };

// Arguments per call: engines overflow their stack somewhere beyond 65,535.
const CHUNK = 8_192;
