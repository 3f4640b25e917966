"""Delivers one message by smtplib: HOST PORT FROM TO FILE TIMEOUT [starttls] [bdat] [8bitmime]."""

import smtplib
import ssl
import sys

host, port, sender, recipient, path, timeout, *wishes = sys.argv[1:]
with open(path, 'rb') as file:
    message = file.read()

options = ['BODY=8BITMIME'] if '8bitmime' in wishes else []
smtp = smtplib.SMTP(host, int(port), local_hostname='client.example', timeout=float(timeout))
smtp.set_debuglevel(1 if len(message) < 10_000 else 0)
if 'starttls' in wishes:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    smtp.starttls(context=context)
    print('TLS', smtp.sock.version())
if 'bdat' in wishes:
    # RFC 3030 §2: two chunks, the second one ends the message.
    smtp.ehlo_or_helo_if_needed()
    assert smtp.has_extn('chunking'), 'no CHUNKING offered'
    code, text = smtp.mail(sender, options)
    assert code == 250, text
    code, text = smtp.rcpt(recipient)
    assert code == 250, text
    half = len(message) // 2
    for chunk, last in ((message[:half], ''), (message[half:], ' LAST')):
        smtp.send(f'BDAT {len(chunk)}{last}\r\n'.encode() + chunk)
        code, text = smtp.getreply()
        assert code == 250, text
else:
    smtp.sendmail(sender, [recipient], message, options)
smtp.quit()
