/* What the program in the kernel and the process in user space agree on: `npm run build:wire` writes abi.ts from these
 * types, as the compiled object has them (BTF). Integers are in host order unless said otherwise. */
#ifndef EHLOWIRE_ABI_H
#define EHLOWIRE_ABI_H

#include <linux/types.h>
#include <stddef.h>

/* Numbers that the process needs too. An enum, since BTF has no #define. */
enum constant {
	/* Raised with every change of a struct or of a meaning: a process adopts pinned maps of its own number only. */
	ABI = 5,
	/* Server ports at the most. */
	PORTS = 64,
	/* Connections that share a set of the table: their tags are a line of the cache. */
	WAYS = 16,
	/* The last octets of a message that are kept, a power of two. */
	TAIL_OCTETS = 1024,
	/* Messages under way whose tails are kept, a power of two: by turns, so that one in so many may lose its own. */
	TAILS = 8192,
	/* Octets of `data` in front of elided ones: their flow_key, and zeros. */
	ELIDED_KEY = 40,
};

/* Enums that are fields take one octet. */
#define OCTET __attribute__((packed))

enum OCTET leg { LEG_WAN, LEG_LAN };
enum OCTET side { SIDE_CLIENT, SIDE_SERVER };

/* What is done with new connections to a server. UNKNOWN: what `settings.unknown` says. */
enum OCTET policy { POLICY_UNKNOWN, POLICY_OBSERVE, POLICY_REPAIR, POLICY_RELAY };

/* IPv4 addresses as ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2). */
struct server_key {
	__u8 address[16];
	__u16 port;
	__u16 zero;
};

struct server {
	enum policy policy;
	/* Its greeting went on behind a repair: the program took POLICY_REPAIR back. */
	__u8 contradicted;
	/* Of a truncated greeting: whole lines after which it stalls. 0: wherever a segment ends. */
	__u16 lines;
};

struct settings {
	__u32 abi;
	/* Mark of segments that are given to the relay; 0: none are. */
	__u32 relay_mark;
	/* SO_MARK of the relay's sockets, which no other process's have; 0: any socket is taken. */
	__u32 relay_socket_mark;
	__u16 relay_port;
	/* The bridge's own address on the link. */
	__u8 relay_mac[6];
	/* Of servers that are not in the map. */
	enum policy unknown;
	__u8 zero[3];
	/* Written by the process, for `status`: servers that need an entry in the map and found no room there. */
	__u32 unheld;
};

/* What a segment's connection is looked up with. */
struct index {
	/* The hash of a key begins with it. */
	__u64 seed;
	/* Sets in the table, a power of two, less one. */
	__u32 mask;
	__u32 zero;
	/* Server ports; behind the last one 0. */
	__u16 ports[PORTS];
};

struct flow_key {
	__u8 client[16];
	__u8 server[16];
	__u16 client_port;
	__u16 server_port;
	/* Copied by words. */
} __attribute__((aligned(4)));

/* Of each connection in a set the part of its key's hash that the others do not have. */
struct set {
	__u32 tags[WAYS];
};

/* What a side is sending. UNKNOWN: its beginning was not seen, or it is no dialogue. */
enum OCTET mode { MODE_DIALOGUE, MODE_DATA, MODE_CHUNK, MODE_TLS, MODE_UNKNOWN };

/* Sequence numbers [from, to), and both in 64 bits, to be read and written at once. */
union span {
	struct {
		__u32 from;
		__u32 to;
	};
	__u64 both;
};

/* SEEN: `next` is known. SEEN_HANDSHAKE, of the client: it acknowledged the server's SYN, so its address is not forged. */
enum OCTET seen { SEEN_NOTHING, SEEN, SEEN_HANDSHAKE };

struct side_state {
	enum mode mode;
	enum seen seen;
	/* Its FIN came, in order, and was acknowledged: then `next` is behind it. */
	__u8 finished;
	__u8 acked;
};

/* What changes with each segment of a side: a line of the cache, for the processor that holds its lock. */
struct stream {
	/* Sequence number of the next octet. */
	__u32 next;
	/* Octets in order that were not recorded since the last record, and in how many segments. Its own segments add to it, and a
	 * segment of the other side, on another processor, may record it at the same time. */
	__u32 elided_segments;
	union span elided;
	/* When the last of them came; where that is within a line, up to a tick of the kernel earlier. */
	__u64 elided_at;
	/* By its mode. */
	union {
		/* DIALOGUE: of a side whose SYN was seen, its first octet, until it sends content. */
		__u32 first;
		/* DATA, UNKNOWN. */
		__u32 content_start;
		/* CHUNK. */
		__u32 content_end;
		/* TLS: octets before it are recorded. */
		__u32 copied_to;
	};
	/* MODE_DIALOGUE: octets since the other side last sent any. */
	__u32 unanswered;
	/* The lock of this side: a processor works on a segment of it. */
	__u32 busy;
	/* The client's: the number of its SYN, if that was seen. */
	__u32 isn;
	/* The server's: the number behind the greeting's last octet so far. */
	__u32 greeting_end;
	/* The server's: since when the client waits for its greeting, in 2^30 ns. */
	__u32 waits_since;
	__u32 zero[4];
};

/* What the process does not know of: RECORD, one found no room; BEGINNING, the table does not know the connection, or does not any
 * more, and what was elided of it went with its entry. */
enum missed { MISSED_NOTHING, MISSED_RECORD, MISSED_BEGINNING };

/* Whether there is a relay for a connection. */
enum OCTET relaying { RELAYING_UNKNOWN, RELAYING_NOT, RELAYING };

enum OCTET started { STARTED_UNSEEN, STARTED_WAN, STARTED_LAN };

/* Where the repair of a greeting is. REPAIRING: it may be changed. ENDED: its last line was made by a repair, and the server's next
 * line shows whether that was right. PASSED: that line came. */
enum OCTET repairing { REPAIRING_NOT, REPAIRING, REPAIRING_ENDED, REPAIRING_PASSED };

#define PATCHES 8

/* One octet of a greeting, changed in every copy that passes. */
struct patch {
	__u32 seq;
	__u8 octet;
	__u8 zero[3];
};

/* What is read with each segment is a line of the cache, and so is each stream: an acknowledgement, on another processor than the
 * segments that it acknowledges, does not take their line away. */
struct flow {
	struct flow_key key;
	/* When a segment of it last came, in sixteen of the kernel's ticks. */
	__u32 used;
	/* By enum side. */
	struct side_state sides[2];
	/* The next record has to say so. */
	enum missed missed;
	/* The tail of its message; 0: none. */
	__u32 tail_id;
	__u16 lines;
	/* As it was when the connection began. */
	enum policy policy;
	__u8 patch_count;
	/* By which leg the SYN came, if it was seen. What the client sends comes by the same, what the server sends by the
	 * other one. */
	enum started started;
	enum relaying relaying;
	enum repairing repairing;
	/* It began while the ring was crowded: no segment of it is recorded, from the first to the last. */
	__u8 unwatched;
	struct stream streams[2];
	struct patch patches[PATCHES];
};

#define LINE 64
_Static_assert(sizeof(struct set) == LINE && sizeof(struct flow) % LINE == 0, "sets and connections begin with a line");
_Static_assert(sizeof(struct flow_key) <= ELIDED_KEY, "a key fits in front of a stretch");
_Static_assert(offsetof(struct flow, streams) == LINE && sizeof(struct stream) == LINE, "streams have lines");

/* The last octets of a message, so that its end is not missed: the octet with number n at (n - shift) mod TAIL_OCTETS. */
struct tail {
	/* The `tail_id` of its connection: another number means that another message took this place. */
	__u32 id;
	/* What is in it: sequence numbers [from, end). */
	__u32 from;
	__u32 end;
	__u32 shift;
	/* The second half is only there for what is copied in one piece across the end. */
	__u8 octets[2 * TAIL_OCTETS];
};

/* SEGMENT: `data` is a frame, of its payload at most PAYLOAD octets behind the first `skipped` ones.
 * ELIDED: octets that were not recorded, all in order; `data` is a flow_key, zeros up to ELIDED_KEY, and the last `shown` of these
 * octets: either they alone, or TAIL_OCTETS octets with number n at (n - shift) mod TAIL_OCTETS. */
enum OCTET record_kind { RECORD_SEGMENT, RECORD_ELIDED };

enum OCTET record_flag {
	/* Records of this connection before this one found no room in the ring. */
	RECORD_LOST = 1,
	/* What of the payload is not in `data` is message or TLS. */
	RECORD_CONTENT = 2,
	/* The greeting in it was repaired: `data` has the repaired octets. */
	RECORD_REPAIRED = 4,
	/* The server went on behind a greeting that the repair had ended. */
	RECORD_CONTRADICTED = 8,
	/* The `skipped` octets were not elided before, and are of a message: the segment came out of order, or again. */
	RECORD_LEAD = 16,
	/* The connection's first since it is in the table, and not the client's SYN. */
	RECORD_MIDSTREAM = 32,
};

#define HEADERS 256
#define PAYLOAD 8192

struct record {
	/* CLOCK_MONOTONIC, nanoseconds. */
	__u64 at;
	enum record_kind kind;
	enum leg leg;
	enum side from;
	enum record_flag flags;
	/* A VLAN tag that the card took off the frame: TCI, and the protocol in network order; 0: none. */
	__u16 vlan_tci;
	__u16 vlan_protocol;
	/* SEGMENT: octets of the frame, and of its headers. */
	__u32 length;
	__u32 headers;
	union {
		struct {
			/* Octets of the TCP payload on the wire, and how many at its front are not in `data`. */
			__u32 payload;
			__u32 skipped;
			/* RECORD_REPAIRED: where in the payload the last change is, the octet that was there, and how many changes. */
			__u32 repaired_at;
			__u32 replaced;
			__u32 repairs;
		};
		struct {
			/* ELIDED: see record_kind. */
			__u32 shown;
			__u32 shift;
			/* Its first octet, how many octets, and in how many segments they came. */
			__u32 seq;
			__u32 octets;
			__u32 segments;
		};
	};
	/* Octets in `data`. */
	__u32 captured;
	__u8 data[HEADERS + PAYLOAD];
};

/* What changes as connections and messages begin. */
struct latest {
	/* The last one that was given to a message. */
	__u32 tail_id;
	/* The ring was half full, and not below a quarter since: connections that begin are not recorded. */
	__u32 crowded;
};

/* What every segment needs, in one page, since each page that the processor must look up costs time. */
enum common_key { COMMON_INDEX, COMMON_LATEST, COMMONS };
union common {
	struct index index;
	struct latest latest;
	__u8 lines[3 * LINE];
};

enum counter {
	COUNT_FRAMES,
	/* Segments of the server ports. */
	COUNT_SEGMENTS,
	COUNT_OCTETS,
	COUNT_FRAGMENTS,
	/* Frames that are not what their headers say. */
	COUNT_MALFORMED,
	COUNT_RECORDS,
	/* Records that found no room. */
	COUNT_LOST,
	COUNT_ELIDED_SEGMENTS,
	COUNT_ELIDED_OCTETS,
	COUNT_FLOWS,
	COUNT_REPAIRED,
	COUNT_CONTRADICTED,
	/* Connections, and segments, that were given to the relay. */
	COUNT_DIVERTED,
	COUNT_DIVERTED_SEGMENTS,
	/* Connections that should have been, and no relay listened. */
	COUNT_NO_RELAY,
	/* ICMP errors about the relay's own segments. */
	COUNT_DIVERTED_ERRORS,
	/* Segments with one side's address that came by the leg of the other: a forged sender, or traffic between other networks. */
	COUNT_WRONG_LEG,
	/* Connections that are not recorded, since the ring was crowded when they began. */
	COUNT_UNWATCHED,
	COUNTERS,
};

#endif
