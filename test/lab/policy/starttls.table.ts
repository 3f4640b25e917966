// What is hidden around STARTTLS (RFC 3207 §6): by whom, where, and in which words.

import type { Cut } from './smuggling.table';

/** What may not cross; it stands in every row's octets. */
export const INJECTED = 'INJECTED';

export interface Injection {
  readonly name: string;
  /** Octets of one side, in one flow. */
  readonly octets: string;
  /** Where its plain octets begin that may not cross. */
  readonly from: number;
}

function injection(name: string, honest: string, hidden: string): Injection {
  return { name, octets: honest + hidden, from: honest.length };
}

const COMMAND = `MAIL FROM:<${INJECTED}@client.example>\r\n`;

/** Of a client, behind its EHLO's reply. */
export const COMMANDS: readonly Injection[] = [
  injection('a command behind it', 'STARTTLS\r\n', COMMAND),
  injection('two commands behind it', 'STARTTLS\r\n', `RSET\r\n${COMMAND}`),
  injection('lower case', 'starttls\r\n', COMMAND),
  injection('mixed case', 'StArTtLs\r\n', COMMAND),
  injection('spaces behind the verb', 'STARTTLS  \r\n', COMMAND),
  injection('a tab behind the verb', 'STARTTLS\t\r\n', COMMAND),
  injection('ended by LF', 'STARTTLS\n', COMMAND),
  injection('ended by LF, and so the command', 'STARTTLS\n', COMMAND.replace('\r', '')),
  injection('in a group of commands', 'NOOP\r\nRSET\r\nSTARTTLS\r\n', COMMAND),
  injection('in one segment with EHLO', 'EHLO again.example\r\nSTARTTLS\r\n', COMMAND),
  injection('no line end at all', 'STARTTLS\r\n', INJECTED),
  injection('an empty line first', 'STARTTLS\r\n', `\r\n${COMMAND}`),
  injection('a first octet like TLS', 'STARTTLS\r\n', `\x16${COMMAND}`),
  injection('NULs first', 'STARTTLS\r\n', `\0\0${COMMAND}`),
];

/** Of a server, as the answer to STARTTLS. */
export const REPLIES: readonly Injection[] = [
  injection('a reply behind it', '220 2.0.0 ready\r\n', `250 ${INJECTED}\r\n`),
  injection(
    'an EHLO reply behind it',
    '220 2.0.0 ready\r\n',
    `250-mx\r\n250-AUTH ${INJECTED}\r\n250 HELP\r\n`,
  ),
  injection('behind a reply of two lines', '220-2.0.0 be\r\n220 2.0.0 ready\r\n', `250 ${INJECTED}\r\n`),
  injection('without a text', '220\r\n', `250 ${INJECTED}\r\n`),
  injection('ended by LF', '220 2.0.0 ready\n', `250 ${INJECTED}\r\n`),
  injection('an empty line first', '220 2.0.0 ready\r\n', `\r\n250 ${INJECTED}\r\n`),
  injection('no line end at all', '220 2.0.0 ready\r\n', INJECTED),
  injection('a first octet like TLS', '220 2.0.0 ready\r\n', `\x16250 ${INJECTED}\r\n`),
  injection(
    'behind the reply to another command',
    '250 2.0.0 fine\r\n220 2.0.0 ready\r\n',
    `250 ${INJECTED}\r\n`,
  ),
];

/** Whole, at every place around where the plain octets begin, octet by octet, and with a pause there. */
export function cutsOf({ octets, from }: Injection): readonly Cut[] {
  const near = [-4, -3, -2, -1, 0, 1, 2, 3]
    .map((step) => from + step)
    .filter((at) => at > 0 && at < octets.length);
  return [
    { name: 'whole', at: [] },
    ...near.map((at) => ({ name: `cut at ${at - from}`, at: [at] })),
    { name: 'octet by octet', at: Array.from({ length: octets.length }, (_, i) => i) },
    { name: 'the line end apart', at: [from - 2, from] },
  ];
}
