// CONFIG.md from the schema; `npm run docs` writes it.

import { mayRelay } from './relayed-rules';
import { allowed, envName, SETTINGS } from './schema';
import type { Setting } from './formats';

const HEAD = `# Configuration

Generated from the schema by \`npm run docs\`; do not edit by hand.

Every key has a default. A file given with \`--config FILE\` (JSON) overrides it, the environment overrides the
file, and flags and \`--set key=value\` override all. Unknown keys, and values that make no sense, are errors:
one line for each, exit code 2. In a file the dots are levels:

\`\`\`json
{
  "greeting": { "patience": "20s" },
  "relay": { "listeners": [{ "listen": ":25", "upstream": "10.0.0.5:25" }] }
}
\`\`\`

SIGHUP (\`systemctl reload\`) has \`relay\`, \`bridge\` and \`host\` read the file again. The keys below \`policy\` then hold for
connections that begin from now on; of other keys that changed the log says that they need a restart (\`config-read\`). A bad or
missing file changes nothing, and each fault is a line of the log (\`config-refused\`): write the file elsewhere and move it there.

Durations are texts such as \`"500ms"\`, \`"20s"\`, \`"6min"\`, \`"1h"\`, or numbers of milliseconds. The timeouts
default to what RFC 5321 §4.5.3.2 asks of clients and servers and one minute more: the endpoints should
give up first and say why, not the relay.
`;

/** The whole file, as prettier would leave it. */
export function describeSettings(): string {
  return `${HEAD}\n${SETTINGS.map(describe).join('\n')}`;
}

function describe(setting: Setting): string {
  const { key, doc, shown } = setting;
  const value = shown ?? JSON.stringify(setting.default);
  const takes = allowed(setting).replace(/\[.*\]/, (list) => `\`${list}\``);
  return `## \`${key}\`

${doc}

- takes: ${takes}
- default: ${/^["[]/.test(value) ? `\`${value}\`` : value}
- environment: \`${envName(key)}\`
${mayRelay(key) ? ON_BRIDGE : ''}`;
}

const ON_BRIDGE = `- on a bridge: keeps servers on the relay where it is configured and its rule refuses or changes something; the default keeps none
`;

if (require.main === module) process.stdout.write(describeSettings());
