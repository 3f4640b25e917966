/* The end of a message (RFC 5321 section 4.1.1.4), and its last octets, which show it. */
#ifndef EHLOWIRE_END_OF_DATA_H
#define EHLOWIRE_END_OF_DATA_H

#include "maps.h"

static __always_inline bool copy_to_tail(struct __sk_buff *skb, __u32 offset, struct tail *tail, __u32 at, __u32 n)
{
	__u32 last = n - 1;
	asm volatile("" : "+r"(last));
	if (n == 0 || last >= TAIL_OCTETS || at >= TAIL_OCTETS)
		return false;
	return bpf_skb_load_bytes(skb, offset, tail->octets + at, last + 1) == 0;
}

static __always_inline __u32 tail_index(const struct tail *tail, __u32 seq)
{
	return (seq - tail->shift) & (TAIL_OCTETS - 1);
}

static __always_inline __u8 tail_octet(const struct tail *tail, __u32 seq)
{
	return tail->octets[tail_index(tail, seq)];
}

/* The whole end is in this segment, as in most messages: then no tail is needed. */
static __always_inline bool is_dot(struct __sk_buff *skb, const struct segment *s)
{
	__u64 last = 0;
	if (s->payload < DOT || bpf_skb_load_bytes(skb, s->payload_at + s->payload - DOT, &last, DOT))
		return false;
	return last == DOT_OCTETS;
}

/* Where in a message a segment ends. */
enum stop { STOP_IN_LINE, STOP_AT_LINE, STOP_AT_END };

/* A message ends with CRLF . CRLF and nothing else; its first line follows DATA's CRLF. */
static __always_inline enum stop stop_of(const struct tail *tail, __u32 content)
{
	__u32 end = tail->end, n = end - tail->from;
	if (tail_octet(tail, end - 1) != '\n')
		return STOP_IN_LINE;
	if (n < 3 || tail_octet(tail, end - 3) != '.' || tail_octet(tail, end - 2) != '\r')
		return STOP_AT_LINE;
	if (end - content == 3)
		return STOP_AT_END;
	return n >= DOT && tail_octet(tail, end - 5) == '\r' && tail_octet(tail, end - 4) == '\n' ? STOP_AT_END : STOP_AT_LINE;
}

/* NULL: there is none, or another message took its place. */
static __always_inline struct tail *tail_of(const struct flow *flow)
{
	__u32 which = flow->tail_id & (TAILS - 1);
	struct tail *tail = flow->tail_id ? bpf_map_lookup_elem(&tails, &which) : NULL;
	return tail && tail->id == flow->tail_id ? tail : NULL;
}

static __always_inline struct tail *new_tail(struct flow *flow)
{
	__u32 which = COMMON_LATEST;
	struct latest *latest = bpf_map_lookup_elem(&commons, &which);
	if (!latest)
		return NULL;
	flow->tail_id = __sync_fetch_and_add(&latest->tail_id, 1) + 1;
	which = flow->tail_id & (TAILS - 1);
	struct tail *tail = bpf_map_lookup_elem(&tails, &which);
	if (tail)
		tail->id = flow->tail_id;
	return tail;
}

/* Numbers further apart than half of the space cannot be compared (RFC 9293 section 3.4): an older one is brought nearer. */
static __always_inline void keep_comparable(__u32 *older, __u32 seq)
{
	if (seq - *older > ELIDED_MOST)
		*older = seq - ELIDED_MOST;
}

/* Keeps the last octets of a message, in order only: after a gap, what was kept is not valid any more. */
static __always_inline enum stop keep_tail(struct __sk_buff *skb, struct segment *s, struct flow *flow)
{
	struct stream *stream = &flow->streams[own(s->from)];
	keep_comparable(&stream->content_start, s->seq);
	__u32 content = stream->content_start, end = s->seq + s->payload;
	__u32 n = s->payload > TAIL_OCTETS ? TAIL_OCTETS : s->payload;
	struct tail *tail = tail_of(flow);
	bool fresh = !tail;
	if (fresh)
		tail = new_tail(flow);
	if (!tail)
		return STOP_AT_LINE;
	if (fresh || tail->end != s->seq || before(tail->from, content))
		tail->from = s->seq;
	tail->end = end;
	if (end - tail->from > TAIL_OCTETS)
		tail->from = end - TAIL_OCTETS;
	/* Where all of it is new it is copied in one piece. */
	if (n == TAIL_OCTETS)
		tail->shift = end;
	__u32 at = tail_index(tail, end - n), offset = s->payload_at + s->payload - n;
	if (!copy_to_tail(skb, offset, tail, at, n))
		return STOP_AT_LINE;
	if (at + n > TAIL_OCTETS && !copy_to_tail(skb, offset + TAIL_OCTETS - at, tail, 0, at + n - TAIL_OCTETS))
		return STOP_AT_LINE;
	return stop_of(tail, content);
}

#endif
