// Capture files as lists of frames, and back.

import { writeFileSync } from 'node:fs';
import { formatFault } from '../../../proxy/system/fault';
import { pcapngOf } from '../../../proxy/report/evidence/pcapng';
import type { Take } from '../../../proxy/sources/frame';
import { createMerge } from '../../../proxy/sources/merge';
import { frameOf, type Frame } from './frame';

/** The frames of files that have to do with one of the ports, as a capture with a filter has them, in the order of time. */
export async function framesOf(files: readonly string[], ports: readonly number[]): Promise<Frame[]> {
  const frames: Frame[] = [];
  const merge = await createMerge(files);
  const take: Take = (link, octets, at, length) => {
    const frame = frameOf(link, octets.slice(), at, length, ports);
    if (frame) frames.push(frame);
  };
  while ((await merge.read(take)) === 'more');
  merge.close();
  const [fault] = merge.faults;
  if (fault) throw new Error(formatFault(fault));
  return frames;
}

/** `counted`: the file says that its capture lost nothing. */
export function writeFrames(file: string, frames: readonly Frame[], comment: string, counted: boolean): void {
  const packets = frames.map(({ at, link, octets, length }) => ({
    ...{ linkType: link, at, octets, length, comments: [] },
  }));
  const times = frames.map(({ at }) => at);
  const ran = { from: Math.min(...times), to: Math.max(...times), dropped: counted ? 0 : undefined };
  const application = 'the degradation matrix of ehlowire';
  writeFileSync(file, pcapngOf({ application, comment, ran, packets }));
}
