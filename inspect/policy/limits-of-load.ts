// What the rule `load` counts and times, and what is said where a limit was met.

import type { Micros } from '../events';
import { say, type Quotable } from '../quotable';

/** A number of connections. A default does not hold where clients may be hidden (see clients.ts). */
export interface ClientLimit {
  /** `Infinity`: no limit. */
  readonly most: number;
  readonly chosen: boolean;
}

/** For all connections together. */
export interface ClientLimits {
  readonly connectionsPerClient: ClientLimit;
  readonly connectionsPerNetwork: ClientLimit;
  readonly newPerMinute: ClientLimit;
}

/** For one connection. `Infinity`: no limit. */
export interface ConnectionLimits {
  /** Replies 5xx since the last message that was accepted. */
  readonly errors: number;
  /** The same where no transaction was begun yet; where `errors` is less, that holds. */
  readonly errorsWithoutTransaction: number;
  /** Behind so many of them the client's next command waits, for so long. */
  readonly errorsBeforeDelay: number;
  readonly errorDelay: Micros;
  readonly messages: number;
  readonly firstCommand: Micros;
  readonly commandLine: Micros;
  /** Octets a second, over `MESSAGE_WINDOW`; 0: no limit. */
  readonly messageRate: number;
  readonly withoutTransaction: Micros;
}

export interface LoadLimits extends ClientLimits, ConnectionLimits {
  /** So long a client that has begun nothing is waited for where places are few. */
  readonly busyWait: Micros;
  /** So long a client that is refused waits for its 421. */
  readonly refusalDelay: Micros;
}

/** A limit was met. */
export interface Excess {
  /** The client is refused at the door for a while. */
  readonly offence?: boolean;
  /** Its key below `policy.limits`, and its number, for the log. */
  readonly detail: Quotable;
  /** For the client, behind 421 4.7.0: what it can do. */
  readonly advice: string;
}

export function tooManyConnections(limit: keyof ClientLimits, most: number): Excess {
  switch (limit) {
    case 'connectionsPerClient':
      return {
        detail: say`more than policy.limits.connectionsPerClient (${most}) at a time`,
        advice: 'too many connections from your address, close some or try again later',
      };
    case 'connectionsPerNetwork':
      return {
        detail: say`more than policy.limits.connectionsPerNetwork (${most}) at a time`,
        advice: 'too many connections from your network, try again later',
      };
    case 'newPerMinute':
      return {
        detail: say`more than policy.limits.newPerMinute (${most})`,
        advice: 'too many new connections from your address, try again in a minute',
      };
  }
}

export function tooManyErrors(limit: 'errors' | 'errorsWithoutTransaction', most: number): Excess {
  return {
    detail:
      limit === 'errors'
        ? say`more than policy.limits.errors (${most})`
        : say`more than policy.limits.errorsWithoutTransaction (${most})`,
    advice: 'too many errors, check commands and recipients, and connect again in a minute',
    offence: true,
  };
}

/** At the door, for a minute behind the above. */
export function errorsBefore(): Excess {
  return {
    detail: say`an earlier connection had more errors than policy.limits.errors`,
    advice: 'too many errors from your address, try again in a minute',
  };
}

export function tooManyMessages(most: number): Excess {
  return {
    detail: say`more than policy.limits.messages (${most})`,
    advice: 'too many messages on one connection, connect again for the next',
  };
}

export function noCommand(limit: Micros): Excess {
  return {
    detail: say`no command within policy.limits.firstCommand (${seconds(limit)} s)`,
    advice: 'no command came in time, connect again',
  };
}

export function slowLine(limit: Micros): Excess {
  return {
    detail: say`a command line took longer than policy.limits.commandLine (${seconds(limit)} s)`,
    advice: 'a command line took too long, connect again',
  };
}

export function slowMessage(rate: number): Excess {
  return {
    detail: say`a message slower than policy.limits.messageRate (${rate} octets a second)`,
    advice: 'the message came too slowly, try again later',
  };
}

export function noTransaction(limit: Micros): Excess {
  return {
    detail: say`no transaction for policy.limits.withoutTransaction (${seconds(limit)} s)`,
    advice: 'no message for too long, connect again when there is one',
  };
}

function seconds(time: Micros): number {
  return Math.round(time / 1e3) / 1e3;
}
