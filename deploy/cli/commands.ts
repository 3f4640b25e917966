// The commands that put ehlowire into the path, tell where it is, and take it out again.

import { Command } from 'commander';
import { collect, prepare, type Settle } from '../../proxy/main';
import type { BridgeFlags, HostFlags } from './flags';
import type { LeaveFlags } from './leave';
import type { StatusFlags } from './status';

const BRIDGE_HELP = `
Examples:
  ehlowire bridge --wan eth1 --lan eth2
      between a firewall (eth1) and a mail server (eth2): makes a bridge of both ports, or uses the one that joins
      them already; a server not met before is relayed until its greeting is understood, then left to the kernel
  ehlowire bridge --wan eth1 --lan eth2 --path wire --repair never --log /var/log/ehlowire.log
      look only: nothing is relayed and nothing repaired

It stays in the foreground. TERM or INT ends the process and nothing else: frames go on crossing, repairs included.
\`ehlowire leave\` undoes what was changed, also after a crash. Addresses of the ports go to the bridge and come back.
Needs root, and what \`ehlowire doctor\` asks for. Where mail really flows, read the runbooks first.`;

const HOST_HELP = `
Examples:
  ehlowire host --dev eth0
      on the mail server itself: no cabling, no bridge; of the interface nothing changes but the program at its tc hooks

It stays in the foreground. TERM or INT ends the process and nothing else; \`ehlowire leave\` takes it out.`;

const LEAVE_HELP = `
Undoes \`ehlowire bridge\` or \`ehlowire host\`, newest change first: filters, rules, sysctls, addresses, the bridge. It needs
no running process and may be repeated. A bridge that ehlowire made goes, and with it what crosses it: in line, put
the cables back first, or use --keep-bridge, which takes out all but the bridge; a later \`leave\` removes that too.
Exit codes: 0 as it was, or nothing to undo; 1 something is left, see its lines; 2 wrong usage`;

const STATUS_HELP = `
Relays that run (\`ehlowire relay\`) are shown too: to root all of them, to others their own.
Exit codes: 0 in place, and the process lives, or nothing in place and a relay runs; 1 not so, or in place without
what it needs; 2 wrong usage`;

const DOCTOR_HELP = `
Changes nothing, and needs nothing: what cannot be seen without root is said.
Exit codes: 0 the wire path can be used; 1 something that it needs is missing; 2 wrong usage`;

/** Lines for the program's own help. */
export const DEPLOY_HELP = `  ehlowire doctor                   what this machine can do, and what is missing
  ehlowire bridge --help            put it in line, at line rate; \`leave\` takes it out again
  ehlowire status                   where it is, what it learned, what it counted
`;

export function deployCommands(settle: Settle): readonly Command[] {
  return [
    bridgeCommand(settle),
    hostCommand(settle),
    leaveCommand(settle),
    statusCommand(settle),
    doctorCommand(settle),
  ];
}

function bridgeCommand(settle: Settle): Command {
  return common(prepare(new Command('bridge')))
    .description(
      'Put it in line between two interfaces, in the kernel: watch, repair, and relay where needed.',
    )
    .requiredOption('--wan <interface>', 'the side of the clients: towards the firewall')
    .requiredOption('--lan <interface>', 'the side of the mail servers')
    .option('--path <which>', 'auto, wire (never relay) or relay (always) (default: auto)')
    .addHelpText('after', BRIDGE_HELP)
    .action(async (flags: BridgeFlags) => {
      const { inCharge } = await import('./charge');
      settle(
        await inCharge('bridge', flags, async (config) => {
          const { runBridge } = await import('./bridge');
          return runBridge(config, flags);
        }),
      );
    });
}

function hostCommand(settle: Settle): Command {
  return common(prepare(new Command('host')))
    .description("The same on the mail server's own interface, without a bridge and without relaying.")
    .requiredOption('--dev <interface>', 'the interface that mail comes in by')
    .addHelpText('after', HOST_HELP)
    .action(async (flags: HostFlags) => {
      const { inCharge } = await import('./charge');
      settle(
        await inCharge('host', flags, async (config) => {
          const { runHost } = await import('./host');
          return runHost(config, flags);
        }),
      );
    });
}

function leaveCommand(settle: Settle): Command {
  return settings(prepare(new Command('leave')))
    .description('Undo `bridge` or `host`: the network as it was found, also after a crash.')
    .option('--keep-bridge', 'leave the bridge, and take out the rest')
    .addHelpText('after', LEAVE_HELP)
    .action(async (flags: LeaveFlags) => {
      const { runLeave } = await import('./leave');
      settle(await runLeave(flags));
    });
}

function statusCommand(settle: Settle): Command {
  return settings(prepare(new Command('status')))
    .description('Where it is in place, what was learned of which server, and the counters.')
    .option('--json', 'one JSON object instead of text')
    .addHelpText('after', STATUS_HELP)
    .action(async (flags: StatusFlags) => {
      const { runStatus } = await import('./status');
      settle(await runStatus(flags));
    });
}

function doctorCommand(settle: Settle): Command {
  return settings(prepare(new Command('doctor')))
    .description('What this machine can do, and what is missing.')
    .option('--json', 'one JSON object instead of text')
    .addHelpText('after', DOCTOR_HELP)
    .action(async (flags: StatusFlags) => {
      const { runDoctor } = await import('./doctor');
      settle(await runDoctor(flags));
    });
}

function common(command: Command): Command {
  return settings(
    command
      .option('--repair <when>', 'end a truncated greeting: learn, now or never (default: learn)')
      .option(
        '--evidence <dir>',
        'keep a capture and a page for each connection with a verdict there, bounded',
      )
      .option('--log <file>', 'write the event log there instead of to standard output')
      .option('--json', 'JSON lines also on a terminal'),
  );
}

function settings(command: Command): Command {
  return command
    .option('--config <file>', 'configuration, JSON')
    .option('--set <key=value>', 'one configuration value; repeatable', collect);
}
