import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, closeSync, constants, createReadStream, openSync, readFileSync } from 'node:fs';
import { renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { isFault } from '../../../proxy/system/fault';
import type { Sink } from '../../../proxy/sinks/record';
import { openSink } from '../../../proxy/sinks/sink';
import { buildLauncher } from '../launch';
import * as records from './records';

/** As in writer.ts: some 13 MB, of which 8 may wait. */
const LINES = 30_000;

const { dir } = buildLauncher(['test/proxy/sinks']);
test.after(() => rmSync(dir, { recursive: true }));

interface Writer {
  readonly child: ChildProcess;
  /** Where its lines come out; nobody reads yet. */
  readonly lines: () => Readable;
  /** Resolves when it said this on standard error. */
  said(text: string): Promise<void>;
}

function start(mode: string, stdout: 'socket' | 'fifo'): Writer {
  const fifo = join(dir, `${mode}.fifo`);
  let fd: number | undefined;
  if (stdout === 'fifo') {
    execFileSync('mkfifo', [fifo]);
    // For reading too, so that the opening does not wait for somebody.
    fd = openSync(fifo, constants.O_RDWR);
  }
  const args = [join(dir, 'dist/test/proxy/sinks/writer.js'), mode];
  const child = spawn(process.execPath, args, { stdio: ['pipe', fd ?? 'pipe', 'pipe'] });
  let heard = '';
  child.stderr?.on('data', (data: Buffer) => (heard += data.toString()));
  const lines = (): Readable => {
    if (fd === undefined) return child.stdout as Readable;
    const stream = createReadStream(fifo);
    stream.once('open', () => closeSync(fd as number));
    return stream;
  };
  const said = async (text: string): Promise<void> => {
    while (!heard.includes(text)) {
      if (child.exitCode !== null) throw new Error(`it ended without saying "${text}": ${heard}`);
      await Promise.race([once(child.stderr as Readable, 'data'), once(child, 'exit')]);
    }
  };
  return { child, lines, said };
}

type Line = { event: string; lines?: number; of?: Record<string, number> };

function parse(text: string): Line[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
}

function checkFlood(text: string): void {
  const lines = parse(text);
  const written = lines.filter(({ event }) => event === 'phase').length;
  const losses = lines.filter(({ event }) => event === 'loss');
  const lost = losses.reduce((sum, line) => sum + (line.lines ?? 0), 0);
  assert.ok(lost > 0, 'nothing was lost: this is no overload');
  assert.is(written + lost, LINES);
  assert.equal(losses.at(-1)?.of, { phase: losses.at(-1)?.lines });
  assert.is(lines[0]?.event, 'log-opened');
}

for (const stdout of ['socket', 'fifo'] as const) {
  test(`a reader that stands still (${stdout}): nothing blocks, and what was left out is counted`, async () => {
    const writer = start('flood', stdout);
    // Nobody reads before this: a write that blocked would never get here.
    await writer.said('written');
    const chunks: Buffer[] = [];
    const lines = writer.lines();
    lines.on('data', (data: Buffer) => chunks.push(data));
    while (!Buffer.concat(chunks.slice(-2)).includes('"event":"loss"')) await once(lines, 'data');
    writer.child.stdin?.end();
    await writer.said('ended');
    await once(lines, 'close');
    checkFlood(Buffer.concat(chunks).toString());
  });

  test(`a reader that never reads again (${stdout}) does not keep the process`, async () => {
    const writer = start('stall', stdout);
    await writer.said('ended');
    if (writer.child.exitCode === null) await once(writer.child, 'exit');
    assert.is(writer.child.exitCode, 0);
  });
}

test('a reader that goes away is told once, and is no crash', async () => {
  const writer = start('closed', 'socket');
  await once(writer.lines(), 'data');
  writer.lines().destroy();
  await writer.said('closed log-closed');
  writer.child.stdin?.end();
  await writer.said('ended');
  if (writer.child.exitCode === null) await once(writer.child, 'exit');
  assert.is(writer.child.exitCode, 0);
});

function open(file: string, failing: string[] = []): Sink {
  const log = { file, format: 'auto', level: 'info' } as const;
  const sink = openSink(log, { failing: ({ code }) => failing.push(code), closed: () => undefined });
  if (isFault(sink)) throw new Error(sink.fix);
  return sink;
}

async function until(what: () => boolean): Promise<void> {
  while (!what()) await new Promise((resolve) => setTimeout(resolve, 10));
}

test('a file that cannot keep up: the same count', async () => {
  const file = join(dir, 'flood.log');
  const sink = open(file);
  // In one turn of the event loop: nothing can be written meanwhile.
  for (let count = 0; count < LINES; count += 1) sink.write({ ...records.CONNECTION }, records.RCPT);
  await until(() => readFileSync(file).subarray(-4_096).includes('"event":"loss"'));
  await sink.close();
  checkFlood(readFileSync(file, 'utf8'));
});

for (const [what, before] of [
  ['half a line', '{"level":"info","ev'],
  ['a line', '{"level":"info","event":"stopped"}\n'],
] as const) {
  test(`a file that ends with ${what} from before: what follows has lines of its own`, async () => {
    const file = join(dir, 'before.log');
    writeFileSync(file, before);
    const sink = open(file);
    sink.write({ ...records.CONNECTION }, records.RCPT);
    await sink.close();
    const text = readFileSync(file, 'utf8');
    const own = text.slice(before.length).replace(/^\n/, '');
    assert.is(text, `${before.trimEnd()}\n${own}`);
    assert.equal(
      parse(own).map(({ event }) => event),
      ['log-opened', 'phase'],
    );
  });
}

test('reopened: the moved file keeps its lines, the new one has a head and what follows', async () => {
  const [file, moved] = [join(dir, 'a.log'), join(dir, 'a.log.1')];
  const sink = open(file);
  sink.write(records.CONNECTION, records.RCPT);
  await until(() => readFileSync(file, 'utf8').includes('"rcpt"'));
  renameSync(file, moved);
  sink.reopen();
  sink.write(records.CONNECTION, records.MESSAGE);
  // The thread may still be busy with the old file; a log that is closed now would end there.
  await until(() => existsSync(file) && readFileSync(file, 'utf8').includes('"message"'));
  await sink.close();
  assert.equal(
    parse(readFileSync(moved, 'utf8')).map(({ event }) => event),
    ['log-opened', 'phase'],
  );
  assert.equal(
    parse(readFileSync(file, 'utf8')).map(({ event }) => event),
    ['log-opened', 'phase'],
  );
  assert.match(readFileSync(file, 'utf8'), '"phase":"message"');
});

test('reopening fails: the old file is written on, and somebody is told', async () => {
  const [file, moved, failing] = [join(dir, 'sub.log'), join(dir, 'sub.log.1'), [] as string[]];
  const sink = open(file, failing);
  sink.write(records.CONNECTION, records.RCPT);
  await until(() => readFileSync(file, 'utf8').includes('"rcpt"'));
  renameSync(file, moved);
  execFileSync('mkdir', [file]);
  sink.reopen();
  await until(() => failing.length > 0);
  sink.write(records.CONNECTION, records.MESSAGE);
  await sink.close();
  assert.equal(failing, ['log-unwritable']);
  assert.match(readFileSync(moved, 'utf8'), '"phase":"message"');
});

test('a full disk: told once, tried again, and nothing that had room is lost', async () => {
  const [file, good, failing] = [join(dir, 'full.log'), join(dir, 'good.log'), [] as string[]];
  symlinkSync('/dev/full', file);
  const sink = open(file, failing);
  sink.write(records.CONNECTION, records.RCPT);
  await until(() => failing.length > 0);
  sink.write(records.CONNECTION, records.MESSAGE);
  rmSync(file);
  symlinkSync(good, file);
  sink.reopen();
  await until(() => readFileSync(good, { encoding: 'utf8', flag: 'a+' }).includes('log-recovered'));
  await sink.close();
  assert.equal(failing, ['log-unwritable']);
  const events = parse(readFileSync(good, 'utf8')).map(({ event }) => event);
  assert.equal(events.filter((event) => event === 'phase').length, 2);
  assert.is(events.filter((event) => event === 'log-recovered').length, 1);
});

test('closing with a full disk gives up', async () => {
  const failing: string[] = [];
  const sink = open('/dev/full', failing);
  sink.write(records.CONNECTION, records.RCPT);
  await sink.close();
});

const REFUSED = [
  { name: 'no directory', file: join(dir, 'none', 'x.log'), fix: 'its directory does not exist: create it' },
  { name: 'a directory', file: dir, fix: 'it is a directory: name a file' },
  { name: 'a file for a directory', file: join(__filename, 'x.log'), fix: 'its directory is a file' },
];

for (const { name, file, fix } of REFUSED) {
  test(`refused at the start: ${name}`, () => {
    const log = { file, format: 'auto', level: 'info' } as const;
    const sink = openSink(log, { failing: () => undefined, closed: () => undefined });
    assert.ok(isFault(sink));
    assert.is(sink.code, 'log-unwritable');
    assert.is(sink.fix, fix);
  });
}

test('the level decides what is written', async () => {
  const file = join(dir, 'level.log');
  const log = { file, format: 'json', level: 'warn' } as const;
  const sink = openSink(log, { failing: () => undefined, closed: () => undefined });
  if (isFault(sink)) throw new Error(sink.fix);
  sink.write(records.CONNECTION, records.RCPT);
  sink.write(records.CONNECTION, records.REPAIR);
  sink.note('info', 'quiet');
  sink.note('error', 'loud');
  await sink.close();
  assert.equal(
    parse(readFileSync(file, 'utf8')).map(({ event }) => event),
    ['log-opened', 'repair', 'loud'],
  );
});

test.run();
