// Lines as octets, those of one turn of the event loop in one piece: a buffer and a write for each costs more than its line.

interface Batch {
  /** How many octets it became. */
  add(text: string): number;
  /** Hands over what is there at once. */
  flush(): void;
}

/** `put` gets octets that do not change any more. */
export function createBatch(put: (octets: Uint8Array) => void): Batch {
  let sheet = Buffer.alloc(0);
  let start = 0;
  let end = 0;
  let waits = false;
  const flush = (): void => {
    waits = false;
    if (end > start) put(sheet.subarray(start, end));
    start = end;
  };
  return {
    add(text) {
      // UTF-8: an UTF-16 unit becomes three octets at the most.
      const most = text.length * 3;
      if (most > sheet.length - end) {
        flush();
        sheet = Buffer.allocUnsafeSlow(Math.max(SHEET, most));
        start = end = 0;
      }
      const octets = sheet.write(text, end);
      end += octets;
      if (!waits) setImmediate(flush);
      waits = true;
      return octets;
    },
    flush,
  };
}

const SHEET = 65_536;
