// `ehlowire leave`: the network as it was found, whatever has happened since.

import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createFault, type Fault, isFault, type Outcome, isFaults } from '../../proxy/system/fault';
import type { CommonFlags } from '../../proxy/config/flags';
import { stepUp } from '../../proxy/wire/priority';
import { leave, leaveProgram, type Leaving } from '../journal/enter';
import { isOfThisBoot, isOfThisNamespace, readJournal, removeJournal } from '../journal/journal';
import type { Journal } from '../journal/change';
import { describeAttachment } from '../attach/attach';
import {
  findControlProcess,
  controlFile,
  takeControl,
  type Release,
  type ControlProcess,
} from '../journal/control-process';
import { readConfig } from './flags';

export interface LeaveFlags extends CommonFlags {
  readonly keepBridge?: boolean;
}

export async function runLeave(flags: LeaveFlags): Promise<Outcome> {
  const config = readConfig(flags);
  if (isFaults(config)) return config;
  const file = config.deploy.journal;
  const journal = readJournal(file);
  if (isFault(journal)) return journal;
  if (journal !== undefined && isOfThisBoot(journal) && !isOfThisNamespace(journal))
    return createFault('other-namespace', file);
  // No process has ever been in control there.
  if (!existsSync(dirname(file))) return say('nothing to undo');
  const control = await obtainControl(controlFile(file));
  if (isFault(control)) return control;
  const { release, ended } = control;
  try {
    return undo(file, flags.keepBridge === true, { entered: journal?.entered === true, ended });
  } finally {
    release();
  }
}

/** What was so before this process took control. */
interface Before {
  /** All steps had been made. */
  readonly entered: boolean;
  /** The control process that was ended. */
  readonly ended: ControlProcess | undefined;
}

/** The journal as it is now that no other process is in control. */
function undo(file: string, keepBridge: boolean, before: Before): Outcome {
  const journal = readJournal(file);
  if (isFault(journal)) return journal;
  if (journal === undefined) return say(describeNothing(before));
  if (!isOfThisBoot(journal)) {
    const text = `nothing to undo: the machine was started anew since ehlowire was ${describeAttachment(journal.place)}`;
    return removeJournal(file) ?? say(text);
  }
  if (keepBridge && journal.entered && journal.place.kind === 'bridge') {
    const done = `${journal.place.bridge} goes on as a plain bridge; \`ehlowire leave\` removes it too`;
    return conclude(leaveProgram(file, journal), done);
  }
  return conclude(leave(file, journal), `left; ${describeLeft(journal)}`);
}

function describeNothing({ entered, ended }: Before): string {
  // Nothing else removes the journal of what was entered.
  if (entered) return 'nothing to undo: another `ehlowire leave` has undone it';
  if (ended === undefined) return 'nothing to undo';
  return `process ${ended.pid}, \`ehlowire ${ended.does}\`, was on its way in and has ended: nothing to undo`;
}

function describeLeft({ place }: Journal): string {
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

interface Control {
  readonly release: Release;
  readonly ended: ControlProcess | undefined;
}

/**
 * Takes control from the process that has it: `bridge` or `host` is ended; another `leave` is waited for. A process that
 * went on would miss what is removed, and put it back.
 */
async function obtainControl(file: string): Promise<Control | Fault> {
  let ended: ControlProcess | undefined;
  const since = Date.now();
  for (;;) {
    const release = await takeControl(file, 'leave');
    if (!isFault(release)) return { release, ended };
    if (release.code !== 'already-running') return release;
    const waited = Date.now() - since;
    const running = findControlProcess(file);
    if (running?.does === 'leave' || running === undefined) {
      if (waited > OTHERS_MS) return release;
    } else {
      end(running, waited > PATIENCE_MS ? 'SIGKILL' : 'SIGTERM', ended);
      ended = running;
    }
    await sleep(STEP_MS);
  }
}

function end(
  running: ControlProcess,
  signal: 'SIGTERM' | 'SIGKILL',
  before: ControlProcess | undefined,
): void {
  // Otherwise the signal itself waits on a busy machine.
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
