// What a firewall does to EHLO and its reply.

import type { Row } from './row';
import {
  BEYOND,
  DNAT,
  HELLO,
  HELLO_AND_ABORT,
  HELLO_AND_WAIT,
  proved,
  row,
  suspected,
  swaks,
  wire,
} from './words';

export const EHLO_FAULTS: readonly Row[] = [
  row(
    'fault',
    'EHLO dropped always, the client waits and closes',
    [wire('drop-ehlo'), 'postfix', HELLO_AND_WAIT],
    [],
    {
      asked: true,
      offloads: true,
      live: [proved('ehlo-dropped', { missing: HELLO, within: 5_000 })],
      outside: [suspected('ehlo-dropped', { missing: HELLO, ...BEYOND })],
      twoPoint: [proved('ehlo-dropped', { missing: HELLO })],
      because: 'its FIN is held back behind the lost EHLO: nothing that came in shows it, only a probe would',
    },
  ),
  row(
    'fault',
    'EHLO dropped always, probed by the server',
    [wire('drop-ehlo'), 'probing', HELLO_AND_WAIT],
    [proved('ehlo-dropped', { missing: HELLO })],
    {
      outside: [proved('ehlo-dropped', { missing: HELLO, ...BEYOND })],
      twoPoint: [proved('ehlo-dropped', { missing: HELLO })],
    },
  ),
  row(
    'fault',
    'EHLO dropped always, the client resets',
    [wire('drop-ehlo'), 'postfix', HELLO_AND_ABORT],
    [proved('ehlo-dropped', { missing: HELLO })],
    { asked: true, twoPoint: [proved('ehlo-dropped', { missing: HELLO })] },
  ),
  row(
    'fault',
    'EHLO dropped always, IPv6',
    [wire('drop-ehlo'), 'postfix6', HELLO_AND_ABORT],
    [proved('ehlo-dropped', { missing: HELLO })],
    { asked: true, twoPoint: [proved('ehlo-dropped', { missing: HELLO })] },
  ),
  row(
    'fault',
    'the incident: EHLO and one ACK dropped, behind DNAT',
    [wire(DNAT, 'drop-acks:times=1', 'drop-ehlo'), 'postfix', HELLO_AND_WAIT],
    [proved('ehlo-dropped', { missing: HELLO })],
    {
      translated: true,
      outside: [suspected('ehlo-dropped', { missing: HELLO, ...BEYOND })],
      twoPoint: [proved('ehlo-dropped', { missing: HELLO })],
    },
  ),
  row(
    'fault',
    'the incident as it was: EHLO and the bare ACKs dropped, the server repeats its greeting',
    [wire(DNAT, 'drop-acks', 'drop-ehlo'), 'postfix', HELLO_AND_ABORT],
    [proved('ehlo-dropped', { missing: HELLO })],
    {
      translated: true,
      asked: true,
      outside: [proved('ehlo-dropped', { missing: HELLO, ...BEYOND })],
      twoPoint: [proved('ehlo-dropped', { missing: HELLO })],
    },
  ),
  row(
    'fault',
    'EHLO dropped once',
    [wire('drop-ehlo:times=1'), 'postfix', swaks()],
    [suspected('ehlo-dropped', { missing: HELLO, held: [190, 900] })],
    {
      live: [suspected('ehlo-dropped', { missing: HELLO, held: [190, 900] })],
      outside: [],
      twoPoint: [proved('ehlo-dropped', { missing: HELLO })],
      because:
        'its retransmission is just what is expected next; only the client’s packet counter left one out',
    },
  ),
  row(
    'fault',
    'EHLO dropped twice',
    [wire('drop-ehlo:times=2'), 'postfix', swaks()],
    [suspected('ehlo-dropped', { missing: HELLO, held: [380, 1_500] })],
    {
      live: [suspected('ehlo-dropped', { missing: HELLO, held: [380, 1_500] })],
      twoPoint: [proved('ehlo-dropped', { missing: HELLO })],
      because: 'as once; two in a row are no chance',
    },
  ),
  row(
    'fault',
    'EHLO dropped six times',
    [wire('drop-ehlo:times=6'), 'postfix', swaks()],
    [suspected('ehlo-dropped', { missing: HELLO, held: [6_000, 14_000] })],
    {
      asked: true,
      live: [proved('ehlo-dropped', { missing: HELLO })],
      outside: [suspected('ehlo-dropped', { missing: HELLO, ...BEYOND })],
      twoPoint: [proved('ehlo-dropped', { missing: HELLO })],
      because:
        'the seventh copy comes after 6 s; without a probe meanwhile only the packet counter shows the six',
    },
  ),
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
      offloads: true,
      live: [proved('ehlo-held', { held: [750, 1_100] })],
      twoPoint: [proved('ehlo-held', { held: [750, 1_100] })],
    },
  ),
  row(
    'fault',
    'EHLO held 2 s',
    [wire('hold-ehlo:ms=2000'), 'postfix', swaks()],
    [proved('ehlo-held', { held: [1_950, 2_400] })],
    { twoPoint: [proved('ehlo-held', { held: [1_950, 2_400] })] },
  ),
  row(
    'fault',
    'EHLO held 5 s',
    [wire('hold-ehlo:ms=5000'), 'postfix', swaks()],
    [proved('ehlo-held', { held: [4_950, 5_400] })],
    {
      asked: true,
      twoPoint: [proved('ehlo-held', { held: [4_950, 5_400] })],
      because: 'asked meanwhile, the client shows that it is missing: taken back by the wire as it comes',
    },
  ),
  row('fault', 'EHLO masked in place', [wire('mask-verb'), 'postfix', swaks()], [proved('ehlo-altered')], {
    offloads: true,
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
