// The fault matrix: every fault of the lab's firewall, every healthy control, and what is to be said of each.

import type { Certainty, VerdictName } from '../../../inspect/events';
import type { Expected } from './evaluate';
import type { Client, Firewall, Row, Server } from './row';

/** `EHLO client.example` and CRLF. */
const HELLO = 21;

const proved = (verdict: VerdictName, more: Partial<Expected> = {}): Expected => say(verdict, 'proved', more);
const suspected = (verdict: VerdictName, more: Partial<Expected> = {}): Expected =>
  say(verdict, 'suspected', more);

function say(verdict: VerdictName, certainty: Certainty, more: Partial<Expected>): Expected {
  return { verdict, certainty, ...more };
}

const wire = (...faults: readonly string[]): Firewall => ({ kind: 'wire', faults });
const script = (...steps: readonly string[]): Client => ({ kind: 'script', steps });
const swaks = (patience = 20): Client => ({ kind: 'swaks', patience });
const smtplib = (octets: number, patience = 20): Client => ({ kind: 'smtplib', octets, patience });

/** Says EHLO and waits for its answer. */
const HELLO_AND_WAIT = script('greeting', 'say:EHLO client.example', 'wait:6', 'close');
const HELLO_AND_ABORT = script('greeting', 'say:EHLO client.example', 'wait:4', 'abort');

const DNAT = 'dnat:public=198.18.0.250,inside=198.19.0.4';

type Rest = Omit<Row, 'name' | 'kind' | 'firewall' | 'server' | 'client' | 'inside'>;

function row(
  kind: Row['kind'],
  name: string,
  [firewall, server, client]: readonly [Firewall, Server, Client],
  inside: readonly Expected[],
  rest: Rest = {},
): Row {
  return { name, kind, firewall, server, client, inside, ...rest };
}

const EHLO_FAULTS: readonly Row[] = [
  row(
    'fault',
    'EHLO dropped always, the client waits and closes',
    [wire('drop-ehlo'), 'postfix', HELLO_AND_WAIT],
    [],
    {
      live: [proved('ehlo-dropped', { missing: HELLO, within: 5_000 })],
      twoPoint: [proved('ehlo-dropped', { missing: HELLO })],
      because: 'its FIN is held back behind the lost EHLO: nothing that came in shows it, only a probe would',
    },
  ),
  row(
    'fault',
    'EHLO dropped always, probed by the server',
    [wire('drop-ehlo'), 'probing', HELLO_AND_WAIT],
    [proved('ehlo-dropped', { missing: HELLO })],
    { twoPoint: [proved('ehlo-dropped', { missing: HELLO })] },
  ),
  row(
    'fault',
    'EHLO dropped always, the client resets',
    [wire('drop-ehlo'), 'postfix', HELLO_AND_ABORT],
    [proved('ehlo-dropped', { missing: HELLO })],
    { twoPoint: [proved('ehlo-dropped', { missing: HELLO })] },
  ),
  row(
    'fault',
    'EHLO dropped always, IPv6',
    [wire('drop-ehlo'), 'postfix6', HELLO_AND_ABORT],
    [proved('ehlo-dropped', { missing: HELLO })],
    { twoPoint: [proved('ehlo-dropped', { missing: HELLO })] },
  ),
  row(
    'fault',
    'the incident: EHLO and one ACK dropped, behind DNAT',
    [wire(DNAT, 'drop-acks:times=1', 'drop-ehlo'), 'postfix', HELLO_AND_WAIT],
    [proved('ehlo-dropped', { missing: HELLO })],
    { translated: true, twoPoint: [proved('ehlo-dropped', { missing: HELLO })] },
  ),
  row('fault', 'EHLO dropped once', [wire('drop-ehlo:times=1'), 'postfix', swaks()], [], {
    live: [],
    twoPoint: [proved('ehlo-dropped', { missing: HELLO })],
    because:
      'its retransmission comes 200 ms later, stamped anew: inside it looks like a client that thought',
  }),
  row('fault', 'EHLO dropped five times', [wire('drop-ehlo:times=5'), 'postfix', swaks()], [], {
    live: [proved('ehlo-dropped', { missing: HELLO })],
    twoPoint: [proved('ehlo-dropped', { missing: HELLO })],
    because: 'the sixth copy comes after 3 s; without a probe meanwhile nothing tells it from a slow client',
  }),
  row(
    'fault',
    'EHLO dropped five times, probed by the server',
    [wire('drop-ehlo:times=5'), 'probing', swaks()],
    [proved('ehlo-dropped', { missing: HELLO, held: [1_000, 4_000] })],
  ),
  row(
    'fault',
    'EHLO held 800 ms',
    [wire('hold-ehlo:ms=800'), 'postfix', swaks()],
    [proved('ehlo-held', { held: [750, 1_100] })],
    {
      live: [proved('ehlo-held', { held: [750, 1_100] })],
      twoPoint: [proved('ehlo-held', { held: [750, 1_100] })],
    },
  ),
  row(
    'fault',
    'EHLO held 3 s',
    [wire('hold-ehlo:ms=3000'), 'postfix', swaks()],
    [proved('ehlo-held', { held: [2_950, 3_400] })],
    { twoPoint: [proved('ehlo-held', { held: [2_950, 3_400] })] },
  ),
  row('fault', 'EHLO masked in place', [wire('mask-verb'), 'postfix', swaks()], [proved('ehlo-altered')], {
    live: [proved('ehlo-altered')],
    twoPoint: [proved('ehlo-altered')],
  }),
  row('fault', 'EHLO reply: STARTTLS masked', [wire('mask-keyword'), 'postfix', swaks()], [], {
    twoPoint: [proved('starttls-stripped')],
    because: 'the reply is changed on its way out, beyond this point',
  }),
  row('fault', 'EHLO reply: STARTTLS cut out', [wire('strip-starttls'), 'postfix', swaks()], [], {
    twoPoint: [proved('starttls-stripped')],
    because: 'the reply is changed on its way out, beyond this point',
  }),
  row('fault', 'EHLO split into single octets', [wire('split-ehlo'), 'postfix', swaks()], [], {
    live: [],
    because: 'legal, and no harm: every octet came, in order',
  }),
];

const PATH_FAULTS: readonly Row[] = [
  row('fault', 'ACKs dropped', [wire('drop-acks'), 'postfix', swaks()], [], {
    because: 'every command acknowledges what the lost ACKs would have: only the traffic is a little more',
  }),
  row(
    'fault',
    'greeting dropped always',
    [wire('drop-greeting'), 'postfix', script('wait:6', 'close')],
    [proved('greeting-lost')],
    { live: [proved('greeting-lost')], twoPoint: [proved('greeting-lost')] },
  ),
  row('fault', 'greeting dropped twice', [wire('drop-greeting:times=2'), 'postfix', swaks()], [], {
    twoPoint: [proved('greeting-lost')],
    because: 'lost beyond this point, and mended by TCP within the second',
  }),
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
  row('fault', 'sequence numbers randomised', [wire('randomise'), 'postfix', swaks()], [], {
    live: [],
    twoPoint: [],
    because: 'translated without a mistake it does no harm, and cannot be seen',
  }),
  row(
    'fault',
    'sequence numbers randomised, a server segment sent twice',
    [
      wire('drop-acks:times=1', 'randomise'),
      'postfix',
      script('greeting', 'wait:1', 'say:QUIT', 'reply', 'close'),
    ],
    [],
    {
      because: 'the client’s SACK block lies outside of all that the server sent: a sign that no judge reads',
    },
  ),
  row(
    'fault',
    'full-size segments vanish',
    [wire('black-hole'), 'postfix', smtplib(10_000, 6)],
    [proved('segment-dropped')],
    { twoPoint: [proved('segment-dropped')] },
  ),
  row('fault', 'one segment of DATA dropped once', [wire('drop-bulk'), 'postfix', smtplib(60_000)], [], {
    twoPoint: [proved('segment-dropped')],
    because: 'mended by TCP within milliseconds: no more than any road loses',
  }),
  row(
    'fault',
    'one segment of DATA dropped for 600 ms',
    [wire('drop-bulk:ms=600'), 'postfix', smtplib(60_000)],
    [proved('segment-dropped', { held: [500, 2_000] })],
  ),
];

const CONTROLS: readonly Row[] = [
  row('control', 'normal delivery', [wire(), 'postfix', swaks()], [], { live: [], twoPoint: [] }),
  row('control', 'normal delivery, IPv6', [wire(), 'postfix6', smtplib(60_000)], [], { twoPoint: [] }),
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
    { live: [], twoPoint: [] },
  ),
  row(
    'control',
    'silent client: closes after 12 s',
    [wire(), 'postfix', script('greeting', 'wait:12', 'close')],
    [proved('client-silent', { missing: 0 })],
    { live: [proved('client-silent', { missing: 0 })], twoPoint: [proved('client-silent', { missing: 0 })] },
  ),
  row(
    'control',
    'silent client, probed by the server',
    [wire(), 'probing', script('greeting', 'wait:14', 'abort')],
    [proved('client-silent', { missing: 0 })],
  ),
  row(
    'control',
    'dead client: vanishes before the greeting',
    [wire(), 'leisurely', script('vanish', 'wait:14')],
    [suspected('client-gone')],
    { live: [suspected('client-gone')] },
  ),
  row(
    'control',
    'dead client: vanishes after the greeting, probed',
    [wire(), 'probing', script('greeting', 'wait:0.3', 'vanish', 'wait:14')],
    [suspected('client-gone')],
  ),
  row('control', 'slow server: greeting after 6 s', [wire(), 'slow', swaks()], [], {
    live: [],
    twoPoint: [],
  }),
  row('control', 'postscreen’s teaser, 6 s', [wire(), 'postscreen', swaks()], [], { live: [], twoPoint: [] }),
  row(
    'control',
    'greeting never ended by the server',
    [wire(), 'truncated', script('wait:24', 'close')],
    [suspected('greeting-truncated')],
    { because: 'until a keep-alive shows the server’s number, its last line may be lost before this point' },
  ),
  row('control', 'loss of 2 %, reordering', [wire('rough-road'), 'postfix', smtplib(200_000)], [], {
    because: 'between two points the loss is seen and rightly told: that is no column for a control',
  }),
  row('control', 'reordering of 10 %', [wire('rough-road:loss=0,late=10'), 'postfix', smtplib(200_000)], [], {
    twoPoint: [],
  }),
];

export const ROWS: readonly Row[] = [...EHLO_FAULTS, ...PATH_FAULTS, ...CONTROLS];
