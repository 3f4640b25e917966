// `ehlowire leave`: the network as it was found, whatever has happened since.

import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createFault, type Fault, isFault, type Outcome } from '../../proxy/system/fault';
import type { CommonFlags } from '../../proxy/config/flags';
import { stepUp } from '../../proxy/wire/priority';
import { leave, leaveProgram, type Leaving } from '../journal/enter';
import {
  isOfThisBoot,
  isOfThisNamespace,
  readJournal,
  removeJournal,
  type Journal,
} from '../journal/journal';
import { describePlace } from '../attach/attach';
import { findRunning, runningFile, takeCharge, type Release, type Running } from '../journal/control-process';
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
    return undo(file, flags.keepBridge === true, { entered: journal?.entered === true, ended });
  } finally {
    release();
  }
}

/** What was so before the charge was taken. */
interface Before {
  /** All steps had been made. */
  readonly entered: boolean;
  /** Who was in charge, and was ended. */
  readonly ended: Running | undefined;
}

/** The journal as it is now that nobody else is in charge. */
function undo(file: string, keepBridge: boolean, before: Before): Outcome {
  const journal = readJournal(file);
  if (isFault(journal)) return journal;
  if (journal === undefined) return say(describeNothing(before));
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

function describeNothing({ entered, ended }: Before): string {
  // Nothing else removes the journal of what was entered.
  if (entered) return 'nothing to undo: another `ehlowire leave` has undone it';
  if (ended === undefined) return 'nothing to undo';
  return `process ${ended.pid}, \`ehlowire ${ended.does}\`, was on its way in and has ended: nothing to undo`;
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
      end(running, waited > PATIENCE_MS ? 'SIGKILL' : 'SIGTERM', ended);
      ended = running;
    }
    await sleep(STEP_MS);
  }
}

function end(running: Running, signal: 'SIGTERM' | 'SIGKILL', before: Running | undefined): void {
  // Else the signal itself waits on a busy machine.
  stepUp(running.pid);
  // Once is enough, and more does harm: a signal makes the kernel give up verifying the program (EAGAIN).
  const asked = before?.pid === running.pid && before.since === running.since;
  if (asked && signal === 'SIGTERM') return;
  try {
    process.kill(running.pid, signal);
  } catch {
    // It ended in between.
  }
}

/** To read what is left in the ring, which may be full, and to write its log. */
const PATIENCE_MS = 10_000;
/** To undo what another `leave` undoes. */
const OTHERS_MS = 60_000;
const STEP_MS = 50;
