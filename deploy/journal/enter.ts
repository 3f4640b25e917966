// Entering and leaving: steps into the journal and then into the network, and the way back.

import { isFault, type Fault, isFaults } from '../../proxy/system/fault';
import { removePins } from './filters';
import type { Change, Journal, Step } from './change';
import { planDeparture } from './departure';
import { readJournal, removeJournal, writeJournal } from './journal';
import { makeStep, type Attach } from './make';
import { undoStep } from './undo';

/** Where the journal is, and the hands that make a step: a test has some that fail. */
export interface Hands {
  readonly file: string;
  /** Loads the program, whose tables stay pinned: what comes of it can be attached. */
  load(): Attach | Fault;
  readonly make?: typeof makeStep;
}

/**
 * Makes the steps one by one, each written down before. Where one is refused, those of this call are taken back,
 * and what is answered is what was refused, and what could not be taken back.
 */
export function enter(
  journal: Journal,
  steps: readonly Step[],
  attach: Attach,
  { file, make = makeStep }: Hands,
): Journal | readonly Fault[] {
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

/** What leaving came to. */
export interface Leaving {
  /** What is still to be taken back, and why. */
  readonly faults: readonly Fault[];
  /** What stays for a reason, one sentence each. */
  readonly stays: readonly string[];
}

/**
 * Takes back all that the journal tells of, then what is pinned, and then forgets it: whenever it is cut short, the
 * journal tells what is left. Where something is in the way, all of it stays in force.
 */
export function leave(file: string, journal: Journal): Leaving {
  const plan = planDeparture(journal, () => true);
  if (isFaults(plan)) return { faults: plan, stays: [] };
  const faults = goBack(file, plan.journal, 0);
  return { faults: faults.length > 0 ? faults : forget(file, plan.journal), stays: plan.stays };
}

/** A place that was not entered after all: what was taken back already leaves what is pinned, and the journal. */
export function abandon(file: string): readonly Fault[] {
  const journal = readJournal(file);
  if (journal === undefined || isFault(journal) || journal.steps.length > 0) return [];
  return forget(file, journal);
}

function forget(file: string, { pins }: Journal): readonly Fault[] {
  const fault = removePins(pins) ?? removeJournal(file);
  return fault === undefined ? [] : [fault];
}

/** Takes the program out and leaves the bridge and what else there is, to be taken back by another `leave`. */
export function leaveProgram(file: string, journal: Journal): Leaving {
  const ofProgram = new Set<Change['kind']>(['filter', 'rule', 'route']);
  const which = ({ changes }: Step): boolean => changes.some(({ kind }) => ofProgram.has(kind));
  const plan = planDeparture(journal, which);
  if (isFaults(plan)) return { faults: plan, stays: [] };
  const rest = undoSteps(file, plan.journal, which);
  if (isFaults(rest)) return { faults: rest, stays: plan.stays };
  const pinned = removePins(journal.pins);
  return { faults: pinned === undefined ? [] : [pinned], stays: plan.stays };
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
  return faults;
}
