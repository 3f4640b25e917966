// What the packets say of each connection, short enough to be kept for all of them.

import type { Close, Micros, VerdictEvent } from '../../../inspect/events';
import type { Observer, TrackerNews } from '../../../inspect/tracker/tracker';

export interface PacketStory {
  readonly id: number;
  readonly client: { readonly address: string; readonly port: number };
  readonly server: { readonly address: string; readonly port: number };
  readonly started: Micros;
  /** When it closed, or its last segment. */
  readonly ended: Micros;
  /** The handshake was seen: an smtpd may have known of it. */
  readonly whole: boolean;
  /** Those that stand. */
  readonly verdicts: readonly StoryVerdict[];
  /** Commands that passed this point in the clear, by lower-case verb. */
  readonly commands: Readonly<Record<string, number>>;
  /** Octets were hidden (TLS) or missed: the commands are not all. */
  readonly partial: boolean;
  readonly close?: Close;
}

export type StoryVerdict = Pick<
  VerdictEvent,
  'verdict' | 'certainty' | 'where' | 'about' | 'came' | 'missingBytes'
>;

interface Stories extends Observer {
  /** Those that ended, in the order of their beginning. */
  end(): readonly PacketStory[];
  readonly omitted: number;
}

export function createStories(): Stories {
  const open = new Map<number, Growing>();
  const done: PacketStory[] = [];
  let omitted = 0;
  return {
    observe(news) {
      for (const each of news) {
        const story = open.get(each.connection.id) ?? begin(open, each);
        for (const event of each.events) note(story, event);
        if (each.segment) story.ended = Math.max(story.ended, each.segment.segment.at);
        if (!each.ended) continue;
        open.delete(story.id);
        const { client, server } = each.connection.inspector.view;
        story.verdicts = each.verdicts.map(verdictOf);
        story.whole = client.syn !== undefined && server.syn !== undefined;
        if (done.length < STORIES) done.push(story);
        else omitted += 1;
      }
    },
    end: () => done.sort((a, b) => a.started - b.started),
    get omitted() {
      return omitted;
    },
  };
}

type Growing = { -readonly [K in keyof PacketStory]: PacketStory[K] } & {
  commands: Record<string, number>;
};

function begin(open: Map<number, Growing>, { connection }: TrackerNews): Growing {
  const { id, client, server, inspector } = connection;
  const { started } = inspector.view;
  const story: Growing = {
    ...{ id, client, server, started, ended: started },
    ...{ whole: false, verdicts: [], commands: {}, partial: false },
  };
  open.set(id, story);
  return story;
}

function note(story: Growing, event: TrackerNews['events'][number]): void {
  if (event.kind === 'command') {
    const verb = event.verb === '?' ? 'unknown' : event.verb.toLowerCase();
    story.commands[verb] = (story.commands[verb] ?? 0) + 1;
  } else if (event.kind === 'gap' || event.kind === 'opaque') story.partial = true;
  else if (event.kind === 'session') story.close = event.close;
}

/** What is kept of it: without its segments. */
function verdictOf({ verdict, certainty, where, about, came, missingBytes }: VerdictEvent): StoryVerdict {
  return {
    ...{ verdict, certainty, where },
    ...(about && { about }),
    ...(came && { came }),
    ...(missingBytes !== undefined && { missingBytes }),
  };
}

const STORIES = 250_000;
