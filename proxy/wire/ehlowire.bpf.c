/* ehlowire in the kernel: at tc on both legs it copies the SMTP dialogue to a ring, repairs what keeps its length,
 * and hands connections to a relay where it is told to. Whatever it does not understand passes untouched.
 *
 * The way of a segment: parse -> flow -> (divert) -> (repair) -> copy. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/pkt_cls.h>
#include <stdbool.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <stddef.h>
#include "abi.h"

#define FIN 0x01
#define SYN 0x02
#define RST 0x04
#define PSH 0x08
#define ACK 0x10

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
/* An acknowledgement with timestamps and nothing else: more has SACK blocks. */
#define PLAIN_HEADER 32
/* CRLF . CRLF */
#define DOT 5
/* A stretch is told before its length wraps. */
#define STRETCH_MOST (1u << 30)

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct settings);
} settings SEC(".maps");

/* Server ports that are looked at, in host order; the value is not read. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u16);
	__type(value, __u8);
} ports SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, struct server_key);
	__type(value, struct server);
} servers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct flow_key);
	__type(value, struct flow);
} flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct flow_key);
	__type(value, struct tail);
} tails SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 26);
} ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, COUNTERS);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

/* Where records are made, before their length is known. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct record);
} bench SEC(".maps");

/* What starts empty: too large for the stack. */
struct blank {
	struct flow flow;
	struct tail tail;
	/* Nobody reads these: they bring the numbers of abi.h into the object's BTF, where the test finds them. */
	enum leg leg;
	enum side_of side;
	enum policy policy;
	enum record_kind kind;
	enum record_flag flag;
	enum counter counter;
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
	__u8 from;
	__u8 leg;
	__u8 family;
};

/* The segment in hand: of the stack the program has little. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct segment);
} hand SEC(".maps");

static __always_inline void count(__u32 which, __u64 amount)
{
	__u64 *value = bpf_map_lookup_elem(&counters, &which);
	if (value)
		*value += amount;
}

/* RFC 9293 section 3.4: a precedes b. */
static __always_inline bool before(__u32 a, __u32 b)
{
	return (__s32)(a - b) < 0;
}

/* ---- parse ---------------------------------------------------------------------------------------------------- */

struct ports_of {
	__be16 source, destination;
};

static __always_inline void mapped(__u8 *to, __u32 address)
{
	__builtin_memset(to, 0, 10);
	to[10] = to[11] = 0xff;
	__builtin_memcpy(to + 12, &address, 4);
}

/* Offset of the network header and its EtherType; at most two tags in the frame (802.1Q, 802.1ad). */
static __always_inline int link_header(struct __sk_buff *skb, __u16 *type)
{
	int at = ETH_HLEN;
	*type = bpf_ntohs(skb->protocol);
#pragma unroll
	for (int i = 0; i < 2; i++) {
		__be16 tag[2];
		if (*type != ETH_P_8021Q && *type != ETH_P_8021AD)
			break;
		if (bpf_skb_load_bytes(skb, at, tag, sizeof(tag)))
			return -1;
		*type = bpf_ntohs(tag[1]);
		at += 4;
	}
	return at;
}

/* Offset of the TCP header; fills addresses (source first) and `end`, the offset behind the datagram. -1: none. */
static __always_inline int ipv4_header(struct __sk_buff *skb, int at, __u8 *source, __u8 *destination, __u32 *end)
{
	__u8 ip[20];
	if (bpf_skb_load_bytes(skb, at, ip, sizeof(ip))) {
		count(COUNT_MALFORMED, 1);
		return -1;
	}
	if (ip[9] != IPPROTO_TCP)
		return -1;
	int header = (ip[0] & 15) * 4;
	if (ip[0] >> 4 != 4 || header < 20) {
		count(COUNT_MALFORMED, 1);
		return -1;
	}
	if ((ip[6] & 0x3f) || ip[7]) {
		count(COUNT_FRAGMENTS, 1);
		return -1;
	}
	__u32 address;
	__builtin_memcpy(&address, ip + 12, 4);
	mapped(source, address);
	__builtin_memcpy(&address, ip + 16, 4);
	mapped(destination, address);
	__u32 total = ip[2] << 8 | ip[3];
	/* 0: more than the field can say (BIG TCP). */
	*end = total ? at + total : skb->len;
	return at + header;
}

static __always_inline int ipv6_header(struct __sk_buff *skb, int at, __u8 *source, __u8 *destination, __u32 *end)
{
	__u8 ip[40];
	if (bpf_skb_load_bytes(skb, at, ip, sizeof(ip))) {
		count(COUNT_MALFORMED, 1);
		return -1;
	}
	if (ip[0] >> 4 != 6)
		return -1;
	__builtin_memcpy(source, ip + 8, 16);
	__builtin_memcpy(destination, ip + 24, 16);
	__u32 length = ip[4] << 8 | ip[5];
	*end = length ? at + 40 + length : skb->len;
	__u8 next = ip[6];
	at += 40;
#pragma unroll
	for (int i = 0; i < EXTENSIONS; i++) {
		__u8 extension[2];
		if (next == IPPROTO_TCP)
			return at;
		if (next == IPPROTO_FRAGMENT) {
			count(COUNT_FRAGMENTS, 1);
			return -1;
		}
		if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_DSTOPTS)
			return -1;
		if (bpf_skb_load_bytes(skb, at, extension, sizeof(extension))) {
			count(COUNT_MALFORMED, 1);
			return -1;
		}
		next = extension[0];
		at += (extension[1] + 1) * 8;
	}
	return next == IPPROTO_TCP ? at : -1;
}

/* Fills `s`, which is all zero before. False: not ours. */
static __always_inline bool parse(struct __sk_buff *skb, struct segment *s)
{
	__u16 type;
	__u8 source[16], destination[16], tcp[20];
	__u32 end = 0;
	int at = link_header(skb, &type);
	if (at < 0)
		return false;
	if (type == ETH_P_IP) {
		at = ipv4_header(skb, at, source, destination, &end);
		s->family = 4;
	} else if (type == ETH_P_IPV6) {
		at = ipv6_header(skb, at, source, destination, &end);
		s->family = 6;
	} else {
		return false;
	}
	/* The compiler would carry it undefined past a failure; the verifier reads that. */
	asm volatile("" : "+r"(end));
	if (at < 0)
		return false;
	if (bpf_skb_load_bytes(skb, at, tcp, sizeof(tcp))) {
		count(COUNT_MALFORMED, 1);
		return false;
	}
	__u16 from = tcp[0] << 8 | tcp[1], to = tcp[2] << 8 | tcp[3];
	if (bpf_map_lookup_elem(&ports, &to))
		s->from = SIDE_CLIENT;
	else if (bpf_map_lookup_elem(&ports, &from))
		s->from = SIDE_SERVER;
	else
		return false;
	s->flags = tcp[13];
	/* Both ports may be a server's: then the handshake tells. */
	if (s->from == SIDE_CLIENT && (s->flags & (SYN | ACK)) == (SYN | ACK) && bpf_map_lookup_elem(&ports, &from))
		s->from = SIDE_SERVER;
	s->tcp_at = at;
	s->header = (tcp[12] >> 4) * 4;
	s->payload_at = at + s->header;
	if (s->header < 20 || s->payload_at > end || end > skb->len) {
		count(COUNT_MALFORMED, 1);
		return false;
	}
	s->payload = end - s->payload_at;
	s->seq = (__u32)tcp[4] << 24 | tcp[5] << 16 | tcp[6] << 8 | tcp[7];
	s->ack = (__u32)tcp[8] << 24 | tcp[9] << 16 | tcp[10] << 8 | tcp[11];
	s->window = tcp[14] << 8 | tcp[15];
	if (s->from == SIDE_CLIENT) {
		__builtin_memcpy(s->key.client, source, 16);
		__builtin_memcpy(s->key.server, destination, 16);
		s->key.client_port = from;
		s->key.server_port = to;
	} else {
		__builtin_memcpy(s->key.client, destination, 16);
		__builtin_memcpy(s->key.server, source, 16);
		s->key.client_port = to;
		s->key.server_port = from;
	}
	s->now = bpf_ktime_get_ns();
	return true;
}

/* ---- flow ----------------------------------------------------------------------------------------------------- */

/* The client's SYN. */
static __always_inline bool is_first(const struct segment *s)
{
	return s->from == SIDE_CLIENT && (s->flags & (SYN | ACK)) == SYN;
}

static __always_inline __u8 policy_of(const struct flow_key *key, __u16 *lines)
{
	struct server_key server = { .port = key->server_port };
	__builtin_memcpy(server.address, key->server, 16);
	struct server *known = bpf_map_lookup_elem(&servers, &server);
	if (known && known->policy != POLICY_UNKNOWN) {
		*lines = known->lines;
		return known->policy;
	}
	__u32 zero = 0;
	struct settings *set = bpf_map_lookup_elem(&settings, &zero);
	return set && set->unknown != POLICY_UNKNOWN ? set->unknown : POLICY_OBSERVE;
}

static __noinline struct flow *begin(struct segment *s)
{
	__u32 zero = 0;
	struct blank *blank = bpf_map_lookup_elem(&blanks, &zero);
	if (!s || !blank)
		return NULL;
	bpf_map_update_elem(&flows, &s->key, &blank->flow, BPF_ANY);
	struct flow *flow = bpf_map_lookup_elem(&flows, &s->key);
	if (!flow)
		return NULL;
	count(COUNT_FLOWS, 1);
	flow->started = is_first(s);
	if (!flow->started)
		flow->sides[0].mode = flow->sides[1].mode = MODE_MIDDLE;
	flow->policy = POLICY_OBSERVE;
	if (flow->started)
		flow->policy = policy_of(&s->key, &flow->lines);
	flow->repairable = flow->policy == POLICY_REPAIR;
	return flow;
}

static __always_inline struct flow *flow_of(struct segment *s)
{
	struct flow *flow = bpf_map_lookup_elem(&flows, &s->key);
	/* A fresh SYN where a connection was: the port is used again (RFC 9293 section 3.6.1). */
	if (flow && is_first(s) && flow->sides[SIDE_CLIENT].next != s->seq + 1)
		flow = NULL;
	if (!flow)
		flow = begin(s);
	return flow;
}

/* ---- records -------------------------------------------------------------------------------------------------- */

static __always_inline void put(struct record *record, struct flow *flow)
{
	__u32 size = offsetof(struct record, data) + record->captured;
	if (flow->lost)
		record->flags |= RECORD_LOST;
	if (size > sizeof(*record) || bpf_ringbuf_output(&ring, record, size, 0)) {
		flow->lost = 1;
		count(COUNT_LOST, 1);
		return;
	}
	flow->lost = 0;
	count(COUNT_RECORDS, 1);
}

static __always_inline struct record *blank_record(const struct segment *s, __u8 kind, __u8 from)
{
	__u32 zero = 0;
	struct record *record = bpf_map_lookup_elem(&bench, &zero);
	if (!record)
		return NULL;
	__builtin_memset(record, 0, offsetof(struct record, data));
	record->at = s->now;
	record->kind = kind;
	record->leg = s->leg;
	record->from = from;
	return record;
}

/* Copies `n` octets of the frame to `data[to]`; the bounds are for the verifier, which sees no other way. */
static __always_inline bool copy(struct __sk_buff *skb, __u32 at, struct record *record, __u32 to, __u32 n, __u32 most)
{
	if (n == 0)
		return true;
	__u32 last = n - 1;
	asm volatile("" : "+r"(last));
	if (last >= most || to > HEADERS)
		return false;
	return bpf_skb_load_bytes(skb, at, record->data + to, last + 1) == 0;
}

/* Tells what was left out of a side since its last record, with what is known of its end: `want` is 0, DOT or TAIL. */
static __noinline int tell_stretch(struct segment *s, struct flow *flow, __u32 from, __u32 want)
{
	if (!s || !flow || from > 1)
		return 0;
	struct side *side = &flow->sides[from];
	struct record *record = blank_record(s, RECORD_STRETCH, from);
	if (!record || side->left_out == 0)
		return 0;
	record->at = side->left_out_at;
	record->leg = s->from == from ? s->leg : !s->leg;
	record->seq = side->left_out_from;
	record->octets = side->left_out;
	record->segments = side->left_out_segments;
	record->flags = side->mode == MODE_MIDDLE ? 0 : RECORD_CONTENT;
	__builtin_memcpy(record->data, &s->key, sizeof(s->key));
	record->captured = STRETCH_KEY;
	struct tail *tail = want ? bpf_map_lookup_elem(&tails, &s->key) : NULL;
	if (tail && tail->end == side->left_out_from + side->left_out) {
		record->payload = tail->end - tail->from;
		if (record->payload > side->left_out)
			record->payload = side->left_out;
		if (want == DOT) {
			if (record->payload > DOT)
				record->payload = DOT;
			for (__u32 i = 0; i < DOT; i++)
				record->data[STRETCH_KEY + i] = tail->octets[(tail->end - record->payload + i) & (TAIL - 1)];
			record->captured += DOT;
		} else {
			__builtin_memcpy(record->data + STRETCH_KEY, tail->octets, TAIL);
			record->captured += TAIL;
		}
	}
	put(record, flow);
	side->left_out = 0;
	side->left_out_segments = 0;
	return 0;
}

static __always_inline void leave_out(struct segment *s, struct flow *flow, struct side *side, __u32 from, __u32 octets)
{
	if (octets == 0)
		return;
	if (side->left_out == 0)
		side->left_out_from = from;
	side->left_out += octets;
	side->left_out_segments += 1;
	side->left_out_at = s->now;
	count(COUNT_LEFT_OUT_SEGMENTS, 1);
	count(COUNT_LEFT_OUT_OCTETS, octets);
	if (side->left_out > STRETCH_MOST)
		tell_stretch(s, flow, s->from, 0);
}

/* ---- scan: commands and replies that begin or end content ------------------------------------------------------- */

struct scan {
	const struct record *record;
	/* Where the payload begins in `record->data`, and its octets. */
	__u32 at, n;
	/* A line begins here. */
	__u32 line;
	/* Content to be passed over (BDAT): where it ends, in octets of the payload. */
	__u32 until;
	/* The line that was found begins here, and the content behind it. */
	__u32 found, content;
	bool client;
};

static __always_inline __u8 octet(const struct scan *scan, __u32 i)
{
	__u32 at = scan->at + i;
	if (at >= HEADERS + PAYLOAD)
		return 0;
	return scan->record->data[at];
}

static __always_inline bool is_digit(__u8 c)
{
	return c >= '0' && c <= '9';
}

/* `BDAT n` (RFC 3030 section 2): the chunk's length; false: not such a line. */
static __always_inline bool chunk_of(const struct scan *scan, __u32 line, __u32 *length)
{
	if ((octet(scan, line) | 32) != 'b' || (octet(scan, line + 1) | 32) != 'd' || (octet(scan, line + 2) | 32) != 'a' ||
	    (octet(scan, line + 3) | 32) != 't' || octet(scan, line + 4) != ' ')
		return false;
	__u64 value = 0;
	__u32 digits = 0;
	for (__u32 i = 0; i < 11; i++) {
		__u8 c = octet(scan, line + 5 + i);
		if (!is_digit(c))
			break;
		value = value * 10 + (c - '0');
		digits++;
	}
	*length = value;
	/* Beyond half the number space nobody could follow it. */
	return digits > 0 && value < 1u << 31;
}

static long scan_octet(__u32 i, void *context)
{
	struct scan *scan = context;
	if (i >= scan->n)
		return 1;
	if (i < scan->until)
		return 0;
	if (octet(scan, i) != '\n')
		return 0;
	if (scan->client) {
		__u32 length;
		if (chunk_of(scan, scan->line, &length)) {
			scan->found = scan->line;
			scan->content = i + 1;
			scan->until = i + 1 + length;
			if (scan->until > scan->n)
				return 1;
			scan->line = scan->until;
			return 0;
		}
	} else if (octet(scan, scan->line) == '3' && octet(scan, scan->line + 1) == '5' &&
		   octet(scan, scan->line + 2) == '4' && octet(scan, scan->line + 3) != '-') {
		scan->found = scan->line;
		scan->content = i + 1;
	}
	scan->line = i + 1;
	return 0;
}

/* ---- repair: the same octets as `repairGreetingSameLength` ------------------------------------------------------ */

struct greeting {
	struct scan octets;
	struct flow *flow;
	__u32 seq;
	/* Where the line's code stands: behind what no client skips. */
	__u32 code_at;
	/* Whole reply lines. */
	__u32 lines;
	/* The separator of the last line if that is a 220's hyphen, plus one. */
	__u32 hyphen;
	__u32 tabs[PATCHES];
	__u8 hyphens;
	__u8 tab_count;
	bool lead;
	/* The last line is there. */
	bool complete;
	/* A CR that ends nothing, or more patches than there is room for: nothing is touched. */
	bool odd;
};

/* The reply code at `i`, as its three digits; 0: none. */
static __always_inline __u32 code(const struct greeting *g, __u32 i)
{
	if (i + 3 > g->octets.n)
		return 0;
	__u8 a = octet(&g->octets, i), b = octet(&g->octets, i + 1), c = octet(&g->octets, i + 2);
	if (a < '1' || a > '5' || !is_digit(b) || !is_digit(c))
		return 0;
	return a << 16 | b << 8 | c;
}

#define CODE_220 ('2' << 16 | '2' << 8 | '0')

static __always_inline bool starts_reply(const struct greeting *g, __u32 i)
{
	if (i + 4 > g->octets.n || !code(g, i))
		return false;
	__u8 c = octet(&g->octets, i + 3);
	return c == ' ' || c == '-' || c == '\t';
}

/* One whole line, [line, end), `end` before its terminator and `next` behind. */
static __always_inline void greeting_line(struct greeting *g, __u32 end, __u32 next)
{
	__u32 line = g->octets.line, at = g->code_at;
	__u32 three = at + 3 <= end ? code(g, at) : 0;
	__u8 after = at + 3 < end ? octet(&g->octets, at + 3) : '\r';
	g->hyphen = 0;
	if (!three || is_digit(after))
		return;
	g->lines++;
	bool ours = three == CODE_220 && at == line;
	if (after == '-') {
		g->hyphen = ours ? at + 3 + 1 : 0;
		return;
	}
	g->complete = after == ' ' || !(starts_reply(g, next) && code(g, next) == three);
	if (after != '\t' || !ours)
		return;
	if (g->tab_count >= PATCHES) {
		g->odd = true;
		return;
	}
	g->tabs[g->tab_count & (PATCHES - 1)] = at + 3;
	if (!g->complete)
		g->hyphens |= 1 << (g->tab_count & (PATCHES - 1));
	g->tab_count++;
}

static long greeting_octet(__u32 i, void *context)
{
	struct greeting *g = context;
	if (i >= g->octets.n || g->complete || g->odd)
		return 1;
	__u8 c = octet(&g->octets, i);
	if (c == '\n') {
		bool crlf = i > g->octets.line && octet(&g->octets, i - 1) == '\r';
		if (g->code_at > i)
			g->code_at = i;
		greeting_line(g, crlf ? i - 1 : i, i + 1);
		g->octets.line = g->code_at = i + 1;
		g->lead = true;
		return 0;
	}
	if (c == '\r' && (i + 1 >= g->octets.n || octet(&g->octets, i + 1) != '\n')) {
		g->odd = true;
		return 1;
	}
	if (g->lead && (c <= ' ' || c > '~') && c != '\r')
		g->code_at = i + 1;
	else
		g->lead = false;
	return 0;
}

static __always_inline void add_patch(struct flow *flow, __u32 seq, __u8 to)
{
	__u32 i = flow->patch_count;
	asm volatile("" : "+r"(i));
	if (i >= PATCHES)
		return;
	flow->patches[i].seq = seq;
	flow->patches[i].octet = to;
	flow->patch_count = i + 1;
}

/* The server's next segment of the greeting, its payload in `record`: what is to be changed is noted in `flow`. */
static __noinline int judge_greeting(struct segment *s, struct flow *flow, struct record *record)
{
	if (!s || !flow || !record)
		return 0;
	struct greeting g = {
		.octets = { .record = record, .at = record->headers, .n = s->payload },
		.lead = true,
	};
	flow->greeting_end = s->seq + s->payload;
	if (s->payload > GREETING_SCANNED) {
		flow->repairable = 0;
		return 0;
	}
	bpf_loop(GREETING_SCANNED, greeting_octet, &g, 0);
	__u16 wanted = flow->lines;
	bool whole = g.octets.line == s->payload;
	flow->repairable = 0;
	if (g.odd || g.tab_count + flow->patch_count >= PATCHES)
		return 0;
	for (__u32 i = 0; i < PATCHES; i++) {
		if (i < g.tab_count)
			add_patch(flow, s->seq + g.tabs[i], g.hyphens & (1 << i) ? '-' : ' ');
	}
	if (g.complete || !whole || !g.hyphen)
		return 0;
	/* It may go on: the next segment shows it, unless it is known to stall here. */
	if (g.lines < wanted) {
		flow->lines = wanted - g.lines;
		flow->repairable = 1;
		return 0;
	}
	add_patch(flow, s->seq + g.hyphen - 1, ' ');
	flow->ended = 1;
	return 0;
}

/* Changes one octet of the frame, and the checksum where it is not the card that makes it. */
static __always_inline void change(struct __sk_buff *skb, const struct segment *s, __u32 offset, __u8 to)
{
	__be16 was = 0;
	/* The sum goes over words; behind an odd last octet stands a zero (RFC 9293 section 3.1). */
	bool alone = (offset | 1) >= s->payload;
	long failed = alone ? bpf_skb_load_bytes(skb, s->payload_at + offset, &was, 1)
			    : bpf_skb_load_bytes(skb, s->payload_at + (offset & ~1u), &was, 2);
	if (failed)
		return;
	/* In network order: the first octet of the word is its high one. */
	__u16 word = bpf_ntohs(was);
	word = offset & 1 ? (word & 0xff00) | to : (word & 0x00ff) | to << 8;
	__be16 is = bpf_htons(word);
	if (was == is)
		return;
	bpf_skb_store_bytes(skb, s->payload_at + offset, &to, 1, BPF_F_RECOMPUTE_CSUM);
	bpf_l4_csum_replace(skb, s->tcp_at + 16, was, is, 2);
}

/* Every copy of a repaired octet passes repaired: the client's TCP must never see two. */
static __noinline int apply_patches(struct __sk_buff *skb, struct segment *s, struct flow *flow)
{
	int applied = 0;
	if (!s || !flow)
		return 0;
	for (__u32 i = 0; i < PATCHES; i++) {
		if (i >= flow->patch_count)
			break;
		__u32 offset = flow->patches[i].seq - s->seq;
		if (offset >= s->payload)
			continue;
		change(skb, s, offset, flow->patches[i].octet);
		applied++;
	}
	return applied;
}

/* The server said more where we had ended its greeting: it was only slow. */
static __always_inline void withdraw(struct segment *s)
{
	struct server_key key = { .port = s->key.server_port };
	__builtin_memcpy(key.address, s->key.server, 16);
	struct server *known = bpf_map_lookup_elem(&servers, &key);
	if (known) {
		known->policy = POLICY_OBSERVE;
		known->contradicted = 1;
	}
	count(COUNT_CONTRADICTED, 1);
}

/* ---- copy: what goes to the ring ------------------------------------------------------------------------------- */

static __always_inline bool copy_to_tail(struct __sk_buff *skb, __u32 offset, struct tail *tail, __u32 at, __u32 n)
{
	__u32 last = n - 1;
	asm volatile("" : "+r"(last));
	if (n == 0 || last >= TAIL || at >= TAIL)
		return false;
	return bpf_skb_load_bytes(skb, offset, tail->octets + at, last + 1) == 0;
}

static __always_inline __u8 tail_octet(const struct tail *tail, __u32 seq)
{
	return tail->octets[seq & (TAIL - 1)];
}

/* CRLF . CRLF and nothing else (RFC 5321 section 4.1.1.4); the first line of a message follows DATA's CRLF. */
static __always_inline bool ends_message(const struct tail *tail, __u32 content)
{
	__u32 end = tail->end, n = end - tail->from;
	if (n < 3 || tail_octet(tail, end - 3) != '.' || tail_octet(tail, end - 2) != '\r' || tail_octet(tail, end - 1) != '\n')
		return false;
	if (end - content == 3)
		return true;
	return n >= 5 && tail_octet(tail, end - 5) == '\r' && tail_octet(tail, end - 4) == '\n';
}

/* Keeps the end of a message, in order only: what stands before a hole is not valid any more. True: it ended. */
static __noinline int keep_tail(struct __sk_buff *skb, struct segment *s, __u32 content)
{
	__u32 zero = 0;
	if (!s)
		return 0;
	struct tail *tail = bpf_map_lookup_elem(&tails, &s->key);
	if (!tail) {
		struct blank *blank = bpf_map_lookup_elem(&blanks, &zero);
		if (!blank)
			return 0;
		bpf_map_update_elem(&tails, &s->key, &blank->tail, BPF_ANY);
		tail = bpf_map_lookup_elem(&tails, &s->key);
		if (!tail)
			return 0;
		tail->end = ~s->seq;
	}
	if (tail->end != s->seq || before(tail->from, content))
		tail->from = s->seq;
	__u32 end = s->seq + s->payload;
	__u32 n = s->payload > TAIL ? TAIL : s->payload;
	__u32 at = (end - n) & (TAIL - 1), offset = s->payload_at + s->payload - n;
	tail->end = end;
	if (end - tail->from > TAIL)
		tail->from = end - TAIL;
	if (!copy_to_tail(skb, offset, tail, at, n))
		return 0;
	if (at + n > TAIL && !copy_to_tail(skb, offset + TAIL - at, tail, 0, at + n - TAIL))
		return 0;
	return ends_message(tail, content);
}

/* ---- one segment ----------------------------------------------------------------------------------------------- */

/* Makes the record of a segment: its headers, and of its payload [skipped, skipped + n). */
static __noinline struct record *record_of(struct __sk_buff *skb, struct segment *s, __u32 skipped, __u32 n)
{
	if (!s)
		return NULL;
	struct record *record = blank_record(s, RECORD_SEGMENT, s->from);
	if (!record)
		return NULL;
	record->vlan_tci = skb->vlan_present ? skb->vlan_tci : 0;
	record->vlan_protocol = skb->vlan_present ? skb->vlan_proto : 0;
	record->length = skb->len;
	record->headers = s->payload_at;
	record->payload = s->payload;
	record->skipped = skipped;
	if (!copy(skb, 0, record, 0, s->payload_at, HEADERS))
		return NULL;
	if (n > PAYLOAD)
		n = PAYLOAD;
	if (!copy(skb, s->payload_at + skipped, record, s->payload_at, n, PAYLOAD))
		return NULL;
	record->captured = s->payload_at + n;
	return record;
}

/* Of a segment in order: how many octets at its front are content that need not be seen. */
static __always_inline __u32 content_of(struct __sk_buff *skb, struct segment *s, struct side *side, bool *ended)
{
	__u32 left;
	*ended = false;
	switch (side->mode) {
	case MODE_DATA:
		*ended = keep_tail(skb, s, side->mark);
		return s->payload;
	case MODE_CHUNK:
		left = side->mark - s->seq;
		*ended = left <= s->payload;
		return *ended ? left : s->payload;
	case MODE_TLS:
		return before(s->seq, side->mark) ? 0 : s->payload;
	case MODE_MIDDLE:
		return s->payload > MIDDLE_COPIED ? s->payload : 0;
	default:
		return 0;
	}
}

/* `16 03`, or an alert: from here on nobody but the two can read it (RFC 8446 section 5.1). */
static __always_inline bool starts_tls(const struct record *record, const struct segment *s)
{
	__u32 at = s->payload_at;
	if (s->payload < 2 || at >= HEADERS)
		return false;
	__u8 type = record->data[at];
	return type >= 0x14 && type <= 0x17 && record->data[at + 1] == 0x03;
}

/* New octets of a dialogue, in the record: what they begin. */
static __always_inline void look(struct segment *s, struct flow *flow, struct record *record)
{
	struct side *side = &flow->sides[s->from & 1];
	struct side *client = &flow->sides[SIDE_CLIENT];
	bool from_client = s->from == SIDE_CLIENT;
	if (starts_tls(record, s)) {
		side->mode = MODE_TLS;
		side->mark = s->seq + TLS_COPIED;
		return;
	}
	if (!from_client && client->mode != MODE_DIALOGUE && client->mode != MODE_MIDDLE)
		return;
	__u32 n = record->captured - record->headers;
	struct scan scan = {
		.record = record, .at = record->headers, .n = n, .client = from_client,
	};
	if (scan.n > SCANNED)
		scan.n = SCANNED;
	bpf_loop(SCANNED, scan_octet, &scan, 0);
	if (!scan.content)
		return;
	if (!from_client) {
		client->mode = MODE_DATA;
		client->mark = client->next;
		return;
	}
	__u32 shown = record->skipped + n;
	__u32 ends = record->skipped + scan.until;
	if (ends <= s->payload && ends <= shown)
		return;
	/* The chunk goes on behind this segment: of it only the command is shown. */
	side->mode = MODE_CHUNK;
	side->mark = s->seq + ends;
	if (scan.content < n)
		record->captured = record->headers + scan.content;
	record->flags |= RECORD_CONTENT;
}

static __always_inline bool is_bare_ack(const struct segment *s)
{
	return s->payload == 0 && (s->flags & ~PSH) == ACK && s->header <= PLAIN_HEADER && s->window != 0;
}

/* The server speaks, or somebody ends it: whatever the client was sending is over. */
static __always_inline void close_content(struct segment *s, struct flow *flow)
{
	struct side *client = &flow->sides[SIDE_CLIENT];
	tell_stretch(s, flow, SIDE_CLIENT, client->mode == MODE_DATA ? TAIL : 0);
	if (client->mode == MODE_DATA)
		client->mode = MODE_DIALOGUE;
	if (client->mode == MODE_MIDDLE && s->from == SIDE_SERVER && s->payload > 0)
		client->mode = MODE_DIALOGUE;
}

static __always_inline void greet(struct __sk_buff *skb, struct segment *s, struct flow *flow, bool fresh, struct record *record)
{
	struct side *client = &flow->sides[SIDE_CLIENT];
	bool unasked = client->heard && client->mode == MODE_DIALOGUE && client->mark == client->next;
	if (fresh && flow->repairable && flow->started && unasked)
		judge_greeting(s, flow, record);
	else if (fresh && flow->ended == 1 && s->seq == flow->greeting_end) {
		__u32 at = record->headers;
		bool again = at < HEADERS - 3 && record->data[at] == '2' && record->data[at + 1] == '2' && record->data[at + 2] == '0';
		if (unasked || again) {
			withdraw(s);
			record->flags |= RECORD_CONTRADICTED;
		}
		flow->ended = 2;
	}
}

static __always_inline void apply(struct __sk_buff *skb, struct segment *s, struct flow *flow, struct record *record)
{
	if (!flow->patch_count || !before(s->seq, flow->greeting_end))
		return;
	if (!apply_patches(skb, s, flow))
		return;
	record->flags |= RECORD_REPAIRED;
	__u32 n = record->captured - record->headers;
	copy(skb, s->payload_at, record, s->payload_at, n, PAYLOAD);
}

static __noinline int see(struct __sk_buff *skb, struct segment *s, struct flow *flow)
{
	bool ended;
	if (!s || !flow)
		return 0;
	struct side *side = &flow->sides[s->from & 1];
	struct side *other = &flow->sides[!(s->from & 1)];
	bool control = s->flags & (SYN | FIN | RST);
	if ((s->flags & SYN) && !side->heard) {
		side->next = s->seq + 1;
		side->heard = 1;
		/* Until it speaks: where its first octet will be. */
		side->mark = side->next;
	}
	if (!side->heard && !(s->flags & RST)) {
		side->next = s->seq;
		side->heard = 1;
	}
	bool ordered = s->seq == side->next;
	bool fresh = ordered && s->payload > 0 && !(s->flags & (SYN | RST));
	__u32 skipped = 0;
	if (fresh && !control) {
		skipped = content_of(skb, s, side, &ended);
		if (skipped) {
			leave_out(s, flow, side, s->seq, skipped);
			side->next = s->seq + skipped;
			if (ended) {
				tell_stretch(s, flow, s->from, side->mode == MODE_DATA ? DOT : 0);
				side->mode = MODE_DIALOGUE;
			}
			if (skipped == s->payload)
				return 0;
		}
	}
	if (is_bare_ack(s) && ordered) {
		struct side *client = &flow->sides[SIDE_CLIENT];
		if (client->mode == MODE_DATA || client->mode == MODE_CHUNK || side->mode == MODE_TLS || side->left_out || other->left_out)
			return 0;
	}
	tell_stretch(s, flow, s->from, side->mode == MODE_DATA ? TAIL : 0);
	if (control || (s->from == SIDE_SERVER && fresh))
		close_content(s, flow);
	if (control)
		tell_stretch(s, flow, SIDE_SERVER, 0);
	/* Out of order or again, content stays where it is; the header is what counts. */
	bool hidden = !fresh && s->payload > 0 && side->mode != MODE_DIALOGUE && !(side->mode == MODE_TLS && before(s->seq, side->mark));
	struct record *record = record_of(skb, s, skipped, hidden ? 0 : s->payload - skipped);
	if (!record)
		return 0;
	if (hidden)
		record->flags |= RECORD_CONTENT;
	if (s->from == SIDE_SERVER && s->payload > 0) {
		greet(skb, s, flow, fresh, record);
		apply(skb, s, flow, record);
		if (fresh && (record->flags & RECORD_REPAIRED))
			count(COUNT_REPAIRED, 1);
	}
	if (fresh && (side->mode == MODE_DIALOGUE || side->mode == MODE_MIDDLE))
		look(s, flow, record);
	__u32 end = s->seq + s->payload + (s->flags & FIN ? 1 : 0);
	if (!(s->flags & (SYN | RST)) && before(side->next, end))
		side->next = end;
	put(record, flow);
	if (record->flags & RECORD_CONTENT && fresh && side->mode == MODE_CHUNK) {
		__u32 shown = skipped + record->captured - record->headers;
		leave_out(s, flow, side, s->seq + shown, s->payload - shown);
	}
	return 0;
}

/* ---- divert ----------------------------------------------------------------------------------------------------- */

static __always_inline struct bpf_sock *socket_of(struct __sk_buff *skb, const struct segment *s, const struct settings *set, bool listener)
{
	struct bpf_sock_tuple tuple = {};
	const __u8 *source = s->from == SIDE_CLIENT ? s->key.client : s->key.server;
	const __u8 *destination = s->from == SIDE_CLIENT ? s->key.server : s->key.client;
	__be16 source_port = bpf_htons(s->from == SIDE_CLIENT ? s->key.client_port : s->key.server_port);
	__be16 destination_port = bpf_htons(s->from == SIDE_CLIENT ? s->key.server_port : s->key.client_port);
	if (listener)
		destination_port = bpf_htons(set->relay_port);
	if (s->family == 4) {
		__builtin_memcpy(&tuple.ipv4.saddr, source + 12, 4);
		__builtin_memcpy(&tuple.ipv4.daddr, destination + 12, 4);
		tuple.ipv4.sport = source_port;
		tuple.ipv4.dport = destination_port;
		return bpf_skc_lookup_tcp(skb, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0);
	}
	__builtin_memcpy(tuple.ipv6.saddr, source, 16);
	__builtin_memcpy(tuple.ipv6.daddr, destination, 16);
	tuple.ipv6.sport = source_port;
	tuple.ipv6.dport = destination_port;
	return bpf_skc_lookup_tcp(skb, &tuple, sizeof(tuple.ipv6), BPF_F_CURRENT_NETNS, 0);
}

/* Hands the segment to the relay's socket. False: there is none, and the frame goes on over the bridge. */
static __noinline int divert(struct __sk_buff *skb, struct segment *s)
{
	__u32 zero = 0;
	struct settings *set = bpf_map_lookup_elem(&settings, &zero);
	if (!s || !set || !set->relay_mark)
		return 0;
	bool first = is_first(s);
	struct bpf_sock *socket = socket_of(skb, s, set, false);
	if (first && (!socket || socket->state == BPF_TCP_TIME_WAIT)) {
		if (socket)
			bpf_sk_release(socket);
		socket = socket_of(skb, s, set, true);
	}
	if (!socket)
		return 0;
	long refused = bpf_sk_assign(skb, socket, 0);
	bpf_sk_release(socket);
	if (refused)
		return 0;
	__u8 mac[6];
	__builtin_memcpy(mac, set->relay_mac, 6);
	bpf_skb_store_bytes(skb, 0, mac, 6, 0);
	bpf_skb_change_type(skb, 0 /* PACKET_HOST */);
	skb->mark = set->relay_mark;
	return 1;
}

/* The relay's: a new connection that it is to get, one that it has, or one of which the table knows nothing. */
static __always_inline bool relayed(struct __sk_buff *skb, struct segment *s, struct flow *flow)
{
	bool fresh = is_first(s) && flow->policy == POLICY_RELAY;
	if (!fresh && !flow->diverted && (flow->started || flow->asked))
		return false;
	flow->asked = 1;
	bool taken = divert(skb, s);
	if (fresh && !taken)
		count(COUNT_NO_RELAY, 1);
	if (taken && !flow->diverted)
		count(COUNT_DIVERTED, 1);
	if (taken)
		count(COUNT_DIVERTED_SEGMENTS, 1);
	/* Where the relay is gone, what it had goes on to the peers, who will reset it. */
	flow->diverted = taken;
	return taken;
}

static __always_inline int handle(struct __sk_buff *skb, __u8 leg)
{
	__u32 zero = 0;
	struct segment *s = bpf_map_lookup_elem(&hand, &zero);
	count(COUNT_FRAMES, 1);
	if (!s)
		return TC_ACT_UNSPEC;
	__builtin_memset(s, 0, sizeof(*s));
	s->leg = leg;
	if (!parse(skb, s))
		return TC_ACT_UNSPEC;
	count(COUNT_SEGMENTS, 1);
	count(COUNT_OCTETS, s->payload);
	struct flow *flow = flow_of(s);
	if (flow && !relayed(skb, s, flow))
		see(skb, s, flow);
	return TC_ACT_UNSPEC;
}

SEC("tc")
int ehlowire_wan(struct __sk_buff *skb)
{
	return handle(skb, LEG_WAN);
}

SEC("tc")
int ehlowire_lan(struct __sk_buff *skb)
{
	return handle(skb, LEG_LAN);
}

char _license[] SEC("license") = "Apache-2.0";
