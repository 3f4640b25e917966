"""A mail server that talks like Exchange: exchange.py KEY CERTIFICATE HOST:PORT. Port 0: any; says `ready PORT`.

It says what it understood: `auth LINE LINE`, `blob SHA-256`, `mail OCTETS`, `tls VERSION`, `unknown LINE`.
"""

import asyncio
import hashlib
import ssl
import sys

KEYWORDS = ['X-ANONYMOUSTLS', 'X-EXPS GSSAPI NTLM LOGIN', 'XEXCH50', 'CHUNKING', 'PIPELINING']

key, certificate, where = sys.argv[1:]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)


async def serve(reader, writer):
    writer.write(b'220 ex.dest.example Microsoft ESMTP MAIL Service ready\r\n')
    try:
        await talk(reader, writer)
    except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
        print('cut off')
    writer.close()


async def talk(reader, writer):
    octets = 0
    while line := await reader.readline():
        verb, *words = line.decode('latin1').split()
        verb = verb.upper()
        if verb == 'EHLO':
            texts = ['ex.dest.example Hello', *KEYWORDS]
            writer.write(''.join(f'250-{text}\r\n' for text in texts).encode() + b'250 SIZE 37748736\r\n')
        elif verb == 'X-EXPS':
            writer.write(b'334 VXNlcm5hbWU6\r\n')
            user = await reader.readline()
            writer.write(b'334 UGFzc3dvcmQ6\r\n')
            password = await reader.readline()
            print(f'auth {user.decode().strip()} {password.decode().strip()}')
            writer.write(b'235 2.7.0 Authentication successful\r\n')
        elif verb == 'XEXCH50':
            writer.write(b'354 Send binary data\r\n')
            blob = await reader.readexactly(int(words[0]))
            print(f'blob {hashlib.sha256(blob).hexdigest()}')
            writer.write(b'250 XEXCH50 OK\r\n')
        elif verb == 'BDAT':
            octets += len(await reader.readexactly(int(words[0])))
            if words[1:] == ['LAST']:
                print(f'mail {octets}')
                octets = 0
            writer.write(b'250 2.6.0 Queued mail for delivery\r\n')
        elif verb == 'DATA':
            writer.write(b'354 Start mail input; end with <CRLF>.<CRLF>\r\n')
            message = await reader.readuntil(b'\r\n.\r\n')
            print(f'mail {len(message) - 3}')
            writer.write(b'250 2.6.0 Queued mail for delivery\r\n')
        elif verb == 'X-ANONYMOUSTLS':
            writer.write(b'220 2.0.0 SMTP server ready\r\n')
            await writer.start_tls(context)
            secured = writer.get_extra_info('ssl_object')
            print(f'tls {secured.version()}')
        elif verb == 'QUIT':
            writer.write(b'221 2.0.0 Service closing transmission channel\r\n')
            return
        elif verb in ('MAIL', 'RCPT', 'RSET', 'NOOP'):
            writer.write(b'250 2.1.0 OK\r\n')
        else:
            print(f'unknown {line}')
            writer.write(b'500 5.3.3 Unrecognized command\r\n')


async def main():
    host, _, port = where.rpartition(':')
    server = await asyncio.start_server(serve, host, int(port), limit=1 << 20)
    print(f'ready {server.sockets[0].getsockname()[1]}')
    await asyncio.Event().wait()


asyncio.run(main())
