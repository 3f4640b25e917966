/* Greetings: the same octets as `repairInPlace` in inspect/greeting/in-place.ts. */
#ifndef EHLOWIRE_REPAIR_H
#define EHLOWIRE_REPAIR_H

#include <bpf/bpf_endian.h>
#include "content_start.h"
#include "maps.h"

struct greeting {
	struct scan octets;
	struct flow *flow;
	__u32 seq;
	/* Where the line's code is, behind leading octets that are not printable. */
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
	/* A CR without LF, or more patches than there is room for: nothing is changed. */
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

/* The server's next segment of the greeting, its payload in `record`: adds the patches to `flow`. */
static __noinline int judge_greeting(struct segment *s, struct flow *flow, struct record *record)
{
	struct greeting g = {
		.octets = { .record = record, .at = record->headers, .n = s->payload },
		.lead = true,
	};
	flow->streams[SIDE_SERVER].greeting_end = s->seq + s->payload;
	if (s->payload > GREETING_SCANNED) {
		flow->repairing = REPAIRING_NOT;
		return 0;
	}
	bpf_loop(GREETING_SCANNED, greeting_octet, &g, 0);
	__u16 wanted = flow->lines;
	bool whole = g.octets.line == s->payload;
	flow->repairing = REPAIRING_NOT;
	if (g.odd || g.tab_count + flow->patch_count >= PATCHES)
		return 0;
	/* Unrolled: kernels before 6.7 accept a loop only where it goes back by a jump, and the compiler makes this one fall through. */
#pragma unroll
	for (__u32 i = 0; i < PATCHES; i++) {
		if (i < g.tab_count)
			add_patch(flow, s->seq + g.tabs[i], g.hyphens & (1 << i) ? '-' : ' ');
	}
	if (g.complete || !whole || !g.hyphen)
		return 0;
	/* The next segment shows whether it goes on, unless this server is known to stall here. */
	if (g.lines < wanted) {
		flow->lines = wanted - g.lines;
		flow->repairing = REPAIRING;
		return 0;
	}
	add_patch(flow, s->seq + g.hyphen - 1, ' ');
	flow->repairing = REPAIRING_ENDED;
	return 0;
}

/* Changes one octet of the frame, and the checksum, unless the card computes that. Returns what it was. */
static __always_inline __u8 rewrite_octet(struct __sk_buff *skb, const struct segment *s, __u32 offset, __u8 to)
{
	__be16 was = 0;
	/* The sum goes over 16 bits at a time; an odd last octet is padded with a zero (RFC 9293 section 3.1). */
	bool alone = (offset | 1) >= s->payload;
	long failed = alone ? bpf_skb_load_bytes(skb, s->payload_at + offset, &was, 1)
			    : bpf_skb_load_bytes(skb, s->payload_at + (offset & ~1u), &was, 2);
	if (failed)
		return to;
	/* In network order: the first octet is the high one. */
	__u16 word = bpf_ntohs(was);
	word = offset & 1 ? (word & 0xff00) | to : (word & 0x00ff) | to << 8;
	__be16 is = bpf_htons(word);
	if (was == is)
		return to;
	bpf_skb_store_bytes(skb, s->payload_at + offset, &to, 1, BPF_F_RECOMPUTE_CSUM);
	bpf_l4_csum_replace(skb, s->tcp_at + 16, was, is, 2);
	return offset & 1 ? bpf_ntohs(was) & 0xff : bpf_ntohs(was) >> 8;
}

/* Every copy of a repaired octet passes repaired: the client's TCP must never see two different octets with one number. */
static __noinline int apply_patches(struct __sk_buff *skb, struct segment *s, struct flow *flow, struct record *record)
{
	int applied = 0;
	for (__u32 i = 0; i < PATCHES; i++) {
		if (i >= flow->patch_count)
			break;
		__u32 offset = flow->patches[i].seq - s->seq;
		if (offset >= s->payload)
			continue;
		/* The last one is recorded: in most greetings there is no other. */
		record->replaced = rewrite_octet(skb, s, offset, flow->patches[i].octet);
		record->repaired_at = offset;
		record->repairs = ++applied;
	}
	return applied;
}

/* The server sent its own last line behind the one that the repair had made the last: it was only slow. */
static __always_inline void withdraw_repair(struct cpu_scratch *scratch)
{
	const struct segment *s = &scratch->segment;
	struct server_key key = { .port = s->key.server_port };
	__builtin_memcpy(key.address, s->key.server, 16);
	struct server *known = bpf_map_lookup_elem(&servers, &key);
	if (known) {
		known->policy = POLICY_OBSERVE;
		known->contradicted = 1;
	}
	count(scratch, COUNT_CONTRADICTED, 1);
}

#endif
