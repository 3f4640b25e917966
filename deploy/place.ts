// Getting into a place, or back into it: from the journal that is there to the journal of what is in force.

import { createFault, isFault, type Fault } from '../proxy/fault';
import { planDivert, type Divert, type DivertSettings } from './bridge/divert';
import { readFacts } from './bridge/facts';
import { planBridge, planReturn, programStep, type Ports } from './bridge/plan';
import type { Change, FilterChange, Step } from './journal/change';
import { enter, retreat, type Hands, undoSteps } from './journal/enter';
import {
  isOfThisBoot,
  isOfThisNamespace,
  readJournal,
  removeJournal,
  startJournal,
  writeJournal,
  type Journal,
  type Place,
} from './journal/journal';
import { asMade } from './journal/make';
import { readLinks } from './network/links';

export interface InPlace {
  readonly journal: Journal;
  /** For the operator, one sentence each. */
  readonly notes: readonly string[];
  /** Of a bridge, where relaying was asked for. */
  readonly divert?: Divert;
}

/** What a journal from before means: nothing, a place to go back to, or that somebody must leave first. */
export function findJournal(file: string, wanted: (place: Place) => boolean): Journal | Fault | undefined {
  const journal = readJournal(file);
  if (journal === undefined || isFault(journal)) return journal;
  if (!isOfThisBoot(journal)) {
    // The reboot has undone it all.
    removeJournal(file);
    return undefined;
  }
  if (!isOfThisNamespace(journal)) return createFault('other-namespace', file);
  if (!journal.entered) {
    // Cut short by a crash: nobody knows how far it came.
    return retreat(file, journal)[0];
  }
  return wanted(journal.place) ? journal : createFault('in-place', describePlace(journal.place));
}

export function describePlace(place: Place): string {
  return place.kind === 'host'
    ? `on ${place.device}`
    : `on ${place.bridge}, between ${place.wan} and ${place.lan}`;
}

export function enterHost(device: string, pins: string, hands: Hands): InPlace | readonly Fault[] {
  const links = readLinks();
  if (isFault(links)) return [links];
  const link = links.find(({ name }) => name === device);
  if (link === undefined) return [createFault('interface-unknown', device)];
  if (link.type !== 'ether')
    return [createFault('bad-flag', `--dev ${device}`, { mend: 'name an Ethernet interface' })];
  const before = findJournal(hands.file, (place) => place.kind === 'host' && place.device === device);
  if (isFault(before)) return [before];
  const step = programStep([
    { device, hook: 'ingress', leg: 'wan' },
    { device, hook: 'egress', leg: 'lan' },
  ]);
  if (before !== undefined) return goBackTo(before, step, hands);
  const notes =
    link.master === undefined
      ? []
      : [`${device} is a port of ${link.master}: on a bridge, use \`ehlowire bridge\``];
  const entered = enter(startJournal({ kind: 'host', device }, pins), [step], hands);
  return isFaults(entered) ? entered : finish(entered, hands, notes);
}

export interface BridgeWish {
  readonly ports: Ports;
  /** Of the bridge, where one is to be made. */
  readonly name: string;
  readonly pins: string;
  /** Undefined: nothing will be relayed. */
  readonly divert: DivertSettings | undefined;
}

export function enterBridge(wish: BridgeWish, hands: Hands): InPlace | readonly Fault[] {
  const { ports, pins } = wish;
  const isSame = (place: Place): boolean =>
    place.kind === 'bridge' && place.wan === ports.wan && place.lan === ports.lan;
  const before = findJournal(hands.file, isSame);
  if (isFault(before)) return [before];
  const place = before === undefined ? makePlace(wish, pins, hands) : returnToBridge(before, ports, hands);
  if (isFaults(place) || wish.divert === undefined)
    return isFaults(place) ? place : finish(place.journal, hands, place.notes);
  return enterDivert(place, wish.divert, hands, before !== undefined);
}

function makePlace({ ports, name }: BridgeWish, pins: string, hands: Hands): InPlace | readonly Fault[] {
  const facts = readFacts([ports.wan, ports.lan]);
  if (isFault(facts)) return [facts];
  const plan = planBridge(facts, ports, name);
  if (isFault(plan)) return [plan];
  const { bridge, made, steps, notes } = plan;
  const journal = enter(startJournal({ kind: 'bridge', ...ports, bridge, made }, pins), steps, hands);
  return isFaults(journal) ? journal : { journal, notes };
}

/** The bridge is there; a port may have been away, as a network card on USB. */
function returnToBridge(before: Journal, ports: Ports, hands: Hands): InPlace | readonly Fault[] {
  const facts = readFacts([ports.wan, ports.lan]);
  if (isFault(facts)) return [facts];
  const { place } = before;
  if (place.kind !== 'bridge') return [createFault('in-place', describePlace(place))];
  const steps = planReturn(facts, place);
  if (isFault(steps)) return [steps];
  const back = enter(before, steps, hands);
  if (isFaults(back)) return back;
  return goBackTo(
    back,
    programStep([
      { device: ports.wan, hook: 'ingress', leg: 'wan' },
      { device: ports.lan, hook: 'ingress', leg: 'lan' },
    ]),
    hands,
  );
}

/** Puts the program where it was. A refusal undoes nothing: what is in force goes on. */
function goBackTo(before: Journal, program: Step, hands: Hands): InPlace | readonly Fault[] {
  const known = before.steps.flatMap(({ changes }) => changes).filter(isFilter);
  const filters: Change[] = [];
  for (const filter of program.changes.filter(isFilter)) {
    const at = hands.attach(filter);
    if (isFault(at)) return [at];
    const old = known.find(({ device, hook }) => device === filter.device && hook === filter.hook);
    const made = asMade(filter, at);
    const madeBefore = old?.by !== 'tcx' && old?.madeQdisc === true;
    filters.push(made.by === 'tcx' ? made : { ...made, madeQdisc: made.madeQdisc || madeBefore });
  }
  const others = before.steps.filter(({ changes }) => !changes.some(isFilter));
  const journal = { ...before, steps: [...others, { ...program, changes: filters }] };
  return finish(journal, hands, []);
}

function isFilter(change: Change): change is FilterChange {
  return change.kind === 'filter';
}

/** Of a process before this one the relayed connections are gone: its rules are made anew, with today's numbers. */
function enterDivert(
  { journal, notes }: InPlace,
  settings: DivertSettings,
  hands: Hands,
  again: boolean,
): InPlace | readonly Fault[] {
  const isRule = ({ changes }: Step): boolean => changes.some(({ kind }) => kind === 'rule');
  const base = again ? undoSteps(hands.file, journal, isRule) : journal;
  if (isFaults(base)) return base;
  const bridge = base.place.kind === 'bridge' ? base.place.bridge : '';
  const facts = readFacts([bridge]);
  const divert = isFault(facts) ? facts : planDivert(facts, bridge, settings);
  if (isFault(divert)) return [divert, ...(again ? [] : retreat(hands.file, base))];
  const entered = enter(base, divert.steps, hands);
  if (isFaults(entered)) return [...entered, ...(again ? [] : retreat(hands.file, base))];
  const done = finish(entered, hands, notes);
  return isFaults(done) ? done : { ...done, divert };
}

function finish(journal: Journal, hands: Hands, notes: readonly string[]): InPlace | readonly Fault[] {
  const entered = { ...journal, entered: true };
  const unwritten = writeJournal(hands.file, entered);
  return unwritten === undefined ? { journal: entered, notes } : [unwritten];
}

export function isFaults(value: unknown): value is readonly Fault[] {
  return Array.isArray(value);
}
