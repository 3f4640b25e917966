// What two captures cannot tell as they are, and what to do about it.

import type { Micros } from '../../../inspect/events';
import { FLAG } from '../../../inspect/tcp/segment';
import type { Survey } from '../../../inspect/two-point/survey';
import type { Trace } from '../../../inspect/two-point/trace';
import { formatTime } from '../../system/clock';
import { plural } from '../../sinks/wording';
import type { PointFile } from './point';

/** Lines, each with what to do; none where the two go together. */
export function adviceText({ pairs, matched }: Survey, wan: PointFile, dmz: PointFile): readonly string[] {
  if (matched === 0) return [nothingInCommon(wan, dmz)];
  if (!isSwapped(pairs)) return [];
  return [
    `The two are swapped: the server answers sooner in ${wan.file}, so that was taken nearer to it. Nothing is concluded;`,
    `give them the other way round: --wan ${dmz.file} --dmz ${wan.file}`,
  ];
}

/**
 * Nearer to the server its answer to a SYN is there sooner, and by the same point's clock both times: however the two
 * clocks stand to each other.
 */
export function isSwapped(pairs: Survey['pairs']): boolean {
  let [right, wrong] = [0, 0];
  for (const { wan, dmz } of pairs) {
    const [outside, inside] = [answerTime(wan), answerTime(dmz)];
    if (outside === undefined || inside === undefined || outside === inside) continue;
    // Another answer is that of a proxy in between.
    if (wan.base.server !== dmz.base.server) continue;
    if (outside > inside) right += 1;
    else wrong += 1;
  }
  return wrong > MOSTLY * (right + wrong);
}

/** From the client's SYN to the server's; unknown where either was sent again. */
function answerTime({ passages }: Trace): Micros | undefined {
  const syns = passages.filter(({ flags }) => flags & FLAG.syn);
  const [syn, answer] = syns;
  if (syns.length !== 2 || syn?.from !== 'client' || answer?.from !== 'server') return undefined;
  return answer.at - syn.at;
}

function nothingInCommon(wan: PointFile, dmz: PointFile): string {
  const begin = 'Nothing is in both captures:';
  for (const { connections, file } of [wan, dmz]) {
    if (connections === 0)
      return `${begin} ${file} has no SMTP connection of these ports and clients. Another interface, another port (--port), other clients (--only), or the wrong file?`;
  }
  if (wan.ran.to < dmz.ran.from || dmz.ran.to < wan.ran.from) {
    const span = ({ ran: { from, to } }: PointFile): string => `${formatTime(from)} to ${formatTime(to)}`;
    return `${begin} they are of different times, ${span(wan)} and ${span(dmz)}. If a clock is wrong, that does not matter where connections are the same; capture at both points at the same time.`;
  }
  const counts = `${plural(wan.connections, 'connection')} outside, ${plural(dmz.connections, 'connection')} inside`;
  return `${begin} ${counts}, and no two are the same by addresses, ports, numbers, time stamps or words. Either they are of different connections, or what stands between translates all of that, as a mail relay or a proxy does: then compare the two by hand, each analysed alone (analyze FILE), or capture on either side of the proxy.`;
}

/** Times of some microseconds may fall the other way. */
const MOSTLY = 0.8;
