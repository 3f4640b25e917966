// The rules that the control process has in force, for `ehlowire status`: what keeps servers on the relay, and is not in the kernel.

import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { PolicyConfig } from '../../proxy/config/policy';
import { policyOf, type PolicyInForce } from '../../proxy/config/reload';
import { createFault, isFault, type Fault } from '../../proxy/system/fault';
import { readPlainFile, systemSaid } from '../../proxy/system/files';
import type { ControlProcess } from './control-process';

/** Writes them now and after each reload; the answer takes them away. `failing`: the process does not need the file. */
export function keepRules(
  journal: string,
  policy: PolicyInForce,
  failing: (fault: Fault) => void,
): () => void {
  const file = rulesFile(journal);
  const write = (): void => {
    try {
      // Whole or not at all; it ends with the process, so that it need not be on disk.
      const text = JSON.stringify({ pid: process.pid, given: policy.current.given });
      writeFileSync(`${file}.new`, `${text}\n`, { mode: 0o600 });
      renameSync(`${file}.new`, file);
    } catch (cause) {
      failing(createFault('file-unwritable', file, { cause, fix: systemSaid(cause) }));
    }
  };
  policy.listen(write);
  write();
  return () => rmSync(file, { force: true });
}

/** Undefined: not known, since that process has written none. */
export function readRulesInForce(
  journal: string,
  running: ControlProcess | undefined,
): PolicyConfig | undefined {
  const text = running && readPlainFile(rulesFile(journal), AT_MOST);
  if (text === undefined || isFault(text)) return undefined;
  try {
    const { pid, given } = JSON.parse(text) as { pid: unknown; given: PolicyConfig['given'] };
    return pid === running?.pid ? policyOf(given) : undefined;
  } catch {
    // Of another version.
    return undefined;
  }
}

function rulesFile(journal: string): string {
  return join(dirname(journal), 'rules.json');
}

const AT_MOST = 4 << 20;
