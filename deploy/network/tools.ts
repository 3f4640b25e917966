// The tools of iproute2 and ethtool as this program runs them: their answers, or a fault.

import { spawnSync } from 'node:child_process';
import { createFault, errno, isFault, type Fault } from '../../proxy/system/fault';

type Tool = 'ip' | 'tc' | 'ethtool';

/** Standard output of a tool. Faults: `tool-missing`, `network-refused` with what the tool said. */
export function runTool(tool: Tool, args: readonly string[], input?: string): string | Fault {
  const { error, status, stdout, stderr } = spawnSync(tool, args, {
    input: input ?? '',
    encoding: 'utf8',
    // A terminal's language and width must not change what is read here.
    env: { PATH: PATH, LC_ALL: 'C' },
    maxBuffer: MOST,
    timeout: PATIENCE_MS,
  });
  if (error !== undefined) {
    if (errno(error) === 'ENOENT')
      return createFault('tool-missing', tool, { fix: `apt install ${PACKAGE[tool]}` });
    return createFault('network-refused', command(tool, args), { fix: error.message, cause: error });
  }
  if (status === 0) return stdout;
  return createFault('network-refused', command(tool, args), {
    fix: said(stderr) || `it ended with ${status}`,
  });
}

/** JSON of `ip -j …`; an empty answer is an empty list. */
export function askTool(tool: 'ip' | 'tc', args: readonly string[]): readonly Json[] | Fault {
  const text = runTool(tool, ['-j', ...args]);
  if (isFault(text)) return text;
  const value: unknown = text.trim() === '' ? [] : JSON.parse(text);
  return Array.isArray(value) ? (value as Json[]) : [];
}

export type Json = Readonly<Record<string, unknown>>;

/**
 * Lines for `ip -batch`, all in one process: until the first that is refused, or with `force` all of them, and
 * a fault that names what was refused.
 */
export function runBatch(
  lines: readonly string[],
  { family, force = false }: { readonly family?: 4 | 6; readonly force?: boolean } = {},
): Fault | undefined {
  if (lines.length === 0) return undefined;
  const args = [...(family === undefined ? [] : [`-${family}`]), ...(force ? ['-force'] : []), '-batch', '-'];
  const answer = runTool('ip', args, `${lines.join('\n')}\n`);
  if (!isFault(answer)) return undefined;
  return answer.code === 'network-refused' ? { ...answer, on: refusedLine(answer.fix, lines) } : answer;
}

/** `Command failed -:3` names a line of the batch. */
function refusedLine(text: string, lines: readonly string[]): string {
  const [, number] = /Command failed -:(\d+)/.exec(text) ?? [];
  const line = lines[Number(number ?? 0) - 1];
  return line === undefined ? 'ip -batch' : `ip ${line}`;
}

function said(stderr: string): string {
  return stderr
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean)
    .join('; ');
}

function command(tool: Tool, args: readonly string[]): string {
  return [tool, ...args].join(' ');
}

const PACKAGE: Readonly<Record<Tool, string>> = { ip: 'iproute2', tc: 'iproute2', ethtool: 'ethtool' };

// A service's PATH may lack the folders of the system's tools.
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const MOST = 64 * 1024 * 1024;
const PATIENCE_MS = 30_000;
