// Events as lines of the event log, schema 1: one flat JSON object each, its fields in a fixed order.

import type { Level } from '../config/config';
import { isPlainSide, type Coverage, type SideCoverage } from '../../inspect/coverage/coverage';
import type { Evidence, Micros, PhaseEvent, SessionEvent, VerdictEvent } from '../../inspect/events';
import type { SegmentSessionEvent } from '../../inspect/tracker/inspector';
import { formatTime } from '../system/clock';
import { createSerializer, harmless } from './pino';
import type { Connection, Fields, Recorded, Renderer } from './record';
import { messagesOf } from './wording';

/** The version of the vocabulary; written at the head of every log file. */
export const SCHEMA = 1;

/** Fields that are undefined become no field. Times are RFC 3339 texts, durations milliseconds with microseconds. */
type LogRecord = Record<string, unknown>;

/** The record of something in the shim's own life. */
export function toNote(at: Micros, what: string, fields: Fields = {}): LogRecord {
  return { time: formatTime(at), event: what, ...fields };
}

/**
 * Notes are pino's. The lines of events are put together by hand, to the same text: on the wire path they are a
 * hundred thousand a second, and a record for each that a serializer walks costs as much as all the inspection.
 */
export function createJsonRenderer(): Renderer {
  const serialize = createSerializer();
  const known = new WeakMap<Connection, string>();
  const whose = (connection: Connection): string => {
    let fields = known.get(connection);
    if (fields === undefined) {
      fields = connectionFields(connection);
      known.set(connection, fields);
    }
    return fields;
  };
  return {
    event: (level, connection, event) =>
      `${headOf(event.at, level, event.kind)}${connection ? whose(connection) : ''}${own(event)}}\n`,
    note: (at, level, what, fields) => serialize(level, toNote(at, what, fields)),
  };
}

function headOf(at: Micros, level: Level, name: string): string {
  return `{"level":"${level}","time":"${formatTime(at)}","event":"${name}"`;
}

function connectionFields({ session, path, client, server }: Connection): string {
  return (
    text('session', session) +
    word('path', path) +
    text('client.address', client.address) +
    number('client.port', client.port) +
    text('server.address', server.address) +
    number('server.port', server.port)
  );
}

function own(event: Recorded): string {
  switch (event.kind) {
    case 'phase':
      return phaseFields(event);
    case 'session':
      return sessionFields(event);
    case 'verdict':
      return verdictFields(event);
    case 'repair':
      return (
        word('defect', event.defect) +
        text('before', event.before) +
        text('after', event.after) +
        duration('held_ms', event.held)
      );
    case 'learned':
      return (
        word('greeting', event.greeting) +
        word('policy', event.policy) +
        word('way', event.way) +
        text('because', event.because)
      );
    case 'anomaly':
      return (
        word('anomaly', event.anomaly) + word('direction', event.direction) + text('detail', event.detail)
      );
    case 'blocked':
      return (
        word('rule', event.rule) +
        word('action', event.action) +
        word('direction', event.direction) +
        text('detail', event.detail)
      );
    case 'loss':
      return (
        text('source', event.source) +
        number(event.source === 'log' ? 'lines' : 'segments', event.count) +
        value('of', event.of)
      );
    case 'omitted':
      return number('lines', event.count) + value('of', event.of) + text('because', event.because);
  }
}

function phaseFields(event: PhaseEvent): string {
  const { reply, greeting, close } = event;
  return (
    word('phase', event.phase) +
    text('verb', event.verb) +
    text('argument', event.argument) +
    word('started', formatTime(event.started)) +
    duration('duration_ms', event.duration) +
    duration('since_connect_ms', event.sinceConnect) +
    duration('waited_ms', event.waited) +
    number('reply.code', reply?.code) +
    text('reply.enhanced', reply?.enhanced) +
    number('reply.lines', reply?.lines) +
    text('reply.text', reply?.text) +
    number('bytes', event.bytes) +
    duration('transfer_ms', event.transfer) +
    value('tls', event.tls) +
    word('greeting', greeting?.class) +
    words('defects', greeting?.defects) +
    word('close.by', close?.by) +
    word('close.how', close?.how) +
    word('close.reason', close?.reason)
  );
}

function sessionFields(event: SessionEvent | SegmentSessionEvent): string {
  const segments = 'retransmits' in event ? event : undefined;
  const phases = event.phases.map(
    ([phase, since, took, code]) => `["${phase}",${toMs(since)},${toMs(took)},${code ?? null}]`,
  );
  return (
    word('started', formatTime(event.started)) +
    duration('duration_ms', event.at - event.started) +
    `,"phases":[${phases.join(',')}]` +
    number('phases_omitted', event.phasesOmitted === 0 ? undefined : event.phasesOmitted) +
    proxyFields(event.proxy) +
    text('hello', event.hello) +
    value('tls', event.tls) +
    number('messages', messagesOf(event)) +
    number('bytes.client', event.bytes.client) +
    number('bytes.server', event.bytes.server) +
    number('retransmits.client', segments?.retransmits.client) +
    number('retransmits.server', segments?.retransmits.server) +
    duration('rtt_ms', segments?.rtt) +
    words('verdicts', segments?.verdicts) +
    value('coverage', segments?.coverage && coverageFields(segments.coverage)) +
    word('close.by', event.close.by) +
    word('close.how', event.close.how) +
    word('close.reason', event.close.reason)
  );
}

/** What was not observed; what is not there was. */
function coverageFields({ client, server, blind, counted }: Coverage): object {
  return {
    ...(blind && { blind }),
    ...(!counted && { counted }),
    ...(isPlainSide(client) ? {} : { client: sideFields(client) }),
    ...(isPlainSide(server) ? {} : { server: sideFields(server) }),
  };
}

function sideFields({ begin, segments, cut, missed, lost, copies, disordered }: SideCoverage): object {
  return {
    ...(begin !== 'seen' && { begin }),
    ...(segments === 0 && { segments }),
    ...(cut > 0 && { cut_bytes: cut }),
    ...(missed > 0 && { missed_bytes: missed }),
    ...(lost > 0 && { lost_bytes: lost }),
    ...(copies > 0 && { copies }),
    ...(disordered > 0 && { disordered }),
  };
}

/** Named as OpenTelemetry names the two ends of an exchange, and as the protocol does. */
function proxyFields(proxy: SessionEvent['proxy']): string {
  return (
    number('proxy.version', proxy?.version) +
    text('proxy.command', proxy?.command) +
    text('proxy.source.address', proxy?.source?.address) +
    number('proxy.source.port', proxy?.source?.port) +
    text('proxy.destination.address', proxy?.destination?.address) +
    number('proxy.destination.port', proxy?.destination?.port)
  );
}

function verdictFields(event: VerdictEvent): string {
  return (
    word('verdict', event.verdict) +
    word('certainty', event.certainty) +
    word('proof', event.proof) +
    word('where', event.where) +
    text('since', event.since === undefined ? undefined : formatTime(event.since)) +
    value('about', event.about) +
    number('missing_bytes', event.missingBytes) +
    text('came', event.came) +
    duration('held_ms', event.held) +
    word('withdraws', event.withdraws) +
    text('summary', event.summary) +
    value('evidence', event.evidence.map(evidenceFields))
  );
}

function evidenceFields({ at, ...rest }: Evidence): object {
  return { time: formatTime(at), ...rest };
}

/** One field, `,"name":…`; nothing where there is nothing to say. */
function text(name: string, said: string | undefined): string {
  return said === undefined ? '' : `,"${name}":${quote(said)}`;
}

/** The same of a word of our own vocabulary, which has nothing that must be escaped. */
function word(name: string, said: string | undefined): string {
  return said === undefined ? '' : `,"${name}":"${said}"`;
}

function words(name: string, said: readonly string[] | undefined): string {
  return said === undefined ? '' : `,"${name}":[${said.map((each) => `"${each}"`).join(',')}]`;
}

function number(name: string, count: number | undefined): string {
  return count === undefined ? '' : `,"${name}":${count}`;
}

function duration(name: string, micros: Micros | undefined): string {
  return micros === undefined ? '' : `,"${name}":${toMs(micros)}`;
}

function value(name: string, any: unknown): string {
  return any === undefined ? '' : `,"${name}":${harmless(JSON.stringify(any))}`;
}

function quote(said: string): string {
  return PLAIN.test(said) ? `"${said}"` : harmless(JSON.stringify(said));
}

/** Milliseconds with three decimals. */
function toMs(micros: Micros): number {
  return Math.round(micros) / 1000;
}

/** Printable ASCII that JSON does not escape. */
const PLAIN = /^[ !#-[\]-~]*$/;
