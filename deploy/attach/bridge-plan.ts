// The bridge: from the network as it is to the steps that put the program in line.

import { createFault, isFault, type Fault } from '../../proxy/system/fault';
import type { Change, Hook, Leg, Step } from '../journal/change';
import { NF_CALLS, nfSysctl, type Link } from '../network/links';
import { hasQdisc } from '../journal/filters';
import { readSysctl } from '../network/sysctl';
import type { Facts } from './network-facts';
import { planMoves, type Moves } from './moved-addresses';

export interface Ports {
  readonly wan: string;
  readonly lan: string;
}

export interface Plan {
  readonly bridge: string;
  /** By us; else it joins both ports already, and stays as it is. */
  readonly made: boolean;
  readonly steps: readonly Step[];
  /** What the operator should know and nothing has to be done about, one sentence each. */
  readonly notes: readonly string[];
}

/** `name`: of the bridge that is made where none joins the ports. Faults: `bridge-conflict`, `mtu-differs`, …. */
export function planBridge(facts: Facts, ports: Ports, name: string): Plan | Fault {
  const wan = portOf(facts, ports.wan);
  if (isFault(wan)) return wan;
  const lan = portOf(facts, ports.lan);
  if (isFault(lan)) return lan;
  if (wan.name === lan.name) {
    return createFault('bad-flag', `--wan ${wan.name} --lan ${lan.name}`, {
      fix: 'a bridge has two sides: name two',
    });
  }
  if (wan.master !== undefined && wan.master === lan.master) return adopt(facts, wan, lan);
  return conflictOf(facts, wan, lan, name) ?? make(facts, wan, lan, name);
}

function portOf({ links }: Facts, name: string): Link | Fault {
  const link = links.get(name);
  if (link === undefined) return createFault('interface-unknown', name);
  if (link.type === 'ether' && link.kind !== 'bridge') return link;
  const what = link.kind === 'bridge' ? 'a bridge' : `of type ${link.type}`;
  return createFault('bridge-conflict', name, {
    fix: `it is ${what}, which is no port of a bridge: name an Ethernet interface`,
  });
}

/** A bridge that is there keeps its settings: others chose them, and connections cross it now. */
function adopt(facts: Facts, wan: Link, lan: Link): Plan | Fault {
  const bridge = facts.links.get(wan.master ?? '');
  if (bridge?.bridge === undefined) {
    const fix = `take them out of it, or name the interface itself: \`ip link set ${wan.name} nomaster\``;
    return createFault('bridge-conflict', `${wan.name} and ${lan.name} belong to ${wan.master ?? ''}`, {
      fix,
    });
  }
  const notes = [
    ...(bridge.bridge.stp
      ? [`${bridge.name} speaks the spanning tree protocol: it may block a port for 30 s`]
      : []),
    ...(wan.mtu === lan.mtu
      ? []
      : [`${wan.name} and ${lan.name} differ in MTU: full-size frames are dropped between them`]),
    ...commonNotes(facts, [wan, lan]),
  ];
  return { bridge: bridge.name, made: false, steps: [bothSides(wan, lan)], notes };
}

function conflictOf({ links }: Facts, wan: Link, lan: Link, name: string): Fault | undefined {
  for (const port of [wan, lan]) {
    if (port.master === undefined) continue;
    const on = `${port.name} belongs to ${port.master}`;
    const fix = `\`ip link set ${port.name} nomaster\` frees it; of a bond name the bond itself`;
    return createFault('bridge-conflict', on, { fix });
  }
  if (links.has(name)) {
    const fix = `choose another name, --set deploy.bridge=NAME, or remove it: \`ip link delete ${name}\``;
    return createFault('bridge-conflict', `there is an interface ${name}`, { fix });
  }
  if (wan.mtu === lan.mtu) return undefined;
  const less = Math.min(wan.mtu, lan.mtu);
  const larger = wan.mtu > lan.mtu ? wan : lan;
  const fix = `full-size frames would be dropped: \`ip link set ${larger.name} mtu ${less}\``;
  return createFault('mtu-differs', `${wan.name} ${wan.mtu}, ${lan.name} ${lan.mtu}`, { fix });
}

function make(facts: Facts, wan: Link, lan: Link, name: string): Plan {
  const both = [wan, lan];
  const moves = planMoves(facts, both, name);
  const steps: Step[] = [
    { name: 'large receive offload', changes: lroChanges(facts, both) },
    { name: 'the bridge', changes: [{ kind: 'bridge', name, address: (moves.face ?? wan).address }] },
    { name: "the bridge's own IPv6", changes: faceChanges(moves, name) },
    { name: 'frames past iptables', changes: netfilterChanges(facts, name) },
    // Before the ports join: where the kernel refuses the program, nothing was interrupted.
    bothSides(wan, lan),
    { name: 'the ports', changes: cutOver(both, name, moves) },
    { name: 'ports without IPv6', changes: both.flatMap(({ name: port }) => deafChanges(port)) },
  ];
  return {
    bridge: name,
    made: true,
    steps: steps.filter(({ changes }) => changes.length > 0),
    notes: [...moves.notes, ...commonNotes(facts, both)],
  };
}

export function programStep(
  places: readonly { readonly device: string; readonly hook: Hook; readonly leg: Leg }[],
): Step {
  const filters = places.map((place): Change => ({
    kind: 'filter',
    ...place,
    madeQdisc: !hasQdisc(place.device),
  }));
  return { name: 'the program', changes: filters };
}

function bothSides(wan: Link, lan: Link): Step {
  return programStep([
    { device: wan.name, hook: 'ingress', leg: 'wan' },
    { device: lan.name, hook: 'ingress', leg: 'lan' },
  ]);
}

/** Back on a bridge of before: a port of ours that has lost it, as a card that was unplugged, joins again. */
export function planReturn(
  facts: Facts,
  { wan, lan, bridge, made }: Ports & { readonly bridge: string; readonly made: boolean },
): readonly Step[] | Fault {
  const changes: Change[] = [];
  for (const name of [wan, lan]) {
    const port = portOf(facts, name);
    if (isFault(port)) return port;
    if (port.master === bridge) continue;
    if (!made || port.master !== undefined || !facts.links.has(bridge)) {
      const fix = `it was: \`ehlowire leave\`, and begin anew`;
      return createFault('bridge-conflict', `${name} is no port of ${bridge}`, { fix });
    }
    changes.push({ kind: 'port', device: name, bridge });
    if (!port.up) changes.push({ kind: 'up', device: name });
    changes.push(...deafChanges(name));
  }
  return changes.length === 0 ? [] : [{ name: 'a port that was away', changes }];
}

function lroChanges({ lro }: Facts, ports: readonly Link[]): Change[] {
  return ports
    .filter(({ name }) => lro?.has(name) === true)
    .map(({ name }) => ({ kind: 'lro', device: name }));
}

/** One `ip -batch`, and in this order: from the first port's joining to the addresses' move this machine cannot be reached. */
function cutOver(ports: readonly Link[], name: string, moves: Moves): Change[] {
  return [
    { kind: 'up', device: name },
    ...ports.map(({ name: device }): Change => ({ kind: 'port', device, bridge: name })),
    ...ports.filter(({ up }) => !up).map(({ name: device }): Change => ({ kind: 'up', device })),
    ...moves.changes,
  ];
}

/** A bridge without addresses is no host: it must not pick up one from a router on the wire. */
function faceChanges({ face, has6, hasAny }: Moves, name: string): Change[] {
  const set = (setting: string, after: string): Change => ({
    kind: 'sysctl',
    key: `net/ipv6/conf/${name}/${setting}`,
    after,
  });
  if (readSysctl('net/ipv6/conf/all/disable_ipv6') === undefined) return [];
  if (!hasAny || face === undefined) return [set('disable_ipv6', '1')];
  if (!has6) return [set('accept_ra', '0')];
  return ['accept_ra', 'autoconf', 'accept_ra_defrtr', 'accept_ra_rt_info_max_plen', 'addr_gen_mode'].flatMap(
    (each) => {
      const value = readSysctl(`net/ipv6/conf/${face.name}/${each}`);
      return value === undefined ? [] : [set(each, value)];
    },
  );
}

/** A port speaks no IPv6 of its own: no router solicitations, no link-local address on the wire. */
function deafChanges(port: string): Change[] {
  const key = `net/ipv6/conf/${port}/disable_ipv6`;
  const before = readSysctl(key);
  return before === '0' ? [{ kind: 'sysctl', key, before, after: '1' }] : [];
}

/**
 * br_netfilter hands the frames of all bridges to iptables, where a FORWARD policy written for containers drops
 * mail. The switch is one for all bridges; the others are set to do it by themselves.
 */
function netfilterChanges({ links }: Facts, name: string): Change[] {
  const others = [...links.values()].filter((link) => link.name !== name);
  return NF_CALLS.flatMap((option): Change[] => {
    const key = nfSysctl(option);
    const before = readSysctl(key);
    if (before === undefined || before === '0') return [];
    const kept = others.flatMap(({ name: bridge, bridge: facts }): Change[] =>
      facts === undefined || facts.calls.includes(option)
        ? []
        : [{ kind: 'calls', bridge, option, before: '0', after: '1' }],
    );
    return [...kept, { kind: 'sysctl', key, before, after: '0' }];
  });
}

function commonNotes({ links, lro }: Facts, ports: readonly Link[]): string[] {
  const names = ports.map(({ name }) => name);
  return [
    ...(lro === undefined
      ? ['ethtool is missing: large receive offload was not looked at (the kernel switches it off)']
      : []),
    ...[...links.values()]
      .filter(({ kind, parent }) => kind === 'vlan' && parent !== undefined && names.includes(parent))
      .map(
        ({ name, parent }) =>
          `${name} takes the frames of its VLAN off ${parent ?? ''}: they do not cross the bridge`,
      ),
    ...ports
      .filter(({ up, carrier }) => up && !carrier)
      .map(({ name }) => `${name} has no carrier: is the cable in?`),
  ];
}
