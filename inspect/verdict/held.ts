// Held: TSval is stamped as the client sends (RFC 7323 §3.2), so arrival minus stamp is what the path kept back.

import type { Micros, VerdictEvent } from '../events';
import type { Stamp } from '../tcp/clock';
import type { Segment } from '../tcp/segment';
import { distance } from '../tcp/seq';
import { evidenceOf, type Sight } from '../tcp/view';
import type { Judge } from './judge';
import { HELD } from './thresholds';

/** Watches the client's first command. */
export function createHeldJudge(): Judge {
  const state: State = { before: undefined, hello: undefined, done: false };
  return {
    see(sight) {
      if (state.done) return [];
      const stamped = sight.from === 'client' && sight.segment?.options.timestamps !== undefined;
      if (stamped && sight.segment && !state.hello) remember(state, sight, sight.segment);
      return state.hello ? decide(state, sight) : [];
    },
    deadline: () => undefined,
  };
}

interface State {
  /** The client's last stamped segment before its first octets. */
  before: Segment | undefined;
  /** Its first octets. */
  hello: { readonly segment: Segment; readonly before: Segment } | undefined;
  done: boolean;
}

function remember(state: State, { news }: Sight, segment: Segment): void {
  const first = news.some(({ kind }) => kind === 'octets' || kind === 'ahead');
  if (!first) state.before = segment;
  else if (state.before) state.hello = { segment, before: state.before };
  else state.done = true;
}

/** Speaks when the clock's rate is known; without it, at the end, and then only of what any rate allows. */
function decide(state: State, { connection, kind }: Sight): VerdictEvent[] {
  const { hello } = state;
  if (!hello) return [];
  const { clock } = connection.client;
  if (clock.rate === undefined && kind !== 'end') return [];
  state.done = true;
  const held = clock.leastExcess(stampOf(hello.before), stampOf(hello.segment));
  // A clock that runs backwards is another machine's: whoever judges that needs no help.
  if (held < HELD || distance(stampOf(hello.before).value, stampOf(hello.segment).value) < 0) return [];
  const arrived = ms(hello.segment.at - hello.before.at);
  const ticks = distance(stampOf(hello.before).value, stampOf(hello.segment).value);
  const rate =
    clock.rate === undefined ? 'a clock of unknown rate' : `its clock of ${clock.rate} ticks a second`;
  return [
    {
      kind: 'verdict',
      at: hello.segment.at,
      verdict: 'ehlo-held',
      certainty: clock.rate === undefined ? 'suspected' : 'proved',
      proof: 'timestamp',
      held,
      summary:
        `The first command (EHLO) was held on the path for ${ms(held)} ms: it arrived ${arrived} ms after the ` +
        `segment before it, and by ${rate} it was sent ${ticks} ticks after it.`,
      evidence: [
        evidenceOf(connection, 'client', hello.before, 'the segment before'),
        evidenceOf(
          connection,
          'client',
          hello.segment,
          `the first command, ${arrived} ms and ${ticks} ticks later`,
        ),
      ],
    },
  ];
}

function stampOf({ options, at }: Segment): Stamp {
  return { value: options.timestamps?.[0] ?? 0, at };
}

function ms(micros: Micros): number {
  return Math.round(micros / 1000);
}
