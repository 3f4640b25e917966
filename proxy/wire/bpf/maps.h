/* Limits, maps, and what every part uses.
 *
 * A look-up in an array below its size finds an entry; where its result is tested all the same, the verifier requires that. */
#ifndef EHLOWIRE_MAPS_H
#define EHLOWIRE_MAPS_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include "abi.h"

#define FIN 0x01
#define SYN 0x02
#define RST 0x04
#define PSH 0x08
#define ACK 0x10

/* RFC 791 section 3.1: more fragments, and the offset. */
#define IP_MORE 0x2000
#define IP_OFFSET 0x1fff

/* IPv6 extension headers that are skipped. */
#define EXTENSIONS 4
/* Of each TLS stream: both hellos and the certificates. */
#define TLS_COPIED 8192
/* Octets of a segment that are searched for commands and replies; what is beyond is bulk behind a BDAT. */
#define SCANNED 4096
/* A greeting is some hundred octets. */
#define GREETING_SCANNED 1024
/* In MODE_UNKNOWN: larger segments are taken for content. */
#define UNKNOWN_COPIED 512
/* More octets without a reply are no dialogue; a group of commands (RFC 2920) is far below. */
#define UNANSWERED 65536
/* CRLF . CRLF */
#define DOT 5
#define DOT_OCTETS 0x0a0d2e0a0dull
/* Elided octets are recorded before their number wraps. */
#define ELIDED_MOST (1u << 30)

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct settings);
} settings SEC(".maps");

/* This map and those of connections are mappable, though no process maps them: so that they begin with a page, and each entry with a
 * cache line. */
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

/* Connections, in sets; the loader sets the size of both maps. */
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

/* The loader sets its size. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 26);
} ring SEC(".maps");

/* A connection that begins: too large for the stack. */
struct zero_flow {
	struct flow flow;
	/* Never read: they bring enums that are no field's type into the object's BTF. */
	enum constant constant;
	enum counter counter;
	enum common_key common_key;
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_RDONLY_PROG);
	__type(key, __u32);
	__type(value, struct zero_flow);
} zero_flow SEC(".maps");

/* One TCP segment of a server port. */
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
	/* Both ports are servers', and no handshake says which one is the server's. */
	__u8 both;
	/* The first piece of a datagram in fragments. */
	__u8 fragment;
	/* Not TCP: where an ICMP header is. */
	__u32 icmp_at;
};

/* What each processor works with, in one place, since a cache miss costs most. */
struct cpu_scratch {
	/* By enum counter. */
	__u64 counters[COUNTERS];
	struct segment segment;
	/* The kernel's tick in which the clock was last read for content, and its time. */
	__u64 tick;
	__u64 tick_at;
	/* Made here, then copied to the ring: there, room can only be reserved for a size that is constant. */
	struct record record;
};
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct cpu_scratch);
} cpu_scratch SEC(".maps");

static __always_inline void count(struct cpu_scratch *scratch, enum counter which, __u64 amount)
{
	scratch->counters[which] += amount;
}

/* Indices by side: with a bound that the verifier sees. */
static __always_inline __u32 own(enum side side)
{
	return side & 1;
}

static __always_inline __u32 peer(enum side side)
{
	return !(side & 1);
}

/* RFC 9293 section 3.4: a precedes b. */
static __always_inline bool before(__u32 a, __u32 b)
{
	return (__s32)(a - b) < 0;
}

#endif
