// Texts of tests as events hold them: here a test says by itself that they may be written down.

import type { Quotable } from '../../inspect/quotable';

export function quotable(text: string): Quotable {
  return text as Quotable;
}
