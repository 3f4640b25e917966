// Many connections at one point: told apart, ended in time, bounded.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createTracker, type TrackerNews, type TrackerOptions } from '../../../inspect/tracker/tracker';
import { FLAG, type Segment } from '../../../inspect/tcp/segment';
import { buildFrame } from '../../proxy/sources/frames';
import { SECOND, START, type Turn } from '../smtp/transcript';
import { packetise } from '../tcp/packetise';

const OPTIONS: TrackerOptions = { ports: [25], implicitTlsPorts: [] };
/** The flag, where IPv4 has it. */
const MORE_FRAGMENTS = 0x20;
const DIALOGUE: readonly Turn[] = [
  ['S', '220 mx ESMTP\r\n'],
  ['C', 'QUIT\r\n'],
  ['S', '221 bye\r\n'],
];

/** The dialogue from this client port, `later` seconds after the start. */
function from(port: number, later = 0, fin = true): Segment[] {
  return packetise(DIALOGUE, { fin }).map(({ segment }) => ({
    ...segment,
    at: segment.at + later * SECOND,
    sourcePort: segment.sourcePort === 25 ? 25 : port,
    destinationPort: segment.destinationPort === 25 ? 25 : port,
  }));
}

function told(news: readonly TrackerNews[]): string[] {
  return news.flatMap(({ connection, events }) =>
    events.flatMap((event) =>
      event.kind === 'session' ? [`${connection.client.port} ${event.close.how}`] : [],
    ),
  );
}

test('two connections at once are told apart, in order of appearance', () => {
  const tracker = createTracker(OPTIONS);
  const [one, two] = [from(1001), from(1002)];
  const news = one.flatMap((segment, i) =>
    [segment, two[i] as Segment].flatMap((each) => tracker.segment(each)),
  );
  const all = [...news, ...tracker.end(START + 60 * SECOND)];
  assert.equal(told(all), ['1001 fin', '1002 fin']);
  assert.equal([...new Set(all.map(({ connection }) => connection.id))], [1, 2]);
  assert.is(tracker.counts.connections, 2);
});

test('a connection that closed in good order ends with its last acknowledgement', () => {
  const tracker = createTracker(OPTIONS);
  const sent = from(1001);
  const news = sent.map((segment) => told(tracker.segment(segment)));
  assert.equal(news.pop(), ['1001 fin']);
  assert.equal(news.flat(), []);
  assert.equal(told(tracker.end(START + 60 * SECOND)), []);
});

test('so does one whose client resets what the server has ended, once it has read that', () => {
  const tracker = createTracker(OPTIONS);
  const sent = from(1001, 0, false);
  const [said, acknowledged] = sent.slice(-2) as [Segment, Segment];
  const bare = { payload: new Uint8Array(0), length: 0 };
  const fin = { ...said, ...bare, seq: acknowledged.ack, flags: FLAG.fin | FLAG.ack, at: said.at + 20_000 };
  for (const segment of [...sent, fin]) assert.equal(told(tracker.segment(segment)), []);
  const reset = { ...acknowledged, ack: fin.seq + 1, flags: FLAG.rst | FLAG.ack, at: said.at + 30_000 };
  assert.equal(told(tracker.segment(reset)), ['1001 rst']);
});

test('after anything odd, a second is waited for what the path may have kept', () => {
  const tracker = createTracker(OPTIONS);
  for (const segment of from(1001)) {
    tracker.segment(segment);
    // Sent again: another packet.
    if (segment.length > 0) tracker.segment({ ...segment, at: segment.at + 1_000, ipId: 7 });
  }
  assert.equal(told(tracker.idle(START + 5.2 * SECOND)), ['1001 fin']);
});

test('a connection whose last acknowledgement passed elsewhere is ended a second later, by the time alone', () => {
  const tracker = createTracker(OPTIONS);
  for (const segment of from(1001).slice(0, -1)) tracker.segment(segment);
  assert.equal(told(tracker.idle(START + 4.5 * SECOND)), []);
  assert.equal(told(tracker.idle(START + 5.2 * SECOND)), ['1001 fin']);
  assert.equal(told(tracker.end(START + 60 * SECOND)), []);
});

test('what was held on the path until all was over begins no connection, and a SYN does', () => {
  const tracker = createTracker(OPTIONS);
  const sent = from(1001);
  const hello = sent.find(({ destinationPort, length }) => destinationPort === 25 && length > 0) as Segment;
  assert.equal(told(sent.flatMap((segment) => tracker.segment(segment))), ['1001 fin']);
  assert.equal(tracker.segment({ ...hello, at: START + 8 * SECOND }), []);
  assert.is(tracker.counts.connections, 1);
  // A copy of its SYN, captured late.
  assert.equal(tracker.segment({ ...(sent[0] as Segment), at: START + 8.5 * SECOND }), []);
  assert.is(tracker.counts.connections, 1);
  const isn = { client: 70_000, server: 2_000 };
  const again = packetise(DIALOGUE, { isn }).map(({ segment }) => ({
    ...segment,
    ...(segment.destinationPort === 25 ? { sourcePort: 1_001 } : { destinationPort: 1_001 }),
    at: segment.at + 9 * SECOND,
  }));
  assert.equal(told(again.flatMap((segment) => tracker.segment(segment))), ['1001 fin']);
  assert.is(tracker.counts.connections, 2);
});

test('a fresh SYN on the same ports begins a new connection', () => {
  const tracker = createTracker(OPTIONS);
  const again = from(1001, 30, false).map((segment) => ({ ...segment, seq: segment.seq + 50_000 }));
  const news = [...from(1001, 0, false), ...again].flatMap((segment) => tracker.segment(segment));
  assert.equal(told(news), ['1001 open']);
  assert.is(tracker.counts.connections, 2);
});

test('a retransmitted SYN does not', () => {
  const tracker = createTracker(OPTIONS);
  const [syn, ...rest] = from(1001) as [Segment, ...Segment[]];
  for (const segment of [syn, syn, ...rest]) tracker.segment(segment);
  assert.is(tracker.counts.connections, 1);
});

test('a connection without a segment for long is forgotten', () => {
  const tracker = createTracker(OPTIONS);
  for (const segment of from(1001, 0, false)) tracker.segment(segment);
  assert.equal(told(tracker.idle(START + 800 * SECOND)), []);
  assert.equal(told(tracker.idle(START + 1_000 * SECOND)), ['1001 open']);
});

test('at capacity the one that was silent longest goes', () => {
  const tracker = createTracker({ ...OPTIONS, capacity: 2 });
  const news = [1001, 1002, 1003].flatMap((port, i) =>
    from(port, i, false).flatMap((segment) => tracker.segment(segment)),
  );
  assert.equal(told([...news, ...tracker.idle(START + 6 * SECOND)]), ['1001 open']);
});

for (const fragmented of [false, true]) {
  test(`an EHLO that is missing is ${fragmented ? 'not proved to be where fragments passed' : 'proved to be'}`, () => {
    const tracker = createTracker(OPTIONS);
    const sent = packetise(DIALOGUE.slice(0, 1), { fin: false }).map(({ segment }) => segment);
    const news = sent.flatMap((segment) => tracker.segment(segment));
    const [last] = sent.filter(({ destinationPort }) => destinationPort === 25).slice(-1);
    assert.ok(last);
    const { source, sourcePort, destination, destinationPort, seq, ack } = last;
    const plan = { from: source, fromPort: sourcePort, to: destination, toPort: destinationPort };
    const first = buildFrame({ ...plan, seq, ack, flags: FLAG.ack, payload: Buffer.from('EHLO vm\r\n') });
    first[20] = MORE_FRAGMENTS;
    if (fragmented) news.push(...tracker.frame(1, first, last.at));
    assert.is(tracker.counts.fragments, fragmented ? 1 : 0);
    news.push(...tracker.segment({ ...last, seq: seq + 9 }));
    news.push(...tracker.end(last.at + 60 * SECOND));
    const verdicts = news.flatMap(({ events }) =>
      events.flatMap((event) => (event.kind === 'verdict' ? [event.verdict] : [])),
    );
    assert.equal(verdicts, fragmented ? [] : ['ehlo-dropped']);
  });
}

test('other ports and other traffic are counted and left alone', () => {
  const tracker = createTracker({ ...OPTIONS, ports: [587] });
  for (const segment of from(1001)) assert.equal(tracker.segment(segment), []);
  assert.equal(tracker.frame(1, new Uint8Array(60), START), []);
  assert.is(tracker.counts.others, from(1001).length + 1);
});

test('mid-stream the port tells who the server is, with a SYN the handshake does', () => {
  const tracker = createTracker({ ports: [25, 587], implicitTlsPorts: [] });
  const odd = from(587).slice(0, 3);
  for (const segment of odd) tracker.segment(segment);
  const [syn] = odd as [Segment];
  const found = tracker.find({ address: syn.source, port: 587 }, { address: syn.destination, port: 25 });
  assert.equal([found?.client.port, found?.server.port], [587, 25]);
});

test('a silent connection is asked again once a second, and the machine is left alone meanwhile', () => {
  const tracker = createTracker(OPTIONS);
  for (const { segment } of packetise([['S', '220 mx ESMTP\r\n']], { fin: false })) tracker.segment(segment);
  const found = tracker.find({ address: '198.18.0.1', port: 40_000 }, { address: '198.18.0.2', port: 25 });
  assert.ok(found);
  let asked = 0;
  if (found) {
    const { inspector } = found;
    const idle = inspector.idle.bind(inspector);
    inspector.idle = (at) => {
      asked += 1;
      return idle(at);
    };
  }
  for (let ms = 20_000; ms < 30_000; ms += 10) tracker.idle(START + ms * 1000);
  assert.ok(asked > 0 && asked <= 11, `${asked} times in 10 s`);
});

test('what silence shows carries the time when it showed it, however late the next frame is', () => {
  const tracker = createTracker(OPTIONS);
  const segments = packetise([['S', '220-mx ESMTP\r\n']], { fin: false }).map(({ segment }) => segment);
  // From here on it is the server's turn.
  const acknowledged = segments.at(-1)?.at ?? 0;
  const held = acknowledged - (segments.find(({ length }) => length > 0)?.at ?? 0) + 20 * SECOND;
  for (const segment of segments) tracker.segment(segment);
  const verdicts = tracker
    .idle(START + 300 * SECOND)
    .flatMap(({ events }) => events.filter(({ kind }) => kind === 'verdict'));
  assert.equal(
    verdicts.map((event) => event.kind === 'verdict' && [event.verdict, event.at - acknowledged, event.held]),
    [['greeting-truncated', 20 * SECOND, held]],
  );
});

test('what tunnels the segments came in is counted, by the innermost', () => {
  const tracker = createTracker(OPTIONS);
  for (const segment of from(1001)) tracker.segment({ ...segment, tunnels: ['gre', 'erspan'] });
  for (const segment of from(1002)) tracker.segment(segment);
  assert.equal([...tracker.counts.tunnels], [['erspan', from(1001).length]]);
});

test.run();
