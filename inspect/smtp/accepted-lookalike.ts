// A server that took a look-alike for the end of data: its replies show that.

import type { Micros, ReplyCode } from '../events';
import { NOTHING_SAID, say } from '../quotable';
import { type AfterLookalike, type End, octetsBehind, takenEnd } from './lookalikes';
import { decide, reportContent } from './client';
import { createEndOfData } from '../grammar/end-of-data';
import { canHave, MESSAGE, parseCommand } from '../grammar/grammar';
import { type Pending, report, type State } from './state';

/**
 * A reply comes in the midst of a message. Where the server took a look-alike for its end, the message ends there, and
 * what the client sent behind it are commands.
 */
export function endAtLookalike(state: State, { code }: ReplyCode): void {
  const { mode } = state;
  if (mode.kind !== 'body' || !mode.begun || (code >= 300 && code < 400)) return;
  const { position } = state.sides.client;
  const broken = mode.end.ending();
  const { lastAt } = state.sides.client;
  const last: End | undefined = broken && { end: position, length: broken.length, at: lastAt };
  const taken = (mode.afterLookalike && takenEnd(mode.afterLookalike, true)) ?? last;
  // A refusal may come at any time: of a message that goes on it is no sign of an end.
  if (!taken || (code >= 400 && taken.end < position)) return;
  const { content, begun, afterLookalike } = mode;
  content.bytes -= position - taken.end + taken.length;
  content.ended = taken.at;
  reportContent(state, content, begun, taken.end, taken.at);
  if (afterLookalike) moveToUndecided(state, afterLookalike, taken);
  state.mode = { kind: 'undecided', verb: 'DATA' };
  decide(state, { kind: 'command' });
}

function moveToUndecided(state: State, { ends, held }: AfterLookalike, taken: End): void {
  let skip = taken.end - (ends[0]?.end ?? taken.end);
  for (const { bytes, at } of held.clear()) {
    const rest = bytes.subarray(skip);
    skip = Math.max(0, skip - bytes.length);
    if (rest.length > 0) state.undecided.push(rest, at);
  }
}

/**
 * More replies than commands, behind a message with a look-alike inside and commands behind that: the server has taken
 * it for the end, and answers those commands before all that the client has asked since.
 */
export function expectSurplus(state: State, { code }: ReplyCode, at: Micros): void {
  const { surplus } = state;
  if (!surplus) return;
  const [head] = state.pending;
  if (head && canHave(head.rule, code)) return;
  state.surplus = undefined;
  const taken = takenEnd(surplus, false);
  if (!taken) return;
  report(state, 'end-of-data-lookalike', 'server', at, say`the server took it for the end of the message`);
  state.pending.unshift(...commandsIn(octetsBehind(surplus, taken), at));
}

/** What the octets ask a server that reads them as commands. */
function commandsIn(octets: Uint8Array, at: Micros): Pending[] {
  const asked: Pending[] = [];
  let from = 0;
  while (from < octets.length) {
    const lf = octets.indexOf(LF, from);
    if (lf < 0) break;
    const line = octets.subarray(from, octets[lf - 1] === CR ? lf - 1 : lf);
    const { verb, rule } = parseCommand(line);
    // That it is a command is sure; what it says may be a line of a message.
    const said = { verb, argument: NOTHING_SAID };
    asked.push({ rule: { phase: rule.phase }, verb: '', said, arrived: at });
    from = lf + 1;
    if (rule.phase !== 'data') continue;
    const { end, lookalikes } = createEndOfData().scan(octets, from);
    const [lookalike] = lookalikes;
    const ended = lookalike?.end ?? end;
    const content = { how: 'data' as const, bytes: 0, ended: at, last: true };
    asked.push({ rule: MESSAGE, arrived: at, content, last: true });
    if (ended < 0) break;
    content.bytes = ended - from - (lookalike?.length ?? DOT_LINE);
    from = ended;
  }
  return asked.slice(0, ASKED);
}

const LF = 0x0a;
const CR = 0x0d;
const DOT_LINE = 3;
const ASKED = 64;
