// Octets that come in pieces, kept in one place: one at a time they cost no more than all at once.

/**
 * `more` behind the first `used` octets of `room`; the answer is the room that holds them, a larger one if need be. `room`
 * is to be one of these answers, or empty.
 */
export function put(room: Uint8Array, used: number, more: Uint8Array): Uint8Array {
  const needed = used + more.length;
  if (needed > room.length) {
    const larger = new Uint8Array(used === 0 ? needed : Math.max(needed, 2 * used));
    larger.set(room.subarray(0, used));
    larger.set(more, used);
    return larger;
  }
  room.set(more, used);
  return room;
}

/** Octets of several arrays in one; a single one is returned as it is. */
export function joinOctets(parts: readonly Uint8Array[]): Uint8Array {
  const full = parts.filter((part) => part.length > 0);
  if (full.length <= 1) return full[0] ?? NO_OCTETS;
  const all = new Uint8Array(full.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of full) {
    all.set(part, offset);
    offset += part.length;
  }
  return all;
}

/** One array for all that have no octets. */
export const NO_OCTETS: Uint8Array = new Uint8Array(0);

/** Adds a view; behind one of the same octets that ends where it begins, they become one. */
export function addView(all: Uint8Array[], bytes: Uint8Array): void {
  const last = all[all.length - 1];
  if (
    last === undefined ||
    last.buffer !== bytes.buffer ||
    last.byteOffset + last.length !== bytes.byteOffset
  )
    all.push(bytes);
  else all[all.length - 1] = new Uint8Array(last.buffer, last.byteOffset, last.length + bytes.length);
}
