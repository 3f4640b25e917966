// What may teach what: a server's standing, what a connection showed, and what is known then.

import type { GreetingKnowledge } from '../../../inspect/greeting/known';
import type { Lesson, Verification } from '../../../inspect/greeting/lesson';

const observe = (greeting: GreetingKnowledge['greeting'], delay = 0): GreetingKnowledge => ({
  greeting,
  policy: 'observe',
  lines: 0,
  delay,
});
export const TRUNCATED: GreetingKnowledge = { greeting: 'truncated', policy: 'repair', lines: 1, delay: 0 };
const TWO_LINES: GreetingKnowledge = { ...TRUNCATED, lines: 2 };
const TABBED: GreetingKnowledge = { greeting: 'malformed', policy: 'repair', lines: 0, delay: 0 };
const because = 'so it was seen';

const ended = (knowledge: GreetingKnowledge): Lesson => ({ kind: 'ended', finding: { knowledge, because } });
const stalled = (knowledge = TRUNCATED): Lesson => ({ kind: 'stalled', finding: { knowledge, because } });
const doubt = (delay?: number): Lesson => ({ kind: 'doubt', because, ...(delay !== undefined && { delay }) });
const greeted = (knowledge: GreetingKnowledge): Verification => ({
  kind: 'greeted',
  finding: { knowledge, because },
});
const UNREACHABLE: Verification = { kind: 'unreachable', why: 'no route' };

export type Event =
  | { readonly by: 'client'; readonly network: string; readonly lesson: Lesson }
  | { readonly by: 'us'; readonly verification: Verification };

const client = (network: string, lesson: Lesson): Event => ({ by: 'client', network, lesson });
const us = (verification: Verification): Event => ({ by: 'us', verification });

interface LessonRow {
  readonly name: string;
  readonly events: readonly Event[];
  /** `class policy way`, or `nothing`. */
  readonly want: string;
  /** The last event asks for a connection of our own. */
  readonly verify?: boolean;
  readonly contested?: boolean;
}

const HONEST = us(greeted(observe('wellformed')));
const LONE = us(greeted(TRUNCATED));

export const LESSONS: readonly LessonRow[] = [
  { name: 'nothing was seen', events: [], want: 'nothing' },
  {
    name: 'a whole greeting is known by what one client saw: it asks for nothing',
    events: [client('a', ended(observe('wellformed')))],
    want: 'wellformed observe seen',
  },
  {
    name: 'a stalled greeting is a suspicion, and we look ourselves',
    events: [client('a', stalled())],
    want: 'nothing',
    verify: true,
  },
  {
    name: 'any number of clients are still a suspicion, as long as we can connect',
    events: [...'abcdefgh'].map((network) => client(network, stalled())),
    want: 'nothing',
    verify: true,
  },
  {
    name: 'so is a greeting with a defect that would be repaired',
    events: [client('a', ended(TABBED))],
    want: 'nothing',
    verify: true,
  },
  {
    name: 'a defect that nothing is done about is known at once',
    events: [client('a', ended(observe('malformed')))],
    want: 'malformed observe seen',
  },
  {
    name: 'what we see ourselves, too, is repaired',
    events: [client('a', stalled()), LONE],
    want: 'truncated repair verified',
  },
  {
    name: 'what we see ourselves decides after how many lines it stalls',
    events: [client('a', stalled(TWO_LINES)), LONE],
    want: 'truncated repair verified',
  },
  {
    name: 'what only we see is repaired for nobody',
    events: [LONE],
    want: 'nothing',
  },
  {
    name: 'clients and we are greeted differently: nothing is repaired, and the operator hears of it',
    events: [client('a', stalled()), HONEST],
    want: 'wellformed observe verified',
    contested: true,
  },
  {
    name: 'and a greeting that is honest to us never silences the next suspicion',
    events: [client('a', stalled()), HONEST, client('b', stalled())],
    want: 'wellformed observe verified',
    verify: true,
    contested: true,
  },
  {
    name: 'another defect than clients saw does not confirm them',
    events: [client('a', stalled()), us(greeted(TABBED))],
    want: 'nothing',
  },
  {
    name: 'an honest last line on any connection withdraws the repair',
    events: [client('a', stalled()), LONE, client('b', ended(observe('teaser', 6e6)))],
    want: 'teaser observe seen',
  },
  {
    name: 'and so does one on a connection of ours',
    events: [client('a', stalled()), LONE, HONEST],
    want: 'wellformed observe verified',
  },
  {
    name: 'a doubt changes nothing, and makes us look',
    events: [client('a', stalled()), LONE, client('b', doubt())],
    want: 'truncated repair verified',
    verify: true,
  },
  {
    name: 'any number of doubts change nothing while we can connect',
    events: [client('a', stalled()), LONE, ...[...'bcdefg'].map((network) => client(network, doubt()))],
    want: 'truncated repair verified',
    verify: true,
  },
  { name: 'a doubt about nothing', events: [client('a', doubt())], want: 'nothing' },
  {
    name: 'a doubt that shows a longer delay makes us look again, more patiently',
    events: [client('a', stalled()), client('b', doubt(25e6))],
    want: 'nothing',
    verify: true,
  },
  {
    name: 'the same defect again is no news while it is repaired',
    events: [client('a', stalled()), LONE, client('b', stalled())],
    want: 'truncated repair verified',
  },
  {
    name: 'another stall than the one that is repaired is a new suspicion',
    events: [client('a', stalled()), LONE, client('b', stalled(TWO_LINES))],
    want: 'truncated repair verified',
    verify: true,
  },
  {
    name: 'a repair that cannot be verified again stays',
    events: [client('a', stalled()), LONE, us(UNREACHABLE)],
    want: 'truncated repair verified',
  },
  {
    name: 'a teaser that did not tease is a teaser still: postscreen lets those through that it knows',
    events: [client('a', ended(observe('teaser', 6e6))), client('b', ended(observe('wellformed')))],
    want: 'teaser observe seen',
  },
  {
    name: 'we cannot connect: three clients of one network are one witness',
    events: [client('a', stalled()), us(UNREACHABLE), client('a', stalled()), client('a', stalled())],
    want: 'nothing',
    verify: true,
  },
  {
    name: 'we cannot connect: clients of three networks are believed',
    events: [client('a', stalled()), us(UNREACHABLE), client('b', stalled()), client('c', stalled())],
    want: 'truncated repair networks',
    verify: true,
  },
  {
    name: 'they are believed as soon as it is clear that we cannot',
    events: [client('a', stalled()), client('b', stalled()), client('c', stalled()), us(UNREACHABLE)],
    want: 'truncated repair networks',
  },
  {
    name: 'an honest greeting between them begins the count anew',
    events: [
      us(UNREACHABLE),
      client('a', stalled()),
      client('b', stalled()),
      client('z', ended(observe('teaser', 6e6))),
      client('c', stalled()),
    ],
    want: 'teaser observe seen',
    verify: true,
  },
  {
    name: 'three networks that saw different things are not three witnesses',
    events: [
      us(UNREACHABLE),
      client('a', stalled()),
      client('b', stalled(TWO_LINES)),
      client('c', stalled()),
    ],
    want: 'nothing',
    verify: true,
  },
  {
    name: 'what networks taught, doubts of three networks withdraw',
    events: [
      us(UNREACHABLE),
      ...[...'abc'].map((network) => client(network, stalled())),
      ...[...'def'].map((network) => client(network, doubt())),
    ],
    want: 'teaser observe seen',
    verify: true,
  },
  {
    name: 'and two do not',
    events: [
      us(UNREACHABLE),
      ...[...'abc'].map((network) => client(network, stalled())),
      ...[...'dedede'].map((network) => client(network, doubt())),
    ],
    want: 'truncated repair networks',
    verify: true,
  },
];
