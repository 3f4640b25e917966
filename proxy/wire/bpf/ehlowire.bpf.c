/* ehlowire in the kernel: at tc on both legs it copies the SMTP dialogue to a ring, repairs greetings in place, and gives
 * connections to the relay. All else passes unchanged.
 *
 * A segment's way: parse.h, flow.h, then either divert.h (to the relay) or dialogue.h (repair.h, record.h). */
#include <linux/pkt_cls.h>
#include "dialogue.h"
#include "divert.h"
#include "flow.h"
#include "maps.h"
#include "parse.h"

/* Whether the relay got the segment: of a new connection that is to be relayed, of one that is, or of one that the table does not
 * know. */
static __always_inline bool relayed(struct __sk_buff *skb, struct cpu_scratch *scratch, struct flow *flow)
{
	struct segment *s = &scratch->segment;
	bool fresh = is_first(s) && flow->policy == POLICY_RELAY;
	bool had = flow->relaying == RELAYING;
	if (!fresh && !had && (flow->started || flow->relaying == RELAYING_NOT))
		return false;
	bool taken = divert(skb, s);
	if (fresh && !taken)
		count(scratch, COUNT_NO_RELAY, 1);
	if (taken && !had)
		count(scratch, COUNT_DIVERTED, 1);
	if (taken)
		count(scratch, COUNT_DIVERTED_SEGMENTS, 1);
	/* Where no relay runs any more, its connections' segments go on to the peers, which will reset them. */
	flow->relaying = taken ? RELAYING : RELAYING_NOT;
	return taken;
}

static __always_inline int handle(struct __sk_buff *skb, enum leg leg)
{
	__u32 zero = 0;
	struct cpu_scratch *scratch = bpf_map_lookup_elem(&cpu_scratch, &zero);
	if (!scratch)
		return TC_ACT_UNSPEC;
	struct segment *s = &scratch->segment;
	count(scratch, COUNT_FRAMES, 1);
	__builtin_memset(s, 0, sizeof(*s));
	s->leg = leg;
	if (!parse(skb, scratch)) {
		if (s->icmp_at && divert_error(skb, s))
			count(scratch, COUNT_DIVERTED_ERRORS, 1);
		return TC_ACT_UNSPEC;
	}
	if (s->fragment) {
		flow_missed(s);
		return TC_ACT_UNSPEC;
	}
	count(scratch, COUNT_SEGMENTS, 1);
	count(scratch, COUNT_OCTETS, s->payload);
	struct flow *flow = flow_of_segment(scratch);
	if (!flow || relayed(skb, scratch, flow))
		return TC_ACT_UNSPEC;
	capture_segment(skb, scratch, flow);
	if (is_over(s, flow))
		flow_forget(s, flow);
	return TC_ACT_UNSPEC;
}

SEC("tc")
int ehlowire_wan(struct __sk_buff *skb)
{
	return handle(skb, LEG_WAN);
}

SEC("tc")
int ehlowire_lan(struct __sk_buff *skb)
{
	return handle(skb, LEG_LAN);
}

char _license[] SEC("license") = "Apache-2.0";
