// From an interview to what may be said of a server's greeting, and how surely.

import type { GreetingClass, GreetingDefect } from '../../../inspect/events';
import { END_DEFECTS } from '../../../inspect/greeting/judgement';
import type { Interview } from './interview';

export type Certainty = 'proved' | 'suspected';

export interface Finding {
  readonly greeting: GreetingClass;
  /** Everything but a refusal, which is a clear answer. */
  readonly defects: readonly { readonly defect: GreetingDefect; readonly certainty: Certainty }[];
  /** The server does not want this client: 4xx or 5xx for a greeting. */
  readonly refused: boolean;
  /** One plain sentence. */
  readonly because: string;
}

/** The strongest certainty among the defects. */
export function certaintyOf({ defects }: Finding): Certainty | undefined {
  if (defects.some(({ certainty }) => certainty === 'proved')) return 'proved';
  return defects.length > 0 ? 'suspected' : undefined;
}

/**
 * Octets that came are proof of what is wrong with them. That nothing more will come is proved by the server
 * alone: it answers EHLO, so it takes its greeting for complete, or it closes. Silence proves nothing.
 */
export function findOut(interview: Interview, patienceMs: number): Finding {
  const { judgement, impatient, hello, closedEarly, spread } = interview;
  const refused = judgement.defects.includes('refusal');
  const patience = `${patienceMs / 1000} s`;
  if (impatient && judgement.complete) {
    // The rest came behind our EHLO: it was still speaking, and a 5xx there is a reproach for that.
    const because = refused
      ? `it was not finished after ${patience} and refused an early EHLO: wait longer, --set greeting.patience=1min`
      : `the rest came later than ${patience}: wait longer, --set greeting.patience=1min`;
    // A line that comes slowly is no teaser: only the code and a hyphen make one.
    return { greeting: teases(judgement) ? 'teaser' : 'wellformed', defects: [], refused, because };
  }
  const ended = judgement.class !== 'truncated' || hello !== undefined || closedEarly;
  const defects = judgement.defects
    .filter((defect) => defect !== 'refusal')
    .map(
      (defect) =>
        ({ defect, certainty: ended || !END_DEFECTS.has(defect) ? 'proved' : 'suspected' }) as const,
    );
  const greeting =
    judgement.class === 'wellformed' && teases(judgement) && spread >= TEASER ? 'teaser' : judgement.class;
  return { greeting, defects, refused, because: reason(interview, greeting, patience) };
}

function teases({ lines }: Interview['judgement']): boolean {
  return lines > 1;
}

function reason(
  { judgement, hello, closedEarly, spread }: Interview,
  greeting: GreetingClass,
  patience: string,
): string {
  if (greeting === 'truncated') {
    if (hello !== undefined)
      return `the server answered ${hello.code} to EHLO: it takes its greeting for complete`;
    if (closedEarly) return 'the server closed without finishing it';
    return `not finished after ${patience}, and no answer to EHLO: a slow server, or the rest was lost on the way`;
  }
  if (greeting === 'teaser')
    return `first "220-", and the rest ${(spread / 1e6).toFixed(1)} s later, as postscreen does`;
  if (greeting === 'malformed') return `its octets show it: ${judgement.defects.join(', ')}`;
  if (judgement.defects.includes('refusal')) return 'well formed, and a refusal';
  const slow = spread >= TEASER ? `, though it came over ${(spread / 1e6).toFixed(1)} s` : '';
  return `it is as RFC 5321 wants it${slow}`;
}

/** Longer than any network takes between two segments of one answer, in microseconds. */
const TEASER = 1_000_000;
