/* Connections for the relay: their segments are given to its sockets, without a rule in any firewall. */
#ifndef EHLOWIRE_DIVERT_H
#define EHLOWIRE_DIVERT_H

#include <linux/in.h>
#include <bpf/bpf_endian.h>
#include "flow.h"
#include "maps.h"
#include "parse.h"
#include "table.h"

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

/* Whether a socket is the relay's: others may listen on its port once it was killed, or on the server's own port. A request or
 * TIME_WAIT socket has no mark; its listener was checked at the first segment. */
static __always_inline bool is_relay_socket(struct bpf_sock *socket, const struct settings *set)
{
	struct bpf_sock *full = bpf_sk_fullsock(socket);
	return !full || !set->relay_socket_mark || full->mark == set->relay_socket_mark;
}

static __always_inline struct bpf_sock *relay_socket(struct __sk_buff *skb, const struct segment *s, const struct settings *set, bool listener)
{
	struct bpf_sock *socket = socket_of(skb, s, set, listener);
	if (!socket || is_relay_socket(socket, set))
		return socket;
	bpf_sk_release(socket);
	return NULL;
}

/* The machine itself receives the frame: its routing rules match `mark`. */
static __always_inline void to_host(struct __sk_buff *skb, const struct settings *set)
{
	__u8 mac[6];
	__builtin_memcpy(mac, set->relay_mac, 6);
	bpf_skb_store_bytes(skb, 0, mac, 6, 0);
	bpf_skb_change_type(skb, 0 /* PACKET_HOST */);
	skb->mark = set->relay_mark;
}

/* Gives the segment to the relay's socket. False: there is none, and the frame goes on over the bridge. */
static __noinline int divert(struct __sk_buff *skb, struct segment *s)
{
	__u32 zero = 0;
	struct settings *set = bpf_map_lookup_elem(&settings, &zero);
	if (!set || !set->relay_mark)
		return 0;
	bool first = is_first(s);
	struct bpf_sock *socket = relay_socket(skb, s, set, false);
	if (first && (!socket || socket->state == BPF_TCP_TIME_WAIT)) {
		if (socket)
			bpf_sk_release(socket);
		socket = relay_socket(skb, s, set, true);
	}
	if (!socket)
		return 0;
	long refused = bpf_sk_assign(skb, socket, 0);
	bpf_sk_release(socket);
	if (refused)
		return 0;
	to_host(skb, set);
	return 1;
}

/* An ICMP error about one of the relay's own segments is given to the relay, whatever its address: without
 * it a path with a smaller MTU would swallow what the relay sends (RFC 1191, RFC 8201). */
static __noinline int divert_error(struct __sk_buff *skb, struct segment *s)
{
	__u32 zero = 0;
	struct settings *set = bpf_map_lookup_elem(&settings, &zero);
	__u8 ip[40];
	__u8 type;
	__be16 port[2];
	if (!set || !set->relay_mark || bpf_skb_load_bytes(skb, s->icmp_at, &type, 1))
		return 0;
	/* Unreachable and time exceeded; of ICMPv6 all errors (RFC 4443 section 2.1). */
	bool error = s->family == 4 ? type == 3 || type == 11 : type < 128;
	__u32 at = s->icmp_at + 8;
	if (!error || bpf_skb_load_bytes(skb, at, ip, s->family == 4 ? 20 : 40))
		return 0;
	__u8 *source = s->key.client, *destination = s->key.server;
	if (s->family == 4) {
		__u32 address;
		__builtin_memcpy(&address, ip + 12, 4);
		put_ipv4_mapped(source, address);
		__builtin_memcpy(&address, ip + 16, 4);
		put_ipv4_mapped(destination, address);
		at += (ip[0] & 15) * 4;
	} else {
		__builtin_memcpy(source, ip + 8, 16);
		__builtin_memcpy(destination, ip + 24, 16);
		at += 40;
	}
	if ((s->family == 4 ? ip[9] : ip[6]) != IPPROTO_TCP || bpf_skb_load_bytes(skb, at, port, sizeof(port)))
		return 0;
	s->key.client_port = bpf_ntohs(port[0]);
	s->key.server_port = bpf_ntohs(port[1]);
	struct flow *flow = flow_lookup(&s->key);
	if (!flow) {
		/* It went the other way. */
		swap_sides(&s->key);
		flow = flow_lookup(&s->key);
	}
	if (!flow || flow->relaying != RELAYING)
		return 0;
	to_host(skb, set);
	return 1;
}

#endif
