// Evidence of a process that runs for months: the relay, the wire.

import type { Config } from '../../config/config';
import { formatFault, isFault } from '../../system/fault';
import type { Sink } from '../../sinks/record';
import { openEvidence, type EvidenceWriter } from './evidence';

/** `undefined` where none is asked for, or the folder takes none: then a note says so, and mail goes on. */
export function openKeptEvidence({ evidence }: Config, sink: Sink): EvidenceWriter | undefined {
  const { folder, connections, octets } = evidence;
  if (folder === undefined) return undefined;
  const writer = openEvidence({ folder, keep: { connections, octets } });
  if (!isFault(writer)) return reported(writer, sink);
  sink.note('warn', 'evidence-unwritten', { message: formatFault(writer) });
  return undefined;
}

/** Says once what went wrong with the folder. */
function reported(writer: EvidenceWriter, sink: Sink): EvidenceWriter {
  let told = false;
  return {
    observe(news, frame) {
      writer.observe(news, frame);
      if (told || !writer.fault) return;
      told = true;
      sink.note('warn', 'evidence-unwritten', { message: formatFault(writer.fault) });
    },
    lost: (count) => writer.lost(count),
    get fault() {
      return writer.fault;
    },
    counts: writer.counts,
  };
}
