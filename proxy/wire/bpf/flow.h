/* The connection that a segment belongs to. */
#ifndef EHLOWIRE_FLOW_H
#define EHLOWIRE_FLOW_H

#include "maps.h"
#include "parse.h"
#include "record.h"
#include "table.h"

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

static __noinline struct flow *flow_begin(struct cpu_scratch *scratch)
{
	struct segment *s = &scratch->segment;
	__u32 which = flow_insert(&s->key) - 1;
	struct flow *flow = bpf_map_lookup_elem(&flows, &which);
	if (!flow) {
		/* Neither this segment nor its loss can be recorded. */
		count(scratch, COUNT_LOST, 1);
		return NULL;
	}
	count(scratch, COUNT_FLOWS, 1);
	if (is_first(s))
		flow->started = s->leg == LEG_WAN ? STARTED_WAN : STARTED_LAN;
	flow->streams[SIDE_CLIENT].isn = s->seq;
	flow->missed = flow->started ? MISSED_NOTHING : MISSED_BEGINNING;
	if (!flow->started)
		flow->sides[0].mode = flow->sides[1].mode = MODE_UNKNOWN;
	flow->policy = POLICY_OBSERVE;
	if (flow->started)
		flow->policy = policy_of(&s->key, &flow->lines);
	flow->repairing = flow->policy == POLICY_REPAIR ? REPAIRING : REPAIRING_NOT;
	/* One whose beginning was not seen may have been recorded before, and have made room in the table: then its silence would be
	 * taken for evidence. */
	flow->unwatched = flow->started && is_crowded();
	return flow;
}

/* Where both ports are servers' the segment was taken for the client's. It may be the server's, of a connection that is
 * known. */
static __noinline struct flow *flow_of_server(struct cpu_scratch *scratch)
{
	struct segment *s = &scratch->segment;
	swap_sides(&s->key);
	struct flow *flow = flow_lookup(&s->key);
	if (flow)
		s->from = SIDE_SERVER;
	else
		swap_sides(&s->key);
	return flow;
}

/* With one side's address, by the leg of the other one: its sender is not that side. */
static __always_inline bool is_wrong_leg(const struct segment *s, const struct flow *flow)
{
	if (flow->started == STARTED_UNSEEN)
		return false;
	bool by_wan = (flow->started == STARTED_WAN) == (s->from == SIDE_CLIENT);
	return by_wan != (s->leg == LEG_WAN);
}

/* NULL: there is no room in the table, or it came by the wrong leg. */
static __always_inline struct flow *flow_of_segment(struct cpu_scratch *scratch)
{
	struct segment *s = &scratch->segment;
	struct flow *flow = flow_lookup(&s->key);
	if (!flow && s->both && !(s->flags & SYN))
		flow = flow_of_server(scratch);
	/* A new SYN of a known connection: the port is used again (RFC 9293 section 3.6.1). */
	if (flow && is_first(s) && !(flow->started && flow->streams[SIDE_CLIENT].isn == s->seq))
		flow = NULL;
	if (!flow)
		flow = flow_begin(scratch);
	if (flow && is_wrong_leg(s, flow)) {
		count(scratch, COUNT_WRONG_LEG, 1);
		return NULL;
	}
	__u32 now = used_now();
	if (flow && flow->used != now)
		flow->used = now;
	return flow;
}

/* A segment that is not recorded. */
static __always_inline void flow_missed(const struct segment *s)
{
	struct flow *flow = flow_lookup(&s->key);
	if (flow && !flow->unwatched && !is_wrong_leg(s, flow))
		flow->missed = MISSED_RECORD;
}

/* Both FINs are acknowledged (RFC 9293 section 3.6), or the side that had read the other's FIN resets. */
static __always_inline bool is_over(const struct segment *s, struct flow *flow)
{
	struct side_state *side = &flow->sides[own(s->from)];
	struct side_state *other = &flow->sides[peer(s->from)];
	const struct stream *stream = &flow->streams[own(s->from)];
	if (s->flags & FIN && s->seq + s->payload + 1 == stream->next)
		side->finished = 1;
	if (!(s->flags & ACK) || !other->finished || s->ack != flow->streams[peer(s->from)].next)
		return false;
	other->acked = 1;
	return side->acked || (s->flags & RST && s->seq == stream->next);
}

/* A connection that is over leaves the table. One that lost a record stays, since its next record must say so. */
static __always_inline void flow_forget(const struct segment *s, struct flow *flow)
{
	if (!flow->missed)
		flow_delete(&s->key);
}

#endif
