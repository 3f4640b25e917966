"""The mail server of Python's standard library, up to 3.11: smtpd_server.py PORT prints `mail BASE64` for each message."""

import asyncore
import base64
import smtpd
import sys


class Printing(smtpd.SMTPServer):
    def process_message(self, peer, mailfrom, rcpttos, data, **rest):
        print('mail', base64.b64encode(data).decode())


Printing(('127.0.0.1', int(sys.argv[1])), None)
asyncore.loop(timeout=1, use_poll=True)
