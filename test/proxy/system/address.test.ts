import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  formatAddress,
  isWithin,
  parseAddress,
  parseNetwork,
  type Network,
} from '../../../proxy/system/address';
import { isFault } from '../../../proxy/system/fault';

const GOOD = [
  { text: '127.0.0.1:25', want: { host: '127.0.0.1', port: 25 }, shown: '127.0.0.1:25' },
  { text: '[::1]:25', want: { host: '::1', port: 25 }, shown: '[::1]:25' },
  { text: '[2001:db8::a]:2525', want: { host: '2001:db8::a', port: 2525 }, shown: '[2001:db8::a]:2525' },
  { text: 'mail.example:25', want: { host: 'mail.example', port: 25 }, shown: 'mail.example:25' },
  { text: 'mail_1.example.:25', want: { host: 'mail_1.example.', port: 25 }, shown: 'mail_1.example.:25' },
  { text: ':25', want: { host: '', port: 25 }, shown: '*:25' },
  { text: ' 10.0.0.1:0 ', want: { host: '10.0.0.1', port: 0 }, shown: '10.0.0.1:0' },
];

for (const { text, want, shown } of GOOD) {
  test(`an address: ${text}`, () => {
    const address = parseAddress(text);
    assert.equal(address, want);
    if (!isFault(address)) assert.is(formatAddress(address), shown);
  });
}

const BAD = [
  { text: '', fix: 'write HOST:PORT' },
  { text: '45100', fix: 'write a port as :45100, with its host in front where one is meant' },
  { text: '127.0.0.1', fix: 'add a port, as in 127.0.0.1:25' },
  { text: '::1', fix: 'put an IPv6 address in brackets, as in [::1]:25' },
  { text: '::1:25', fix: 'put an IPv6 address in brackets, as in [::1:25]:25' },
  { text: '[::1]', fix: 'write HOST:PORT, [IPV6]:PORT or :PORT' },
  { text: '[1.2.3.4]:25', fix: 'no IPv6 address in the brackets' },
  { text: 'mail.example:65536', fix: 'the port must be between 0 and 65535' },
  { text: 'mail.example:smtp', fix: 'write HOST:PORT, [IPV6]:PORT or :PORT' },
  { text: '127.0.0.256:25', fix: 'neither an IPv4 address nor a host name before the colon' },
  { text: '127.1:25', fix: 'neither an IPv4 address nor a host name before the colon' },
  { text: '-x.example:25', fix: 'neither an IPv4 address nor a host name before the colon' },
  { text: 'a b:25', fix: 'neither an IPv4 address nor a host name before the colon' },
];

for (const { text, fix } of BAD) {
  test(`no address: "${text}"`, () => {
    const fault = parseAddress(text);
    assert.ok(isFault(fault));
    assert.is(fault.code, 'bad-address');
    assert.is(fault.fix, fix);
  });
}

const NETWORKS = [
  { network: '10.0.0.0/8', inside: '10.255.0.1', outside: '11.0.0.1' },
  { network: '10.0.0.0/8', inside: '::ffff:10.1.2.3', outside: '::ffff:11.1.2.3' },
  { network: '192.0.2.7', inside: '192.0.2.7', outside: '192.0.2.8' },
  { network: '2001:db8::/32', inside: '2001:db8:1::1', outside: '2001:db9::1' },
  { network: '::1', inside: '::1', outside: '127.0.0.1' },
  { network: '0.0.0.0/0', inside: '8.8.8.8', outside: '2001:db8::1' },
];

for (const { network, inside, outside } of NETWORKS) {
  test(`${inside} is in ${network}, ${outside} is not`, () => {
    const parsed = parseNetwork(network) as Network;
    assert.ok(isWithin(inside, [parsed]));
    assert.not.ok(isWithin(outside, [parsed]));
    assert.not.ok(isWithin('nonsense', [parsed]));
    assert.not.ok(isWithin(inside, []));
  });
}

for (const text of [
  '10.0.0.0/33',
  '10.0.0/8',
  '10/8',
  'mail.example',
  '2001:db8::/129',
  '',
  '7',
  '10.0.0.1/',
]) {
  test(`no network: "${text}"`, () => assert.is(parseNetwork(text), undefined));
}

test.run();
