// A rule of our own: each folder imports only from folders that stand before it in one list, types included. The
// list is an order, so that no cycle between folders can be written. (The plugins that know such rules bring a
// resolver in machine code; our imports are relative paths, which node:path resolves.)

import { dirname, relative, resolve } from 'node:path';

/** From what imports nothing of ours up to what may import all. A folder that is not here is an error. */
export const ROOMS = [
  'inspect',
  'inspect/tcp',
  'inspect/coverage',
  'inspect/grammar',
  'inspect/greeting',
  'inspect/smtp',
  'inspect/measure',
  'inspect/policy',
  'inspect/verdict',
  'inspect/tracker',
  'inspect/two-point',
  'inspect/trace',
  'proxy/system',
  'proxy/native',
  'proxy/config',
  'proxy/sinks',
  'proxy/sources',
  'proxy/report/evidence',
  'proxy/report/maillog',
  'proxy/report/analyze',
  'proxy/report/policy',
  'proxy/report/two-point',
  'proxy/sockets',
  'proxy/measure',
  'proxy/servers',
  'proxy/relay',
  'proxy/workers',
  'proxy/wire/bpf',
  'proxy/wire',
  'proxy/trace',
  'proxy/cli/check',
  'proxy/cli/demo',
  'proxy/cli/trace',
  'proxy/cli',
  'proxy',
  'deploy/network',
  'deploy/journal',
  'deploy/attach',
  'deploy/doctor',
  'deploy/status',
  'deploy/cli',
  'deploy',
];

/** These may import from every room; none of them may be imported by one. */
const OUTSIDE = ['bench', 'test'];

const order = {
  meta: {
    type: 'problem',
    schema: [],
    messages: {
      unknown:
        '{{room}} is not in the list of eslint.rooms.mjs: put it behind all folders that it imports from.',
      back: '{{from}} may not import from {{to}}, which comes later in the list of eslint.rooms.mjs.',
    },
  },
  create(context) {
    const from = roomOf(context.filename, context.cwd);
    const check = (source) => {
      if (typeof source?.value !== 'string' || !source.value.startsWith('.')) return;
      const to = roomOf(resolve(dirname(context.filename), source.value), context.cwd);
      if (to === from || isOutside(from)) return;
      if (!ROOMS.includes(to) && !isOutside(to))
        return context.report({ node: source, messageId: 'unknown', data: { room: to } });
      if (isOutside(to) || ROOMS.indexOf(to) > ROOMS.indexOf(from))
        context.report({ node: source, messageId: 'back', data: { from, to } });
    };
    return {
      Program(node) {
        if (!isOutside(from) && !ROOMS.includes(from))
          context.report({ node, messageId: 'unknown', data: { room: from } });
      },
      ImportDeclaration: ({ source }) => check(source),
      ImportExpression: ({ source }) => check(source),
      ExportNamedDeclaration: ({ source }) => check(source),
      ExportAllDeclaration: ({ source }) => check(source),
      TSImportType: ({ source, argument }) => check(source ?? argument?.literal),
    };
  },
};

function roomOf(path, root) {
  return relative(root, dirname(path)).replaceAll('\\', '/');
}

function isOutside(room) {
  return OUTSIDE.some((each) => room === each || room.startsWith(`${each}/`));
}

export const rooms = { rules: { order } };
