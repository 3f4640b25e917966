// A dialogue under the rule `load`: what its client may cost is counted beside it, and ends it where it is too much.

import type { Micros } from '../../inspect/events';
import { createLoad, type Load } from '../../inspect/policy/load';
import type { ConnectionLimits, Excess } from '../../inspect/policy/limits-of-load';
import { steady } from '../system/clock';
import type { Command, Dialogue } from './dialogue';
import type { Rank } from './idlers';

interface LimitedOptions {
  readonly mode: 'observe' | 'enforce';
  readonly limits: ConnectionLimits;
  /** A limit that its client met when it came in, where that is only observed. */
  readonly observed: Excess | undefined;
  /** It is ended for its errors. */
  readonly offend: () => void;
  /** Something came; undefined: the client is not waited for. */
  readonly onTurn: (rank: Rank | undefined, at: Micros) => void;
}

/** The same dialogue, whose commands end with `end` where a limit is met. */
export function limitDialogue(dialogue: Dialogue, options: LimitedOptions): Dialogue {
  const state: State = { ...options, dialogue, load: createLoad(options.limits), said: undefined };
  const { load, observed } = state;
  return {
    ...dialogue,
    open() {
      const at = dialogue.waiting().since;
      const commands = dialogue.open();
      return observed ? [...commands, ...meet(state, observed, at)] : commands;
    },
    fromClient(bytes, at) {
      const time = steady();
      const commands = count(state, dialogue.fromClient(bytes, at), at, time);
      return turn(state, commands, load.read(bytes, dialogue.waiting(), time), at, time);
    },
    fromServer(bytes, at) {
      const time = steady();
      const commands = count(state, dialogue.fromServer(bytes, at), at, time);
      return turn(state, commands, undefined, at, time);
    },
    idle(at, blocked) {
      const time = steady();
      const commands = count(state, dialogue.idle(at, blocked), at, time);
      return add(commands, load.late(dialogue.waiting(), blocked, time), state, at);
    },
    due: () => Math.min(dialogue.due(), load.due()),
    close(close, at) {
      state.onTurn(undefined, at);
      return dialogue.close(close, at);
    },
  };
}

interface State extends LimitedOptions {
  readonly dialogue: Dialogue;
  readonly load: Load;
  /** What was observed. */
  said: Set<string> | undefined;
}

type Commands = readonly Command[];

/** Counts what is in the record anyway. */
function count(state: State, commands: Commands, at: Micros, time: Micros): Commands {
  let counted = commands;
  for (const command of commands) {
    if (command.kind === 'phase') counted = add(counted, state.load.phase(command, time), state, at);
  }
  return counted;
}

function turn(
  state: State,
  commands: Commands,
  excess: Excess | undefined,
  at: Micros,
  time: Micros,
): Commands {
  const { dialogue, load, onTurn, mode } = state;
  const { on, opaque } = dialogue.waiting();
  onTurn(on === 'server' ? undefined : opaque || load.hasBegun() ? 'used' : 'fresh', time);
  const delay = mode === 'enforce' ? load.delay() : 0;
  const all = delay === 0 ? commands : [...commands, { kind: 'rest' as const, micros: delay }];
  return add(all, excess, state, at);
}

function add(commands: Commands, excess: Excess | undefined, state: State, at: Micros): Commands {
  return excess === undefined ? commands : [...commands, ...meet(state, excess, at)];
}

function meet(state: State, { detail, advice, offence = false }: Excess, at: Micros): Commands {
  if (state.mode === 'observe') {
    state.said ??= new Set();
    if (state.said.has(detail)) return [];
    state.said.add(detail);
    return [{ kind: 'anomaly', anomaly: 'load', direction: 'client', at, detail }];
  }
  if (offence) state.offend();
  return [
    { kind: 'blocked', at, rule: 'load', action: 'close', direction: 'client', detail },
    { kind: 'end', close: { by: 'shim', how: 'fin', reason: 'load' }, code: '421 4.7.0', text: advice },
  ];
}
