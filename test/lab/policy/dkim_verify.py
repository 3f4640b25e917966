"""Verifies signatures: dkim_verify.py PUBLIC_KEY FILE... prints `good NAME` or `bad NAME` for each."""

import sys

import dkim

key, *files = sys.argv[1:]
record = f'v=DKIM1; k=rsa; p={key}'.encode()


def verify(message):
    try:
        return dkim.verify(message, dnsfunc=lambda name, timeout=5: record)
    except dkim.DKIMException:
        return False


for name in files:
    with open(name, 'rb') as file:
        print('good' if verify(file.read()) else 'bad', name)
