// What must hold under load, and the figures for a reader.

import type { Load, LoadPlan, Round, Stalls } from './load';

/** Whatever was lost, one line each; empty where all is well. Nothing here depends on the machine's speed. */
export function lossesOf({ held, sessions }: LoadPlan, { rounds, stalls, output }: Load): string[] {
  const found = rounds.flatMap((round, i) => [
    differ(`round ${i + 1}: connections held`, round.held, held),
    differ(`round ${i + 1}: their messages accepted`, round.heldAccepted, held),
    differ(`round ${i + 1}: exit code of smtp-source`, round.code, 0),
    differ(`round ${i + 1}: messages in smtp-sink`, round.sunk, held + sessions),
    differ(`round ${i + 1}: sessions on record`, onRecord(round), held + sessions),
    round.record.omitted > 0
      ? undefined
      : differ(`round ${i + 1}: messages on record`, round.record.messages, held + sessions),
  ]);
  return [
    ...found,
    differ('beside deaf peers: exit code of smtp-source', stalls.code, 0),
    stalls.stuckAt < stalls.sent ? undefined : 'deaf peers: nobody was stuck, so nothing was tested',
    // The flood's own words come on top of what is counted as sent.
    stalls.arrived >= stalls.sent
      ? undefined
      : `deaf peers: ${stalls.arrived} of ${stalls.sent} octets arrived`,
    output === '' ? undefined : `the relay says: ${output}`,
  ].filter((line) => line !== undefined);
}

/** What the machine's speed and memory have a say in: for the soak, which has the machine for itself. */
export function excessesOf({ rounds, stalls }: Load): string[] {
  const [first, last] = [rounds[0], rounds.at(-1)];
  const growth = first && last ? last.rss.after / first.rss.after - 1 : 0;
  const stuck = stalls.rss.stuck - stalls.rss.before;
  const excesses = [];
  if (growth >= 0.1) excesses.push(`memory grew by ${percent(growth)} in the last round, not less than 10 %`);
  if (stuck > STUCK_KIB) excesses.push(`deaf peers cost ${mib(stuck)}, more than ${mib(STUCK_KIB)}`);
  if (stalls.beside > 2 * stalls.without) {
    excesses.push(`beside deaf peers ${stalls.beside.toFixed(1)} s, without ${stalls.without.toFixed(1)} s`);
  }
  return excesses;
}

/** Four connections, each with two sockets whose buffers are full, and the garbage of busy others. */
const STUCK_KIB = 64 * 1024;

export function renderLoad({ held, sessions, besides }: LoadPlan, load: Load): string {
  const { rssBefore, rounds, stalls } = load;
  return [
    `memory before          ${mib(rssBefore)}`,
    ...rounds.flatMap((round, i) => renderRound(round, i + 1, held, sessions)),
    ...renderStalls(stalls, besides),
  ].join('\n');
}

function renderRound(round: Round, number: number, held: number, sessions: number): string[] {
  const { record, rss } = round;
  const rate = Math.round(sessions / round.seconds);
  return [
    `round ${number}`,
    `  held at once         ${round.held} of ${held}, ${round.heldAccepted} messages accepted, ${mib(rss.held)}`,
    `  in a row             ${sessions} in ${round.seconds.toFixed(1)} s, ${rate}/s, smtp-source ${round.code}`,
    `  smtp-sink            ${round.sunk} messages`,
    `  record               ${record.sessions} sessions, ${record.messages} messages, ${record.omitted} omitted`,
    `  memory               ${mib(rss.peak)} at most, ${mib(rss.after)} after`,
  ];
}

function renderStalls(stalls: Stalls, besides: number): string[] {
  return [
    'two clients and two servers that do not read',
    `  the others           ${besides} sessions in ${stalls.beside.toFixed(1)} s, ${stalls.without.toFixed(1)} s before`,
    `  stuck at             ${mib(stalls.stuckAt / 1024)} of ${mib(stalls.sent / 1024)}`,
    `  arrived in the end   ${mib(stalls.arrived / 1024)}`,
    `  memory               ${mib(stalls.rss.stuck)}, ${mib(stalls.rss.before)} before`,
  ];
}

function onRecord({ record }: Round): number {
  return record.sessions + record.omitted;
}

function differ(what: string, found: number | null, wanted: number): string | undefined {
  return found === wanted ? undefined : `${what}: ${found}, not ${wanted}`;
}

function mib(kib: number): string {
  return `${(kib / 1024).toFixed(1)} MiB`;
}

function percent(part: number): string {
  return `${(part * 100).toFixed(1)} %`;
}
