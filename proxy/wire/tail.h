/* Messages: their last octets, and whether they end one. */
#ifndef EHLOWIRE_TAIL_H
#define EHLOWIRE_TAIL_H

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

/* The whole end is in this segment, as it mostly is: then no table is needed. */
static __always_inline bool is_dot(struct __sk_buff *skb, const struct segment *s)
{
	__u64 last = 0;
	if (s->payload < DOT || bpf_skb_load_bytes(skb, s->payload_at + s->payload - DOT, &last, DOT))
		return false;
	return last == DOT_OCTETS;
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

static __always_inline void drop_tail(const struct segment *s, struct flow *flow)
{
	if (flow->tailed)
		bpf_map_delete_elem(&tails, &s->key);
	flow->tailed = 0;
}

/* Keeps the end of a message, in order only: what stands before a hole is not valid any more. True: it ended. */
static __noinline int keep_tail(struct __sk_buff *skb, struct segment *s, struct flow *flow)
{
	__u32 zero = 0;
	if (!s || !flow)
		return 0;
	struct side *side = &flow->sides[s->from & 1];
	/* Numbers further apart than half of the space cannot be compared (RFC 9293 section 3.4): a long message's beginning
	 * is left behind. */
	if (s->seq - side->mark > STRETCH_MOST)
		side->mark = s->seq - STRETCH_MOST;
	__u32 content = side->mark;
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
	/* Also of one that a connection before it left behind. */
	flow->tailed = 1;
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

#endif
