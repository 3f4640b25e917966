// The package and its services as an administrator has them: dpkg, systemd as process 1, udev, and mail crossing.

import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { LogLine } from '../../kit/ehlowire';
import { labSuite, type Need } from '../../kit/lab';
import { run, until } from '../../kit/process';
import { makeWire, ONE, startLoad, startServers, WHOLE, type Servers, type Wire } from '../../kit/wire';
import { makeMachine, type Machine } from './machine';
import { CAP, filesOfOurs, mask, provideNode, rightsOf, security } from './services';

const NEEDS: readonly Need[] = ['systemd', 'dpkg', 'logrotate', 'python3', 'ethtool', 'clang', 'bpf'];
const BRIDGE = 'ehlowire-bridge.service';
const HOST = 'ehlowire-host@wan.service';
const RELAY = 'ehlowire-relay.service';
const UNITS = [BRIDGE, 'ehlowire-host@.service', RELAY];
const LOG = '/var/log/ehlowire/events.log';
const RELAY_LOG = '/var/log/ehlowire-relay/events.log';
/** The place of the machine, as `test/kit/topology.ts` has it. */
const OWN = '198.19.0.20';

const lab = labSuite('package');
let wire: Wire;
let servers: Servers;
let machine: Machine;
let deb: string;
/** Files of the machine that have our name before anything is installed: this checkout's own cache. */
let before: string;
let failed: string | undefined;

lab.before(async () => {
  wire = makeWire('pk');
  wire.ip('shim', 'link set wan up', 'link set lan up', `address add ${OWN}/24 dev wan`);
  wire.ip('shim', 'route add 198.18.0.0/24 dev wan');
  servers = await startServers(wire, `${ONE}=${WHOLE}`);
  const building = run(join(ROOT, 'deploy/debian/build.sh'), [wire.folder], { timeoutMs: 300_000 });
  machine = await makeMachine(`${wire.topology.name}-shim`);
  await machine.boot();
  const built = await building;
  assert.is(built.code, 0, built.output);
  deb = readdirSync(wire.folder).find((name) => name.endsWith('.deb')) ?? '';
  writeFileSync(machine.path(`/root/${deb}`), readFileSync(join(wire.folder, deb)));
  await provideNode(machine);
  before = await filesOfOurs(machine);
});

lab.after(async () => {
  await machine.remove();
  await servers.stop();
  await wire.remove();
});

/** All of them on one machine, each on what the one before left: behind one that failed there is nothing to be found out. */
function step(name: string, body: () => Promise<void>): void {
  lab.test(name, NEEDS, async () => {
    if (failed !== undefined) throw new Error(`not tried, since this failed: ${failed}`);
    failed = name;
    await body();
    failed = undefined;
  });
}

/** Of a log and of what logrotate put aside, in the order in which it was written. */
function events(log = LOG): LogLine[] {
  return [`${log}.1`, log].flatMap(linesOf);
}

function linesOf(log: string): LogLine[] {
  const path = machine.path(log);
  const lines = existsSync(path) ? readFileSync(path, 'utf8').split('\n').slice(0, -1) : [];
  return lines.map((line) => JSON.parse(line) as LogLine);
}

function line(what: string, is: (line: LogLine) => boolean, log?: string): Promise<LogLine> {
  return until(what, () => events(log).find(is), PATIENCE_MS);
}

/** Sessions of two messages each, from the client to a server; all must be fine. */
async function mail(host: string = ONE, sessions = 1): Promise<void> {
  const { fine, failed } = await startLoad(wire, host, { connections: 1, pace: 0, sessions }).ended;
  assert.equal({ fine, failed }, { fine: sessions, failed: {} });
}

/** Mail all the while, none of which may fail. */
async function whileMailCrosses(act: () => Promise<void>): Promise<void> {
  const load = startLoad(wire, ONE, { connections: 3, pace: 0.1 });
  await load.greeted;
  await act();
  const { fine, failed } = await load.stop();
  assert.equal(failed, {});
  assert.ok(fine > 0);
}

function property(unit: string, name: string): Promise<string> {
  return machine.say('systemctl', 'show', '--value', '-p', name, unit);
}

async function mainPid(unit: string): Promise<number> {
  return Number(await property(unit, 'MainPID'));
}

/** What ends a service from outside is noticed a moment later. */
async function inactive(unit: string): Promise<void> {
  const isIt = async (): Promise<true | undefined> =>
    (await property(unit, 'ActiveState')) === 'inactive' || undefined;
  await until(`${unit} inactive`, isIt, PATIENCE_MS);
}

function starts(): LogLine[] {
  return events().filter(({ event }) => event === 'attached');
}

/** In place, once more than before; whether it took over what was pinned. */
async function adopted(count: number): Promise<unknown> {
  await until('ehlowire in place', () => starts().length > count || undefined, PATIENCE_MS);
  await line('the ring read', () => events().filter(({ event }) => event === 'wire-open').length > count);
  return starts().at(-1)?.['adopted'];
}

/** `systemd-analyze security` counts to 10; more than this is a looser sandbox than it was. */
const EXPOSURE = { [BRIDGE]: 2.5, [HOST]: 2.5, [RELAY]: 2.0 };

async function assertSandbox(unit: keyof typeof EXPOSURE): Promise<void> {
  const { code, output } = await security(machine, unit, EXPOSURE[unit]);
  assert.is(code, 0, output.split('\n').at(-2));
}

step('installed: dpkg has no complaint, nothing is started, the units are sound', async () => {
  const output = await machine.say('dpkg', '-i', `/root/${deb}`);
  assert.not.match(output, /error|warning/i);
  assert.is(await machine.say('dpkg', '--verify', 'ehlowire'), '');
  assert.is(await machine.say('systemctl', 'list-units', '--no-legend', 'ehlowire*'), '');
  for (const unit of UNITS)
    assert.is((await machine.run('systemctl', 'is-enabled', unit)).output, 'disabled\n');
  assert.is(
    await machine.say('systemd-analyze', 'verify', ...UNITS.map((unit) => `/lib/systemd/system/${unit}`)),
    '',
  );
  assert.match(await machine.say('ehlowire', '--version'), /^\d+\.\d+\.\d+$/);
  const refused = await machine.run('systemctl', 'start', BRIDGE);
  assert.is(refused.code, 1, 'without its file it must not seem to have started');
});

step('host: bound to the interface, the same sandbox, a session is in the log', async () => {
  const here = wire.topology.start('shim', 'python3', '-u', SERVER, `${OWN}=${WHOLE}`);
  await machine.say('systemctl', 'start', HOST);
  assert.is(await property(HOST, 'StatusText'), 'on wan');
  const caps = mask(CAP.bpf, CAP.perfmon, CAP.netAdmin, CAP.netRaw);
  assert.equal(await rightsOf(machine, HOST), {
    Uid: '0',
    CapEff: caps,
    CapBnd: caps,
    NoNewPrivs: '1',
    Seccomp: '2',
  });
  await assertSandbox(HOST);
  await mail(OWN);
  await line('a session', ({ event }) => event === 'session');
  await machine.say('ehlowire', 'leave');
  await inactive(HOST);
  await here.stop();
});

step('relay: a user of its own, active when it listens, a session is in its log', async () => {
  const relay = { listeners: [{ listen: `${OWN}:25`, upstream: `${ONE}:25` }] };
  writeFileSync(machine.path('/etc/ehlowire/relay.json'), JSON.stringify({ relay }));
  // Nothing is bridged now: the relay's way to its server is the cable to it.
  wire.ip('shim', `route add ${ONE} dev lan src ${OWN}`);
  wire.ip('mta', `route add ${OWN} dev eth0`);
  await machine.say('systemctl', 'start', RELAY);
  await mail(OWN);
  const session = await line('a session', ({ event }) => event === 'session', RELAY_LOG);
  assert.is(session['messages'], 2);
  const caps = mask(CAP.netBindService, CAP.netAdmin, CAP.netRaw);
  const { Uid, ...rest } = await rightsOf(machine, RELAY);
  assert.is.not(Uid, '0');
  assert.equal(rest, { CapEff: caps, CapBnd: caps, NoNewPrivs: '1', Seccomp: '2' });
  await assertSandbox(RELAY);
  await machine.say('systemctl', 'reload', RELAY);
  await line('the log reopened', ({ event }) => event === 'log-reopened', RELAY_LOG);
  await machine.say('systemctl', 'stop', RELAY);
  wire.ip('shim', `route delete ${ONE} dev lan`);
});

step('bridge: active when it is in place, with four capabilities and no more', async () => {
  await machine.say('cp', '/usr/share/doc/ehlowire/examples/bridge.env', '/etc/ehlowire/');
  await machine.say(
    'sed',
    '-i',
    's/^WAN=.*/WAN=wan/; s/^LAN=.*/LAN=lan/; s/^OPTIONS=.*/OPTIONS=/',
    '/etc/ehlowire/bridge.env',
  );
  const had = events().length;
  const count = starts().length;
  await machine.say('systemctl', 'enable', '--now', BRIDGE);
  assert.is(await adopted(count), false);
  assert.is(await property(BRIDGE, 'StatusText'), 'on ehlowire0, between wan and lan');
  const caps = mask(CAP.bpf, CAP.perfmon, CAP.netAdmin, CAP.netRaw);
  assert.equal(await rightsOf(machine, BRIDGE), {
    Uid: '0',
    CapEff: caps,
    CapBnd: caps,
    NoNewPrivs: '1',
    Seccomp: '2',
  });
  await assertSandbox(BRIDGE);
  const warnings = events()
    .slice(had)
    .filter(({ level }) => level !== 'info');
  assert.equal(
    warnings.map(({ event, because }) => [event, because]),
    [['not-relayed', 'ehlowire0 has no IPv6 address']],
  );
});

step('bridge: a session is relayed, the next one crosses in the kernel, both are in the log', async () => {
  await mail();
  await line('the server learned', (each) => each.event === 'learned' && each['server.address'] === ONE);
  await mail();
  for (const path of ['relay', 'wire']) {
    const session = await line(
      path,
      (each) => each.event === 'session' && each['server.address'] === ONE && each['path'] === path,
    );
    assert.is(session['messages'], 2);
  }
  const status = JSON.parse(await machine.say('ehlowire', 'status', '--json')) as Record<string, unknown>;
  assert.equal([status['attached'], status['healthy'], status['relays']], [true, true, true]);
});

step('logrotate: the log goes on in a new file', async () => {
  await machine.say('logrotate', '--force', '/etc/logrotate.d/ehlowire');
  await line('a new log', ({ event }) => event === 'log-reopened');
  await mail();
  await until('a session in it', () => linesOf(LOG).find(({ event }) => event === 'session'), PATIENCE_MS);
});

step('a process that hangs is ended by the watchdog and started again; mail crosses', async () => {
  await machine.say('mkdir', '-p', `/etc/systemd/system/${BRIDGE}.d`);
  writeFileSync(machine.path(`/etc/systemd/system/${BRIDGE}.d/hasty.conf`), '[Service]\nWatchdogSec=4\n');
  await machine.say('systemctl', 'daemon-reload');
  await whileMailCrosses(async () => {
    const count = starts().length;
    await machine.say('systemctl', 'restart', BRIDGE);
    assert.is(await adopted(count), true, 'restarted');
    const pid = await mainPid(BRIDGE);
    await machine.say('kill', '-STOP', String(pid));
    assert.is(await adopted(count + 1), true, 'ended by the watchdog');
    assert.is.not(await mainPid(BRIDGE), pid);
  });
  assert.is.not(await property(BRIDGE, 'NRestarts'), '0');
  assert.match(await machine.say('journalctl', '--no-pager', '-u', BRIDGE), 'Watchdog timeout');
  await machine.say('rm', '-r', `/etc/systemd/system/${BRIDGE}.d`);
  await machine.say('systemctl', 'daemon-reload');
});

step('an upgrade, a stop and a start: mail crosses', async () => {
  await whileMailCrosses(async () => {
    const count = starts().length;
    await machine.say('dpkg', '-i', `/root/${deb}`);
    assert.is(await adopted(count), true);
    await machine.say('systemctl', 'stop', BRIDGE);
    assert.is(await property(BRIDGE, 'Result'), 'success');
    await machine.say('systemctl', 'start', BRIDGE);
    assert.is(await adopted(count + 1), true);
  });
});

step('what leaves ends the service for good; after a power cut it is in line by itself', async () => {
  // What a cut leaves: the disk as it was, and nothing in the kernel. The kernel here goes on, so it is told.
  const state = '/var/lib/ehlowire';
  await machine.say('cp', '-a', state, '/root/state');
  await machine.say('ehlowire', 'leave');
  await inactive(BRIDGE);
  assert.is(await property(BRIDGE, 'Result'), 'success');
  assert.not.match(await machine.say('ip', '-br', 'link'), 'ehlowire0');
  assert.match(await machine.say('ip', '-br', 'address', 'show', 'wan'), `${OWN}/24`);
  await machine.say('cp', '-aT', '/root/state', state);
  const otherBoot = 's/("boot": ?)"[^"]*"/\\1"of another boot"/';
  await machine.say('sed', '-E', '-i', otherBoot, `${state}/journal.json`, `${state}/running.json`);
  await machine.cut();
  const count = starts().length;
  await machine.boot();
  assert.is(await property(BRIDGE, 'ActiveState'), 'active');
  assert.is(await adopted(count), false);
  await line('the attachment was lost at the restart', ({ event }) => event === 'lost-at-restart');
  await mail();
});

step('removed: mail crosses a plain bridge; purged: nothing is left', async () => {
  await whileMailCrosses(async () => {
    const output = await machine.say('dpkg', '-r', 'ehlowire');
    assert.not.match(output, 'not all was undone');
  });
  assert.is(await machine.say('systemctl', 'list-units', '--no-legend', '--state=active', 'ehlowire*'), '');
  assert.match(await machine.say('ip', 'link', 'show', 'lan'), 'master ehlowire0');
  for (const port of ['wan', 'lan']) {
    const { output, code } = await wire.run('python3', ATTACHED, port, 'ingress');
    assert.is(code, 0, output);
    assert.not.match(output, 'ehlowire');
  }
  assert.not.match(await machine.say('ip', 'rule'), 'fwmark');
  await machine.say('test', '-s', '/etc/ehlowire/bridge.env');
  await machine.say('dpkg', '-P', 'ehlowire');
  assert.is(await filesOfOurs(machine), before);
  assert.is((await machine.run('dpkg-query', '-W', 'ehlowire')).code, 1);
});

const ROOT = join(__dirname, '../../..');
/** Names the programs at an interface. */
const ATTACHED = join(ROOT, 'test/kit/attached.py');
/** On a machine that has much else to do. */
const PATIENCE_MS = 60_000;
const SERVER = join(ROOT, 'test/lab/wire/server.py');

lab.run();
