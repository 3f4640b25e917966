// What was sent and received, as a capture with comments.

import { join } from 'node:path';
import { unwritable, writeWhole } from '../report/evidence/files';
import { pcapngOf } from '../report/evidence/pcapng';
import { formatTime } from '../system/clock';
import { type Fault, isFault } from '../system/fault';
import { makeFolder } from '../system/files';
import { readVersion } from '../system/version';
import type { Traced } from './trace';

/** The file's path. Fault: `evidence-unwritable`. */
export function writeEvidence(folder: string, { trace, caught }: Traced, comment: string): string | Fault {
  const time = formatTime(caught[0]?.at ?? 0).replace(/[-:]/g, '');
  const path = join(
    folder,
    `${time}-trace-${trace.server.replace(/[^0-9a-fA-F.]/g, '-')}-${trace.port}.pcapng`,
  );
  try {
    makeFolder(folder, 0o750);
  } catch (cause) {
    return unwritable(folder, cause);
  }
  const octets = pcapngOf({
    application: `ehlowire ${readVersion()}`,
    comment,
    packets: caught.map(({ at, packet, note }) => ({
      ...{ linkType: RAW_IP, at, octets: packet, length: packet.length },
      comments: note === '' ? [] : [note],
    })),
  });
  const fault = writeWhole(path, octets);
  return isFault(fault) ? fault : path;
}

/** LINKTYPE_RAW: what stood before the packets was the capture's own. */
const RAW_IP = 101;
