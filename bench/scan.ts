// How fast a message is scanned: for its end, and for what a server may take for one. Octets of a message alone, no sockets.

import { join } from 'node:path';
import type * as EndOfData from '../inspect/grammar/end-of-data';
import type * as Message from '../inspect/policy/message';
import { COMPILED } from './candidates';
import { median, type Figures } from './records';

/** In this process, by the compiled code, which is what users run. */
export function measureScan(octets: number, rounds: number, onRound: (text: string) => void): Figures {
  const scan = createScan();
  scan(octets / 4);
  const rates: number[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    const before = process.cpuUsage();
    scan(octets);
    const { user, system } = process.cpuUsage(before);
    const rate = octets / 1e3 / (user + system);
    rates.push(rate);
    onRound(`scan ${round}: ${rate.toFixed(2)} GB a second of processor`);
  }
  return {
    tables: [{ name: 'scan', columns: ['GB a s of processor'], rows: { 'lines of 76 octets': [rates] } }],
    goals: [{ text: 'scan: GB a second', value: median(rates), is: 'at least', bar: 1, must: false }],
    failures: [],
  };
}

/** As the relay does it for each piece: the session looks for the end of data, and the rule `smuggling` at each line. */
function createScan(): (octets: number) => void {
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  const { createEndOfData } = require(join(COMPILED, 'inspect/grammar/end-of-data')) as typeof EndOfData;
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  const { createMessageNormalizer } = require(join(COMPILED, 'inspect/policy/message')) as typeof Message;
  const line = `${'x'.repeat(76)}\r\n`;
  const message = Buffer.from(line.repeat(20 * PIECE), 'latin1');
  return (octets) => {
    const end = createEndOfData();
    const normalizer = createMessageNormalizer();
    for (let done = 0, at = 0; done < octets; done += PIECE, at = (at + PIECE) % (message.length - PIECE)) {
      const piece = message.subarray(at, at + PIECE);
      end.scan(piece, 0);
      normalizer.take(piece, false);
    }
  };
}

/** What the relay reports at once. */
const PIECE = 16_384;
