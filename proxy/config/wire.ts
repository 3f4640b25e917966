// The keys of the wire path.

import type { Setting } from './formats';

const ATTACH = ['auto', 'tcx', 'tc'] as const;

export const WIRE: readonly Setting[] = [
  {
    key: 'wire.pins',
    format: 'file',
    default: '/sys/fs/bpf/ehlowire',
    doc: "Where the program in the kernel and its tables are kept, in a bpffs, so that they outlive the process: a folder of ehlowire's own.",
  },
  {
    key: 'wire.attach',
    format: ATTACH,
    default: 'auto',
    doc:
      'How the program is put at an interface. `tcx`: as a link (Linux 6.6), the cheaper way, seen by `bpftool net`. ' +
      '`tc`: as a filter of a clsact qdisc, seen by `tc filter show`. `auto`: a link where the kernel has them. ' +
      'Where the program is already, it stays as it is.',
  },
  {
    key: 'wire.ports',
    format: 'ports',
    default: [25, 587],
    doc: 'Ports of servers that the wire path looks at; all else crosses unseen. Under TLS from the first octet (465) there is no dialogue to see.',
  },
  {
    key: 'wire.ring',
    format: 'ring',
    default: 1 << 26,
    shown: '67108864, 64 MiB',
    doc:
      'Octets for what the kernel has seen and the process has not read yet: some 25,000 sessions in 64 MiB. While more than ' +
      'half of them are unread, until it is less than a quarter, connections that begin are not recorded (`unwatched`), so that those that ' +
      'are recorded stay whole. What finds no room all the same is counted and reported as `loss`; mail never waits for any ' +
      'of it. Less than a page of memory is made one page. A program that is taken over keeps its own.',
  },
  {
    key: 'wire.connections',
    format: 'count',
    default: 65_536,
    doc:
      'Connections that the wire path follows at a time; beyond it the one that was silent longest is forgotten, and its ' +
      'frames cross. The kernel has places for at least twice as many, 260 octets each, in sets of 16: of a set that is full, ' +
      'too, the one that was silent longest is forgotten. A program that is taken over keeps its own.',
  },
];
