import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readRequest, type LoadRequest, type MeasureFlags } from '../../../proxy/cli/measure-request';
import { isFaults } from '../../../proxy/system/fault';

function read(target: string | undefined, flags: MeasureFlags = {}): ReturnType<typeof readRequest> {
  return readRequest(target, flags, 'me.example');
}

function load(flags: MeasureFlags = {}, target = 'mx.example'): LoadRequest {
  const request = read(target, flags);
  if (isFaults(request) || request.kind !== 'load') throw new Error(JSON.stringify(request));
  return request;
}

const RCPT = { rcpt: ['a@b.example'] };

for (const [name, target, want] of [
  ['a name alone is port 25', 'mx.example', { host: 'mx.example', port: 25 }],
  ['a name and a port', 'mx.example:2525', { host: 'mx.example', port: 2525 }],
  ['an address alone', '192.0.2.1', { host: '192.0.2.1', port: 25 }],
  ['IPv6 in brackets', '[2001:db8::1]', { host: '2001:db8::1', port: 25 }],
  ['IPv6 without brackets and port', '2001:db8::1', { host: '2001:db8::1', port: 25 }],
  ['IPv6 in brackets and a port', '[2001:db8::1]:587', { host: '2001:db8::1', port: 587 }],
] as const) {
  test(name, () => assert.equal(load({}, target).servers, [want]));
}

test('by default: 10 sessions a second for 10 s, and no mail', () => {
  const { schedule, concurrency, rounds, plan, timeout } = load();
  assert.equal(schedule, { rate: 10, sessions: undefined, duration: 10e6 });
  assert.equal([concurrency, rounds, plan.messages, plan.name, timeout], [1_000, 1, 0, 'me.example', 30e6]);
});

for (const [name, flags, want] of [
  ['--rate max has no schedule, and 20 at a time', { rate: 'max' }, { rate: undefined, concurrency: 20 }],
  ['--rate may be a fraction', { rate: '0.5' }, { rate: 0.5, concurrency: 1_000 }],
  ['--sessions alone has no end in time', { sessions: '9' }, { sessions: 9, duration: undefined }],
  ['both: what ends first', { sessions: '9', for: '1min' }, { sessions: 9, duration: 60e6 }],
  ['--against has 5 rounds', { against: '10.0.0.1' }, { rounds: 5 }],
  ['with --rcpt one message of 2,000 octets', RCPT, { size: 2_000, messages: 1 }],
  ['--size 20k', { ...RCPT, size: '20k' }, { size: 20_000 }],
  ['--size 1.5M', { ...RCPT, size: '1.5M' }, { size: 1_500_000 }],
  ['an empty --from is the null sender', { ...RCPT, from: '' }, { from: '' }],
] as const) {
  test(name, () => {
    const { schedule, plan, ...rest } = load(flags);
    const all: Record<string, unknown> = { ...schedule, ...plan, ...rest };
    assert.equal(Object.fromEntries(Object.keys(want).map((key) => [key, all[key]])), want);
  });
}

for (const [name, target, flags, wants] of [
  ['no server', undefined, {}, ['no server: name HOST[:PORT]']],
  ['a port alone', ':25', {}, [':25: name a host, and a port']],
  ['port 0', 'mx.example:0', {}, ['mx.example:0: name a host, and a port']],
  ['a second way that is none', 'mx.example', { against: 'a:b' }, ['a:b']],
  ['rounds of one way', 'mx.example', { rounds: '3' }, ['--rounds: goes with --against']],
  ['a rate of nothing', 'mx.example', { rate: '0' }, ['--rate 0: must be a number from 0.01']],
  ['half a session', 'mx.example', { sessions: '1.5' }, ['--sessions 1.5: must be a number']],
  ['a number that is none', 'mx.example', { concurrency: 'many' }, ['--concurrency many']],
  ['an empty number', 'mx.example', { sessions: '' }, ['--sessions : must be']],
  ['a duration that is none', 'mx.example', { for: 'ever' }, ['--for ever: must be a duration']],
  [
    'what only mail has',
    'mx.example',
    { size: '1k', from: 'a@b', messagesPerSession: '2', pipelining: true },
    ['--from: goes with --rcpt', '--size: goes', '--messages-per-session: goes', '--pipelining: goes'],
  ],
  ['a recipient that is no address', 'mx.example', { rcpt: ['me'] }, ['--rcpt me: must be a mail address']],
  ['a recipient that says more', 'mx.example', { rcpt: ['a@b>\r\nDATA'] }, ['must be a mail address']],
  ['a recipient of other letters', 'mx.example', { rcpt: ['ä@b.example'] }, ['must be a mail address']],
  ['too many', 'mx.example', { rcpt: Array<string>(101).fill('a@b') }, ['--rcpt: at most 100']],
  ['a sender that is none', 'mx.example', { ...RCPT, from: '<>' }, ['--from <>: must be']],
  ['a size of nothing', 'mx.example', { ...RCPT, size: '0' }, ['--size 0: must be']],
  ['a size beyond memory', 'mx.example', { ...RCPT, size: '1000M' }, ['--size 1000M: must be']],
  ['a name that says more', 'mx.example', { name: 'a\r\nQUIT' }, ['must be a host name']],
  ['all that is wrong at once', 'x:y:z', { rate: '-1', for: '0s' }, ['x:y:z', '--rate -1', '--for 0s']],
  ['a sink that connects', 'mx.example', { sink: ':2525' }, ['mx.example: --sink is the other end']],
  ['a sink with a rate', undefined, { sink: ':2525', rate: '9' }, ['--rate: does not go with --sink']],
  [
    'a sink with messages',
    undefined,
    { sink: ':2525', messagesPerSession: '9' },
    ['--messages-per-session: does not go with --sink'],
  ],
  ['a sink nowhere', undefined, { sink: '2525' }, ['2525: write a port as :2525']],
] as const) {
  test(name, () => {
    const faults = read(target, flags);
    if (!isFaults(faults)) throw new Error('it was taken');
    const texts = faults.map(({ on, fix }) => `${on}: ${fix}`);
    assert.is(texts.length, wants.length, texts.join('\n'));
    wants.forEach((want, i) => assert.ok(texts[i]?.includes(want), texts[i]));
  });
}

test('a sink', () => {
  assert.equal(read(undefined, { sink: '127.0.0.1:2525', name: 's.example' }), {
    kind: 'sink',
    at: { host: '127.0.0.1', port: 2525 },
    name: 's.example',
  });
});

test.run();
