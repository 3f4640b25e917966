// `ehlowire leave`: the network as it was found, whatever has happened since.

import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createFault, isFault, type Fault } from '../../proxy/fault';
import type { CommonFlags } from '../../proxy/commands/flags';
import type { Outcome } from '../../proxy/commands/outcome';
import { stepUp } from '../../proxy/wire/priority';
import { leave, leaveProgram, type Leaving } from '../journal/enter';
import {
  isOfThisBoot,
  isOfThisNamespace,
  readJournal,
  removeJournal,
  type Journal,
} from '../journal/journal';
import { describePlace } from '../place';
import { findRunning, runningFile, takeCharge, type Release, type Running } from '../running';
import { isConfig, readConfig } from './flags';

export interface LeaveFlags extends CommonFlags {
  readonly keepBridge?: boolean;
}

export async function runLeave(flags: LeaveFlags): Promise<Outcome> {
  const config = readConfig(flags);
  if (!isConfig(config)) return config;
  const file = config.deploy.journal;
  const journal = readJournal(file);
  if (isFault(journal)) return journal;
  if (journal !== undefined && isOfThisBoot(journal) && !isOfThisNamespace(journal))
    return createFault('other-namespace', file);
  // Nobody has ever been in charge there.
  if (!existsSync(dirname(file))) return say('nothing to undo');
  const relieved = await relieve(runningFile(file));
  if (isFault(relieved)) return relieved;
  const { release, ended } = relieved;
  try {
    // What was in place had a journal: then another `leave` has undone it meanwhile.
    return undo(file, flags.keepBridge === true, journal === undefined ? ended : undefined);
  } finally {
    release();
  }
}

/** The journal as it is now that nobody else is in charge. */
function undo(file: string, keepBridge: boolean, ended: Running | undefined): Outcome {
  const journal = readJournal(file);
  if (isFault(journal)) return journal;
  if (journal === undefined) {
    const who =
      ended && `process ${ended.pid}, \`ehlowire ${ended.does}\`, was on its way in and has ended: `;
    return say(`${who ?? ''}nothing to undo`);
  }
  if (!isOfThisBoot(journal)) {
    const text = `nothing to undo: the machine was started anew since ehlowire was ${describePlace(journal.place)}`;
    return removeJournal(file) ?? say(text);
  }
  if (keepBridge && journal.entered && journal.place.kind === 'bridge') {
    const done = `${journal.place.bridge} goes on as a plain bridge; \`ehlowire leave\` removes it too`;
    return conclude(leaveProgram(file, journal), done);
  }
  return conclude(leave(file, journal), `left; ${farewell(journal)}`);
}

function farewell({ place }: Journal): string {
  if (place.kind === 'host') return `${place.device} is as it was found`;
  return place.made
    ? `the bridge ${place.bridge} is gone: nothing crosses from ${place.wan} to ${place.lan} any more`
    : `${place.bridge} is as it was found`;
}

function conclude({ faults, stays }: Leaving, done: string): Outcome {
  stays.forEach(say);
  return faults.length > 0 ? faults : say(done);
}

function say(text: string): number {
  process.stdout.write(`${text}\n`);
  return 0;
}

interface Relieved {
  readonly release: Release;
  readonly ended: Running | undefined;
}

/**
 * Takes charge from whoever has it: one that is in place, or on its way there, is ended; another `leave` is waited for.
 * A process that went on would miss what is taken from under it, and put it back.
 */
async function relieve(file: string): Promise<Relieved | Fault> {
  let ended: Running | undefined;
  const since = Date.now();
  for (;;) {
    const release = takeCharge(file, 'leave');
    if (!isFault(release)) return { release, ended };
    if (release.code !== 'already-running') return release;
    const waited = Date.now() - since;
    const running = findRunning(file);
    if (running?.does === 'leave' || running === undefined) {
      if (waited > OTHERS_MS) return release;
    } else {
      ended = running;
      end(running.pid, waited > PATIENCE_MS ? 'SIGKILL' : 'SIGTERM');
    }
    await sleep(STEP_MS);
  }
}

function end(pid: number, signal: 'SIGTERM' | 'SIGKILL'): void {
  // Else the signal itself waits on a busy machine.
  stepUp(pid);
  try {
    process.kill(pid, signal);
  } catch {
    // It ended in between.
  }
}

/** To read what is left in the ring, which may be full, and to write its log. */
const PATIENCE_MS = 10_000;
/** To undo what another `leave` undoes. */
const OTHERS_MS = 60_000;
const STEP_MS = 50;
