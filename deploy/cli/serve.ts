// What `bridge` and `host` have in common once they are in charge: get in, and stay until a signal.

import type { Config } from '../../proxy/config/config';
import { type Fault, formatFault, isFault, isFaults, type Outcome } from '../../proxy/system/fault';
import { createHangup } from '../../proxy/cli/hangup';
import type { PolicyInForce } from '../../proxy/config/reload';
import { reportReady } from '../../proxy/native/systemd';
import type { Sink } from '../../proxy/sinks/record';
import { openSink } from '../../proxy/sinks/sink';
import type { Hands } from '../journal/enter';
import { isOfThisBoot, readJournal } from '../journal/journal';
import { keepRules } from '../journal/rules-file';
import type { Attach } from '../journal/make';
import { describeAttachment, type InPlace } from '../attach/attach';
import type { Start } from './flags';
import { prepareWire } from '../../proxy/wire/run';
import { openWire, type Wire } from '../../proxy/wire/wire';

export interface Service {
  readonly start: Start;
  /** The rules that hold: SIGHUP replaces them. */
  readonly policy: PolicyInForce;
  getIn(hands: Hands): InPlace | readonly Fault[];
  /** Until the signal. */
  run(place: InPlace, wire: Wire, sink: Sink, signal: AbortSignal): Promise<Fault | undefined>;
}

export async function serve(service: Service): Promise<Outcome> {
  const sink = openSink(service.start.config.log, { failing: complain, closed: complain });
  if (isFault(sink)) return sink;
  const end = new AbortController();
  const stop = (): void => end.abort();
  const onHup = createHangup({ ...service.start, policy: service.policy, sink, stop });
  process.on('SIGTERM', stop).on('SIGINT', stop).on('SIGHUP', onHup);
  try {
    return await stay(service, sink, end.signal);
  } finally {
    process.off('SIGTERM', stop).off('SIGINT', stop).off('SIGHUP', onHup);
    await sink.close();
  }
}

async function stay(
  { start: { config }, policy, getIn, run }: Service,
  sink: Sink,
  signal: AbortSignal,
): Promise<Outcome> {
  tellOfReboot(config, sink);
  let wire: Wire | undefined;
  const load = (): Attach | Fault => {
    const opened = openWire(config.wire);
    if (isFault(opened)) return opened;
    wire = opened;
    prepareWire(config, opened);
    return (at) => opened.attach(at);
  };
  const place = getIn({ file: config.deploy.journal, load });
  if (isFaults(place) || wire === undefined) {
    wire?.close();
    return isFaults(place) ? place : [];
  }
  tellPlace(place, wire, sink);
  const removeRules = keepRules(config.deploy.journal, policy, (fault) =>
    sink.note('warn', 'status-unwritten', { message: formatFault(fault) }),
  );
  const reportEnd = reportReady(describeAttachment(place.journal.place));
  try {
    return (await run(place, wire, sink, signal)) ?? 0;
  } finally {
    wire.close();
    removeRules();
    reportEnd();
    sink.note('info', 'stopped', { stays: 'frames go on crossing; `ehlowire leave` takes it out' });
  }
}

function tellOfReboot({ deploy }: Config, sink: Sink): void {
  const before = readJournal(deploy.journal);
  if (before === undefined || isFault(before) || isOfThisBoot(before)) return;
  sink.note('info', 'lost-at-restart', { because: 'reboot', was: describeAttachment(before.place) });
}

function tellPlace({ journal, notes, divert }: InPlace, { adopted }: Wire, sink: Sink): void {
  const { place } = journal;
  sink.note('info', 'attached', { where: describeAttachment(place), adopted, since: journal.since });
  for (const text of notes) sink.note('warn', 'network', { text });
  for (const because of divert?.because ?? []) sink.note('warn', 'not-relayed', { because });
}

function complain(fault: Fault): void {
  process.stderr.write(`ehlowire: ${formatFault(fault)}\n`);
}
