// The commands that attach ehlowire to the path, show its state, and detach it.

import { Command } from 'commander';
import { collect, prepare, type Settle } from '../../proxy/main';
import type { BridgeFlags, HostFlags } from './flags';
import type { LeaveFlags } from './leave';
import type { StatusFlags } from './status';

const BRIDGE_HELP = `
Examples:
  ehlowire bridge --wan eth1 --lan eth2
      between a firewall (eth1) and a mail server (eth2): makes a bridge of both ports, or uses the one that joins
      them already; a new server is relayed until its greeting is understood, then its connections stay in the kernel
  ehlowire bridge --wan eth1 --lan eth2 --path wire --repair never --log /var/log/ehlowire.log
      only observe: nothing is relayed, nothing is repaired

It stays in the foreground. TERM or INT ends only the process: frames are still forwarded and known servers repaired.
HUP reopens the log and reads policy.* again.
\`ehlowire leave\` undoes what was changed, also after a crash. Addresses of the ports move to the bridge and back.
Needs root, and what \`ehlowire doctor\` lists. Before you use it on production mail, read the runbooks.`;

const HOST_HELP = `
Examples:
  ehlowire host --dev eth0
      on the mail server itself: no cabling, no bridge; only a program is added at the tc hooks of the interface

It stays in the foreground. TERM or INT ends only the process; \`ehlowire leave\` detaches the program.`;

const LEAVE_HELP = `
Undoes \`ehlowire bridge\` or \`ehlowire host\`, newest change first: filters, rules, sysctls, addresses, the bridge. It needs
no running process and may be repeated. A bridge that ehlowire made is removed, and connections over it end: put the
cables back first, or use --keep-bridge, which keeps only a plain bridge; a later \`leave\` removes that too.
Exit codes: 0 everything is undone, or there was nothing to undo; 1 something is left, see the output; 2 wrong usage`;

const STATUS_HELP = `
It also shows running relays (\`ehlowire relay\`): to root all of them, to other users only their own.
Exit codes: 0 attached without problems and the process runs, or not attached and a relay runs; 1 not so; 2 wrong usage`;

const DOCTOR_HELP = `
It changes nothing. Without root it says what it could not check.
Exit codes: 0 this machine can use the wire path; 1 something is missing; 2 wrong usage`;

/** Lines for the program's own help. */
export const DEPLOY_HELP = `  ehlowire doctor                   what this machine can do, and what is missing
  ehlowire bridge --help            attach it in line, at line rate; \`leave\` detaches it
  ehlowire status                   where it is attached, what it learned, what it counted
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
      'Attach in line between two interfaces, in the kernel: observe, repair, and relay where needed.',
    )
    .requiredOption('--wan <interface>', 'the side of the clients (towards the firewall)')
    .requiredOption('--lan <interface>', 'the side of the mail servers')
    .option('--path <which>', 'auto, wire (never relay) or relay (always) (default: auto)')
    .addHelpText('after', BRIDGE_HELP)
    .action(async (flags: BridgeFlags) => {
      const { withControl } = await import('./flags');
      settle(
        await withControl('bridge', flags, async (start) => {
          const { runBridge } = await import('./bridge');
          return runBridge(start, flags);
        }),
      );
    });
}

function hostCommand(settle: Settle): Command {
  return common(prepare(new Command('host')))
    .description("Attach to the mail server's own interface: no bridge, no relaying.")
    .requiredOption('--dev <interface>', 'the interface that receives mail')
    .addHelpText('after', HOST_HELP)
    .action(async (flags: HostFlags) => {
      const { withControl } = await import('./flags');
      settle(
        await withControl('host', flags, async (start) => {
          const { runHost } = await import('./bridge');
          return runHost(start, flags);
        }),
      );
    });
}

function leaveCommand(settle: Settle): Command {
  return settings(prepare(new Command('leave')))
    .description('Undo `bridge` or `host`: the network as it was found, also after a crash.')
    .option('--keep-bridge', 'keep a plain bridge, and undo the rest')
    .addHelpText('after', LEAVE_HELP)
    .action(async (flags: LeaveFlags) => {
      const { runLeave } = await import('./leave');
      settle(await runLeave(flags));
    });
}

function statusCommand(settle: Settle): Command {
  return settings(prepare(new Command('status')))
    .description('Show where it is attached, what it learned of each server, and the counters.')
    .option('--json', 'one JSON object instead of text')
    .addHelpText('after', STATUS_HELP)
    .action(async (flags: StatusFlags) => {
      const { runStatus } = await import('./status');
      settle(await runStatus(flags));
    });
}

function doctorCommand(settle: Settle): Command {
  return settings(prepare(new Command('doctor')))
    .description('Show what this machine can do, and what is missing.')
    .option('--json', 'one JSON object instead of text')
    .addHelpText('after', DOCTOR_HELP)
    .action(async (flags: StatusFlags) => {
      const { runDoctor } = await import('./status');
      settle(await runDoctor(flags));
    });
}

function common(command: Command): Command {
  return settings(
    command
      .option('--repair <when>', 'complete a truncated greeting: learn, now or never (default: learn)')
      .option(
        '--evidence <dir>',
        'write a capture and a page there for each connection with a verdict; the folder is bounded',
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
