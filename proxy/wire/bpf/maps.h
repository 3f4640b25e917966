/* Limits, maps, and what every part uses. */
#ifndef EHLOWIRE_MAPS_H
#define EHLOWIRE_MAPS_H

#define FIN 0x01
#define SYN 0x02
#define RST 0x04
#define PSH 0x08
#define ACK 0x10

/* RFC 791 section 3.1: more fragments, and the offset. */
#define IP_MORE 0x2000
#define IP_OFFSET 0x1fff

/* IPv6 extension headers that are looked behind. */
#define EXTENSIONS 4
/* Of each TLS stream: both hellos and the certificates. */
#define TLS_COPIED 8192
/* Octets of a segment in which commands and replies are looked for; what is beyond is bulk behind a BDAT. */
#define SCANNED 4096
/* A greeting is some hundred octets. */
#define GREETING_SCANNED 1024
/* In MODE_MIDDLE: larger segments are taken for bulk. */
#define MIDDLE_COPIED 512
/* So much without a word of the other side is no dialogue; a group of commands is far below. */
#define UNANSWERED 65536
/* CRLF . CRLF */
#define DOT 5
#define DOT_OCTETS 0x0a0d2e0a0dull
/* A stretch is told before its length wraps. */
#define STRETCH_MOST (1u << 30)

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct settings);
} settings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, COMMONS);
	__type(key, __u32);
	__type(value, union common);
} commons SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, struct server_key);
	__type(value, struct server);
} servers SEC(".maps");

/* Connections, in sets; both maps are made as large as they are to be. Mappable, though nobody maps them: then they begin
 * with a page, and so each with a line. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct set);
} sets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, WAYS);
	__type(key, __u32);
	__type(value, struct flow);
} flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, TAILS);
	__type(key, __u32);
	__type(value, struct tail);
} tails SEC(".maps");

/* Not BPF_MAP_TYPE_RINGBUF: each record would be made elsewhere, copied, and wait for a lock with interrupts off. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, (1 << 26) / PIECE_SPAN);
	__type(key, __u32);
	__type(value, struct piece);
} ring SEC(".maps");

/* What starts empty: too large for the stack. */
struct blank {
	struct flow flow;
	/* Nobody reads these: they bring what no field has into the object's BTF. */
	enum constant constant;
	enum counter counter;
	enum common_key common_key;
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_RDONLY_PROG);
	__type(key, __u32);
	__type(value, struct blank);
} blanks SEC(".maps");

/* One TCP segment of a port asked for. */
struct segment {
	struct flow_key key;
	__u64 now;
	__u32 tcp_at;
	__u32 payload_at;
	__u32 payload;
	__u32 seq;
	__u32 ack;
	__u16 window;
	__u8 flags;
	__u8 header;
	enum side from;
	enum leg leg;
	__u8 family;
	/* Both ports are servers', and no handshake told which one is meant. */
	__u8 both;
	/* The first piece of a datagram in fragments. */
	__u8 fragment;
	/* Not TCP: where an ICMP header is. */
	__u32 icmp_at;
};

/* What a processor has in hand, in one place, since what it does not find in its cache costs it most. */
struct hand {
	/* By enum counter. */
	__u64 counters[COUNTERS];
	struct segment segment;
	/* The kernel's tick in which the clock was last asked for content, and what it said. */
	__u64 tick;
	__u64 tick_at;
	/* Octets of the slot that its record is being made in; 0: the ring had none, and it is made in `spare`. */
	__u32 room;
	__u32 zero;
	struct slot spare;
};
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct hand);
} hands SEC(".maps");

static __always_inline void count(struct hand *hand, enum counter which, __u64 amount)
{
	hand->counters[which] += amount;
}

/* RFC 9293 section 3.4: a precedes b. */
static __always_inline bool before(__u32 a, __u32 b)
{
	return (__s32)(a - b) < 0;
}

#endif
