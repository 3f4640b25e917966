// Dialogues of greetings that the server leaves open: when each is completed, and what that teaches.

import { A, Z, client, due, end, idle, know, server, teaser, TRUNCATED, WELLFORMED } from './greeter-steps';
import type { Dialogue } from './greeter-steps';

export const COMPLETED: readonly Dialogue[] = [
  {
    name: 'rule 2: completed after patience from the last octet, and learned',
    steps: [
      due(server(1, A, `> ${A}`), 21),
      idle(20.9),
      due(idle(21, `> ${Z}`, 'repair truncated', 'stalled truncated repair'), 'never'),
      client(21, 'EHLO me\r\n'),
      server(21, '250-x\r\n', '> 250-x\r\n'),
    ],
  },
  {
    name: 'rule 2: the next connection waits for nothing, and has it in the same write',
    known: TRUNCATED,
    steps: [
      server(1, A, `> ${A}${Z}`, 'repair truncated'),
      client(1, 'EHLO me\r\n'),
      server(1, '250 ok\r\n', '> 250 ok\r\n'),
    ],
  },
  {
    name: 'known truncated after two lines: one is waited for',
    known: { ...TRUNCATED, lines: 2 },
    steps: [due(server(1, A, `> ${A}`), 21), server(2, '220-b\r\n', `> 220-b\r\n${Z}`, 'repair truncated')],
    done: false,
  },
  {
    name: 'known truncated after one line, two come in one read: both count',
    known: TRUNCATED,
    steps: [server(1, `${A}220-b\r\n`, `> ${A}220-b\r\n${Z}`, 'repair truncated')],
    done: false,
  },
  {
    name: 'known truncated, and a read ends within a line: a second, for its rest',
    known: TRUNCATED,
    steps: [
      due(server(1, `${A}220 rea`, `> ${A}220 rea`), 2),
      server(1.5, 'dy\r\n', '> dy\r\n', 'ended wellformed observe'),
    ],
  },
  {
    name: 'rule 2: --repair now waits for nothing, and teaches nothing',
    mode: 'now',
    steps: [
      server(1, A, `> ${A}${Z}`, 'repair truncated'),
      client(2, 'EHLO me\r\n'),
      server(2, '250 ok\r\n', '> 250 ok\r\n'),
    ],
  },
  {
    name: '--repair now, and a read ends within a line: a second, then it is ended',
    mode: 'now',
    steps: [
      due(server(1, '220 mx.example.com', '> 220 mx.example.com'), 2),
      idle(2, '> \r\n', 'repair no-terminator'),
    ],
    done: false,
  },
  {
    name: 'rule 2: completed at once when the server closes; a crash teaches nothing',
    steps: [server(1, A, `> ${A}`), end(3, `> ${Z}`, 'repair truncated')],
  },
  {
    name: 'closed within the last line: it is ended',
    steps: [
      server(1, '220 mx.example.com', '> 220 mx.example.com'),
      end(3, '> \r\n', 'repair no-terminator'),
    ],
  },
  {
    name: 'no terminator: ended after patience; nothing in place would do',
    steps: [
      server(1, '220 mx.example.com', '> 220 mx.example.com'),
      idle(21, '> \r\n', 'repair no-terminator', 'stalled truncated relay'),
      client(22, 'EHLO me\r\n'),
      server(22, '250 ok\r\n', '> 250 ok\r\n'),
    ],
  },
  {
    name: 'no terminator, known: a second is enough',
    known: { greeting: 'truncated', policy: 'relay', lines: 0, delay: 0 },
    steps: [
      due(server(1, '220 mx.example.com', '> 220 mx.example.com'), 2),
      idle(2, '> \r\n', 'repair no-terminator'),
    ],
    done: false,
  },
  {
    name: 'known to stall within its first line, and now it stalls behind a whole one: patience',
    known: { greeting: 'truncated', policy: 'relay', lines: 0, delay: 0 },
    steps: [due(server(1, A, `> ${A}`), 21)],
    done: false,
  },
  {
    name: 'truncated with a wrong code: ended with it, nothing to watch, nothing to repair in place',
    steps: [
      server(1, '250-mx.example.com\r\n', '> 250-mx.example.com\r\n'),
      idle(21, '> 250 mx.example.com ESMTP\r\n', 'repair truncated', 'stalled truncated relay'),
    ],
  },
  {
    name: 'no terminator on the second line: nothing in place would do',
    steps: [
      server(1, `${A}220 rea`, `> ${A}220 rea`),
      idle(21, '> \r\n', 'repair no-terminator', 'stalled truncated relay'),
    ],
    done: false,
  },
  {
    name: 'bare CR at the end may be half a CRLF: it is, after patience',
    steps: [
      server(1, '220 mx.example.com\r', '> 220 mx.example.com\r'),
      idle(21, '> \n', 'repair bare-cr', 'stalled truncated relay'),
    ],
    done: false,
  },
  {
    name: 'masked and truncated: in place it would be a PIX, so the relay has to do it',
    steps: [
      server(1, '220-****\r\n', '> 220-****\r\n'),
      idle(21, '> 220 shim.example.net ESMTP\r\n', 'repair truncated', 'stalled truncated relay'),
    ],
    done: false,
  },
  {
    name: 'a truncated refusal gets its own code, and teaches nothing',
    steps: [
      server(1, '421-mx.example.com busy\r\n', '> 421-mx.example.com busy\r\n'),
      idle(21, '> 421 mx.example.com\r\n', 'repair truncated'),
      server(22, '421 bye\r\n'),
    ],
  },
  {
    name: 'a known teaser of 15 s is waited for twice as long',
    known: teaser(15),
    steps: [
      due(server(1, A, `> ${A}`), 31),
      idle(30.9),
      idle(31, `> ${Z}`, 'repair truncated', 'stalled truncated repair'),
    ],
    done: false,
  },
  {
    name: 'a known teaser of 40 s is waited for only as long as clients stand',
    known: teaser(40),
    steps: [due(server(1, A, `> ${A}`), 51)],
    done: false,
  },
  {
    name: 'ended elsewhere while this one waits: completed at once',
    steps: [
      server(1, A, `> ${A}`),
      know(5, WELLFORMED),
      know(6, TRUNCATED, `> ${Z}`, 'repair truncated'),
      know(7, TRUNCATED),
      client(8, 'EHLO me\r\n'),
      server(8, '250 ok\r\n', '> 250 ok\r\n'),
    ],
  },
  {
    name: 'ended elsewhere before a line came: completed with the line',
    steps: [know(0.5, TRUNCATED), server(1, A, `> ${A}${Z}`, 'repair truncated')],
    done: false,
  },
  {
    name: 'ended elsewhere within a line: only its rest is waited for',
    steps: [
      server(1, `${A}22`, `> ${A}`),
      due(know(2, TRUNCATED), 2),
      idle(2, `> ${Z}`, 'repair no-terminator', 'repair truncated'),
    ],
    done: false,
  },
  {
    name: 'an impatient client that is answered: completed before the answer; what a client provoked teaches nothing',
    steps: [
      server(1, A, `> ${A}`),
      client(2, 'EHLO me\r\n'),
      server(2, '250-x\r\n250 y\r\n', `> ${Z}250-x\r\n250 y\r\n`, 'repair truncated'),
    ],
  },
  {
    name: 'an impatient client that is answered octet by octet',
    known: TRUNCATED,
    mode: 'learn',
    steps: [
      know(0, WELLFORMED),
      server(1, A, `> ${A}`),
      client(2, 'EHLO me\r\n'),
      server(2, '2'),
      server(2, '50'),
      server(2, ' ', `> ${Z}250 `, 'repair truncated'),
      server(2, 'y\r\n', '> y\r\n'),
    ],
  },
  {
    name: 'an impatient client whom postscreen refuses: the refusal ends the greeting',
    known: teaser(6),
    steps: [server(1, A, `> ${A}`), client(2, 'EHLO me\r\n'), server(2, '521 no\r\n', '> 521 no\r\n')],
  },
];
