/* One segment of a connection that is not relayed: what of it goes to the ring. */
#ifndef EHLOWIRE_SEE_H
#define EHLOWIRE_SEE_H

/* Makes the record of a segment: its headers, and of its payload [skipped, skipped + n). NULL: it was not to be had.
 * A frame of its own: the stack is small. */
static __noinline struct slot *record_of(struct __sk_buff *skb, struct hand *hand, struct flow *flow, __u32 skipped, __u32 n)
{
	if (!hand || !flow)
		return NULL;
	const struct segment *s = &hand->segment;
	if (s->payload_at > HEADERS) {
		lose(hand, flow);
		return NULL;
	}
	if (n > PAYLOAD)
		n = PAYLOAD;
	struct slot *slot = blank_record(hand, flow, RECORD_SEGMENT, s->from, s->payload_at + n);
	struct record *record = &slot->record;
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
		return slot;
	put(hand, flow, slot, false);
	return NULL;
}

/* The record of a segment that came out of order, or again: the end of a message may be in it, and nobody follows that
 * but the process. */
static __noinline struct slot *record_astray(struct __sk_buff *skb, struct hand *hand, struct flow *flow)
{
	if (!hand || !flow)
		return NULL;
	const struct segment *s = &hand->segment;
	const struct side_state *side = &flow->sides[s->from & 1];
	const struct stream *stream = &flow->streams[s->from & 1];
	bool secret = side->mode == MODE_TLS ? !before(s->seq, stream->mark) : side->mode == MODE_MIDDLE;
	__u32 most = side->mode == MODE_DIALOGUE ? PAYLOAD : secret ? 0 : TAIL_OCTETS;
	__u32 shown = s->payload < most ? s->payload : most;
	__u32 skipped = most ? s->payload - shown : 0;
	enum record_flag flags = (side->mode != MODE_DIALOGUE ? RECORD_CONTENT : 0) | (skipped ? RECORD_LEAD : 0);
	struct slot *slot = record_of(skb, hand, flow, skipped, shown);
	if (slot)
		slot->record.flags |= flags;
	return slot;
}

/* Of a segment in order: how many octets at its front are content that need not be seen. */
static __always_inline __u32 content_of(struct __sk_buff *skb, struct segment *s, struct flow *flow, enum stop *stop)
{
	struct side_state *side = &flow->sides[s->from & 1];
	struct stream *stream = &flow->streams[s->from & 1];
	__u32 left;
	*stop = STOP_AT_LINE;
	switch (side->mode) {
	case MODE_DATA:
		/* A large segment is hardly ever the last, and where there is a tail it shows the end. */
		if (!flow->ticket && s->payload <= SCANNED && is_dot(skb, s))
			*stop = STOP_AT_END;
		else
			*stop = keep_tail(skb, s, flow);
		return s->payload;
	case MODE_CHUNK:
		left = stream->mark - s->seq;
		if (left > s->payload)
			return s->payload;
		*stop = STOP_AT_END;
		return left;
	case MODE_TLS:
		if (before(s->seq, stream->mark))
			return 0;
		bring_along(&stream->mark, s->seq);
		return s->payload;
	case MODE_MIDDLE:
		if (s->payload <= MIDDLE_COPIED)
			return 0;
		/* It may be a message all the same, whose 354 was not recognised. */
		if (s->from == SIDE_CLIENT)
			keep_tail(skb, s, flow);
		return s->payload;
	default:
		if (stream->unanswered > UNANSWERED) {
			side->mode = MODE_MIDDLE;
			stream->mark = s->seq;
		}
		stream->unanswered += s->payload;
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

/* New octets of a dialogue, in the record: what they begin. A frame of its own: the stack is small. */
static __noinline int look(struct hand *hand, struct flow *flow, struct record *record)
{
	if (!hand || !flow || !record)
		return 0;
	struct segment *s = &hand->segment;
	struct side_state *side = &flow->sides[s->from & 1];
	struct stream *stream = &flow->streams[s->from & 1];
	struct side_state *client = &flow->sides[SIDE_CLIENT];
	struct stream *sent = &flow->streams[SIDE_CLIENT];
	bool from_client = s->from == SIDE_CLIENT;
	if (starts_tls(record, s)) {
		side->mode = MODE_TLS;
		stream->mark = s->seq + TLS_COPIED;
		return 0;
	}
	if (!from_client && client->mode != MODE_DIALOGUE && client->mode != MODE_MIDDLE)
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
		sent->mark = sent->next;
		return 0;
	}
	__u32 shown = record->skipped + n;
	__u32 ends = record->skipped + scan.until;
	if (ends <= s->payload && ends <= shown)
		return 0;
	/* The chunk goes on behind this segment: of it only the command is shown. */
	side->mode = MODE_CHUNK;
	stream->mark = s->seq + ends;
	if (scan.content < n)
		record->captured = record->headers + scan.content;
	record->flags |= RECORD_CONTENT;
	return 0;
}

static __always_inline bool is_bare_ack(const struct segment *s)
{
	return s->payload == 0 && (s->flags & ~PSH) == ACK && s->window != 0;
}

/* A side speaks, or somebody ends it: whatever the other one was sending without an answer is over. */
static __always_inline void close_content(struct segment *s, struct flow *flow)
{
	struct side_state *other = &flow->sides[!(s->from & 1)];
	struct side_state *client = &flow->sides[SIDE_CLIENT];
	if (client->mode == MODE_DATA && (s->from == SIDE_SERVER || s->flags & (FIN | RST)))
		client->mode = MODE_DIALOGUE;
	if (s->payload == 0)
		return;
	if (other->mode == MODE_MIDDLE)
		other->mode = MODE_DIALOGUE;
	flow->streams[!(s->from & 1)].unanswered = 0;
}

static __always_inline void greet(struct hand *hand, struct flow *flow, struct record *record, bool fresh)
{
	struct segment *s = &hand->segment;
	const struct side_state *client = &flow->sides[SIDE_CLIENT];
	const struct stream *sent = &flow->streams[SIDE_CLIENT];
	bool unasked = client->heard && client->mode == MODE_DIALOGUE && sent->mark == sent->next;
	if (fresh && flow->repairing == REPAIRING && flow->started && unasked)
		judge_greeting(s, flow, record);
	else if (fresh && flow->repairing == REPAIRING_ENDED && s->seq == flow->streams[SIDE_SERVER].greeting_end) {
		__u32 at = record->headers;
		bool again = at < HEADERS - 3 && record->data[at] == '2' && record->data[at + 1] == '2' && record->data[at + 2] == '0';
		/* What follows a client's octets may be their answer, and other lines may be the end of a server's patience:
		 * a client can provoke both, so the process looks for itself. */
		if (unasked && again)
			withdraw(hand);
		if (unasked || again)
			record->flags |= RECORD_CONTRADICTED;
		flow->repairing = REPAIRING_PASSED;
	}
}

static __always_inline void apply(struct __sk_buff *skb, struct segment *s, struct flow *flow, struct record *record)
{
	if (!flow->patch_count || !before(s->seq, flow->streams[SIDE_SERVER].greeting_end))
		return;
	if (!apply_patches(skb, s, flow, record))
		return;
	record->flags |= RECORD_REPAIRED;
	__u32 n = record->captured - record->headers;
	copy(skb, s->payload_at, record, s->payload_at, n, PAYLOAD);
}

/* Nothing but an acknowledgement, of which there are many while content goes one way. It is left at that without its
 * side in hand: at worst it is told. */
static __always_inline bool says_nothing(const struct segment *s, const struct flow *flow)
{
	const struct side_state *side = &flow->sides[s->from & 1];
	const struct stream *stream = &flow->streams[s->from & 1];
	enum mode client = flow->sides[SIDE_CLIENT].mode;
	if (!is_bare_ack(s) || s->seq != stream->next)
		return false;
	return client == MODE_DATA || client == MODE_CHUNK || side->mode == MODE_TLS || left_out(&flow->streams[SIDE_CLIENT]) ||
	       left_out(&flow->streams[SIDE_SERVER]);
}

static __always_inline void tell_stretches(struct hand *hand, struct flow *flow)
{
	if (left_out(&flow->streams[SIDE_CLIENT]))
		tell_stretch(hand, flow, SIDE_CLIENT, false);
	if (left_out(&flow->streams[SIDE_SERVER]))
		tell_stretch(hand, flow, SIDE_SERVER, false);
}

/* The client knows the server's first number: the handshake is complete, and it waits for the greeting. */
static __always_inline void answer(const struct segment *s, struct flow *flow, struct side_state *side)
{
	struct stream *served = &flow->streams[SIDE_SERVER];
	if (side->heard != HEARD || s->from != SIDE_CLIENT || s->flags & (SYN | RST) || !(s->flags & ACK))
		return;
	if (!flow->sides[SIDE_SERVER].heard || s->ack != served->next)
		return;
	side->heard = HEARD_ANSWER;
	if (flow->repairing == REPAIRING)
		served->waits_since = coarse_now();
}

/* The side's first word, as far as it was seen: from here on it is known what comes next. */
static __always_inline void hear(struct hand *hand, struct flow *flow, struct side_state *side, struct stream *stream)
{
	const struct segment *s = &hand->segment;
	if (side->heard) {
		answer(s, flow, side);
		return;
	}
	if ((s->flags & (SYN | RST)) == RST)
		return;
	side->heard = HEARD;
	if (flow->unwatched && s->from == SIDE_CLIENT)
		count(hand, COUNT_UNWATCHED, 1);
	stream->next = s->flags & SYN ? s->seq + 1 : s->seq;
	/* Until it speaks: where its first octet will be. */
	if (s->flags & SYN)
		stream->mark = stream->next;
}

/* When a segment of content came: to ask the clock costs a third of all that is done for it. In the midst of a line, where no
 * message ends and no command is, the time that was asked for last in the same tick of the kernel will do. */
static __always_inline __u64 time_of(struct hand *hand, const struct stream *stream, enum stop stop)
{
	__u64 tick = bpf_jiffies64();
	if (stop != STOP_IN_LINE || !left_out(stream) || tick != hand->tick) {
		hand->tick = tick;
		hand->tick_at = bpf_ktime_get_ns();
		return hand->tick_at;
	}
	/* Another processor may have asked later. */
	return hand->tick_at < stream->left_out_at ? stream->left_out_at : hand->tick_at;
}

/* Content at the front of a segment in order is left out of the ring. In how many octets. */
static __always_inline __u32 pass_content(struct __sk_buff *skb, struct hand *hand, struct flow *flow)
{
	enum stop stop;
	struct segment *s = &hand->segment;
	struct side_state *side = &flow->sides[s->from & 1];
	struct stream *stream = &flow->streams[s->from & 1];
	if (s->payload == 0 || s->flags & (SYN | FIN | RST) || s->seq != stream->next)
		return 0;
	__u32 content = content_of(skb, s, flow, &stop);
	if (content == 0)
		return 0;
	s->now = time_of(hand, stream, stop);
	leave_out(hand, flow, stream, s->seq, content);
	stream->next = s->seq + content;
	if (stop != STOP_AT_END)
		return content;
	tell_stretch(hand, flow, s->from, side->mode == MODE_DATA);
	if (side->mode == MODE_DATA)
		flow->ticket = 0;
	side->mode = MODE_DIALOGUE;
	return content;
}

/* What comes next of a side, behind this segment of it. */
static __always_inline void step(const struct segment *s, struct stream *stream)
{
	__u32 end = s->seq + s->payload + (s->flags & FIN ? 1 : 0);
	/* What lies farther ahead is no part of it. */
	if (!(s->flags & (SYN | RST)) && end - stream->next <= STRETCH_MOST)
		stream->next = end;
}

/* What of the segment is no content, behind the `skipped` octets at its front that are, takes its side a step further,
 * if it is its next one. */
static __noinline int follow(struct __sk_buff *skb, struct hand *hand, struct flow *flow, __u32 skipped)
{
	if (!hand || !flow)
		return 0;
	struct segment *s = &hand->segment;
	struct side_state *side = &flow->sides[s->from & 1];
	struct stream *stream = &flow->streams[s->from & 1];
	bool control = s->flags & (SYN | FIN | RST);
	bool fresh = s->seq + skipped == stream->next && s->payload > 0 && !(s->flags & (SYN | RST));
	s->now = bpf_ktime_get_ns();
	tell_stretches(hand, flow);
	if (control || fresh)
		close_content(s, flow);
	struct slot *slot = !fresh && s->payload > 0 ? record_astray(skb, hand, flow)
						     : record_of(skb, hand, flow, skipped, s->payload - skipped);
	if (!slot)
		return 0;
	struct record *record = &slot->record;
	if (s->from == SIDE_SERVER && s->payload > 0) {
		greet(hand, flow, record, fresh);
		apply(skb, s, flow, record);
		if (fresh && (record->flags & RECORD_REPAIRED))
			count(hand, COUNT_REPAIRED, 1);
	}
	if (fresh && (side->mode == MODE_DIALOGUE || side->mode == MODE_MIDDLE))
		look(hand, flow, record);
	step(s, stream);
	if (side->mode == MODE_CHUNK && !fresh && !before(stream->next, stream->mark))
		side->mode = MODE_DIALOGUE;
	/* Behind `put` the record is the reader's. */
	bool cut = record->flags & RECORD_CONTENT && fresh && side->mode == MODE_CHUNK;
	__u32 shown = skipped + record->captured - record->headers;
	put(hand, flow, slot, true);
	if (cut)
		leave_out(hand, flow, stream, s->seq + shown, s->payload - shown);
	return 0;
}

/* It passes while another processor has one of the same side in hand, as happens where a queue moves from one to the
 * other: it is told, and what is known of its own side stays as it is. */
static __noinline int pass_by(struct __sk_buff *skb, struct hand *hand, struct flow *flow)
{
	if (!hand || !flow)
		return 0;
	struct segment *s = &hand->segment;
	s->now = bpf_ktime_get_ns();
	tell_stretches(hand, flow);
	const struct stream *stream = &flow->streams[s->from & 1];
	if (s->flags & (SYN | FIN | RST) || (s->payload > 0 && !before(s->seq, stream->next)))
		close_content(s, flow);
	struct slot *slot = record_astray(skb, hand, flow);
	if (!slot)
		return 0;
	if (s->from == SIDE_SERVER && s->payload > 0)
		apply(skb, s, flow, &slot->record);
	put(hand, flow, slot, true);
	return 0;
}

/* Of a connection that is not recorded only the greeting is looked at, where it is changed, and what comes right behind that: the
 * repair must not depend on who is there to read. */
static __always_inline bool passes_unseen(const struct segment *s, const struct flow *flow)
{
	if (!flow->unwatched)
		return false;
	if (s->from == SIDE_CLIENT || s->payload == 0)
		return true;
	if (flow->repairing == REPAIRING || flow->repairing == REPAIRING_ENDED)
		return false;
	return !flow->patch_count || !before(s->seq, flow->streams[SIDE_SERVER].greeting_end);
}

static __always_inline void see(struct __sk_buff *skb, struct hand *hand, struct flow *flow)
{
	struct segment *s = &hand->segment;
	struct stream *stream = &flow->streams[s->from & 1];
	bool unseen = passes_unseen(s, flow);
	if (says_nothing(s, flow))
		return;
	if (__sync_val_compare_and_swap(&stream->busy, 0, 1)) {
		if (!unseen)
			pass_by(skb, hand, flow);
		return;
	}
	hear(hand, flow, &flow->sides[s->from & 1], stream);
	__u32 skipped = unseen ? 0 : pass_content(skb, hand, flow);
	if (unseen)
		step(s, stream);
	else if (skipped == 0 || skipped < s->payload)
		follow(skb, hand, flow, skipped);
	/* An exchange is a full barrier: whoever has it next finds all of it. */
	__sync_lock_test_and_set(&stream->busy, 0);
}

#endif
