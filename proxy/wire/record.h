/* Records: made where there is room, then put into the ring. */
#ifndef EHLOWIRE_RECORD_H
#define EHLOWIRE_RECORD_H

/* Nobody is woken: the reader looks every few milliseconds, which costs the path nothing. */
static __always_inline void put(struct hand *hand, struct flow *flow)
{
	struct record *record = &hand->record;
	__u32 size = offsetof(struct record, data) + record->captured;
	if (flow->lost)
		record->flags |= RECORD_LOST;
	if (size > sizeof(*record) || bpf_ringbuf_output(&ring, record, size, BPF_RB_NO_WAKEUP)) {
		flow->lost = 1;
		count(hand, COUNT_LOST, 1);
		return;
	}
	flow->lost = 0;
	count(hand, COUNT_RECORDS, 1);
}

static __always_inline struct record *blank_record(struct hand *hand, __u8 kind, __u8 from)
{
	const struct segment *s = &hand->segment;
	struct record *record = &hand->record;
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

static __always_inline bool left_out(const struct side *side)
{
	return side->left_out_from != side->left_out_to;
}

/* Tells what was left out of a side since its last record, and how a message ended: `dot`, or whatever came last. */
static __noinline int tell_stretch(struct hand *hand, struct flow *flow, __u32 from, bool dot)
{
	if (!hand || !flow || from > 1)
		return 0;
	struct segment *s = &hand->segment;
	struct side *side = &flow->sides[from];
	struct record *record = blank_record(hand, RECORD_STRETCH, from);
	__u32 start = side->left_out_from, end = side->left_out_to;
	record->at = side->left_out_at;
	record->leg = s->from == from ? s->leg : !s->leg;
	record->seq = start;
	record->octets = end - start;
	record->segments = side->left_out_segments;
	record->flags = side->mode == MODE_MIDDLE ? 0 : RECORD_CONTENT;
	__builtin_memcpy(record->data, &s->key, sizeof(s->key));
	record->captured = STRETCH_KEY;
	struct tail *tail = flow->tailed && !dot ? bpf_map_lookup_elem(&tails, &s->key) : NULL;
	if (dot) {
		/* The last of these five, however few were left out. */
		record->payload = record->octets < DOT ? record->octets : DOT;
		__u64 last = DOT_OCTETS >> 8 * (DOT - record->payload);
		__builtin_memcpy(record->data + STRETCH_KEY, &last, DOT);
		record->captured += DOT;
	} else if (side->mode == MODE_DATA && tail && tail->end == end) {
		record->payload = end - tail->from;
		if (record->payload > record->octets)
			record->payload = record->octets;
		/* As a loop: written out it would take three pages of code, in the midst of what runs for every segment. */
#pragma clang loop unroll(disable) vectorize(disable)
		for (__u32 i = 0; i < TAIL; i += 8) {
			asm volatile("" : "+r"(i));
			if (i < TAIL)
				*(__u64 *)(record->data + STRETCH_KEY + i) = *(const __u64 *)(tail->octets + i);
		}
		record->captured += TAIL;
	}
	put(hand, flow);
	side->left_out_from = end;
	side->left_out_segments = 0;
	return 0;
}

static __always_inline void leave_out(struct hand *hand, struct flow *flow, struct side *side, __u32 from, __u32 octets)
{
	const struct segment *s = &hand->segment;
	if (octets == 0)
		return;
	if (side->left_out_to != from)
		side->left_out_from = from;
	side->left_out_to = from + octets;
	side->left_out_segments += 1;
	side->left_out_at = s->now;
	count(hand, COUNT_LEFT_OUT_SEGMENTS, 1);
	count(hand, COUNT_LEFT_OUT_OCTETS, octets);
	if (side->left_out_to - side->left_out_from > STRETCH_MOST)
		tell_stretch(hand, flow, s->from, false);
}

#endif
