// The event log of one relay, read by session.

import type { LogLine, Relayed } from '../kit/ehlowire';
import { until } from '../kit/process';

/** All lines of one connection, the `session` line last. */
export type Story = readonly LogLine[];

/** The stories of the server at that port, once so many have ended: the first one to end first. */
export function storiesOf(relay: Relayed, port: number | undefined, count: number): Promise<Story[]> {
  return until(`${count} sessions at ${port}`, () => {
    const lines = relay.events().filter((line) => line['server.port'] === port);
    const ended = lines.filter(({ event }) => event === 'session').map(({ session }) => session);
    if (ended.length < count) return undefined;
    return ended.map((id) => lines.filter(({ session }) => session === id));
  });
}

/** Lines of one event. */
export function linesOf(story: Story, event: string): LogLine[] {
  return story.filter((line) => line.event === event);
}

/** One field of the lines of one event. */
export function fieldsOf(story: Story, event: string, field: string): unknown[] {
  return linesOf(story, event).map((line) => line[field]);
}

/** `greeting 220`, `close`: the phases and their reply codes. */
export function phasesOf(story: Story): string[] {
  return linesOf(story, 'phase').map((line) =>
    [line['phase'], line['reply.code']].filter((it) => it !== undefined).join(' '),
  );
}
