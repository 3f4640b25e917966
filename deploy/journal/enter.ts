// Entering and leaving: steps into the journal and then into the network, and the way back.

import { isFault, type Fault } from '../../proxy/fault';
import { removePins } from '../network/filters';
import type { Change, Step } from './change';
import { removeJournal, writeJournal, type Journal } from './journal';
import { makeStep, type Attach } from './make';
import { undoStep } from './undo';

/** Where the journal is, and the hands that make a step: a test has some that fail. */
export interface Hands {
  readonly file: string;
  readonly attach: Attach;
  readonly make?: typeof makeStep;
}

/**
 * Makes the steps one by one, each written down before. Where one is refused, those of this call are taken back,
 * and what is answered is what was refused, and what could not be taken back.
 */
export function enter(journal: Journal, steps: readonly Step[], hands: Hands): Journal | readonly Fault[] {
  const { file, attach, make = makeStep } = hands;
  let now = journal;
  for (const step of steps) {
    const planned: Journal = { ...now, steps: [...now.steps, step] };
    const unwritten = writeJournal(file, planned);
    if (unwritten !== undefined) return [unwritten, ...goBack(file, now, journal.steps.length)];
    const made = make(step, attach);
    if (isFault(made)) return [made, ...goBack(file, planned, journal.steps.length)];
    now = { ...now, steps: [...now.steps, made] };
  }
  const unwritten = writeJournal(file, now);
  return unwritten === undefined ? now : [unwritten, ...goBack(file, now, journal.steps.length)];
}

/** Takes back all that the journal tells of, and forgets it. Faults: what is still to be taken back. */
export function leave(file: string, journal: Journal): readonly Fault[] {
  const faults = retreat(file, journal);
  const pinned = faults.length === 0 ? removePins(journal.pins) : undefined;
  return pinned === undefined ? faults : [pinned];
}

/** The same without what is pinned: for a process that has it open, and may go on. */
export function retreat(file: string, journal: Journal): readonly Fault[] {
  const faults = goBack(file, journal, 0);
  if (faults.length === 0) removeJournal(file);
  return faults;
}

/** Takes the program out and leaves the bridge and what else there is, to be taken back by another `leave`. */
export function leaveProgram(file: string, journal: Journal): readonly Fault[] {
  const ofProgram = new Set<Change['kind']>(['filter', 'rule', 'route']);
  const rest = undoSteps(file, journal, ({ changes }) => changes.some(({ kind }) => ofProgram.has(kind)));
  if (!('steps' in rest)) return rest;
  const pinned = removePins(journal.pins);
  return pinned === undefined ? [] : [pinned];
}

/** Takes back some steps, newest first, wherever they stand; the journal without them, or what was refused. */
export function undoSteps(
  file: string,
  journal: Journal,
  which: (step: Step) => boolean,
): Journal | readonly Fault[] {
  const faults: Fault[] = [];
  const steps: Step[] = [];
  for (const step of [...journal.steps].reverse()) {
    const left = which(step) ? undoStep(step, journal.pins) : { changes: step.changes, faults: [] };
    faults.push(...left.faults);
    if (left.changes.length > 0) steps.unshift({ ...step, changes: left.changes });
  }
  const rest = { ...journal, steps };
  const unwritten = writeJournal(file, rest);
  if (unwritten !== undefined) faults.push(unwritten);
  return faults.length > 0 ? faults : rest;
}

function goBack(file: string, journal: Journal, keep: number): readonly Fault[] {
  const faults: Fault[] = [];
  const kept = journal.steps.slice(0, keep);
  let undone: readonly Step[] = [];
  for (let count = journal.steps.length; count > keep; count -= 1) {
    const step = journal.steps[count - 1];
    if (step === undefined) continue;
    const left = undoStep(step, journal.pins);
    faults.push(...left.faults);
    if (left.changes.length > 0) undone = [{ ...step, changes: left.changes }, ...undone];
    const rest = { ...journal, steps: [...journal.steps.slice(0, count - 1), ...undone] };
    // A journal that cannot be written tells of too much, which undoing again does not harm.
    writeJournal(file, rest);
  }
  if (kept.length === 0 && undone.length === 0) removeJournal(file);
  return faults;
}
