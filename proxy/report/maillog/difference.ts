// Where the log's story of a connection and the packets' differ: the log tells what the server saw, not why.

import type { VerdictName } from '../../../inspect/events';
import { PLACES } from '../../../inspect/verdict/judge';
import { formatClose } from '../../sinks/wording';
import type { Saying, Tally } from './dialects';
import type { LogSession } from './session';
import type { PacketStory, StoryVerdict } from './story';

interface Comparison {
  /** What the log says, in its own words: `timeout after CONNECT`. */
  readonly log: string;
  /** What the packets say. */
  readonly packets: string;
  /** One sentence; absent where both tell the same. */
  readonly difference?: string;
}

export function compareStories(session: LogSession, story: PacketStory): Comparison {
  const difference = RULES.map((rule) => rule(session, story)).find((each) => each !== undefined);
  return {
    log: logWords(session),
    packets: packetWords(story),
    ...(difference !== undefined && { difference }),
  };
}

export function logWords({ says }: LogSession): string {
  const words = says.map(wordsOf).filter((each) => each !== '');
  return words.length === 0 ? 'connect' : words.slice(0, WORDS).join(', ');
}

export function packetWords({ verdicts, commands, close }: PacketStory): string {
  const found = [...new Set(verdicts.map(({ verdict, certainty }) => `${verdict} (${certainty})`))];
  const verbs = Object.entries(commands).map(([verb, count]) => `${verb}=${count}`);
  const end = close ? [formatClose(close)] : [];
  return [...found, verbs.length > 0 ? verbs.join(' ') : 'no command', ...end].join(', ');
}

type Rule = (session: LogSession, story: PacketStory) => string | undefined;

const RULES: readonly Rule[] = [
  function unheard({ says }, { verdicts, commands, partial }) {
    const silent = says.find(isSilence);
    if (!silent) return undefined;
    const dropped = find(verdicts, 'ehlo-dropped');
    if (dropped) {
      const { missingBytes, where, came } = dropped;
      const octets = missingBytes === undefined ? 'a command' : `${missingBytes} octets`;
      const ended = came === 'late' ? ', and they came late' : '';
      return `The log says that the client sent nothing (${wordsOf(silent)}); it sent ${octets}, dropped ${PLACES[where]}${ended}.`;
    }
    const greeting = find(verdicts, 'greeting-lost');
    if (greeting)
      return `The log says that the client sent nothing (${wordsOf(silent)}); the greeting was lost ${PLACES[greeting.where]}.`;
    const passed = Object.keys(commands).length > 0;
    if (passed && !partial) {
      return `The log knows of no command (${wordsOf(silent)}); the packets here have some: lost behind this point, or not this connection.`;
    }
    return undefined;
  },
  function injected({ says }, { verdicts }) {
    const lost = says.find(({ kind }) => kind === 'lost');
    if (!lost || !find(verdicts, 'reset-injected')) return undefined;
    return `The log says that the client went away (${wordsOf(lost)}); the RST is not the client's.`;
  },
  function leaver({ says }, { close, verdicts }) {
    const lost = says.find(({ kind }) => kind === 'lost');
    if (!lost || close?.by !== 'server' || verdicts.length > 0) return undefined;
    return `The log says that the client went away (${wordsOf(lost)}); in the packets the server ended it first.`;
  },
  function early({ says }, { verdicts, commands }) {
    const pregreet = says.find(({ kind }) => kind === 'pregreet');
    if (!pregreet || find(verdicts, 'early-talker') || Object.keys(commands).length === 0) return undefined;
    return 'postscreen says that the client spoke before its turn; in the packets here it waited: the greeting came late to one of the two.';
  },
  function counts({ says }, { commands, partial, verdicts }) {
    const end = says.find((each) => each.kind === 'disconnect');
    if (end?.kind !== 'disconnect' || partial || verdicts.some(({ verdict }) => UNEVEN.has(verdict)))
      return undefined;
    const uneven = unevenVerbs(end.tally, commands);
    if (uneven.length === 0) return undefined;
    return `The log and the packets count commands differently: ${uneven.join(', ')}.`;
  },
];

/** `ehlo 1 in the log, 2 here`; the log says nothing of verbs that were not used. */
function unevenVerbs(tally: Tally, commands: Readonly<Record<string, number>>): string[] {
  // postscreen counts nothing, and an smtpd always says at least `commands=`.
  if (tally['commands'] === undefined) return [];
  return COUNTED.flatMap((verb) => {
    const [logged, here] = [tally[verb]?.[1] ?? 0, commands[verb] ?? 0];
    return logged === here ? [] : [`${verb} ${logged} in the log, ${here} here`];
  });
}

/** The server heard nothing at all: not one command. */
function isSilence(saying: Saying): boolean {
  return (saying.kind === 'timeout' || saying.kind === 'lost') && saying.after === 'CONNECT';
}

function wordsOf(saying: Saying): string {
  switch (saying.kind) {
    case 'connect':
    case 'mail':
      return '';
    case 'timeout':
      return saying.after === '' ? 'timeout' : `timeout after ${saying.after}`;
    case 'lost':
      return saying.after === '' ? 'lost connection' : `lost connection after ${saying.after}`;
    case 'disconnect':
      return Object.entries(saying.tally)
        .map(([verb, [accepted, tried]]) => `${verb}=${accepted === tried ? tried : `${accepted}/${tried}`}`)
        .join(' ');
    case 'reject':
      return `reject ${saying.stage} ${saying.code}`;
    case 'pipelining':
      return `improper pipelining after ${saying.after}`;
    case 'pregreet':
      return `PREGREET ${saying.octets} octets after ${saying.after} s`;
    case 'pass':
      return `PASS ${saying.how}`;
    case 'hangup':
      return `HANGUP after ${saying.after} s`;
  }
}

function find(verdicts: readonly StoryVerdict[], name: VerdictName): StoryVerdict | undefined {
  return verdicts.find(({ verdict }) => verdict === name);
}

/** postfix counts every verb that it knows; these are ours as well, by the same names. */
const COUNTED = ['ehlo', 'helo', 'mail', 'rcpt', 'data', 'rset', 'quit'];
/** They explain the difference themselves. */
const UNEVEN: ReadonlySet<VerdictName> = new Set([
  'segment-dropped',
  'ehlo-altered',
  'ehlo-dropped',
  'path-terminated',
]);
const WORDS = 6;
