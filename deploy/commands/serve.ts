// What `bridge` and `host` have in common: take charge, get in, and stay until a signal.

import { isatty } from 'node:tty';
import type { Config } from '../../proxy/config';
import { formatFault, isFault, type Fault } from '../../proxy/fault';
import type { Outcome } from '../../proxy/commands/outcome';
import { reportReady } from '../../proxy/manager';
import type { Sink } from '../../proxy/sinks/record';
import { openSink } from '../../proxy/sinks/sink';
import { readVersion } from '../../proxy/version';
import type { Hands } from '../journal/enter';
import { isOfThisBoot, readJournal } from '../journal/journal';
import { removePins } from '../network/filters';
import { describePlace, isFaults, type InPlace } from '../place';
import { runningFile, takeCharge } from '../running';
import { prepareWire } from '../../proxy/wire/run';
import { openWire, type Wire } from '../../proxy/wire/wire';

export interface Service {
  readonly config: Config;
  getIn(hands: Hands): InPlace | readonly Fault[];
  /** Until the signal. */
  run(place: InPlace, wire: Wire, sink: Sink, signal: AbortSignal): Promise<Fault | undefined>;
}

export async function serve(service: Service): Promise<Outcome> {
  const { config } = service;
  const sink = openSink(config.log, { failing: complain, closed: complain });
  if (isFault(sink)) return sink;
  const release = takeCharge(runningFile(config.deploy.journal), readVersion());
  try {
    return isFault(release) ? release : await inCharge(service, sink);
  } finally {
    if (!isFault(release)) release();
    await sink.close();
  }
}

async function inCharge(service: Service, sink: Sink): Promise<Outcome> {
  const { config } = service;
  const end = new AbortController();
  const stop = (): void => end.abort();
  const hup = (): void => {
    sink.reopen();
    sink.note('info', 'log-reopened');
  };
  const onHup = config.log.file === undefined && isatty(1) ? stop : hup;
  process.on('SIGTERM', stop).on('SIGINT', stop).on('SIGHUP', onHup);
  try {
    tellOfReboot(config, sink);
    // Before anything is changed: where the kernel refuses the program, all stays as it is.
    const wire = openWire(config.wire);
    if (isFault(wire)) return wire;
    prepareWire(config, wire);
    const place = service.getIn({ file: config.deploy.journal, attach: (at) => wire.attach(at) });
    if (isFaults(place)) return giveUp(place, config);
    tellPlace(place, wire, sink);
    const reportEnd = reportReady(describePlace(place.journal.place));
    try {
      return (await service.run(place, wire, sink, end.signal)) ?? 0;
    } finally {
      wire.close();
      reportEnd();
      sink.note('info', 'stopped', { stays: 'frames go on crossing; `ehlowire leave` takes it out' });
    }
  } finally {
    process.off('SIGTERM', stop).off('SIGINT', stop).off('SIGHUP', onHup);
  }
}

/** What was loaded for nothing goes again, unless a journal says that it is in force. */
function giveUp(faults: readonly Fault[], { deploy, wire }: Config): Outcome {
  const pinned = readJournal(deploy.journal) === undefined ? removePins(wire.pins) : undefined;
  return pinned === undefined ? faults : [...faults, pinned];
}

function tellOfReboot({ deploy }: Config, sink: Sink): void {
  const before = readJournal(deploy.journal);
  if (before === undefined || isFault(before) || isOfThisBoot(before)) return;
  sink.note('info', 'forgotten', { because: 'reboot', was: describePlace(before.place) });
}

function tellPlace({ journal, notes, divert }: InPlace, { adopted }: Wire, sink: Sink): void {
  const { place } = journal;
  sink.note('info', 'in-place', { where: describePlace(place), adopted, since: journal.since });
  for (const text of notes) sink.note('warn', 'network', { text });
  for (const because of divert?.because ?? []) sink.note('warn', 'not-relayed', { because });
}

function complain(fault: Fault): void {
  process.stderr.write(`ehlowire: ${formatFault(fault)}\n`);
}
