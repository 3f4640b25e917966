// The rules of policy: what each of them may be set to, and what holds for one connection.

/** `observe`: reported, and passes. `normalize`: changed into what is allowed. `enforce`: refused. */
export type Mode = 'off' | 'observe' | 'normalize' | 'enforce';

/** Of rules that have nothing to normalize. */
export type Strictness = Exclude<Mode, 'normalize'>;

/** As `blocked` events and exemptions name them. */
export const RULES = [
  'smuggling',
  'starttls',
  'synchronization',
  'lines',
  'nul',
  'commands',
  'auth-before-tls',
  'require-tls',
  'banner',
  'load',
] as const;

export type RuleName = (typeof RULES)[number];

/** What holds for the dialogue of one connection; exemptions are applied. Words are in upper case. */
export interface Rules {
  readonly smuggling: Mode;
  readonly starttls: Strictness;
  readonly synchronization: Strictness;
  readonly lines: Strictness;
  /** NUL in a command. */
  readonly nul: Strictness;
  readonly commands: Strictness;
  readonly refusedCommands: ReadonlySet<string>;
  /** Undefined: all that are not refused. */
  readonly allowedCommands: ReadonlySet<string> | undefined;
  /** Keywords that are taken out of the reply to EHLO (RFC 5321 §4.1.1.1); what they offer is refused. */
  readonly hiddenKeywords: ReadonlySet<string>;
  readonly authBeforeTls: Strictness;
  /** Before TLS this client may only say what RFC 3207 §4 allows. */
  readonly requireTls: boolean;
  /** The greeting's text; undefined: the server's own. */
  readonly banner: string | undefined;
  /** What a client may cost: connections, errors, time. */
  readonly load: Strictness;
}

/** No rule at all. */
export const NO_RULES: Rules = {
  smuggling: 'off',
  starttls: 'off',
  synchronization: 'off',
  lines: 'off',
  nul: 'off',
  commands: 'off',
  refusedCommands: new Set(),
  allowedCommands: undefined,
  hiddenKeywords: new Set(),
  authBeforeTls: 'off',
  requireTls: false,
  banner: undefined,
  load: 'off',
};

/** Whether no rule holds: nothing has to be judged. */
export function isNoRule(rules: Rules): boolean {
  const { smuggling, starttls, synchronization, lines, nul, commands, authBeforeTls, requireTls, banner } =
    rules;
  const modes = [smuggling, starttls, synchronization, lines, nul, commands, authBeforeTls];
  return modes.every((mode) => mode === 'off') && !requireTls && banner === undefined;
}
