// What ehlowire wrote down, and what not, and the bars for it, which do not depend on the machine's speed.

import { execFileSync } from 'node:child_process';

/** Lines of its log by kind, and what the kernel counted. */
export interface Recorded {
  readonly sessions: number;
  /** Of these: one message, an end, and nothing of it was missed. */
  readonly whole: number;
  /** Connections that the kernel did not begin to record. */
  readonly unwatched: number;
  readonly losses: number;
  readonly verdicts: number;
  readonly learned: number;
  readonly anomalies: number;
  /** Of the anomalies: octets that were not observed. */
  readonly gaps: number;
}

/** Counted where it is: the log is large. */
export function readLog(file: string): Omit<Recorded, 'unwatched'> {
  const output = execFileSync('awk', [COUNT, file], { encoding: 'utf8', env: { LC_ALL: 'C' } });
  return JSON.parse(output) as Omit<Recorded, 'unwatched'>;
}

/** The first lines that a path that is well should not have made it write. */
export function quoteLog(file: string): string {
  const events = '"event":"(verdict|loss|anomaly|unwatched|watched-again)"';
  return execFileSync('sh', ['-c', 'grep -aEm "$1" "$2" "$3" || true', 'sh', '20', events, file], {
    encoding: 'utf8',
  });
}

const COUNT = `
  /"event":"session"/ { sessions++; if (/"messages":1,/ && /\\["close",/ && !/"coverage":/) whole++; next }
  /"event":"loss"/ { losses++; next }
  /"event":"verdict"/ { verdicts++; next }
  /"event":"learned"/ { learned++; next }
  /"event":"anomaly"/ { anomalies++; if (/"anomaly":"gap"/) gaps++ }
  END {
    printf "{\\"sessions\\":%d,\\"whole\\":%d,\\"losses\\":%d,", sessions, whole, losses
    printf "\\"verdicts\\":%d,\\"learned\\":%d,\\"anomalies\\":%d,\\"gaps\\":%d}", verdicts, learned, anomalies, gaps
  }`;

/** What came between. */
export function since(before: Recorded, after: Recorded): Recorded {
  const names = Object.keys(after) as (keyof Recorded)[];
  return Object.fromEntries(names.map((name) => [name, after[name] - before[name]])) as unknown as Recorded;
}

export interface Bar {
  readonly text: string;
  readonly value: number;
  readonly most: number;
}

/** Of sessions that are all well, one message each. `sessions`: how many there were, where that is known. */
export function barsOf(discipline: string, recorded: Recorded, sessions: number | undefined): readonly Bar[] {
  const { verdicts, learned, anomalies, gaps, whole, unwatched } = recorded;
  const none = (what: string, value: number): Bar => ({ text: `${discipline}: ${what}`, value, most: 0 });
  return [
    none('no verdict', verdicts),
    { ...none('at most 1 learned', learned), most: 1 },
    none('no anomaly other than gap', anomalies - gaps),
    none('all recorded sessions are whole', recorded.sessions - whole),
    ...(sessions === undefined
      ? []
      : [
          none(
            'each session is recorded, or counted as unwatched',
            Math.abs(sessions - recorded.sessions - unwatched),
          ),
        ]),
  ];
}
