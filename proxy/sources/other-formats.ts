// What people have in place of a pcap file: compressed files, and formats of other programs.

/** A way to compress, by its first octets, and the command that writes what is in it to standard output. */
interface Packed {
  readonly name: string;
  readonly unpack: string;
}

export function packedBy(head: Uint8Array): Packed | undefined {
  return PACKED.find(({ magic }) => begins(head, magic));
}

/** A capture in another format, by its first octets or its name; `undefined`: nothing that is known. */
export function otherFormatOf(name: string, head: Uint8Array): OtherFormat | undefined {
  const found = STRANGERS.find(({ magic }) => begins(head, magic));
  if (found) return found;
  if (/\.etl$/i.test(name)) return TRACE;
  if (isErf(head)) return { is: 'an Endace ERF capture', convert: 'editcap' };
  return /^\d\d:\d\d:\d\d\.\d+ |^\s*\d+ +\d+\.\d+ /.test(String.fromCharCode(...head)) ? TEXT : undefined;
}

interface OtherFormat {
  readonly is: string;
  /** What turns it into one that is read; a text where nothing does. */
  readonly convert: 'editcap' | { readonly by: string };
}

/**
 * An ERF record has no magic: a time, a type of those that are assigned, flags, its length, what was lost, and the
 * frame's length (Endace, ERF types reference). The time is in units of 2^-32 s, so its upper half says the year.
 */
function isErf(head: Uint8Array): boolean {
  if (head.length < 16) return false;
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const [seconds, type, length, wire] = [
    view.getUint32(4, true),
    view.getUint8(8),
    view.getUint16(10),
    view.getUint16(14),
  ];
  const year = seconds / (365.25 * 86_400) + 1970;
  return year > 1995 && year < 2100 && ERF_TYPES.has(type & 0x7f) && length >= 16 && wire > 0;
}

function begins(head: Uint8Array, magic: readonly number[]): boolean {
  return head.length >= magic.length && magic.every((octet, i) => head[i] === octet);
}

const ascii = (text: string): readonly number[] => [...text].map((each) => each.charCodeAt(0));
const editcap = (
  is: string,
  ...magics: readonly (readonly number[])[]
): readonly (OtherFormat & { readonly magic: readonly number[] })[] =>
  magics.map((magic) => ({ is, magic, convert: 'editcap' }));

const TRACE: OtherFormat = {
  is: "a trace of Windows' own tools",
  convert: { by: 'on Windows, pktmon etl2pcap FILE, or etl2pcapng FILE out.pcapng' },
};
const TEXT: OtherFormat = {
  is: 'text that tcpdump or tshark printed',
  convert: { by: 'capture again with tcpdump -w FILE' },
};

const STRANGERS = [
  ...editcap('a Sun snoop capture', ascii('snoop\0\0\0')),
  ...editcap('a Microsoft Network Monitor capture', ascii('RTSS'), ascii('GMBU')),
  ...editcap('a Sniffer capture', ascii('TRSNIFF data    \x1a')),
  ...editcap('a NetXray or Windows Sniffer capture', ascii('XCP\0')),
  ...editcap('an AIX iptrace capture', ascii('iptrace ')),
  ...editcap(
    'an HP-UX nettl capture',
    [0, 0, 0, 1, 0, 0, 0, 0, 0, 7, 0xd0, 0],
    [0x54, 0x52, 0, 0x64, 0, 0, 0, 0],
  ),
  ...editcap('an Observer capture', ascii('ObserverPktBuffe')),
  ...editcap('an AiroPeek or OmniPeek capture', ascii('\x7fver')),
  ...editcap('a Visual Networks capture', [5, ...ascii('VNF')]),
  ...editcap('a 5View capture', [0xaa, 0xaa, 0xaa, 0xaa]),
  ...editcap('a Tektronix K12 capture', [0, 0, 2, 0, 0x12, 5, 0, 0x10]),
  ...editcap('a LANalyzer capture', [0x01, 0x10, 0x4c, 0], [0x07, 0x10, 0x4c, 0]),
  ...editcap('a Symbian btsnoop capture', ascii('btsnoop\0')),
  // pcap of other systems and of IXIA's hardware.
  ...editcap(
    'a pcap file of another kind',
    [0xa1, 0xe2, 0xcb, 0x12],
    [0x12, 0xcb, 0xe2, 0xa1],
    [0x1c, 1, 0, 0xac],
    [0xac, 1, 0, 0x1c],
  ),
];

const PACKED: readonly (Packed & { readonly magic: readonly number[] })[] = [
  { name: 'gzip', unpack: 'gzip -dc', magic: [0x1f, 0x8b] },
  { name: 'zstd', unpack: 'zstd -dc', magic: [0x28, 0xb5, 0x2f, 0xfd] },
  { name: 'xz', unpack: 'xz -dc', magic: [0xfd, 0x37, 0x7a, 0x58] },
  { name: 'lz4', unpack: 'lz4 -dc', magic: [0x04, 0x22, 0x4d, 0x18] },
  { name: 'bzip2', unpack: 'bzip2 -dc', magic: [0x42, 0x5a, 0x68] },
  { name: 'zip', unpack: 'unzip -p', magic: [0x50, 0x4b, 0x03, 0x04] },
  { name: '7z', unpack: '7z x -so', magic: [0x37, 0x7a, 0xbc, 0xaf] },
];
/** Of Ethernet and of IP, with what they were called in each generation of cards. */
const ERF_TYPES: ReadonlySet<number> = new Set([1, 2, 3, 4, 5, 11, 16, 20, 21, 22, 23, 24, 27]);
