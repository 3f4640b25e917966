/* What of a segment goes to the ring, where its connection is not relayed. */
#ifndef EHLOWIRE_DIALOGUE_H
#define EHLOWIRE_DIALOGUE_H

#include "content_start.h"
#include "end_of_data.h"
#include "maps.h"
#include "record.h"
#include "repair.h"
#include "table.h"

/* Makes the record of a segment: its headers, and of its payload [skipped, skipped + n). NULL: it cannot be made.
 * Not inlined: the stack is small. */
static __noinline struct record *record_segment(struct __sk_buff *skb, struct cpu_scratch *scratch, struct flow *flow, __u32 skipped, __u32 n)
{
	const struct segment *s = &scratch->segment;
	if (s->payload_at > HEADERS) {
		record_lost(scratch, flow);
		return NULL;
	}
	if (n > PAYLOAD)
		n = PAYLOAD;
	struct record *record = new_record(scratch, RECORD_SEGMENT, s->from, s->payload_at + n);
	record->vlan_tci = skb->vlan_present ? skb->vlan_tci : 0;
	record->vlan_protocol = skb->vlan_present ? skb->vlan_proto : 0;
	record->length = skb->len;
	record->headers = s->payload_at;
	record->payload = s->payload;
	record->skipped = skipped;
	bool whole = skipped == 0 ? copy(skb, 0, record, 0, s->payload_at + n, HEADERS + PAYLOAD)
				  : copy(skb, 0, record, 0, s->payload_at, HEADERS) &&
				    copy(skb, s->payload_at + skipped, record, s->payload_at, n, PAYLOAD);
	if (whole)
		return record;
	record_lost(scratch, flow);
	return NULL;
}

/* The record of a segment out of order, or of one sent again: the end of a message may be in it, and the process alone
 * reads that. */
static __noinline struct record *record_out_of_order(struct __sk_buff *skb, struct cpu_scratch *scratch, struct flow *flow)
{
	const struct segment *s = &scratch->segment;
	const struct side_state *side = &flow->sides[own(s->from)];
	const struct stream *stream = &flow->streams[own(s->from)];
	bool opaque = side->mode == MODE_TLS ? !before(s->seq, stream->copied_to) : side->mode == MODE_UNKNOWN;
	__u32 most = side->mode == MODE_DIALOGUE ? PAYLOAD : opaque ? 0 : TAIL_OCTETS;
	__u32 shown = s->payload < most ? s->payload : most;
	__u32 skipped = most ? s->payload - shown : 0;
	enum record_flag flags = (side->mode != MODE_DIALOGUE ? RECORD_CONTENT : 0) | (skipped ? RECORD_LEAD : 0);
	struct record *record = record_segment(skb, scratch, flow, skipped, shown);
	if (record)
		record->flags |= flags;
	return record;
}

/* Of a segment in order: how many octets at its front are content, which is not recorded. */
static __always_inline __u32 content_octets(struct __sk_buff *skb, struct segment *s, struct flow *flow, enum stop *stop)
{
	struct side_state *side = &flow->sides[own(s->from)];
	struct stream *stream = &flow->streams[own(s->from)];
	__u32 left;
	*stop = STOP_AT_LINE;
	switch (side->mode) {
	case MODE_DATA:
		/* A large segment is hardly ever the last one; where there is a tail, the tail shows the end. */
		if (!flow->tail_id && s->payload <= SCANNED && is_dot(skb, s))
			*stop = STOP_AT_END;
		else
			*stop = keep_tail(skb, s, flow);
		return s->payload;
	case MODE_CHUNK:
		left = stream->content_end - s->seq;
		if (left > s->payload)
			return s->payload;
		*stop = STOP_AT_END;
		return left;
	case MODE_TLS:
		if (before(s->seq, stream->copied_to))
			return 0;
		keep_comparable(&stream->copied_to, s->seq);
		return s->payload;
	case MODE_UNKNOWN:
		if (s->payload <= UNKNOWN_COPIED)
			return 0;
		/* It may be a message, whose 354 was not recognised. */
		if (s->from == SIDE_CLIENT)
			keep_tail(skb, s, flow);
		return s->payload;
	default:
		if (stream->unanswered > UNANSWERED) {
			side->mode = MODE_UNKNOWN;
			stream->content_start = s->seq;
		}
		stream->unanswered += s->payload;
		return 0;
	}
}

/* A TLS record begins, `16 03` or an alert: from here on only client and server can read it (RFC 8446 section 5.1). */
static __always_inline bool starts_tls(const struct record *record, const struct segment *s)
{
	__u32 at = s->payload_at;
	if (s->payload < 2 || at >= HEADERS)
		return false;
	__u8 type = record->data[at];
	return type >= 0x14 && type <= 0x17 && record->data[at + 1] == 0x03;
}

/* New octets of a dialogue, in the record: whether they begin TLS or content. Not inlined: the stack is small. */
static __noinline int scan_dialogue(struct cpu_scratch *scratch, struct flow *flow, struct record *record)
{
	struct segment *s = &scratch->segment;
	struct side_state *side = &flow->sides[own(s->from)];
	struct stream *stream = &flow->streams[own(s->from)];
	struct side_state *client = &flow->sides[SIDE_CLIENT];
	struct stream *sent = &flow->streams[SIDE_CLIENT];
	bool from_client = s->from == SIDE_CLIENT;
	if (starts_tls(record, s)) {
		side->mode = MODE_TLS;
		stream->copied_to = s->seq + TLS_COPIED;
		return 0;
	}
	if (!from_client && client->mode != MODE_DIALOGUE && client->mode != MODE_UNKNOWN)
		return 0;
	__u32 n = record->captured - record->headers;
	struct scan scan = {
		.record = record, .at = record->headers, .n = n, .client = from_client,
	};
	if (scan.n > SCANNED)
		scan.n = SCANNED;
	bpf_loop(SCANNED / WORD, scan_word, &scan, 0);
	if (!scan.content)
		return 0;
	if (!from_client) {
		client->mode = MODE_DATA;
		sent->content_start = sent->next;
		return 0;
	}
	__u32 shown = record->skipped + n;
	__u32 ends = record->skipped + scan.until;
	if (ends <= s->payload && ends <= shown)
		return 0;
	/* The chunk goes on behind this segment: of the chunk, only the command is recorded. */
	side->mode = MODE_CHUNK;
	stream->content_end = s->seq + ends;
	if (scan.content < n)
		record->captured = record->headers + scan.content;
	record->flags |= RECORD_CONTENT;
	return 0;
}

static __always_inline bool is_bare_ack(const struct segment *s)
{
	return s->payload == 0 && (s->flags & ~PSH) == ACK && s->window != 0;
}

/* A side speaks, or the connection ends: what the other side was sending without an answer is over. */
static __always_inline void end_content(struct segment *s, struct flow *flow)
{
	struct side_state *other = &flow->sides[peer(s->from)];
	struct side_state *client = &flow->sides[SIDE_CLIENT];
	if (client->mode == MODE_DATA && (s->from == SIDE_SERVER || s->flags & (FIN | RST)))
		client->mode = MODE_DIALOGUE;
	if (s->payload == 0)
		return;
	if (other->mode == MODE_UNKNOWN)
		other->mode = MODE_DIALOGUE;
	flow->streams[peer(s->from)].unanswered = 0;
}

static __always_inline void watch_greeting(struct cpu_scratch *scratch, struct flow *flow, struct record *record, bool fresh)
{
	struct segment *s = &scratch->segment;
	const struct side_state *client = &flow->sides[SIDE_CLIENT];
	const struct stream *sent = &flow->streams[SIDE_CLIENT];
	bool unasked = client->seen && client->mode == MODE_DIALOGUE && sent->first == sent->next;
	if (fresh && flow->repairing == REPAIRING && flow->started && unasked)
		judge_greeting(s, flow, record);
	else if (fresh && flow->repairing == REPAIRING_ENDED && s->seq == flow->streams[SIDE_SERVER].greeting_end) {
		__u32 at = record->headers;
		bool again = at < HEADERS - 3 && record->data[at] == '2' && record->data[at + 1] == '2' && record->data[at + 2] == '0';
		/* Behind a client's octets this may be the reply to them, and other lines may be a server's timeout: a client
		 * can provoke both. So the program takes the repair back only where neither is so; else the process decides. */
		if (unasked && again)
			withdraw_repair(scratch);
		if (unasked || again)
			record->flags |= RECORD_CONTRADICTED;
		flow->repairing = REPAIRING_PASSED;
	}
}

static __always_inline void repair_copy(struct __sk_buff *skb, struct segment *s, struct flow *flow, struct record *record)
{
	if (!flow->patch_count || !before(s->seq, flow->streams[SIDE_SERVER].greeting_end))
		return;
	if (!apply_patches(skb, s, flow, record))
		return;
	record->flags |= RECORD_REPAIRED;
	__u32 n = record->captured - record->headers;
	copy(skb, s->payload_at, record, s->payload_at, n, PAYLOAD);
}

/* Nothing but an acknowledgement, of which there are many while content goes one way. This is read without the side's
 * lock: at worst the acknowledgement is recorded. */
static __always_inline bool is_plain_ack(const struct segment *s, const struct flow *flow)
{
	const struct side_state *side = &flow->sides[own(s->from)];
	const struct stream *stream = &flow->streams[own(s->from)];
	enum mode client = flow->sides[SIDE_CLIENT].mode;
	if (!is_bare_ack(s) || s->seq != stream->next)
		return false;
	return client == MODE_DATA || client == MODE_CHUNK || side->mode == MODE_TLS || elided(&flow->streams[SIDE_CLIENT]) ||
	       elided(&flow->streams[SIDE_SERVER]);
}

static __always_inline void record_all_elided(struct cpu_scratch *scratch, struct flow *flow)
{
	if (elided(&flow->streams[SIDE_CLIENT]))
		record_elided(scratch, flow, SIDE_CLIENT, false);
	if (elided(&flow->streams[SIDE_SERVER]))
		record_elided(scratch, flow, SIDE_SERVER, false);
}

/* The client knows the server's first number: the handshake is complete, and it waits for the greeting. */
static __always_inline void complete_handshake(const struct segment *s, struct flow *flow, struct side_state *side)
{
	struct stream *served = &flow->streams[SIDE_SERVER];
	if (side->seen != SEEN || s->from != SIDE_CLIENT || s->flags & (SYN | RST) || !(s->flags & ACK))
		return;
	if (!flow->sides[SIDE_SERVER].seen || s->ack != served->next)
		return;
	side->seen = SEEN_HANDSHAKE;
	if (flow->repairing == REPAIRING)
		served->waits_since = coarse_now();
}

/* The first segment of a side that was seen: from here on the number of its next octet is known. */
static __always_inline void learn_isn(struct cpu_scratch *scratch, struct flow *flow, struct side_state *side, struct stream *stream)
{
	const struct segment *s = &scratch->segment;
	if (side->seen) {
		complete_handshake(s, flow, side);
		return;
	}
	if ((s->flags & (SYN | RST)) == RST)
		return;
	side->seen = SEEN;
	if (flow->unwatched && s->from == SIDE_CLIENT)
		count(scratch, COUNT_UNWATCHED, 1);
	stream->next = s->flags & SYN ? s->seq + 1 : s->seq;
	if (s->flags & SYN)
		stream->first = stream->next;
}

/* When a segment of content came. Reading the clock costs a third of all that is done for such a segment. In the midst of a
 * line, where no message ends and no command is, the last reading within the same tick of the kernel is used. */
static __always_inline __u64 time_of(struct cpu_scratch *scratch, const struct stream *stream, enum stop stop)
{
	__u64 tick = bpf_jiffies64();
	if (stop != STOP_IN_LINE || !elided(stream) || tick != scratch->tick) {
		scratch->tick = tick;
		scratch->tick_at = bpf_ktime_get_ns();
		return scratch->tick_at;
	}
	/* Another processor may have read the clock later. */
	return scratch->tick_at < stream->elided_at ? stream->elided_at : scratch->tick_at;
}

/* Elides the content at the front of a segment in order. How many octets. */
static __always_inline __u32 elide_content(struct __sk_buff *skb, struct cpu_scratch *scratch, struct flow *flow)
{
	enum stop stop;
	struct segment *s = &scratch->segment;
	struct side_state *side = &flow->sides[own(s->from)];
	struct stream *stream = &flow->streams[own(s->from)];
	if (s->payload == 0 || s->flags & (SYN | FIN | RST) || s->seq != stream->next)
		return 0;
	__u32 content = content_octets(skb, s, flow, &stop);
	if (content == 0)
		return 0;
	s->now = time_of(scratch, stream, stop);
	elide(scratch, flow, stream, s->seq, content);
	stream->next = s->seq + content;
	if (stop != STOP_AT_END)
		return content;
	record_elided(scratch, flow, s->from, side->mode == MODE_DATA);
	if (side->mode == MODE_DATA)
		flow->tail_id = 0;
	side->mode = MODE_DIALOGUE;
	return content;
}

/* The number of the octet behind this segment is the next one. */
static __always_inline void advance(const struct segment *s, struct stream *stream)
{
	__u32 end = s->seq + s->payload + (s->flags & FIN ? 1 : 0);
	/* What lies farther ahead is no part of this stream. */
	if (!(s->flags & (SYN | RST)) && end - stream->next <= ELIDED_MOST)
		stream->next = end;
}

/* Records the segment, behind the `skipped` octets of content at its front, and advances its side if it is the next one. */
static __noinline int capture_dialogue(struct __sk_buff *skb, struct cpu_scratch *scratch, struct flow *flow, __u32 skipped)
{
	struct segment *s = &scratch->segment;
	struct side_state *side = &flow->sides[own(s->from)];
	struct stream *stream = &flow->streams[own(s->from)];
	bool control = s->flags & (SYN | FIN | RST);
	bool fresh = s->seq + skipped == stream->next && s->payload > 0 && !(s->flags & (SYN | RST));
	s->now = bpf_ktime_get_ns();
	record_all_elided(scratch, flow);
	if (control || fresh)
		end_content(s, flow);
	struct record *record = !fresh && s->payload > 0 ? record_out_of_order(skb, scratch, flow)
							 : record_segment(skb, scratch, flow, skipped, s->payload - skipped);
	if (!record)
		return 0;
	if (s->from == SIDE_SERVER && s->payload > 0) {
		watch_greeting(scratch, flow, record, fresh);
		repair_copy(skb, s, flow, record);
		if (fresh && (record->flags & RECORD_REPAIRED))
			count(scratch, COUNT_REPAIRED, 1);
	}
	if (fresh && (side->mode == MODE_DIALOGUE || side->mode == MODE_UNKNOWN))
		scan_dialogue(scratch, flow, record);
	advance(s, stream);
	if (side->mode == MODE_CHUNK && !fresh && !before(stream->next, stream->content_end))
		side->mode = MODE_DIALOGUE;
	record_submit(scratch, flow);
	if (record->flags & RECORD_CONTENT && fresh && side->mode == MODE_CHUNK) {
		__u32 shown = skipped + record->captured - record->headers;
		elide(scratch, flow, stream, s->seq + shown, s->payload - shown);
	}
	return 0;
}

/* Another processor holds the lock of this side, as happens where a queue moves from one processor to another: the segment is
 * recorded, and the state of its side stays as it is. */
static __noinline int capture_contended(struct __sk_buff *skb, struct cpu_scratch *scratch, struct flow *flow)
{
	struct segment *s = &scratch->segment;
	s->now = bpf_ktime_get_ns();
	record_all_elided(scratch, flow);
	const struct stream *stream = &flow->streams[own(s->from)];
	if (s->flags & (SYN | FIN | RST) || (s->payload > 0 && !before(s->seq, stream->next)))
		end_content(s, flow);
	struct record *record = record_out_of_order(skb, scratch, flow);
	if (!record)
		return 0;
	if (s->from == SIDE_SERVER && s->payload > 0)
		repair_copy(skb, s, flow, record);
	record_submit(scratch, flow);
	return 0;
}

/* Of a connection that is not recorded only the greeting is read, where it is to be repaired, and what comes right behind it: the
 * repair must not depend on the reader. */
static __always_inline bool is_unrecorded(const struct segment *s, const struct flow *flow)
{
	if (!flow->unwatched)
		return false;
	if (s->from == SIDE_CLIENT || s->payload == 0)
		return true;
	if (flow->repairing == REPAIRING || flow->repairing == REPAIRING_ENDED)
		return false;
	return !flow->patch_count || !before(s->seq, flow->streams[SIDE_SERVER].greeting_end);
}

static __always_inline void capture_segment(struct __sk_buff *skb, struct cpu_scratch *scratch, struct flow *flow)
{
	struct segment *s = &scratch->segment;
	struct stream *stream = &flow->streams[own(s->from)];
	bool unrecorded = is_unrecorded(s, flow);
	if (is_plain_ack(s, flow))
		return;
	if (__sync_val_compare_and_swap(&stream->busy, 0, 1)) {
		if (!unrecorded)
			capture_contended(skb, scratch, flow);
		return;
	}
	learn_isn(scratch, flow, &flow->sides[own(s->from)], stream);
	__u32 skipped = unrecorded ? 0 : elide_content(skb, scratch, flow);
	if (unrecorded)
		advance(s, stream);
	else if (skipped == 0 || skipped < s->payload)
		capture_dialogue(skb, scratch, flow, skipped);
	/* An exchange is a full barrier: the next holder of the lock sees all that was written. */
	__sync_lock_test_and_set(&stream->busy, 0);
}

#endif
