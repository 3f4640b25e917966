// The phases of one SMTP connection, by the names that the log and all tables give them.

/** In the order in which a plain session meets them. */
export const PHASES = [
  'connect',
  'greeting',
  'hello',
  'starttls',
  'tls',
  'auth',
  'mail',
  'rcpt',
  'data',
  'message',
  'reset',
  'quit',
  'other',
  'close',
] as const;

export type Phase = (typeof PHASES)[number];
