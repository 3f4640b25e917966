// How the greeter's dialogues are written: a server, a client and the clock, in seconds.

import type { RepairMode } from '../../../inspect/greeting/greeter';
import type { GreetingKnowledge } from '../../../inspect/greeting/known';

interface Moment {
  readonly at: number;
  /** `> octets`, `repair defect`, `ended class policy`, `stalled class policy`, `doubt`, `refuse`. */
  readonly want: readonly string[];
  /** The deadline after this step. */
  readonly due?: number | 'never';
}

export type Step = Moment &
  (
    | { readonly kind: 'server' | 'client'; readonly text: string }
    | { readonly kind: 'end' | 'idle' | 'leave' }
    | { readonly kind: 'know'; readonly knowledge: GreetingKnowledge }
  );

export interface Dialogue {
  readonly name: string;
  readonly mode?: RepairMode;
  readonly known?: GreetingKnowledge;
  readonly steps: readonly Step[];
  /** At the end; true unless told. Patience is 20 s, the shim's name shim.example.net. */
  readonly done?: boolean;
}

type Want = readonly string[];
export const server = (at: number, text: string, ...want: Want): Step => ({ kind: 'server', at, text, want });
export const client = (at: number, text: string, ...want: Want): Step => ({ kind: 'client', at, text, want });
export const idle = (at: number, ...want: Want): Step => ({ kind: 'idle', at, want });
/** The client's FIN. */
export const leave = (at: number, ...want: Want): Step => ({ kind: 'leave', at, want });
export const end = (at: number, ...want: Want): Step => ({ kind: 'end', at, want });
export const know = (at: number, knowledge: GreetingKnowledge, ...want: Want): Step => ({
  kind: 'know',
  at,
  knowledge,
  want,
});
export const due = (step: Step, seconds: number | 'never'): Step => ({ ...step, due: seconds });

export const TRUNCATED: GreetingKnowledge = { greeting: 'truncated', policy: 'repair', lines: 1, delay: 0 };
export const WELLFORMED: GreetingKnowledge = {
  greeting: 'wellformed',
  policy: 'observe',
  lines: 0,
  delay: 0,
};
export const teaser = (seconds: number): GreetingKnowledge => ({
  greeting: 'teaser',
  policy: 'observe',
  lines: 0,
  delay: seconds * 1e6,
});

export const A = '220-mx.example.com\r\n';
export const Z = '220 mx.example.com ESMTP\r\n';
