// The command line: commands, flags and help, and how an outcome becomes lines and an exit code.

import { Command, CommanderError } from 'commander';
import type { AnalyzeFlags } from './report/analyze/request';
import type { CheckFlags } from './cli/check/check';
import type { MeasureFlags } from './cli/measure-request';
import type { PolicyFlags } from './cli/policy';
import type { RelayFlags } from './cli/relay';
import type { TraceFlags } from './cli/trace/request';
import {
  ANALYZE_HELP,
  CHECK_HELP,
  MEASURE_HELP,
  POLICY_HELP,
  programHelp,
  RELAY_HELP,
  TRACE_HELP,
} from './help';
import { createFault, exitCode, type Fault, formatFault, isFault, type Outcome } from './system/fault';
import { readVersion } from './system/version';

/** What other folders add to the program: their commands, and lines of `--help` for them. */
interface Addition {
  readonly commands: (settle: Settle) => readonly Command[];
  /** Lines for `Start here`. */
  readonly help: string;
}

/** Receives what a command ends with. */
export type Settle = (outcome: Outcome) => void;

/** Runs one command line (without node and script) to its end and returns the exit code. */
export async function main(args: readonly string[], addition: Addition): Promise<number> {
  let outcome: Outcome = 0;
  const program = buildProgram((result) => (outcome = result), addition);
  try {
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.code.startsWith('commander.help') || error.code === 'commander.version') {
      return error.exitCode === 0 ? 0 : WRONG_USAGE;
    }
    outcome = usageFault(error);
  }
  return report(outcome);
}

/** Runs the process's own command line, and ends the process. */
export function start(addition: Addition): void {
  // A reader that has seen enough (`| head`) is no failure.
  process.stdout.on('error', () => undefined);
  process.stderr.on('error', () => undefined);
  void main(process.argv.slice(2), addition).then(leave);
}

/** Prints each fault on one line; returns the exit code. */
function report(outcome: Outcome): number {
  if (typeof outcome === 'number') return outcome;
  const faults = isFault(outcome) ? [outcome] : outcome;
  for (const fault of faults) process.stderr.write(`ehlowire: ${formatFault(fault)}\n`);
  return Math.max(0, ...faults.map(exitCode));
}

function buildProgram(settle: Settle, addition: Addition): Command {
  const program = prepare(new Command('ehlowire'))
    .description('A bump in the wire for SMTP: repairs greetings that stall clients, and times every phase.')
    .version(readVersion(), '-V, --version', 'the version')
    .addHelpText('after', programHelp(addition.help));
  program.addCommand(relayCommand(settle));
  program.addCommand(checkCommand(settle));
  program.addCommand(traceCommand(settle));
  program.addCommand(analyzeCommand(settle));
  program.addCommand(policyCommand(settle));
  program.addCommand(measureCommand(settle));
  for (const command of addition.commands(settle)) program.addCommand(command);
  program.addCommand(demoCommand(settle));
  program.addCommand(helpCommand(program, settle));
  return program;
}

function relayCommand(settle: Settle): Command {
  return prepare(new Command('relay'))
    .description('Relay SMTP connections to a mail server: repair its greeting, log every phase.')
    .option(
      '--listen <addr:port>',
      'where clients connect; :PORT for all addresses; with --upstream, repeatable',
      collect,
    )
    .option('--upstream <host:port>', 'the mail server; one for each --listen', collect)
    .option('--transparent', 'instead of --upstream: relay what the kernel diverts, both addresses kept')
    .option('--repair <when>', 'complete a truncated greeting: learn, now or never (default: learn)')
    .option('--proxy-protocol <how>', 'PROXY headers: in, out-v1 or out-v2; repeatable', collect)
    .option(
      '--evidence <dir>',
      'write a capture and a page there for each connection with a verdict; the folder is bounded',
    )
    .option('--log <file>', 'write the event log there instead of to standard output')
    .option('--json', 'JSON lines also on a terminal')
    .option('--config <file>', 'configuration, JSON')
    .option('--set <key=value>', 'one configuration value; repeatable', collect)
    .addHelpText('after', RELAY_HELP)
    .action(async (flags: RelayFlags) => {
      const { runRelay } = await import('./cli/relay');
      settle(await runRelay(flags));
    });
}

function checkCommand(settle: Settle): Command {
  return prepare(new Command('check'))
    .description("Read one server's greeting and EHLO reply, and judge them.")
    .argument('<host:port>', 'the mail server')
    .option('--name <name>', "the name to say EHLO with (default: this machine's)")
    .option('--fail-on <certainty>', 'exit 3 if the greeting has a defect: proved, or suspected too')
    .option('--json', 'one JSON object instead of text')
    .option('--config <file>', 'configuration, JSON')
    .option('--set <key=value>', 'one configuration value; repeatable', collect)
    .addHelpText('after', CHECK_HELP)
    .action(async (target: string, flags: CheckFlags) => {
      const { runCheck } = await import('./cli/check/check');
      settle(await runCheck(target, flags));
    });
}

function traceCommand(settle: Settle): Command {
  return prepare(new Command('trace'))
    .description('Find the hop on the path that drops, holds, changes or answers EHLO.')
    .argument('<host[:port]>', 'the mail server; port 25 unless said')
    .option('--name <name>', "the name to say EHLO with (default: this machine's)")
    .option('--deep', 'also other forms of EHLO, full-size segments, and what follows EHLO')
    .option('-n, --numeric', 'do not look up the names of hops')
    .option('-4, --four', 'IPv4 only')
    .option('-6, --six', 'IPv6 only')
    .option('--tries <number>', 'copies of each segment for each hop (default: 3)')
    .option('--max-hops <number>', 'the greatest TTL, at most 60 (default: 30)')
    .option('--pace <ms>', 'between two packets for one hop (default: 1050: Linux answers one a second)')
    .option('--fail-on <certainty>', 'exit 3 if something is found: proved, or suspected too')
    .option('--evidence <dir>', 'write what was sent and received there, as a capture with comments')
    .option('--json', 'JSON lines instead of text')
    .option('--config <file>', 'configuration, JSON')
    .option('--set <key=value>', 'one configuration value; repeatable', collect)
    .addHelpText('after', TRACE_HELP)
    .action(async (target: string, flags: TraceFlags) => {
      const { runTrace } = await import('./cli/trace/trace');
      settle(await runTrace(target, flags));
    });
}

function analyzeCommand(settle: Settle): Command {
  return prepare(new Command('analyze'))
    .description('Prove from a capture what the path did to SMTP: dropped, held, altered, terminated.')
    .argument('[file...]', 'captures, pcap or pcapng')
    .option('--live <interface>', 'capture from an interface instead, until Ctrl-C')
    .option('--probe', 'with --live: probe silent clients (an empty TCP segment)')
    .option('--wan <file>', 'with --dmz: a capture from outside the firewall')
    .option('--dmz <file>', 'with --wan: one from inside, of the same time')
    .option('--together', 'both captures ran all the time: their beginnings and ends are evidence, too')
    .option(
      '--no-drops',
      'the capture lost no frame (tcpdump: "0 packets dropped by kernel"); a pcapng file says this itself',
    )
    .option(
      '--port <number>',
      'SMTP ports instead of 25, 587, 465, 2525, as in 25,10025; repeatable',
      collect,
    )
    .option('--only <client>', 'only this client address or network (CIDR); repeatable', collect)
    .option(
      '--ladder <which>',
      'show segments: all, flagged or none (default: the first 5 connections of each verdict)',
    )
    .option(
      '--evidence <dir>',
      'write a page and a capture there for each connection with a verdict (of two points: both captures)',
    )
    .option('--maillog <file>', "compare with the server's log (Postfix, Exim, sendmail)")
    .option('--fail-on <certainty>', 'exit 3 if there is a verdict about the path: proved, or suspected too')
    .option('--log <file>', 'write the events there as JSON lines')
    .option('--json', 'JSON lines instead of text')
    .option('--config <file>', 'configuration, JSON')
    .option('--set <key=value>', 'one configuration value; repeatable', collect)
    .addHelpText('after', ANALYZE_HELP)
    .action(async (files: readonly string[], flags: AnalyzeFlags) => {
      const { runAnalyze } = await import('./cli/analyze');
      settle(await runAnalyze(files, flags));
    });
}

function policyCommand(settle: Settle): Command {
  return prepare(new Command('policy'))
    .description(
      'Show what the hardening rules would refuse or change in a capture or a log: try them first.',
    )
    .option('--capture <file...>', 'captures, pcap or pcapng, also with gzip; - is standard input')
    .option('--log <file...>', 'logs of ehlowire, JSON lines, also with gzip, the oldest first')
    .option('--all', 'every rule as if it were enforced; exemptions hold')
    .option(
      '--port <number>',
      'SMTP ports instead of 25, 587, 465, 2525, as in 25,10025; repeatable',
      collect,
    )
    .option('--json', 'one JSON object instead of text')
    .option('--config <file>', 'configuration, JSON: its policy.* is tried')
    .option('--set <key=value>', 'one configuration value; repeatable', collect)
    .addHelpText('after', POLICY_HELP)
    .action(async (flags: PolicyFlags) => {
      const { runPolicy } = await import('./cli/policy');
      settle(await runPolicy(flags));
    });
}

function measureCommand(settle: Settle): Command {
  return prepare(new Command('measure'))
    .description(
      'Measure what a path delivers: sessions and messages a second, the times of each SMTP phase.',
    )
    .argument('[host:port]', 'the mail server; port 25 where none is named')
    .option('--against <host:port>', 'a second way, measured by turns: the ratio of both')
    .option('--rounds <n>', 'with --against: loads on each way (default: 5)')
    .option('--sessions <n>', 'of one load (default: as many as --for gives)')
    .option('--for <duration>', 'of one load, as 60s (default: 10s, or until --sessions are done)')
    .option(
      '--rate <n>',
      'sessions a second, on schedule; max: as fast as the server takes them (default: 10)',
    )
    .option('--concurrency <n>', 'sessions at a time (default: 1000 on schedule, 20 with --rate max)')
    .option('--rcpt <address>', 'send mail to this address; repeatable', collect)
    .option('--from <address>', 'sender of the mail (default: the null sender)')
    .option('--size <octets>', 'of a message, as 20k or 1M (default: 2k)')
    .option('--messages-per-session <n>', 'messages in each session (default: 1)')
    .option('--starttls', 'use TLS; the certificate is not judged')
    .option('--pipelining', 'MAIL, RCPT and DATA in one write, where the server offers it')
    .option('--name <name>', "the name to say EHLO with (default: this machine's)")
    .option('--timeout <duration>', 'a server that is silent for so long has failed (default: 30s)')
    .option('--sink <addr:port>', 'be the other end: take mail and throw it away')
    .option('--json', 'one JSON object instead of text')
    .option('--config <file>', 'configuration, JSON')
    .option('--set <key=value>', 'one configuration value; repeatable', collect)
    .addHelpText('after', MEASURE_HELP)
    .action(async (target: string | undefined, flags: MeasureFlags) => {
      const { runMeasure } = await import('./cli/measure');
      settle(await runMeasure(target, flags));
    });
}

function demoCommand(settle: Settle): Command {
  return prepare(new Command('demo'))
    .description(
      'See it work: a mail server with a truncated greeting, the relay and a client, on this machine only.',
    )
    .action(async () => {
      const { runDemo } = await import('./cli/demo/demo');
      settle(await runDemo());
    });
}

function helpCommand(program: Command, settle: Settle): Command {
  return prepare(new Command('help'))
    .description('Show the help of a command, as `ehlowire COMMAND --help`.')
    .argument('[command]', 'one of those above')
    .action((name?: string) => {
      const about = name === undefined ? program : program.commands.find((known) => known.name() === name);
      if (about) about.outputHelp();
      else settle(createFault('bad-flag', `unknown command '${name}'`, { fix: 'see ehlowire --help' }));
    });
}

/** Errors become faults, not commander's own lines and exits; each knows whose help to point to. */
export function prepare(command: Command): Command {
  return command
    .helpOption('-h, --help', 'this text')
    .helpCommand(false)
    .allowExcessArguments(false)
    .configureHelp({ helpWidth: 100 })
    .configureOutput({ outputError: () => undefined })
    .exitOverride((error) => {
      throw Object.assign(error, { command: command.name() });
    });
}

function usageFault(error: CommanderError): Fault {
  const { command } = error as CommanderError & { command?: string };
  const on = error.message.replace(/^error: /, '').replace(/\s*\n\s*/g, ' ');
  const help =
    command === undefined || command === 'ehlowire' ? 'ehlowire --help' : `ehlowire ${command} --help`;
  return createFault('bad-flag', on, { fix: `see ${help}`, cause: error });
}

export function collect(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}

/** Ends the process when what was printed is out, or cannot get out. */
function leave(code: number): void {
  process.exitCode = code;
  const exit = (): void => process.exit(code);
  setTimeout(exit, LEAVE_MS);
  process.stdout.write('', () => process.stderr.write('', exit));
}

const WRONG_USAGE = 2;
const LEAVE_MS = 2_000;
