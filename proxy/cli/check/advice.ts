// What each defect of a greeting means, who suffers from it, and what to do: plain words for `ehlowire check`.

import type { GreetingDefect } from '../../../inspect/events';

interface Advice {
  readonly means: string;
  /** Measured, or read in the client's source; it says so where that is not known. */
  readonly suffers: string;
  readonly fix: string;
  /** The relay helps meanwhile, and how. */
  readonly relay?: 'completes' | 'repairs';
}

const UNKNOWN = 'no client that was tried';

export const ADVICE: Readonly<Record<GreetingDefect, Advice>> = {
  truncated: {
    means: 'the last line, "220-", says that another line follows, and none does (RFC 5321 §4.2.1)',
    suffers:
      'all clients wait for it: smtplib, curl, nodemailer, swaks and Postfix stall until they time out',
    fix: 'make the server end its greeting with "220 " and a space',
    relay: 'completes',
  },
  'no-terminator': {
    means: 'the last line does not end in CRLF (RFC 5321 §2.3.8)',
    suffers: 'all clients wait for the end of the line; AspEmail.NET even where CRLF comes a segment later',
    fix: 'make the server send CRLF with the line, in one write',
    relay: 'completes',
  },
  'no-separator': {
    means: 'neither a space nor a hyphen stands behind the code',
    suffers: 'curl and swaks hang',
    fix: 'make the server write "220 name"',
    relay: 'repairs',
  },
  'tab-separator': {
    means: 'a tab stands behind the code where a space should',
    suffers: 'curl and swaks hang',
    fix: 'make the server write "220 name" with a space',
    relay: 'repairs',
  },
  'empty-text': {
    means: 'the last line is a code and nothing else',
    suffers: "swaks hangs, Go's textproto refuses",
    fix: "set the server's banner",
    relay: 'repairs',
  },
  masked: {
    means:
      'the text is nothing but asterisks, as a Cisco PIX or ASA with `inspect esmtp` leaves it on the way',
    suffers: 'Postfix takes it for an old PIX: no STARTTLS, and 10 s of waiting before each final dot',
    fix: 'switch SMTP inspection off on the firewall, and compare with a check from inside of it',
  },
  'bare-lf': {
    means: 'a line ends in LF without CR (RFC 5321 §2.3.8)',
    suffers: UNKNOWN,
    fix: 'make the server send CRLF',
  },
  'bare-cr': {
    means: 'a CR stands without its LF (RFC 5321 §2.3.8)',
    suffers: 'all clients stall where it should end the line',
    fix: 'make the server send CRLF',
    relay: 'repairs',
  },
  'mixed-codes': {
    means: 'the lines carry different codes (RFC 5321 §4.2.1 forbids it)',
    suffers: 'clients disagree: Exim goes by the first line, Postfix by the last, Go never sees an end',
    fix: 'make the server use one code for all lines',
  },
  'leading-blank': {
    means: 'something blank stands before the first code',
    suffers: 'smtplib and Postfix refuse',
    fix: 'find what the server prints before its greeting',
    relay: 'repairs',
  },
  'leading-junk': {
    means: 'something that is no reply stands before the first code',
    suffers: 'smtplib and Postfix refuse',
    fix: 'find what the server prints before its greeting',
    relay: 'repairs',
  },
  'inner-junk': {
    means: 'something that is no reply stands between the lines',
    suffers: 'smtplib, nodemailer, msmtp and Postfix give up',
    fix: 'find what the server prints into its greeting',
    relay: 'repairs',
  },
  'eight-bit': {
    means: 'the text is not plain ASCII (RFC 5321 §2.4)',
    suffers: 'not measured',
    fix: "keep the server's banner to ASCII",
  },
  nul: {
    means: 'there is a NUL octet in it',
    suffers: 'not measured',
    fix: "look at the server's banner setting",
  },
  'over-long': {
    means: 'a line is longer than the 512 octets of RFC 5321 §4.5.3.1.5',
    suffers: 'smtplib refuses a line over 8192 octets',
    fix: "shorten the server's banner",
  },
  'no-domain': {
    means: "the text does not begin with the server's name (RFC 5321 §4.2)",
    suffers: UNKNOWN,
    fix: "let the banner begin with the server's full name",
  },
  refusal: {
    means: 'the server does not want this connection (RFC 5321 §3.1)',
    suffers: 'all clients: they go away at 5xx, and come back later at 4xx',
    fix: 'its text, and its log, say why: often a block list, or too many connections',
  },
  'wrong-code': {
    means: 'the code is none that a greeting can have',
    suffers: 'not measured',
    fix: 'is this an SMTP server at all?',
  },
  empty: {
    means: 'nothing came',
    suffers: 'all clients wait until they time out',
    fix: 'is this an SMTP server, without TLS from the first octet? A firewall may hold its greeting',
  },
};
