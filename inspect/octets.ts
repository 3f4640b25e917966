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
