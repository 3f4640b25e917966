// What the rules can find, and what becomes of it where the rule is enforced: one table.

import type { Anomaly, Direction } from '../events';
import type { RuleName } from './rules';

/** What is done about a finding: `answer` in place of the server, `cut` the octets, `close` the connection, or `change` them. */
export type Action = 'answer' | 'cut' | 'close' | 'change';

interface Kind {
  readonly rule: RuleName;
  readonly from: Direction;
  readonly action: Action;
  /** Reported where the rule is only observed. */
  readonly anomaly: Anomaly;
  /** The session reports that anomaly itself, whatever the rule is. */
  readonly seen?: true;
  /** The line for the client; undefined: none, as it would not be read. */
  readonly reply?: string;
}

export const FINDINGS = {
  'bare line ends': {
    rule: 'smuggling',
    from: 'client',
    action: 'close',
    anomaly: 'bare-line-end',
    reply: '550 5.5.2 The message has a bare CR or LF, or a control character beside a dot',
  },
  'command injection': {
    rule: 'starttls',
    from: 'client',
    action: 'cut',
    anomaly: 'starttls-injection',
    seen: true,
  },
  'response injection': {
    rule: 'starttls',
    from: 'server',
    action: 'cut',
    anomaly: 'starttls-injection',
    seen: true,
  },
  'no TLS of the client': {
    rule: 'starttls',
    from: 'client',
    action: 'close',
    anomaly: 'not-tls',
    seen: true,
  },
  'no TLS of the server': {
    rule: 'starttls',
    from: 'server',
    action: 'close',
    anomaly: 'not-tls',
    seen: true,
  },
  'early talk': {
    rule: 'synchronization',
    from: 'client',
    action: 'close',
    anomaly: 'early-talker',
    seen: true,
    reply: '554 5.5.0 SMTP synchronization error: wait for the greeting',
  },
  'improper pipelining': {
    rule: 'synchronization',
    from: 'client',
    action: 'close',
    anomaly: 'improper-pipelining',
    seen: true,
    reply: '554 5.5.0 SMTP synchronization error: wait for the reply',
  },
  'pipelining not offered': {
    rule: 'synchronization',
    from: 'client',
    action: 'close',
    anomaly: 'pipelining-not-offered',
    reply: '554 5.5.0 SMTP synchronization error: PIPELINING is not offered',
  },
  HTTP: {
    rule: 'synchronization',
    from: 'client',
    action: 'close',
    anomaly: 'http',
    seen: true,
    reply: '554 5.5.0 This is SMTP, not HTTP',
  },
  SSH: {
    rule: 'synchronization',
    from: 'client',
    action: 'close',
    anomaly: 'foreign-protocol',
    reply: '554 5.5.0 This is SMTP, not SSH',
  },
  'TLS at a plain port': {
    rule: 'synchronization',
    from: 'client',
    action: 'close',
    anomaly: 'foreign-protocol',
  },
  'PROXY header': {
    rule: 'synchronization',
    from: 'client',
    action: 'close',
    anomaly: 'proxy-header',
    seen: true,
    reply: '554 5.5.0 A PROXY header is not expected from you',
  },
  'command too long': {
    rule: 'lines',
    from: 'client',
    action: 'answer',
    anomaly: 'line-too-long',
    seen: true,
    reply: '500 5.5.2 Line too long',
  },
  'bare CR': {
    rule: 'lines',
    from: 'client',
    action: 'answer',
    anomaly: 'bare-cr',
    seen: true,
    reply: '500 5.5.2 A bare CR is not allowed in a command',
  },
  'bare LF': {
    rule: 'lines',
    from: 'client',
    action: 'answer',
    anomaly: 'bare-lf',
    seen: true,
    reply: '500 5.5.2 A command must end in CRLF',
  },
  'eight-bit address': {
    rule: 'lines',
    from: 'client',
    action: 'answer',
    anomaly: 'eight-bit',
    reply: '553 5.6.7 An address that is not ASCII needs SMTPUTF8',
  },
  'eight-bit command': {
    rule: 'lines',
    from: 'client',
    action: 'answer',
    anomaly: 'eight-bit',
    reply: '501 5.5.2 A command must be ASCII',
  },
  'reply line too long': {
    rule: 'lines',
    from: 'server',
    action: 'cut',
    anomaly: 'line-too-long',
    seen: true,
  },
  NUL: {
    rule: 'nul',
    from: 'client',
    action: 'answer',
    anomaly: 'nul',
    seen: true,
    reply: '501 5.5.2 NUL is not allowed in a command',
  },
  'refused command': {
    rule: 'commands',
    from: 'client',
    action: 'answer',
    anomaly: 'refused-command',
    reply: '502 5.5.1 Command not allowed here',
  },
  // Its beginning alone was judged.
  'command without an end': {
    rule: 'commands',
    from: 'client',
    action: 'answer',
    anomaly: 'line-too-long',
    seen: true,
    reply: '500 5.5.2 Line too long',
  },
  // To a server that expects no header its octets are lines.
  'command in a PROXY header': {
    rule: 'commands',
    from: 'client',
    action: 'close',
    anomaly: 'proxy-header',
    seen: true,
    reply: '554 5.5.0 A PROXY header is not expected from you',
  },
  // RFC 5321 §7.3: a server that does not verify MUST return 252.
  verification: {
    rule: 'commands',
    from: 'client',
    action: 'answer',
    anomaly: 'refused-command',
    reply: '252 2.5.0 Addresses are not verified here; try RCPT',
  },
  'command of trusted clients': {
    rule: 'commands',
    from: 'client',
    action: 'answer',
    anomaly: 'refused-command',
    reply: '550 5.7.0 Insufficient authorization',
  },
  'hidden command': {
    rule: 'commands',
    from: 'client',
    action: 'answer',
    anomaly: 'refused-command',
    reply: '502 5.5.1 Command not implemented',
  },
  // RFC 3030 §2: only where CHUNKING is offered.
  'chunk not offered': {
    rule: 'commands',
    from: 'client',
    action: 'answer',
    anomaly: 'refused-command',
    reply: '502 5.5.1 Command not implemented',
  },
  'commands in one line': {
    rule: 'commands',
    from: 'client',
    action: 'answer',
    anomaly: 'bare-cr',
    seen: true,
    reply: '500 5.5.2 A bare CR is not allowed in a command',
  },
  // What the server asks for is not known, nor where that ends.
  'message of another command': {
    rule: 'commands',
    from: 'server',
    action: 'close',
    anomaly: 'refused-command',
  },
  'CR in a secret': {
    rule: 'commands',
    from: 'client',
    action: 'close',
    anomaly: 'bare-cr',
    reply: '501 5.5.2 A bare CR is not allowed in this line',
  },
  // To a server that speaks no TLS its octets are lines.
  'command in TLS': {
    rule: 'commands',
    from: 'client',
    action: 'close',
    anomaly: 'foreign-protocol',
  },
  // RFC 5321 §4.1.1.11.
  'hidden parameter': {
    rule: 'commands',
    from: 'client',
    action: 'answer',
    anomaly: 'refused-command',
    reply: '555 5.5.4 Parameter not recognized or not implemented',
  },
  'AUTH before TLS': {
    rule: 'auth-before-tls',
    from: 'client',
    action: 'answer',
    anomaly: 'auth-before-tls',
    reply: '530 5.7.0 Must issue a STARTTLS command first',
  },
  'TLS required': {
    rule: 'require-tls',
    from: 'client',
    action: 'answer',
    anomaly: 'tls-required',
    reply: '530 5.7.0 Must issue a STARTTLS command first',
  },
} as const satisfies Readonly<Record<string, Kind>>;

export type FindingName = keyof typeof FINDINGS;

/** The entry as a value with its optional fields. */
export function findingOf(name: FindingName): Kind {
  return FINDINGS[name];
}

/** The rule that an anomaly of the log belongs to: what would have been blocked, had it been enforced. */
export function ruleOfAnomaly(anomaly: Anomaly, direction: Direction): RuleName | undefined {
  if (OF_MESSAGES.has(anomaly)) return 'smuggling';
  if (anomaly === 'load') return 'load';
  const kinds: readonly Kind[] = Object.values(FINDINGS);
  return kinds.find((kind) => kind.anomaly === anomaly && kind.from === direction)?.rule;
}

/** Of a message that was changed, and of one that was not judged. */
const OF_MESSAGES: ReadonlySet<Anomaly> = new Set(['normalized', 'end-of-data-lookalike']);
