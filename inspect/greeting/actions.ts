// What the greeter tells its pump to do.

import type { Micros, RepairEvent } from '../events';
import type { Lesson } from './lesson';
import { joinOctets, type Mend } from './repair';
import { quoteKnownWords, quoteServer } from '../grammar/quote';

export type GreeterAction =
  /** To the client. All of one step's are one write: a greeting is one segment. */
  | { readonly kind: 'forward'; readonly bytes: Uint8Array }
  | { readonly kind: 'repair'; readonly event: RepairEvent }
  /** What this connection shows of its server; at most one of a kind. */
  | { readonly kind: 'lesson'; readonly lesson: Lesson }
  /** After what was forwarded: end the connection. */
  | { readonly kind: 'refuse' };

/** The repairs of one step; `since`: from when on the client waited; `spoke`: the server may repeat its words. */
export function repairsOf(
  mends: readonly Mend[],
  { since, at, spoke }: { readonly since: Micros; readonly at: Micros; readonly spoke: boolean },
): GreeterAction[] {
  const quote = spoke ? quoteKnownWords : quoteServer;
  return mends.map(({ defect, before, after }) => {
    const texts = { before: quote(before), after: quote(after) };
    return { kind: 'repair', event: { kind: 'repair', at, defect, ...texts, held: at - since } };
  });
}

export function forward(bytes: Uint8Array): GreeterAction[] {
  return bytes.length > 0 ? [{ kind: 'forward', bytes }] : [];
}

/** What a step lets through is one write, whatever it was put together from. */
export function oneWrite(actions: readonly GreeterAction[]): GreeterAction[] {
  const parts = actions.flatMap((action) => (action.kind === 'forward' ? [action.bytes] : []));
  const others = actions.filter((action) => action.kind !== 'forward');
  return [...forward(joinOctets(parts)), ...others];
}
