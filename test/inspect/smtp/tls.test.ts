// TLS from outside, on the octets of real handshakes: versions, SNI, and where application data begins.

import * as fc from 'fast-check';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type Socket } from 'node:net';
import * as tls from 'node:tls';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Direction } from '../../../inspect/events';
import { createTls } from '../../../inspect/smtp/tls';
import { parseHello } from '../../../inspect/grammar/tls-hello';
import { CERTIFICATE, KEY } from '../../kit/certificate';
import { CUTS, octets, pieces, run, tell, type Turn } from './transcript';

type Said = readonly { readonly from: Direction; readonly bytes: Uint8Array }[];

/** Octets of a real handshake of OpenSSL with OpenSSL, and of one line of application data each way. */
async function handshake(options: tls.ConnectionOptions, trusts = true): Promise<Said> {
  const said: { from: Direction; bytes: Uint8Array }[] = [];
  const server = createServer((socket) => {
    const secure = new tls.TLSSocket(socket, { isServer: true, cert: CERTIFICATE, key: KEY });
    secure.on('error', () => socket.destroy());
    secure.on('data', (line) => secure.write(line));
  });
  const middle = createServer((client) => {
    const upstream = connect((server.address() as AddressInfo).port, '127.0.0.1');
    pass('client', client, upstream);
    pass('server', upstream, client);
  });
  const pass = (from: Direction, source: Socket, sink: Socket): void => {
    source.on('data', (bytes) => said.push({ from, bytes }) && sink.write(bytes));
    source.on('close', () => sink.destroy());
    source.on('error', () => sink.destroy());
  };
  await Promise.all([server, middle].map((each) => once(each.listen(0, '127.0.0.1'), 'listening')));
  const { port } = middle.address() as AddressInfo;
  const client = tls.connect({ host: '127.0.0.1', port, rejectUnauthorized: !trusts, ...options });
  // Not `once`: that would throw what the handshake's failure says.
  const closed = new Promise((resolve) => client.once('close', resolve));
  client.on('error', () => undefined);
  if (trusts) {
    await once(client, 'secureConnect');
    client.write('EHLO again\r\n');
    await once(client, 'data');
    client.end();
  }
  await closed;
  await Promise.all([server, middle].map((each) => once(each.close(), 'close')));
  return said;
}

/** The dialogue up to STARTTLS, then what was said: through a whole session. */
function throughSession(said: Said): string[] {
  const turns: Turn[] = [
    ['S', '220 mx ESMTP\r\n'],
    ['C', 'STARTTLS\r\n'],
    ['S', '220 go\r\n'],
    ...said.map(({ from, bytes }): Turn => [from === 'client' ? 'C' : 'S', bytes]),
  ];
  const whole = run(pieces(turns, (bytes) => [bytes]));
  assert.equal(run(pieces(turns, (bytes) => [...bytes].map((byte) => Uint8Array.of(byte)))), whole);
  return whole.map(tell).slice(6);
}

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  test(`${version} after STARTTLS: version, SNI, the end of the handshake`, async () => {
    const said = await handshake({ minVersion: version, maxVersion: version, servername: 'mx.example' });
    const told = throughSession(said);
    assert.equal(told.slice(0, 3), [
      'tls client mx.example',
      `tls server ${version} mx.example`,
      'phase tls',
    ]);
    assert.match(told[3] ?? '', /^opaque client/);
    assert.match(told[4] ?? '', /^opaque server/);
  });

  test(`${version}: the handshake ends before application data, not after`, async () => {
    const reader = createTls();
    const said = await handshake({ minVersion: version, maxVersion: version });
    const established = said.findIndex(({ from, bytes }) =>
      reader.feed(from, bytes, 0).some(({ kind }) => kind === 'established'),
    );
    const before = said.slice(0, established + 1).map(({ bytes }) => bytes.length);
    assert.ok(
      established > 0 && established < said.length - 1,
      `${established} of ${said.length}: ${before}`,
    );
    assert.equal(reader.facts(), { version });
  });
}

test('TLS from the first octet on (port 465)', async () => {
  const said = await handshake({ servername: 'mx.example' });
  const turns = said.map(({ from, bytes }): Turn => [from === 'client' ? 'C' : 'S', bytes]);
  const events = run(
    pieces(turns, (bytes) => [bytes]),
    { by: 'client', how: 'fin' },
    { implicitTls: true },
  );
  assert.equal(events.map(tell).slice(0, 4), [
    'phase connect',
    'tls client mx.example',
    'tls server TLSv1.3 mx.example',
    'phase tls',
  ]);
});

test('TLS from the first octet on at any other port is the same story, however it is cut', async () => {
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    const said = await handshake({ servername: 'mx.example', maxVersion });
    const turns = said.map(({ from, bytes }): Turn => [from === 'client' ? 'C' : 'S', bytes]);
    const close = { by: 'client', how: 'fin' } as const;
    for (const [cut, by] of Object.entries(CUTS)) {
      const known = run(pieces(turns, by), close, { implicitTls: true });
      assert.equal(run(pieces(turns, by), close), known, cut);
    }
  }
});

test('a handshake that the server gives up: its alert is named', async () => {
  const options = { minVersion: 'TLSv1', maxVersion: 'TLSv1', ciphers: 'ALL:@SECLEVEL=0' } as const;
  const told = throughSession(await handshake(options, false));
  assert.ok(told.includes('anomaly tls-alert server'), told.join('; '));
});

test('not TLS', () => {
  const rows: [string, string][] = [
    ['plain text', 'EHLO a\r\n'],
    ['a record type that does not exist', '\x18\x03\x01\0\x01x'],
    ['application data first', '\x17\x03\x01\0\x01x'],
    ['another major version', '\x16\x02\0\0\x01x'],
    ['a record over the cap', '\x16\x03\x01\xff\xffx'],
  ];
  for (const [name, text] of rows) {
    const [news] = createTls().feed('client', octets(text), 0);
    assert.is(news?.kind, 'not-tls', name);
  }
});

test('property: no octets make it throw or read beyond the end', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.constantFrom(1, 2), (bytes, type) => {
      const message = Uint8Array.of(type, 0, 0, bytes.length, ...bytes);
      parseHello(message);
      const record = Uint8Array.of(0x16, 3, 1, 0, message.length, ...message);
      createTls().feed(type === 1 ? 'client' : 'server', record, 0);
      createTls().feed('client', bytes, 0);
    }),
    { numRuns: 2000 },
  );
});

test.run();
