/* Records: made in the processor's scratch, then copied to the ring. */
#ifndef EHLOWIRE_RECORD_H
#define EHLOWIRE_RECORD_H

#include "end_of_data.h"
#include "maps.h"

/* Whether the ring has no room for the records of one more connection. Room is kept for those that are recorded already: it is
 * crowded from a half on, until it is below a quarter. Where an older answer overwrites a newer one, the next processor only
 * computes it again. */
static __always_inline bool is_crowded(void)
{
	__u32 which = COMMON_LATEST;
	struct latest *latest = bpf_map_lookup_elem(&commons, &which);
	if (!latest)
		return false;
	__u64 filled = bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA), size = bpf_ringbuf_query(&ring, BPF_RB_RING_SIZE);
	__u32 crowded = filled > size >> (latest->crowded ? 2 : 1);
	if (latest->crowded != crowded)
		latest->crowded = crowded;
	return crowded;
}

/* A record with `captured` octets of data, which are still to be written: made whether or not the ring has room for it, since what
 * the program does next depends on it. The one before is overwritten. */
static __always_inline struct record *new_record(struct cpu_scratch *scratch, enum record_kind kind, enum side from, __u32 captured)
{
	const struct segment *s = &scratch->segment;
	struct record *record = &scratch->record;
	__builtin_memset(record, 0, offsetof(struct record, data));
	record->at = s->now;
	record->kind = kind;
	record->leg = s->leg;
	record->from = from;
	record->captured = captured;
	return record;
}

static __always_inline void record_lost(struct cpu_scratch *scratch, struct flow *flow)
{
	if (flow->unwatched)
		return;
	flow->missed = MISSED_RECORD;
	count(scratch, COUNT_LOST, 1);
}

/* Copies the record that was made last to the ring. No process is woken: the reader looks a few times a second. */
static __always_inline void record_submit(struct cpu_scratch *scratch, struct flow *flow)
{
	struct record *record = &scratch->record;
	if (flow->unwatched)
		return;
	/* Cleared before it is recorded: what the other side's processor loses meanwhile stays for the next record. */
	enum missed missed = flow->missed ? __sync_lock_test_and_set(&flow->missed, MISSED_NOTHING) : MISSED_NOTHING;
	if (missed)
		record->flags |= missed == MISSED_BEGINNING ? RECORD_MIDSTREAM : RECORD_LOST;
	/* The bound is for the verifier. */
	__u32 size = offsetof(struct record, data) + record->captured;
	asm volatile("" : "+r"(size));
	if (size <= sizeof(*record) && !bpf_ringbuf_output(&ring, record, size, BPF_RB_NO_WAKEUP))
		count(scratch, COUNT_RECORDS, 1);
	else
		record_lost(scratch, flow);
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

static __always_inline union span elided_of(const struct stream *stream)
{
	union span span = { .both = *(const volatile __u64 *)&stream->elided.both };
	return span;
}

static __always_inline bool elided(const struct stream *stream)
{
	union span span = elided_of(stream);
	return span.from != span.to;
}

/* Records what was elided of a side since its last record, and how a message ended: `dot`, or the last octets. */
static __noinline int record_elided(struct cpu_scratch *scratch, struct flow *flow, enum side from, bool dot)
{
	struct segment *s = &scratch->segment;
	const struct side_state *side = &flow->sides[own(from)];
	struct stream *stream = &flow->streams[own(from)];
	union span span = elided_of(stream);
	__u32 start = span.from, end = span.to;
	bool kept = side->mode == MODE_DATA || (side->mode == MODE_UNKNOWN && from == SIDE_CLIENT);
	struct tail *tail = kept && !dot ? tail_of(flow) : NULL;
	if (tail && tail->end != end)
		tail = NULL;
	struct record *record = new_record(scratch, RECORD_ELIDED, from, ELIDED_KEY + (dot ? DOT : tail ? TAIL_OCTETS : 0));
	record->at = stream->elided_at;
	record->leg = s->from == from ? s->leg : !s->leg;
	record->seq = start;
	record->octets = end - start;
	record->segments = stream->elided_segments;
	record->flags = side->mode == MODE_UNKNOWN ? 0 : RECORD_CONTENT;
	__builtin_memset(record->data, 0, ELIDED_KEY);
	__builtin_memcpy(record->data, &s->key, sizeof(s->key));
	if (dot) {
		/* The last of these five, however few were elided. */
		record->shown = record->octets < DOT ? record->octets : DOT;
		__u64 last = DOT_OCTETS >> 8 * (DOT - record->shown);
		__builtin_memcpy(record->data + ELIDED_KEY, &last, DOT);
	} else if (tail) {
		record->shown = end - tail->from;
		if (record->shown > record->octets)
			record->shown = record->octets;
		record->shift = tail->shift;
		/* Not unrolled: that would be three pages of code, within the code that runs for every segment. */
#pragma clang loop unroll(disable) vectorize(disable)
		for (__u32 i = 0; i < TAIL_OCTETS; i += 8) {
			asm volatile("" : "+r"(i));
			if (i < TAIL_OCTETS)
				*(__u64 *)(record->data + ELIDED_KEY + i) = *(const __u64 *)(tail->octets + i);
		}
	}
	record_submit(scratch, flow);
	/* If octets came meanwhile, all of the span is recorded again with them. */
	union span rest = { .from = end, .to = end };
	__sync_val_compare_and_swap(&stream->elided.both, span.both, rest.both);
	stream->elided_segments = 0;
	return 0;
}

static __always_inline void elide(struct cpu_scratch *scratch, struct flow *flow, struct stream *stream, __u32 from, __u32 octets)
{
	const struct segment *s = &scratch->segment;
	if (octets == 0)
		return;
	union span span = { .from = from, .to = from + octets };
	if (stream->elided.to == from)
		*(volatile __u32 *)&stream->elided.to = span.to;
	else
		*(volatile __u64 *)&stream->elided.both = span.both;
	stream->elided_segments += 1;
	stream->elided_at = s->now;
	count(scratch, COUNT_ELIDED_SEGMENTS, 1);
	count(scratch, COUNT_ELIDED_OCTETS, octets);
	if (span.to - stream->elided.from > ELIDED_MOST)
		record_elided(scratch, flow, s->from, false);
}

#endif
