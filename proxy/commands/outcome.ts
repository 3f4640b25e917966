// How a command ends.

import type { Fault } from '../fault';

/** An exit code, or what went wrong, which has its own. */
export type Outcome = number | Fault | readonly Fault[];
