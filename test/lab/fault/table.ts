// The fault matrix: every fault of the lab's firewall, every healthy control, and what is to be said of each.

import type { Row } from './row';
import { EHLO_FAULTS } from './table-ehlo';
import { BEYOND, DNAT, proved, row, script, smtplib, suspected, swaks, wire } from './words';

/** Its acknowledgement of the greeting stands alone. */
const QUIET_AND_QUIT = script('greeting', 'wait:1', 'say:QUIT', 'reply', 'close');

const RCPT_AND_ABORT = script(
  ...['greeting', 'say:EHLO client.example', 'reply', 'say:MAIL FROM:<a@client.example>', 'reply'],
  ...['say:RCPT TO:<b@mx.example>', 'wait:4', 'abort'],
);
/** `RCPT TO:<b@mx.example>` and CRLF. */
const RECIPIENT = 24;

const PATH_FAULTS: readonly Row[] = [
  row('fault', 'ACKs dropped', [wire('drop-acks'), 'postfix', swaks()], [], {
    because: 'every command acknowledges what the lost ACKs would have: only the traffic is a little more',
  }),
  row(
    'fault',
    'greeting dropped always',
    [wire('drop-greeting'), 'postfix', script('wait:6', 'close')],
    [proved('greeting-lost', BEYOND)],
    {
      asked: true,
      live: [proved('greeting-lost')],
      outside: [proved('greeting-lost', { where: 'before' })],
      twoPoint: [proved('greeting-lost')],
    },
  ),
  row('fault', 'greeting dropped twice', [wire('drop-greeting:times=2'), 'postfix', swaks()], [], {
    twoPoint: [proved('greeting-lost')],
    because: 'lost beyond this point, and mended by TCP within the second',
  }),
  row(
    'fault',
    'RCPT dropped always, probed by the server',
    [wire('drop-command:verb=RCPT'), 'probing', RCPT_AND_ABORT],
    [proved('segment-dropped', { missing: RECIPIENT })],
    {
      outside: [proved('segment-dropped', { missing: RECIPIENT, ...BEYOND })],
      twoPoint: [proved('segment-dropped', { missing: RECIPIENT })],
    },
  ),
  row('fault', 'TCP terminated by a proxy', [{ kind: 'proxy' }, 'postfix', swaks()], [], {
    twoPoint: [proved('path-terminated')],
    because:
      'inside there is one stack from SYN to FIN, and it is the proxy’s: its handwriting never changes',
  }),
  row(
    'fault',
    'handshake by a SYN proxy',
    [{ kind: 'synproxy' }, 'postfix', swaks()],
    [proved('path-terminated')],
  ),
  row(
    'fault',
    'RST to the server, the client goes on',
    [wire('inject-rst:to=server'), 'postfix', swaks()],
    [proved('reset-injected')],
    { twoPoint: [proved('reset-injected')] },
  ),
  row(
    'fault',
    'RST to the server with the client’s TTL, the client goes on',
    [wire('inject-rst:to=server,ttl=57'), 'postfix', swaks()],
    [proved('reset-injected')],
  ),
  row(
    'fault',
    'RST to both with a foreign TTL, then silence',
    [wire('inject-rst:to=both,ttl=255,sever=yes'), 'postfix', swaks()],
    [suspected('reset-injected')],
    { twoPoint: [proved('reset-injected')], because: 'one sign alone: the TTL' },
  ),
  row('fault', 'RST to the client', [wire('inject-rst:to=client'), 'postfix', swaks()], [], {
    twoPoint: [proved('reset-injected')],
    because: 'it never passed here: the client’s own, legal RST answers what the server says next',
  }),
  row('fault', 'sequence numbers randomised', [wire('randomise:sack=yes'), 'postfix', swaks()], [], {
    live: [],
    twoPoint: [],
    because: 'translated without a mistake it does no harm, and cannot be seen',
  }),
  row(
    'fault',
    'sequence numbers randomised, SACK blocks too, a server segment sent twice',
    [wire('drop-acks:times=1', 'randomise:sack=yes'), 'postfix', QUIET_AND_QUIT],
    [],
    { twoPoint: [], because: 'the same, though the client’s SACK block names numbers' },
  ),
  row(
    'fault',
    'sequence numbers randomised, a server segment sent twice',
    [wire('drop-acks:times=1', 'randomise'), 'postfix', QUIET_AND_QUIT],
    [proved('path-terminated')],
    { because: 'the client’s SACK block lies outside of all that the server sent: nobody translated it' },
  ),
  row(
    'fault',
    'full-size segments vanish',
    [wire('black-hole'), 'postfix', smtplib(10_000, 6)],
    [proved('segment-dropped')],
    {
      offloads: true,
      outside: [suspected('segment-dropped', BEYOND)],
      twoPoint: [proved('segment-dropped')],
    },
  ),
  row('fault', 'one segment of DATA dropped once', [wire('drop-bulk'), 'postfix', smtplib(60_000)], [], {
    twoPoint: [proved('segment-dropped')],
    because: 'mended by fast retransmit within two round trips, and in bulk: no more than any road loses',
  }),
  row(
    'fault',
    'one segment of DATA dropped for 600 ms',
    [wire('drop-bulk:ms=600'), 'postfix', smtplib(60_000)],
    [proved('segment-dropped', { held: [500, 2_000] })],
    { offloads: true },
  ),
];

const CONTROLS: readonly Row[] = [
  row('control', 'normal delivery', [wire(), 'postfix', swaks()], [], {
    outside: [],
    live: [],
    twoPoint: [],
  }),
  row('control', 'normal delivery, IPv6', [wire(), 'postfix6', smtplib(60_000)], [], {
    offloads: true,
    twoPoint: [],
  }),
  row('control', 'normal delivery behind DNAT', [wire(DNAT), 'postfix', swaks()], [], {
    translated: true,
    twoPoint: [],
  }),
  row(
    'control',
    'slow client: EHLO after 5 s',
    [
      wire(),
      'postfix',
      script('greeting', 'wait:5', 'say:EHLO client.example', 'reply', 'say:QUIT', 'reply'),
    ],
    [],
    { asked: true, live: [], twoPoint: [] },
  ),
  row(
    'control',
    'silent client: closes after 12 s',
    [wire(), 'postfix', script('greeting', 'wait:12', 'close')],
    [proved('client-silent', { missing: 0 })],
    {
      asked: true,
      live: [proved('client-silent', { missing: 0 })],
      outside: [proved('client-silent', { missing: 0 })],
      twoPoint: [proved('client-silent', { missing: 0 })],
    },
  ),
  row(
    'control',
    'silent client, probed by the server',
    [wire(), 'probing', script('greeting', 'wait:14', 'abort')],
    [proved('client-silent', { missing: 0 })],
    { asked: true },
  ),
  row(
    'control',
    'dead client: vanishes before the greeting',
    [wire(), 'leisurely', script('vanish', 'wait:14')],
    [suspected('client-gone')],
    { asked: true, live: [suspected('client-gone')] },
  ),
  row(
    'control',
    'dead client: vanishes after the greeting, probed',
    [wire(), 'probing', script('greeting', 'wait:0.3', 'vanish', 'wait:14')],
    [suspected('client-gone')],
    { asked: true },
  ),
  row('control', 'slow server: greeting after 6 s', [wire(), 'slow', swaks()], [], {
    outside: [],
    live: [],
    twoPoint: [],
  }),
  row('control', 'postscreen’s teaser, 6 s', [wire(), 'postscreen', swaks()], [], {
    asked: true,
    live: [],
    twoPoint: [],
  }),
  row(
    'control',
    'greeting never ended by the server',
    [wire(), 'truncated', script('wait:24', 'close')],
    [proved('greeting-truncated')],
    {
      asked: true,
      because: 'suspected after 20 s; its ACK of the client’s FIN then shows that it sent no more',
    },
  ),
  row(
    'control',
    'slow client whose ACKs are lost: EHLO after 2 s',
    [
      wire('drop-acks'),
      'postfix',
      script('greeting', 'wait:2', 'say:EHLO client.example', 'reply', 'say:QUIT', 'reply'),
    ],
    [],
    { outside: [], because: 'the packet counter left numbers out, and no more than there are ACKs to send' },
  ),
  row('control', 'loss of 2 %, reordering', [wire('rough-road'), 'postfix', smtplib(200_000)], [], {
    outside: [],
    because: 'between two points the loss is seen and rightly told: that is no column for a control',
  }),
  row('control', 'reordering of 10 %', [wire('rough-road:loss=0,late=10'), 'postfix', smtplib(200_000)], [], {
    offloads: true,
    twoPoint: [],
  }),
];

export const ROWS: readonly Row[] = [...EHLO_FAULTS, ...PATH_FAULTS, ...CONTROLS];
