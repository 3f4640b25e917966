// A process that logs: `writer MODE [FILE]`; stands on its own so that its standard output can be anything.

import { isFault } from '../../../proxy/system/fault';
import { openSink } from '../../../proxy/sinks/sink';
import * as records from './records';

const [mode, file] = process.argv.slice(2);
const say = (text: string): void => void process.stderr.write(`${text}\n`);

const sink = openSink(
  { file, format: 'json', level: 'info' },
  { failing: (fault) => say(`failing ${fault.code}`), closed: (fault) => say(`closed ${fault.code}`) },
);
if (isFault(sink)) throw new Error(sink.fix);

const flood = (lines: number): void => {
  for (let count = 0; count < lines; count += 1) {
    // Of one connection only the first lines would be written.
    sink.write({ ...records.CONNECTION }, records.RCPT);
  }
  say('written');
};

if (mode === 'flood') {
  flood(30_000);
  // Whoever reads decides when to go on.
  process.stdin.resume().once('end', () => void sink.close().then(() => say('ended')));
} else if (mode === 'stall') {
  flood(5_000);
  void sink.close().then(() => {
    say('ended');
    process.exit(0);
  });
} else if (mode === 'closed') {
  const timer = setInterval(() => sink.write(records.CONNECTION, records.CLOSE), 5);
  process.stdin.resume().once('end', () => {
    clearInterval(timer);
    void sink.close().then(() => say('ended'));
  });
}
