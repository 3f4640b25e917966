/* Records: made in their place in the ring, then shown. */
#ifndef EHLOWIRE_RECORD_H
#define EHLOWIRE_RECORD_H

/* Others may be taking room at the same time: so often it is tried. */
#define TRIES 32

/* The next slot, `size` octets that are all zero; NULL: the ring is full. What is taken must be put: the reader waits for it. */
static __always_inline struct slot *take_room(__u32 size)
{
	__u32 which = COMMON_POSITIONS;
	struct positions *p = bpf_map_lookup_elem(&commons, &which);
	if (!p)
		return NULL;
	__u64 at = p->produced;
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < TRIES; i++) {
		if (at + size - p->room_from > p->capacity) {
			/* Whoever overwrites a newer value with an older one only makes the next one look. */
			__u64 consumed = p->consumed;
			p->room_from = consumed;
			if (at + size - consumed > p->capacity) {
				/* While it was held up, others may have filled and the reader emptied what lies behind `at`. */
				__u64 produced = *(volatile __u64 *)&p->produced;
				if (produced == at)
					return NULL;
				at = produced;
				continue;
			}
		}
		/* A full barrier: nothing is written to the slot before it is known to be free. */
		__u64 found = __sync_val_compare_and_swap(&p->produced, at, at + size);
		if (found == at) {
			which = (at / PIECE_SPAN) & p->mask;
			struct piece *piece = bpf_map_lookup_elem(&ring, &which);
			return piece ? (struct slot *)(piece->octets + (at & (PIECE_SPAN - 8))) : NULL;
		}
		at = found;
	}
	return NULL;
}

/* Whether the ring has no room for the records of one more connection. Those that are recorded already shall come to their end: so
 * it is crowded from a half on, and no more when it is below a quarter. Who overwrites a newer answer with an older one only
 * makes the next one ask again. */
static __always_inline bool is_crowded(void)
{
	__u32 which = COMMON_POSITIONS;
	struct positions *p = bpf_map_lookup_elem(&commons, &which);
	if (!p)
		return false;
	__u64 filled = p->produced - p->consumed;
	__u32 crowded = filled > p->capacity >> (p->crowded ? 2 : 1);
	if (p->crowded != crowded)
		p->crowded = crowded;
	return crowded;
}

/* A record with so many octets of data, of which its maker may tell fewer in the end, in the ring or in the hand: whoever
 * makes it goes by what is in it, whether or not it finds room. */
static __always_inline struct slot *blank_record(struct hand *hand, const struct flow *flow, enum record_kind kind, enum side from, __u32 captured)
{
	const struct segment *s = &hand->segment;
	__u32 size = (offsetof(struct slot, record) + offsetof(struct record, data) + captured + 7) & ~7u;
	struct slot *slot = flow->unwatched || size > sizeof(*slot) ? NULL : take_room(size);
	hand->room = slot ? size : 0;
	if (!slot)
		slot = &hand->spare;
	struct record *record = &slot->record;
	__builtin_memset(record, 0, offsetof(struct record, data));
	record->at = s->now;
	record->kind = kind;
	record->leg = s->leg;
	record->from = from;
	record->captured = captured;
	return slot;
}

static __always_inline void lose(struct hand *hand, struct flow *flow)
{
	if (flow->unwatched)
		return;
	flow->missed = MISSED_RECORD;
	count(hand, COUNT_LOST, 1);
}

/* Shows it to the reader; if it is not `whole`, only its room. Nobody is woken: the reader looks a few times a second. */
static __always_inline void put(struct hand *hand, struct flow *flow, struct slot *slot, bool whole)
{
	if (flow->unwatched)
		return;
	/* Taken back before it is told: what the other side's processor loses meanwhile stays to be told. */
	enum missed missed = flow->missed ? __sync_lock_test_and_set(&flow->missed, MISSED_NOTHING) : MISSED_NOTHING;
	if (missed)
		slot->record.flags |= missed == MISSED_BEGINNING ? RECORD_MIDSTREAM : RECORD_LOST;
	/* An exchange is a full barrier: what is in the slot is there before its size is. */
	if (hand->room)
		__sync_lock_test_and_set(&slot->size, whole ? hand->room : hand->room | SLOT_VOID);
	if (whole && hand->room)
		count(hand, COUNT_RECORDS, 1);
	else
		lose(hand, flow);
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

static __always_inline union span left_out_of(const struct stream *stream)
{
	union span span = { .both = *(const volatile __u64 *)&stream->left_out.both };
	return span;
}

static __always_inline bool left_out(const struct stream *stream)
{
	union span span = left_out_of(stream);
	return span.from != span.to;
}

/* Tells what was left out of a side since its last record, and how a message ended: `dot`, or whatever came last. */
static __noinline int tell_stretch(struct hand *hand, struct flow *flow, enum side from, bool dot)
{
	if (!hand || !flow || from > 1)
		return 0;
	struct segment *s = &hand->segment;
	const struct side_state *side = &flow->sides[from];
	struct stream *stream = &flow->streams[from];
	union span told = left_out_of(stream);
	__u32 start = told.from, end = told.to;
	bool kept = side->mode == MODE_DATA || (side->mode == MODE_MIDDLE && from == SIDE_CLIENT);
	struct tail *tail = kept && !dot ? tail_of(flow) : NULL;
	if (tail && tail->end != end)
		tail = NULL;
	struct slot *slot = blank_record(hand, flow, RECORD_STRETCH, from, STRETCH_KEY + (dot ? DOT : tail ? TAIL_OCTETS : 0));
	struct record *record = &slot->record;
	record->at = stream->left_out_at;
	record->leg = s->from == from ? s->leg : !s->leg;
	record->seq = start;
	record->octets = end - start;
	record->segments = stream->left_out_segments;
	record->flags = side->mode == MODE_MIDDLE ? 0 : RECORD_CONTENT;
	__builtin_memcpy(record->data, &s->key, sizeof(s->key));
	if (dot) {
		/* The last of these five, however few were left out. */
		record->payload = record->octets < DOT ? record->octets : DOT;
		__u64 last = DOT_OCTETS >> 8 * (DOT - record->payload);
		__builtin_memcpy(record->data + STRETCH_KEY, &last, DOT);
	} else if (tail) {
		record->payload = end - tail->from;
		if (record->payload > record->octets)
			record->payload = record->octets;
		record->skipped = tail->shift;
		/* As a loop: written out it would take three pages of code, in the midst of what runs for every segment. */
#pragma clang loop unroll(disable) vectorize(disable)
		for (__u32 i = 0; i < TAIL_OCTETS; i += 8) {
			asm volatile("" : "+r"(i));
			if (i < TAIL_OCTETS)
				*(__u64 *)(record->data + STRETCH_KEY + i) = *(const __u64 *)(tail->octets + i);
		}
	}
	put(hand, flow, slot, true);
	/* What came meanwhile stays to be told, and what was told with it is told again. */
	union span rest = { .from = end, .to = end };
	__sync_val_compare_and_swap(&stream->left_out.both, told.both, rest.both);
	stream->left_out_segments = 0;
	return 0;
}

static __always_inline void leave_out(struct hand *hand, struct flow *flow, struct stream *stream, __u32 from, __u32 octets)
{
	const struct segment *s = &hand->segment;
	if (octets == 0)
		return;
	union span span = { .from = from, .to = from + octets };
	if (stream->left_out.to == from)
		*(volatile __u32 *)&stream->left_out.to = span.to;
	else
		*(volatile __u64 *)&stream->left_out.both = span.both;
	stream->left_out_segments += 1;
	stream->left_out_at = s->now;
	count(hand, COUNT_LEFT_OUT_SEGMENTS, 1);
	count(hand, COUNT_LEFT_OUT_OCTETS, octets);
	if (span.to - stream->left_out.from > STRETCH_MOST)
		tell_stretch(hand, flow, s->from, false);
}

#endif
