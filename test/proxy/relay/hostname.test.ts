// The name that ehlowire gives where it speaks in a server's place.

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { hostnameFor } from '../../../proxy/relay/call-context';

const NAMES: readonly (readonly [configured: string, host: string, address: string, want: string])[] = [
  ['shim.example', 'mta.example', '198.18.0.1', 'shim.example'],
  ['', 'mta.example', '198.18.0.1', 'mta.example'],
  ['', 'mta.example.', '198.18.0.1', 'mta.example'],
  ['', '198.18.0.1', '198.18.0.1', '[198.18.0.1]'],
  ['', '2001:db8::1', '2001:db8::1', '[IPv6:2001:db8::1]'],
  ['', '', '127.0.0.1', '[127.0.0.1]'],
];

for (const [configured, host, address, want] of NAMES) {
  test(`the name for ${host || 'this machine'}${configured && ', configured'}: ${want}`, () => {
    assert.is(hostnameFor(configured, { host, port: 25 }, { address, port: 25 }), want);
  });
}

test.run();
