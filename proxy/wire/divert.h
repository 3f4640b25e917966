/* Connections for the relay: handed to its sockets, without a rule in any firewall. */
#ifndef EHLOWIRE_DIVERT_H
#define EHLOWIRE_DIVERT_H

static __always_inline struct bpf_sock *socket_of(struct __sk_buff *skb, const struct segment *s, const struct settings *set, bool listener)
{
	struct bpf_sock_tuple tuple = {};
	const __u8 *source = s->from == SIDE_CLIENT ? s->key.client : s->key.server;
	const __u8 *destination = s->from == SIDE_CLIENT ? s->key.server : s->key.client;
	__be16 source_port = bpf_htons(s->from == SIDE_CLIENT ? s->key.client_port : s->key.server_port);
	__be16 destination_port = bpf_htons(s->from == SIDE_CLIENT ? s->key.server_port : s->key.client_port);
	if (listener)
		destination_port = bpf_htons(set->relay_port);
	if (s->family == 4) {
		__builtin_memcpy(&tuple.ipv4.saddr, source + 12, 4);
		__builtin_memcpy(&tuple.ipv4.daddr, destination + 12, 4);
		tuple.ipv4.sport = source_port;
		tuple.ipv4.dport = destination_port;
		return bpf_skc_lookup_tcp(skb, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0);
	}
	__builtin_memcpy(tuple.ipv6.saddr, source, 16);
	__builtin_memcpy(tuple.ipv6.daddr, destination, 16);
	tuple.ipv6.sport = source_port;
	tuple.ipv6.dport = destination_port;
	return bpf_skc_lookup_tcp(skb, &tuple, sizeof(tuple.ipv6), BPF_F_CURRENT_NETNS, 0);
}

/* Hands the segment to the relay's socket. False: there is none, and the frame goes on over the bridge. */
static __noinline int divert(struct __sk_buff *skb, struct segment *s)
{
	__u32 zero = 0;
	struct settings *set = bpf_map_lookup_elem(&settings, &zero);
	if (!s || !set || !set->relay_mark)
		return 0;
	bool first = is_first(s);
	struct bpf_sock *socket = socket_of(skb, s, set, false);
	if (first && (!socket || socket->state == BPF_TCP_TIME_WAIT)) {
		if (socket)
			bpf_sk_release(socket);
		socket = socket_of(skb, s, set, true);
	}
	if (!socket)
		return 0;
	long refused = bpf_sk_assign(skb, socket, 0);
	bpf_sk_release(socket);
	if (refused)
		return 0;
	__u8 mac[6];
	__builtin_memcpy(mac, set->relay_mac, 6);
	bpf_skb_store_bytes(skb, 0, mac, 6, 0);
	bpf_skb_change_type(skb, 0 /* PACKET_HOST */);
	skb->mark = set->relay_mark;
	return 1;
}

#endif
