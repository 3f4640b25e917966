// The configuration read again by a process that runs: its rules come into force, all else needs a restart.

import { statSync } from 'node:fs';
import { createFault, formatFault, isFaults, type Fault } from '../system/fault';
import type { Config, Level } from './config';
import { readPolicy, type PolicyConfig } from './policy';
import { POLICY_SETTINGS } from './policy-schema';

/** The rules that hold. A connection goes by those that held when it began. */
export interface PolicyInForce {
  readonly current: PolicyConfig;
  replace(policy: PolicyConfig): void;
  /** Called behind each `replace`. */
  listen(onReplaced: (policy: PolicyConfig) => void): void;
}

export function createPolicyInForce(first: PolicyConfig): PolicyInForce {
  const listeners: ((policy: PolicyConfig) => void)[] = [];
  let current = first;
  return {
    get current() {
      return current;
    },
    replace(policy) {
      current = policy;
      for (const onReplaced of listeners) onReplaced(policy);
    },
    listen: (onReplaced) => void listeners.push(onReplaced),
  };
}

/** Of `PolicyConfig.given`, which another process may have read. */
export function policyOf(given: PolicyConfig['given']): PolicyConfig {
  const valueOf = (key: string): unknown =>
    key in given ? given[key] : POLICY_SETTINGS.find((setting) => setting.key === key)?.default;
  return readPolicy(valueOf, given);
}

interface ReloadOptions {
  /** What the process was started with. */
  readonly running: Config;
  readonly policy: PolicyInForce;
  /** The same file, environment and flags as at the start. */
  readonly load: () => Config | readonly Fault[];
  /** The file that `load` reads, if there is one. */
  readonly file: string | undefined;
  readonly note: (level: Level, what: string, fields: Readonly<Record<string, string | undefined>>) => void;
}

/** What is wrong with it is noted, one line each, and then nothing changes. */
export function createReload({ running, policy, load, file, note }: ReloadOptions): () => void {
  let last = running;
  return () => {
    const pipe = file === undefined ? undefined : pipeFault(file);
    const config = pipe ? [pipe] : load();
    if (isFaults(config)) {
      for (const fault of config)
        note('error', 'config-refused', { message: formatFault(fault), stays: STAYS });
      return;
    }
    const changed = changedRules(last, config);
    const rest = changedKeys(running, config).filter((key) => !isPolicy(key));
    last = config;
    if (changed.length > 0) policy.replace(config.policy);
    note(rest.length > 0 ? 'warn' : 'info', 'config-read', {
      changed: changed.length > 0 ? changed.join(', ') : 'nothing',
      holds_for: changed.length > 0 ? 'connections that begin from now on' : undefined,
      needs_restart: rest.length > 0 ? rest.join(', ') : undefined,
    });
  };
}

/** To read one again would wait for its writer, and all connections with it. */
function pipeFault(file: string): Fault | undefined {
  try {
    const stat = statSync(file);
    if (stat.isFile() || stat.isDirectory()) return undefined;
    return createFault('file-unreadable', file, {
      fix: 'it is no regular file: restart to have it read again',
    });
  } catch {
    // What is wrong with it is said when it is read.
    return undefined;
  }
}

/** That a key is configured counts, whatever its value is by default. */
function changedRules(before: Config, after: Config): string[] {
  const changed = new Set(changedKeys(before, after));
  const [old, given] = [before.policy.given, after.policy.given];
  return [...after.values.keys()].filter(
    (key) => isPolicy(key) && (changed.has(key) || key in old !== key in given),
  );
}

function changedKeys(before: Config, after: Config): string[] {
  return [...after.values.keys()].filter(
    (key) => JSON.stringify(before.values.get(key)) !== JSON.stringify(after.values.get(key)),
  );
}

function isPolicy(key: string): boolean {
  return key.startsWith('policy.');
}

const STAYS = 'the rules that held before';
