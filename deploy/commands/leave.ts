// `ehlowire leave`: the network as it was found, whatever has happened since.

import { setTimeout as sleep } from 'node:timers/promises';
import { createFault, isFault, type Fault } from '../../proxy/fault';
import type { CommonFlags } from '../../proxy/commands/flags';
import type { Outcome } from '../../proxy/commands/outcome';
import { stepUp } from '../../proxy/wire/priority';
import { leave, leaveProgram } from '../journal/enter';
import {
  isOfThisBoot,
  isOfThisNamespace,
  readJournal,
  removeJournal,
  type Journal,
} from '../journal/journal';
import { describePlace } from '../place';
import { findRunning, forgetDead, runningFile } from '../running';
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
  if (journal === undefined) return tell('nothing to undo');
  if (!isOfThisBoot(journal)) {
    removeJournal(file);
    return tell(
      `nothing to undo: the machine was started anew since ehlowire was ${describePlace(journal.place)}`,
    );
  }
  if (!isOfThisNamespace(journal)) return createFault('other-namespace', file);
  // A process that is still there would miss what is taken from under it, and complain.
  await endProcess(runningFile(file));
  forgetDead(runningFile(file));
  return flags.keepBridge === true && journal.place.kind === 'bridge'
    ? conclude(
        leaveProgram(file, journal),
        `${journal.place.bridge} goes on as a plain bridge; \`ehlowire leave\` removes it too`,
      )
    : conclude(leave(file, journal), `left; ${farewell(journal)}`);
}

function farewell({ place }: Journal): string {
  if (place.kind === 'host') return `${place.device} is as it was found`;
  return place.made
    ? `the bridge ${place.bridge} is gone: nothing crosses from ${place.wan} to ${place.lan} any more`
    : `${place.bridge} is as it was found`;
}

function conclude(faults: readonly Fault[], done: string): Outcome {
  return faults.length > 0 ? faults : tell(done);
}

function tell(text: string): number {
  process.stdout.write(`${text}\n`);
  return 0;
}

async function endProcess(file: string): Promise<void> {
  const running = findRunning(file);
  if (running === undefined) return;
  // Else the signal itself waits on a busy machine.
  stepUp(running.pid);
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    try {
      process.kill(running.pid, signal);
    } catch {
      return;
    }
    for (let waited = 0; waited < PATIENCE_MS; waited += STEP_MS) {
      if (findRunning(file) === undefined) return;
      await sleep(STEP_MS);
    }
  }
}

/** To read what is left in the ring, which may be full, and to write its log. */
const PATIENCE_MS = 10_000;
const STEP_MS = 20;
