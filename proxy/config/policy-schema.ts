// The settings below `policy`: one for each rule, and what the rules go by.

import { MINUTE, SECOND, type Setting } from './formats';

const MODES = ['off', 'observe', 'normalize', 'enforce'] as const;
const STRICTNESS = ['off', 'observe', 'enforce'] as const;

/** What is not known of clients that a firewall hides. */
const HIDDEN =
  ' The default does not hold for private addresses, nor while clients of fewer than three networks came within ten ' +
  'minutes: then a firewall may hide them behind its own address. A number that is set here always holds; 0: no limit.';

export const LIMITS: readonly Setting[] = [
  {
    key: 'policy.limits.connectionsPerClient',
    format: 'limit',
    default: null,
    shown: '256; a quarter of `relay.maxConnections` where that is less, at least 20',
    doc: `Connections at a time from one client: an IPv4 address, or an IPv6 /64.${HIDDEN}`,
  },
  {
    key: 'policy.limits.connectionsPerNetwork',
    format: 'limit',
    default: null,
    shown: '1024; half of `relay.maxConnections` where that is less, at least 40',
    doc: `Connections at a time from one network: an IPv4 /24, or an IPv6 /48.${HIDDEN}`,
  },
  {
    key: 'policy.limits.newPerMinute',
    format: 'limit',
    default: null,
    shown: '3000',
    doc: `New connections from one client within a minute.${HIDDEN}`,
  },
  {
    key: 'policy.limits.errors',
    format: 'limit',
    default: 200,
    doc:
      'Replies 5xx on one connection since its last message that was accepted: two messages to a hundred unknown recipients. Of EHLO, ' +
      'HELO, RSET, NOOP and unknown commands a hundred are free (twenty before the first transaction), and each further one counts as an error. ' +
      'The client is refused for a minute then, unless a firewall may hide others behind its address. 0: no limit.',
  },
  {
    key: 'policy.limits.errorsWithoutTransaction',
    format: 'limit',
    default: 20,
    doc:
      'The same on a connection that has begun no transaction yet (no MAIL was accepted), as in Postfix (smtpd_hard_error_limit): ' +
      'such a client has no recipients to be wrong about. 0: no limit but `policy.limits.errors`.',
  },
  {
    key: 'policy.limits.errorsBeforeDelay',
    format: 'limit',
    default: 20,
    doc: "Behind so many of them, each further one makes the client's next command wait for `policy.limits.errorDelay`. 0: no delay.",
  },
  {
    key: 'policy.limits.errorDelay',
    format: 'duration',
    default: SECOND,
    shown: '"1s"',
    doc: 'How long it waits then, as in Postfix (smtpd_error_sleep_time).',
  },
  {
    key: 'policy.limits.messages',
    format: 'limit',
    default: 10_000,
    doc: 'Messages on one connection. The next MAIL gets 421, and the client connects again. 0: no limit.',
  },
  {
    key: 'policy.limits.firstCommand',
    format: 'duration',
    default: 3 * MINUTE,
    shown: '"3min"',
    doc:
      'From the greeting to the end of the first command. A path that drops EHLO costs a client up to 127 s, the seven ' +
      'retransmissions of its TCP.',
  },
  {
    key: 'policy.limits.commandLine',
    format: 'duration',
    default: MINUTE,
    shown: '"1min"',
    doc: 'From the first octets of a command line to its end.',
  },
  {
    key: 'policy.limits.messageRate',
    format: 'limit',
    default: 10,
    doc:
      'Octets a second of a message, over five minutes; time in which the server did not take them does not count. ' +
      '0: no limit.',
  },
  {
    key: 'policy.limits.withoutTransaction',
    format: 'duration',
    default: 30 * MINUTE,
    shown: '"30min"',
    doc: 'How long a connection may last without beginning a transaction (a MAIL that is accepted), and between two of them.',
  },
  {
    key: 'policy.limits.busyWait',
    format: 'duration',
    default: 10 * SECOND,
    shown: '"10s"',
    doc:
      'Where four fifths of the connections (`relay.maxConnections`) or of the file descriptors are in use, a client ' +
      'that has begun no transaction is waited for only so long. Where nearly all are in use, the connection that was idle longest ' +
      'without one, then one that was idle for a minute, gets `421 4.3.2` for each that comes.',
  },
  {
    key: 'policy.limits.refusalDelay',
    format: 'duration',
    default: 10 * SECOND,
    shown: '"10s"',
    doc:
      'How long a client that one of these limits refuses waits for its 421. Without it, a client that comes again at once costs as ' +
      'much as one that is let in. Where file descriptors are few it does not wait. 0: it never waits.',
  },
];

export const POLICY_SETTINGS: readonly Setting[] = [
  {
    key: 'policy.smuggling',
    format: MODES,
    default: 'normalize',
    doc:
      'Only CRLF . CRLF ends a message. `normalize`: a bare LF or CR in a message becomes CRLF, and a line that would then be a ' +
      'single dot gets a second one; a message without them is not changed by one octet, and BDAT never is. `enforce`: such a ' +
      'message gets `550 5.5.2`, the server gets none of its end, and the connection closes. `observe`: reported, and passes.',
  },
  {
    key: 'policy.starttls',
    format: STRICTNESS,
    default: 'enforce',
    doc:
      'After the 220 to STARTTLS the next octet of either side must begin a TLS record. `enforce`: plain octets that were sent ' +
      'behind STARTTLS or behind its 220 are cut; where plain octets come in place of TLS the connection closes.',
  },
  {
    key: 'policy.synchronization',
    format: STRICTNESS,
    default: 'observe',
    doc:
      'Clients that speak before the greeting, pipeline where RFC 2920 or the server does not allow it, speak HTTP, SSH or ' +
      'TLS at a plain port, or send a PROXY header that was not agreed. `enforce`: `554 5.5.0`, and the connection closes. ' +
      "Exim's pipelined connect (PIPECONNECT) is allowed where the server offers it.",
  },
  {
    key: 'policy.lines',
    format: STRICTNESS,
    default: 'observe',
    doc:
      'The limits of RFC 5321 §4.5.3.1 (a command 512 octets, AUTH 12,288, parameters of MAIL and RCPT more), a bare CR or LF, ' +
      'and octets above 127 in a command without SMTPUTF8. `enforce`: the command gets `500 5.5.2` or `501 5.5.2`; a reply ' +
      'line of the server beyond 512 octets is cut.',
  },
  {
    key: 'policy.nul',
    format: STRICTNESS,
    default: 'enforce',
    doc: 'A NUL in a command. `enforce`: `501 5.5.2`, and the server does not get the command.',
  },
  {
    key: 'policy.commands',
    format: STRICTNESS,
    default: 'enforce',
    doc:
      'Commands of `policy.refusedCommands`, commands that `policy.allowedCommands` does not name, and commands that a ' +
      'keyword of `policy.hiddenKeywords` offers. `enforce`: ehlowire answers in place of the server, which does not get them.',
  },
  {
    key: 'policy.refusedCommands',
    format: 'words',
    default: ['VRFY', 'EXPN', 'DEBUG', 'WIZ', 'TURN', 'XEXCH50', 'XCLIENT', 'XFORWARD'],
    doc: 'Verbs that clients may not use, except those of `policy.trustedClients`.',
  },
  {
    key: 'policy.allowedCommands',
    format: 'words',
    default: [],
    doc: 'The only verbs that clients may use. An empty list: all that are not refused. EHLO, HELO, NOOP, RSET and QUIT are always allowed.',
  },
  {
    key: 'policy.trustedClients',
    format: 'networks',
    default: [],
    doc: 'Addresses or networks (CIDR) whose clients may use all commands: a proxy with XCLIENT, an Exchange with XEXCH50.',
  },
  {
    key: 'policy.hiddenKeywords',
    format: 'words',
    default: [],
    doc:
      "EHLO keywords that are removed from the server's reply, for example CHUNKING, PIPELINING, DSN, ETRN or VRFY. What a hidden " +
      'keyword offers is refused where a client uses it all the same: its commands with `502 5.5.1`, its parameters with `555 5.5.4`.',
  },
  {
    key: 'policy.authBeforeTls',
    format: STRICTNESS,
    default: 'observe',
    doc:
      'AUTH on a connection without TLS. `enforce`: `530 5.7.0`, and AUTH is not offered before TLS. The client has sent its ' +
      'credentials in plain text by then where it did not wait for the offer.',
  },
  {
    key: 'policy.requireTls',
    format: 'clients',
    default: [],
    doc:
      'Clients that must use STARTTLS: addresses, networks (CIDR) or `all`. Before TLS they get `530 5.7.0` for all commands ' +
      'but EHLO, HELO, STARTTLS, NOOP, RSET and QUIT. Not for a public MX: RFC 3207 §4 forbids it there.',
  },
  {
    key: 'policy.banner',
    format: 'line',
    default: null,
    shown: "the server's own",
    doc:
      "Replaces the text of the server's greeting behind `220 `, the server's name and version in it included. It must begin with a " +
      'host name, as "mail.example.com ESMTP".',
  },
  {
    key: 'policy.load',
    format: STRICTNESS,
    default: 'enforce',
    doc:
      'What one client may cost: the limits below `policy.limits`, and clients that wait where places are few. `enforce`: `421 4.7.0` ' +
      'with what the client can do; each limit is a count that falls or a time that ends. `observe`: an `anomaly`, and the ' +
      'connection goes on.',
  },
  ...LIMITS,
  {
    key: 'policy.exempt',
    format: 'exemptions',
    default: [],
    doc:
      'What the rules do not hold for: a list of `{"client": NETWORK}`, `{"server": ADDR:PORT}` or both, each with an optional ' +
      '`"rules"`, a list of their names (as in a `blocked` line of the log); without it all rules.',
  },
];
