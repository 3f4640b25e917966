// Events as the records of the event log, schema 1 (DESIGN §5): one flat object each, in a fixed order.

import type { Evidence, Micros, PhaseEvent, SessionEvent, VerdictEvent } from '../../inspect/events';
import type { SegmentSessionEvent } from '../../inspect/inspector';
import { formatTime } from '../clock';
import { createSerializer } from '../log';
import type { Connection, Fields, Level, Recorded, Renderer } from './record';

/** The version of the vocabulary; told at the head of every log file. */
export const SCHEMA = 1;

/** Fields that are undefined become no field. Times are RFC 3339 texts, durations milliseconds with microseconds. */
export type LogRecord = Record<string, unknown>;

/** The record of one event, without its level. */
export function toRecord(connection: Connection | undefined, event: Recorded): LogRecord {
  return {
    time: formatTime(event.at),
    event: event.kind,
    session: connection?.session,
    path: connection?.path,
    'client.address': connection?.client.address,
    'client.port': connection?.client.port,
    'server.address': connection?.server.address,
    'server.port': connection?.server.port,
    ...own(event),
  };
}

/** The record of something in the shim's own life. */
export function toNote(at: Micros, what: string, fields: Fields = {}): LogRecord {
  return { time: formatTime(at), event: what, ...fields };
}

export function createJsonRenderer(): Renderer {
  const serialize = createSerializer();
  return {
    event: (level, connection, event) => serialize(level, toRecord(connection, event)),
    note: (at: Micros, level: Level, what, fields) => serialize(level, toNote(at, what, fields)),
  };
}

function own(event: Recorded): LogRecord {
  switch (event.kind) {
    case 'phase':
      return phaseFields(event);
    case 'session':
      return sessionFields(event);
    case 'verdict':
      return verdictFields(event);
    case 'repair':
      return { defect: event.defect, before: event.before, after: event.after, held_ms: toMs(event.held) };
    case 'learned':
      return { greeting: event.greeting, policy: event.policy, because: event.because };
    case 'anomaly':
      return { anomaly: event.anomaly, direction: event.direction, detail: event.detail };
    case 'blocked':
      return { rule: event.rule, action: event.action, direction: event.direction, detail: event.detail };
    case 'loss':
      return {
        source: event.source,
        [event.source === 'log' ? 'lines' : 'segments']: event.count,
        of: event.of,
      };
  }
}

function phaseFields(event: PhaseEvent): LogRecord {
  const { reply, greeting, close } = event;
  return {
    phase: event.phase,
    verb: event.verb,
    argument: event.argument,
    started: formatTime(event.started),
    duration_ms: toMs(event.duration),
    since_connect_ms: toMs(event.sinceConnect),
    waited_ms: toMs(event.waited),
    'reply.code': reply?.code,
    'reply.enhanced': reply?.enhanced,
    'reply.lines': reply?.lines,
    'reply.text': reply?.text,
    bytes: event.bytes,
    transfer_ms: event.transfer === undefined ? undefined : toMs(event.transfer),
    tls: event.tls,
    greeting: greeting?.class,
    defects: greeting?.defects,
    'close.by': close?.by,
    'close.how': close?.how,
  };
}

function sessionFields(event: SessionEvent | SegmentSessionEvent): LogRecord {
  const segments = 'retransmits' in event ? event : undefined;
  return {
    started: formatTime(event.started),
    duration_ms: toMs(event.at - event.started),
    phases: event.phases.map(([phase, since, duration, code]) => [
      phase,
      toMs(since),
      toMs(duration),
      code ?? null,
    ]),
    phases_omitted: event.phasesOmitted === 0 ? undefined : event.phasesOmitted,
    hello: event.hello,
    tls: event.tls,
    messages: event.messages,
    'bytes.client': event.bytes.client,
    'bytes.server': event.bytes.server,
    'retransmits.client': segments?.retransmits.client,
    'retransmits.server': segments?.retransmits.server,
    rtt_ms: segments?.rtt === undefined ? undefined : toMs(segments.rtt),
    verdicts: segments?.verdicts,
    'close.by': event.close.by,
    'close.how': event.close.how,
  };
}

function verdictFields(event: VerdictEvent): LogRecord {
  return {
    verdict: event.verdict,
    certainty: event.certainty,
    proof: event.proof,
    missing_bytes: event.missingBytes,
    held_ms: event.held === undefined ? undefined : toMs(event.held),
    summary: event.summary,
    evidence: event.evidence.map(evidenceFields),
  };
}

function evidenceFields({ at, ...rest }: Evidence): LogRecord {
  return { time: formatTime(at), ...rest };
}

/** Milliseconds with three decimals. */
function toMs(micros: Micros): number {
  return Math.round(micros) / 1000;
}
