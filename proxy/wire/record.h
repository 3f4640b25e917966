/* Records: made where there is room, then put into the ring. */
#ifndef EHLOWIRE_RECORD_H
#define EHLOWIRE_RECORD_H

/* Nobody is woken: the reader looks every few milliseconds, which costs the path nothing. */
static __always_inline void put(struct record *record, struct flow *flow)
{
	__u32 size = offsetof(struct record, data) + record->captured;
	if (flow->lost)
		record->flags |= RECORD_LOST;
	if (size > sizeof(*record) || bpf_ringbuf_output(&ring, record, size, BPF_RB_NO_WAKEUP)) {
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
	struct hand *in_hand = bpf_map_lookup_elem(&hand, &zero);
	if (!in_hand)
		return NULL;
	struct record *record = &in_hand->record;
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
static __noinline int tell_stretch(struct segment *s, struct flow *flow, __u32 from, bool dot)
{
	if (!s || !flow || from > 1)
		return 0;
	struct side *side = &flow->sides[from];
	struct record *record = blank_record(s, RECORD_STRETCH, from);
	__u32 start = side->left_out_from, end = side->left_out_to;
	if (!record || start == end)
		return 0;
	record->at = side->left_out_at;
	record->leg = s->from == from ? s->leg : !s->leg;
	record->seq = start;
	record->octets = end - start;
	record->segments = side->left_out_segments;
	record->flags = side->mode == MODE_MIDDLE ? 0 : RECORD_CONTENT;
	__builtin_memcpy(record->data, &s->key, sizeof(s->key));
	record->captured = STRETCH_KEY;
	struct tail *tail = side->mode == MODE_DATA ? bpf_map_lookup_elem(&tails, &s->key) : NULL;
	if (tail && tail->end == end) {
		record->payload = end - tail->from;
		if (record->payload > record->octets)
			record->payload = record->octets;
		if (dot) {
			if (record->payload > DOT)
				record->payload = DOT;
			for (__u32 i = 0; i < DOT; i++)
				record->data[STRETCH_KEY + i] = tail->octets[(end - record->payload + i) & (TAIL - 1)];
			record->captured += DOT;
		} else {
			__builtin_memcpy(record->data + STRETCH_KEY, tail->octets, TAIL);
			record->captured += TAIL;
		}
	}
	put(record, flow);
	side->left_out_from = end;
	side->left_out_segments = 0;
	return 0;
}

static __always_inline void leave_out(struct segment *s, struct flow *flow, struct side *side, __u32 from, __u32 octets)
{
	if (octets == 0)
		return;
	if (side->left_out_to != from)
		side->left_out_from = from;
	side->left_out_to = from + octets;
	side->left_out_segments += 1;
	side->left_out_at = s->now;
	count(COUNT_LEFT_OUT_SEGMENTS, 1);
	count(COUNT_LEFT_OUT_OCTETS, octets);
	if (side->left_out_to - side->left_out_from > STRETCH_MOST)
		tell_stretch(s, flow, s->from, false);
}

#endif
