// Getting into a place, or back into it: from the journal that is there to the journal of what is in force.

import { createFault, isFault, isFaults, type Fault } from '../../proxy/system/fault';
import { planDivert, type Divert, type DivertSettings } from './divert';
import { readFacts } from './network-facts';
import { planBridge, planReturn, programStep, type Ports } from './bridge-plan';
import type { Change, FilterChange, Journal, Attachment, Step } from '../journal/change';
import { abandon, enter, leave, type Hands, undoSteps } from '../journal/enter';
import {
  isOfThisBoot,
  isOfThisNamespace,
  readJournal,
  removeJournal,
  startJournal,
  writeJournal,
} from '../journal/journal';
import { asMade, type Attach } from '../journal/make';
import { readLinks } from '../network/links';

export interface InPlace {
  readonly journal: Journal;
  /** For the operator, one sentence each. */
  readonly notes: readonly string[];
  /** Of a bridge, where relaying is wanted. */
  readonly divert?: Divert;
}

/** What a journal from before means: nothing, a place to go back to, or that `leave` must run first. */
function findJournal(
  file: string,
  pins: string,
  wanted: (place: Attachment) => boolean,
): Journal | Fault | undefined {
  const journal = readJournal(file);
  if (journal === undefined || isFault(journal)) return journal;
  if (!isOfThisBoot(journal)) {
    // The reboot has undone it all.
    return removeJournal(file);
  }
  if (!isOfThisNamespace(journal)) return createFault('other-namespace', file);
  if (!journal.entered) {
    // Interrupted by a crash: it is not known how far it came.
    return leave(file, journal).faults[0];
  }
  if (!wanted(journal.place)) return createFault('already-attached', describeAttachment(journal.place));
  if (journal.pins === pins) return journal;
  return createFault(
    'already-attached',
    `${describeAttachment(journal.place)}, with its tables in ${journal.pins}`,
    {
      fix: 'name the same wire.pins, or `ehlowire leave` first',
    },
  );
}

export function describeAttachment(place: Attachment): string {
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
    return [createFault('bad-flag', `--dev ${device}`, { fix: 'name an Ethernet interface' })];
  const before = findJournal(hands.file, pins, (place) => place.kind === 'host' && place.device === device);
  if (isFault(before)) return [before];
  const step = programStep([
    { device, hook: 'ingress', leg: 'wan' },
    { device, hook: 'egress', leg: 'lan' },
  ]);
  if (before !== undefined) {
    const attach = hands.load();
    return isFault(attach) ? [attach] : goBackTo(before, step, attach, hands);
  }
  const notes =
    link.master === undefined
      ? []
      : [`${device} is a port of ${link.master}: on a bridge, use \`ehlowire bridge\``];
  const entered = enterAnew(startJournal({ kind: 'host', device }, pins), [step], hands);
  return isFaults(entered) ? entered : finish(entered.journal, hands, notes);
}

/**
 * What is pinned is written down before it is loaded, and the program is loaded before anything is changed: where the
 * kernel refuses it, all stays as it is.
 */
function enterAnew(
  empty: Journal,
  steps: readonly Step[],
  hands: Hands,
): { readonly journal: Journal; readonly attach: Attach } | readonly Fault[] {
  const unwritten = writeJournal(hands.file, empty);
  if (unwritten !== undefined) return [unwritten];
  const attach = hands.load();
  if (isFault(attach)) return [attach, ...abandon(hands.file)];
  const journal = enter(empty, steps, attach, hands);
  return isFaults(journal) ? [...journal, ...abandon(hands.file)] : { journal, attach };
}

interface BridgeWish {
  readonly ports: Ports;
  /** Of the bridge, where one is to be made. */
  readonly name: string;
  readonly pins: string;
  /** Undefined: nothing will be relayed. */
  readonly divert: DivertSettings | undefined;
  /** It is refused where nothing can be relayed: the wire path is not what was configured. */
  readonly mustRelay: boolean;
}

export function enterBridge(wish: BridgeWish, hands: Hands): InPlace | readonly Fault[] {
  const { ports, pins } = wish;
  const isSame = (place: Attachment): boolean =>
    place.kind === 'bridge' && place.wan === ports.wan && place.lan === ports.lan;
  const before = findJournal(hands.file, pins, isSame);
  if (isFault(before)) return [before];
  const entered = before === undefined ? makePlace(wish, hands) : returnToBridge(before, ports, hands);
  if (isFaults(entered)) return entered;
  const { place, attach } = entered;
  const done = enterDivert(place, wish, attach, hands);
  // What was in force before goes on; what is new goes again.
  return isFaults(done) && before === undefined ? [...done, ...leaveAgain(hands.file)] : done;
}

function leaveAgain(file: string): readonly Fault[] {
  const journal = readJournal(file);
  return journal === undefined || isFault(journal) ? [] : leave(file, journal).faults;
}

interface Entered {
  readonly place: InPlace;
  readonly attach: Attach;
}

function makePlace({ ports, name, pins }: BridgeWish, hands: Hands): Entered | readonly Fault[] {
  const facts = readFacts([ports.wan, ports.lan]);
  if (isFault(facts)) return [facts];
  const plan = planBridge(facts, ports, name);
  if (isFault(plan)) return [plan];
  const { bridge, made, steps, notes } = plan;
  const entered = enterAnew(startJournal({ kind: 'bridge', ...ports, bridge, made }, pins), steps, hands);
  if (isFaults(entered)) return entered;
  return { place: { journal: entered.journal, notes }, attach: entered.attach };
}

/** The bridge is there; a port may have been away, as a network card on USB. */
function returnToBridge(before: Journal, ports: Ports, hands: Hands): Entered | readonly Fault[] {
  const facts = readFacts([ports.wan, ports.lan]);
  if (isFault(facts)) return [facts];
  const { place } = before;
  if (place.kind !== 'bridge') return [createFault('already-attached', describeAttachment(place))];
  const steps = planReturn(facts, place);
  if (isFault(steps)) return [steps];
  const attach = hands.load();
  if (isFault(attach)) return [attach];
  const back = enter(before, steps, attach, hands);
  if (isFaults(back)) return back;
  const program = programStep([
    { device: ports.wan, hook: 'ingress', leg: 'wan' },
    { device: ports.lan, hook: 'ingress', leg: 'lan' },
  ]);
  const again = goBackTo(back, program, attach, hands);
  return isFaults(again) ? again : { place: again, attach };
}

/** Puts the program where it was. A refusal undoes nothing: what is in force goes on. */
function goBackTo(before: Journal, program: Step, attach: Attach, hands: Hands): InPlace | readonly Fault[] {
  const known = before.steps.flatMap(({ changes }) => changes).filter(isFilter);
  const filters: Change[] = [];
  for (const filter of program.changes.filter(isFilter)) {
    const at = attach(filter);
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
  { divert: settings, mustRelay }: BridgeWish,
  attach: Attach,
  hands: Hands,
): InPlace | readonly Fault[] {
  if (settings === undefined)
    return mustRelay ? [createFault('no-way-to-relay', 'deploy.mark is 0')] : finish(journal, hands, notes);
  const isRule = ({ changes }: Step): boolean => changes.some(({ kind }) => kind === 'rule');
  const base = journal.steps.some(isRule) ? undoSteps(hands.file, journal, isRule) : journal;
  if (isFaults(base)) return base;
  const bridge = base.place.kind === 'bridge' ? base.place.bridge : '';
  const facts = readFacts([bridge]);
  if (isFault(facts)) return [facts];
  const divert = planDivert(facts, bridge, settings);
  if (mustRelay && divert.families.length === 0)
    return [createFault('no-way-to-relay', divert.because.join('; '))];
  const entered = enter(base, divert.steps, attach, hands);
  if (isFaults(entered)) return entered;
  const done = finish(entered, hands, notes);
  return isFaults(done) ? done : { ...done, divert };
}

function finish(journal: Journal, hands: Hands, notes: readonly string[]): InPlace | readonly Fault[] {
  const links = readLinks();
  if (isFault(links)) return [links];
  const own = links.filter(({ name }) => namesOf(journal.place).includes(name));
  const numbers = Object.fromEntries(own.map(({ name, index }) => [name, index]));
  const entered = { ...journal, entered: true, links: numbers };
  const unwritten = writeJournal(hands.file, entered);
  return unwritten === undefined ? { journal: entered, notes } : [unwritten];
}

/** The interfaces that a place is made of. */
function namesOf(place: Attachment): readonly string[] {
  return place.kind === 'host' ? [place.device] : [place.wan, place.lan, place.bridge];
}
