// What several connections with the same finding show together, and how far that goes: by how many clients of how many
// networks showed it. The octets' numbers prove what a client's TCP claims. Of one network the client itself, or its own
// path, may explain it; of several only what they share.

import type { Certainty } from '../events';
import { causeOf, type CauseFacts } from './causes';
import { PLACES } from './judge';
import { many } from './words';

/** One cause in all connections that were seen. */
export interface Shown extends CauseFacts {
  /** Sessions with it; those where it is proved; all that were seen. */
  readonly sessions: number;
  readonly proved: number;
  readonly of: number;
  /** Different clients and client networks with it. */
  readonly clients: number;
  readonly networks: number;
}

interface Conclusion {
  /** Of what is concluded: that it is what the clients share. */
  readonly certainty: Certainty;
  /** One paragraph, the number of clients first. */
  readonly text: string;
}

export function conclusionOf(shown: Shown): Conclusion {
  const { sessions, proved, of, clients, networks } = shown;
  const { what, next, suspect } = causeOf(shown);
  const who = `${many(clients, 'client')} of ${networks === 1 ? 'one network' : many(networks, 'network')}`;
  const share = `${sessions.toLocaleString('en')} of ${many(of, 'session')} (${shareOf(sessions, of)})`;
  const how =
    proved === 0 ? 'suspected' : proved === sessions ? 'proved' : `proved in ${proved.toLocaleString('en')}`;
  const sure = proved > 0 && !(suspect === 'client' && networks === 1);
  const reach = reachOf(shown, suspect);
  return {
    certainty: sure ? 'proved' : 'suspected',
    text: `${who}: ${what} in ${share}, ${how}. ${reach}${capital(next)}.`,
  };
}

/** `3.5 %`; never 0 for something that was there. */
export function shareOf(part: number, whole: number): string {
  const percent = whole === 0 ? 0 : (part / whole) * 100;
  if (percent > 0 && percent < 0.1) return '< 0.1 %';
  return `${percent.toFixed(1)} %`;
}

/** What else may explain it, or what does not. What a peer did itself leaves nothing open. */
function reachOf(shown: Shown, suspect: 'client' | 'server' | 'neither'): string {
  const { clients, networks, where } = shown;
  if (causeOf(shown).rank === 3) return '';
  if (suspect === 'neither') return 'Both sides were captured: it happened between the two points. ';
  if (suspect === 'server') return where === 'beyond' ? 'It passed here, so no client explains it. ' : '';
  if (networks > 1) return `Only what these networks share explains it: the path ${PLACES[where]}. `;
  const whose = clients === 1 ? 'The client itself or its own path' : 'The network’s own path';
  return `${whose} may explain it too: see whether clients of other networks show the same. `;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
