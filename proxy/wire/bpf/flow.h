/* What the table knows of the connection that a segment belongs to. */
#ifndef EHLOWIRE_FLOW_H
#define EHLOWIRE_FLOW_H

/* The client's SYN. */
static __always_inline bool is_first(const struct segment *s)
{
	return s->from == SIDE_CLIENT && (s->flags & (SYN | ACK)) == SYN;
}

static __always_inline enum policy policy_of(const struct flow_key *key, __u16 *lines)
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

static __noinline struct flow *begin(struct hand *hand)
{
	if (!hand)
		return NULL;
	struct segment *s = &hand->segment;
	__u32 which = lay_down(&s->key) - 1;
	struct flow *flow = bpf_map_lookup_elem(&flows, &which);
	if (!flow) {
		/* Nobody is told of this segment, nor that it was missed. */
		count(hand, COUNT_LOST, 1);
		return NULL;
	}
	count(hand, COUNT_FLOWS, 1);
	if (is_first(s))
		flow->started = s->leg == LEG_WAN ? STARTED_WAN : STARTED_LAN;
	flow->streams[SIDE_CLIENT].isn = s->seq;
	flow->missed = flow->started ? MISSED_NOTHING : MISSED_BEGINNING;
	if (!flow->started)
		flow->sides[0].mode = flow->sides[1].mode = MODE_MIDDLE;
	flow->policy = POLICY_OBSERVE;
	if (flow->started)
		flow->policy = policy_of(&s->key, &flow->lines);
	flow->repairing = flow->policy == POLICY_REPAIR ? REPAIRING : REPAIRING_NOT;
	/* One whose beginning was not seen may be one that is recorded and had to make room: its silence would be evidence. */
	flow->unwatched = flow->started && is_crowded();
	return flow;
}

/* Where both ports are servers' the segment was taken for the client's. It may be the server's of a connection that is
 * known: then it is its from here on. */
static __noinline struct flow *flow_of_server(struct hand *hand)
{
	if (!hand)
		return NULL;
	struct segment *s = &hand->segment;
	turn(&s->key);
	struct flow *flow = find(&s->key);
	if (flow)
		s->from = SIDE_SERVER;
	else
		turn(&s->key);
	return flow;
}

/* In the name of one side, by the leg of the other one: whoever sent it, it is not what it says. */
static __always_inline bool is_astray(const struct segment *s, const struct flow *flow)
{
	if (flow->started == STARTED_UNSEEN)
		return false;
	bool by_wan = (flow->started == STARTED_WAN) == (s->from == SIDE_CLIENT);
	return by_wan != (s->leg == LEG_WAN);
}

/* NULL: nothing is known of it, or to be believed. */
static __always_inline struct flow *flow_of(struct hand *hand)
{
	struct segment *s = &hand->segment;
	struct flow *flow = find(&s->key);
	if (!flow && s->both && !(s->flags & SYN))
		flow = flow_of_server(hand);
	/* A fresh SYN where a connection was: the port is used again (RFC 9293 section 3.6.1). */
	if (flow && is_first(s) && !(flow->started && flow->streams[SIDE_CLIENT].isn == s->seq))
		flow = NULL;
	if (!flow)
		flow = begin(hand);
	if (flow && is_astray(s, flow)) {
		count(hand, COUNT_WRONG_LEG, 1);
		return NULL;
	}
	__u32 now = mark_of_now();
	if (flow && flow->used != now)
		flow->used = now;
	return flow;
}

/* What this segment says nobody is told. */
static __always_inline void miss(const struct segment *s)
{
	struct flow *flow = find(&s->key);
	if (flow && !flow->unwatched && !is_astray(s, flow))
		flow->missed = MISSED_RECORD;
}

/* Closed in good order and acknowledged to the end (RFC 9293 section 3.6), or reset by who had read the other's end. */
static __always_inline bool is_over(const struct segment *s, struct flow *flow)
{
	struct side_state *side = &flow->sides[s->from & 1];
	struct side_state *other = &flow->sides[!(s->from & 1)];
	const struct stream *stream = &flow->streams[s->from & 1];
	if (s->flags & FIN && s->seq + s->payload + 1 == stream->next)
		side->finished = 1;
	if (!(s->flags & ACK) || !other->finished || s->ack != flow->streams[!(s->from & 1)].next)
		return false;
	other->acked = 1;
	return side->acked || (s->flags & RST && s->seq == stream->next);
}

/* What is over makes room. Who lost a record has to say so with the next one. */
static __always_inline void forget(const struct segment *s, struct flow *flow)
{
	if (!flow->missed)
		pick_up(&s->key);
}

#endif
