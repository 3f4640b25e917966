/* ehlowire in the kernel: at tc on both legs it copies the SMTP dialogue to a ring, repairs what keeps its length,
 * and hands connections to a relay where it is told to. Whatever it does not understand passes untouched.
 *
 * The way of a segment: parse -> flow -> (divert) -> (repair) -> copy. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <stdbool.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <stddef.h>
#include "abi.h"
#include "maps.h"
#include "parse.h"
#include "table.h"
#include "tail.h"
#include "record.h"
#include "flow.h"
#include "scan.h"
#include "repair.h"
#include "see.h"
#include "divert.h"

/* The relay's: a new connection that it is to get, one that it has, or one of which the table knows nothing. */
static __always_inline bool relayed(struct __sk_buff *skb, struct hand *hand, struct flow *flow)
{
	struct segment *s = &hand->segment;
	bool fresh = is_first(s) && flow->policy == POLICY_RELAY;
	bool had = flow->relaying == RELAYING;
	if (!fresh && !had && (flow->started || flow->relaying == RELAYING_NOT))
		return false;
	bool taken = divert(skb, s);
	if (fresh && !taken)
		count(hand, COUNT_NO_RELAY, 1);
	if (taken && !had)
		count(hand, COUNT_DIVERTED, 1);
	if (taken)
		count(hand, COUNT_DIVERTED_SEGMENTS, 1);
	/* Where the relay is gone, what it had goes on to the peers, who will reset it. */
	flow->relaying = taken ? RELAYING : RELAYING_NOT;
	return taken;
}

static __always_inline int handle(struct __sk_buff *skb, enum leg leg)
{
	__u32 zero = 0;
	struct hand *hand = bpf_map_lookup_elem(&hands, &zero);
	if (!hand)
		return TC_ACT_UNSPEC;
	struct segment *s = &hand->segment;
	count(hand, COUNT_FRAMES, 1);
	__builtin_memset(s, 0, sizeof(*s));
	s->leg = leg;
	if (!parse(skb, hand)) {
		if (s->icmp_at && divert_error(skb, s))
			count(hand, COUNT_DIVERTED_ERRORS, 1);
		return TC_ACT_UNSPEC;
	}
	if (s->fragment) {
		miss(s);
		return TC_ACT_UNSPEC;
	}
	count(hand, COUNT_SEGMENTS, 1);
	count(hand, COUNT_OCTETS, s->payload);
	struct flow *flow = flow_of(hand);
	if (!flow || relayed(skb, hand, flow))
		return TC_ACT_UNSPEC;
	see(skb, hand, flow);
	if (is_over(s, flow))
		forget(s, flow);
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
