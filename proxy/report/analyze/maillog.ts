// `--maillog FILE` beside an analysis: each connection's story is kept, and printed next to the server's own log.

import type { Observer } from '../../../inspect/tracker/tracker';
import { isFault } from '../../system/fault';
import { createSerializer } from '../../sinks/pino';
import { alignMaillog } from '../maillog/match';
import { maillogRecords, maillogText, readMaillog } from '../maillog/maillog';
import { createStories } from '../maillog/story';
import { plural } from '../../sinks/wording';
import type { Analysis } from './report';

interface MaillogComparison extends Observer {
  /** Reads the log, prints a JSON line a match; the lines of text for the summary. */
  conclude(): Promise<string[]>;
}

/** `undefined`: it was not requested. A log that cannot be read is the analysis's fault, and the analysis goes on. */
export function openMaillog(analysis: Analysis): MaillogComparison | undefined {
  const { request, json, faults } = analysis;
  const { maillog } = request;
  if (maillog === undefined) return undefined;
  const stories = createStories();
  return {
    observe: (news) => stories.observe(news),
    async conclude() {
      const ended = stories.end();
      const [first] = ended;
      if (!first) return ['mail log: no connection in the capture to line up with', ''];
      const last = ended.reduce((latest, each) => Math.max(latest, each.ended), first.started);
      const log = await readMaillog(maillog, first.started, last);
      if (isFault(log)) {
        faults.push(log);
        return [];
      }
      const alignment = alignMaillog(log.sessions, ended);
      if (json) {
        const serialize = createSerializer();
        for (const { level, ...record } of maillogRecords(alignment, json.lines.nameOf)) {
          json.printer.write(serialize(level, record));
        }
      }
      const left =
        stories.omitted === 0 ? [] : [`  ${plural(stories.omitted, 'connection')} left out: too many`];
      return [...maillogText(alignment, log), ...left, ''];
    },
  };
}
