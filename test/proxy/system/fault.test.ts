import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  connectFault,
  createFault,
  exitCode,
  formatFault,
  isFault,
  listenFault,
} from '../../../proxy/system/fault';

const error = (code: string): Error =>
  Object.assign(new Error(`${code}: words that nobody should match on`), { code });

const ROWS = [
  { from: listenFault, errno: 'EADDRINUSE', code: 'port-in-use', exit: 1 },
  { from: listenFault, errno: 'EACCES', code: 'port-forbidden', exit: 1 },
  { from: listenFault, errno: 'EADDRNOTAVAIL', code: 'address-unavailable', exit: 1 },
  { from: listenFault, errno: 'EMFILE', code: 'listen-failed', exit: 1 },
  { from: connectFault, errno: 'ECONNREFUSED', code: 'refused', exit: 1 },
  { from: connectFault, errno: 'ETIMEDOUT', code: 'timed-out', exit: 1 },
  { from: connectFault, errno: 'EHOSTUNREACH', code: 'unreachable', exit: 1 },
  { from: connectFault, errno: 'ENOTFOUND', code: 'name-unknown', exit: 1 },
  { from: connectFault, errno: 'EAI_AGAIN', code: 'name-unresolved', exit: 1 },
  { from: connectFault, errno: 'ECONNRESET', code: 'closed-early', exit: 1 },
  { from: connectFault, errno: 'EMFILE', code: 'connect-failed', exit: 1 },
] as const;

for (const { from, errno, code, exit } of ROWS) {
  test(`${errno} is ${code}`, () => {
    const cause = error(errno);
    const fault = from('192.0.2.1:25', cause);
    assert.ok(isFault(fault));
    assert.is(fault.code, code);
    assert.is(fault.cause, cause);
    assert.is(exitCode(fault), exit);
    assert.match(formatFault(fault), /^[^:\n]+: 192\.0\.2\.1:25: [^\n]+$/);
    assert.not.match(formatFault(fault), 'words that nobody');
  });
}

test('an errno that is not in the catalogue is named', () => {
  assert.match(formatFault(connectFault('x:25', error('EMFILE'))), 'EMFILE');
});

test('one line, whatever a name holds', () => {
  const fault = createFault('file-unreadable', 'a\nb\r\u001b[2J\u2028c', { fix: 'x\n' });
  assert.is(formatFault(fault), 'cannot read file: a b [2J c: x');
});

test('usage and configuration are 2', () => {
  for (const code of ['bad-flag', 'bad-config', 'bad-address', 'file-unreadable', 'file-not-json'] as const) {
    assert.is(exitCode(createFault(code, 'x')), 2);
  }
});

for (const value of [undefined, null, 'fault', 0, new Error('x'), { kind: 'phase' }]) {
  test(`no fault: ${String(value)}`, () => assert.not.ok(isFault(value)));
}

test.run();
